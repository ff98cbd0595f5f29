"""The times that logs write, as seconds since 1970."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = {
    m: i for i, m in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(b" "), start=1)
}

_ZONE = rb"(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d))?"
_CLOCK = rb"(?P<h>\d\d):(?P<mi>\d\d):(?P<s>\d\d)(?:[.,](?P<fraction>\d+))?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rb"(?P<y>\d{4})[-/.](?P<m>\d\d)[-/.](?P<d>\d\d)[T -]" + _CLOCK + _ZONE,
        rb"(?P<d>\d\d)/(?P<month>[A-Z][a-z]{2})/(?P<y>\d{4}):" + _CLOCK + _ZONE,
        rb"(?:[A-Z][a-z]{2} )?(?P<month>[A-Z][a-z]{2}) (?P<d>[ \d]\d) " + _CLOCK + rb"(?: (?P<y>\d{4}))?",
        rb"(?P<yy>\d\d)/(?P<m>\d\d)/(?P<d>\d\d)[T ]" + _CLOCK + _ZONE,
        rb"(?P<yy>\d\d)(?P<m>\d\d)(?P<d>\d\d) (?P<h>\d\d)(?P<mi>\d\d)(?P<s>\d\d)",
        rb"(?P<m>\d\d)(?P<d>\d\d) " + _CLOCK,
        _CLOCK,
    )
)
_EPOCH = re.compile(rb"\d{9,10}(?:\.\d+)?|\d{13}|\d{16}|\d{19}")
_DAY = 86_400.0
LATEST = float(1 << 32)
"""In the year 2106. A log that tells a later time, or one before 1970, has lost its clock: it tells none."""


@lru_cache(maxsize=20_000)
def seconds(text: bytes, now: float) -> float | None:
    """When it was, in seconds since 1970; None if it is no time that we know, or none up to ``LATEST``.

    What a log leaves out is filled in: without a zone it is UTC, without a year or a day it is the last such
    moment that is not after tomorrow. ``now`` is in seconds too.
    """
    at = _told(text.strip(), now)
    return at if at is not None and 0 <= at <= LATEST else None


def _told(text: bytes, now: float) -> float | None:
    if _EPOCH.fullmatch(text):
        return _since_1970(text)
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            try:
                return _moment(match, now)
            except ValueError:
                return None
    return None


def _since_1970(text: bytes) -> float:
    """Seconds, milliseconds, microseconds or nanoseconds, as the length says."""
    return float(text) if len(text) < 13 or b"." in text else int(text) / 10.0 ** (len(text) - 10)


def _moment(match: re.Match[bytes], now: float) -> float:
    """Raises ValueError if there is no such day or hour."""
    part = match.groupdict()
    today = datetime.fromtimestamp(now, UTC)
    month = _MONTHS.get(part["month"], 0) if part.get("month") else int(part.get("m") or today.month)
    clock = int(part["h"]), int(part["mi"]), min(int(part["s"]), 59)
    zone = _zone(part.get("zone"))
    fraction = float(b"0." + part["fraction"]) if part.get("fraction") else 0.0
    if not part.get("d"):
        moment = datetime(today.year, today.month, today.day, *clock, tzinfo=zone).timestamp()
        return fraction + (moment if moment <= now + _DAY / 24 else moment - _DAY)
    year = int(part["y"]) if part.get("y") else 2000 + int(part["yy"]) if part.get("yy") else today.year
    moment = datetime(year, month, int(part["d"]), *clock, tzinfo=zone).timestamp()
    if not (part.get("y") or part.get("yy")) and moment > now + _DAY:
        moment = datetime(year - 1, month, int(part["d"]), *clock, tzinfo=zone).timestamp()
    return moment + fraction


def _zone(text: bytes | None) -> timezone:
    if not text or text[:1] not in b"+-":
        return UTC
    digits = text[1:].replace(b":", b"")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
    return timezone(-offset if text[:1] == b"-" else offset)
