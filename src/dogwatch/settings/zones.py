"""Names of time zones, and which name was probably meant."""

import difflib
from collections.abc import Iterable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones


def is_zone(name: str) -> bool:
    """Whether there is an IANA zone of that name; the list of all of them takes 20 ms to make."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return not name.startswith(("posix", "right/"))


def known_zone(name: str) -> str:
    """The name if it is one. Raises ValueError that tells the nearest one."""
    if not is_zone(name):
        near = nearest(name, available_timezones())
        raise ValueError(f"is not an IANA time zone{f'; did you mean {near}?' if near else ''}")
    return name


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, None if none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
