"""Which URLs can be asked."""

import re
from typing import TYPE_CHECKING

from dogwatch.errors import SettingsError
from dogwatch.model.text import one_line

if TYPE_CHECKING:
    import httpx2

WRITE_IT_AS = "write it as https://host[:port][/path], without credentials"


def usable(text: str, *, plain: bool) -> "httpx2.URL":
    """A URL that can be asked; a ``plain`` one has no query. Raises SettingsError, telling no password."""
    import httpx2

    shown = one_line(re.sub("//.*@", "//***@", re.split("[?#]", text)[0]))
    url: httpx2.URL | None = None
    try:
        url = httpx2.URL(text)
        url.raw_host.decode().encode("idna")  # as the resolver will; it refuses empty and too long labels
    except (httpx2.InvalidURL, UnicodeError):
        url = None
    if url is None or url.scheme not in {"http", "https"} or not url.host or (url.port or 0) > 65535:
        raise SettingsError(f"not a usable URL: {shown}", WRITE_IT_AS)
    if url.userinfo or url.fragment or (plain and url.query):
        raise SettingsError(f"more than a URL: {shown}", WRITE_IT_AS)
    return url
