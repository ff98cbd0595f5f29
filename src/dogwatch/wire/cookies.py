"""No cookies."""

from http.cookiejar import CookieJar
from typing import Any


class NoCookies(CookieJar):
    """Keeps no cookie and sends none: who we are is said by the login alone."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Leave them."""

    def add_cookie_header(self, request: Any) -> None:
        """Nothing to add."""
