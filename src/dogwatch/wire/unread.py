"""Objects in a bucket that were not read yet, whatever came in between.

Exports of logs are objects that never change, named by day, and late ones come for hours that are long over.
So the last days are listed in every round, and what was read of them is remembered by name and version. A
cursor is that memory as text: it grows with the objects of those days and with nothing else.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dogwatch.errors import ConnectorError
from dogwatch.wire.answer import Answer

PATIENCE = timedelta(hours=36)
"""Days are listed again until they are over for so long."""
LOOK_BACK = timedelta(days=3)
"""What is learned of the past when a bucket is seen for the first time."""
_PIECE = 8 << 20
"""Bytes of an object that are asked for at once."""
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/")


@dataclass(frozen=True, slots=True)
class Object:
    """One object as a listing shows it."""

    name: str
    version: str
    """Another one for another content under the same name: a generation, an ETag."""
    size: int
    written: datetime | None = None
    """When it was put there; None if nobody says."""

    @property
    def key(self) -> str:
        """Short and the same in every process."""
        told = f"{self.name}\n{self.version}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(told).hexdigest()[:16]


Dated = tuple[date, Object]
"""An object, and the day under whose name it was found."""


class Unread:
    """What of a bucket was read, by day."""

    def __init__(self, cursor: str, now: datetime, since: datetime | None = None) -> None:
        """``since`` is where to begin if nothing was read yet. A cursor that makes no sense begins anew."""
        self._read: dict[str, set[str]] = {}
        known = _decoded(cursor)
        first = known.get("since")
        self._since = _day(first) if isinstance(first, str) else None
        begin = (since or now - LOOK_BACK).astimezone(UTC).date()
        if self._since is None:
            self._since = begin
        else:
            self._read = {day: set(keys) for day, keys in known.get("read", {}).items()}
        self._today = now.astimezone(UTC).date()
        self._settled = (now - PATIENCE).astimezone(UTC).date()

    def days(self) -> Iterator[date]:
        """The days to list, oldest first."""
        day = self._since
        assert day is not None
        while day <= self._today:
            yield day
            day += timedelta(days=1)

    def new(self, day: date, objects: Sequence[Object]) -> list[Object]:
        """Those of a day's objects that were not read, in order of their names."""
        read = self._read.get(day.isoformat(), set())
        return sorted((one for one in objects if one.key not in read), key=lambda one: one.name)

    def took(self, day: date, one: Object) -> None:
        """An object was read to its end."""
        self._read.setdefault(day.isoformat(), set()).add(one.key)

    def listed(self, day: date) -> None:
        """All of a day was read. Days that are over for long are not listed again."""
        if self._since == day and day < self._settled:
            self._since = day + timedelta(days=1)
            self._read.pop(day.isoformat(), None)

    def cursor(self) -> str:
        """What was read, as text."""
        read = {day: sorted(keys) for day, keys in sorted(self._read.items())}
        return json.dumps({"since": str(self._since), "read": read}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Backlog:
    """What of a bucket is to be read: all that was listed and not read yet."""

    unread: Unread
    days: Sequence[tuple[date, Sequence[Object]]]
    """The objects of each day that was listed, in order; all are there, or listing failed."""

    @property
    def objects(self) -> list[Dated]:
        """In the order in which they are read."""
        return [(day, one) for day, objects in self.days for one in objects]


async def pieces(one: Object, get: Callable[[str], Awaitable[Answer]]) -> AsyncIterator[bytes]:
    """The content of an object, piece by piece; nothing if the object is gone before the first.

    ``get`` asks for one piece, given the value of its Range header. A piece whose connection breaks is asked
    for again by the door, the others are not.
    """
    at = 0
    while at < one.size:
        try:
            answer = await get(f"bytes={at}-{at + _PIECE - 1}")
        except ConnectorError as error:
            if error.status == 404 and not at:
                return
            raise
        yield answer.content
        if answer.status != 206:
            return
        told = _RANGE.match(answer.headers.get("content-range", ""))  # the content may be shorter: masked
        begin, end = (int(told[1]), int(told[2]) + 1) if told else (at, at + len(answer.content))
        if begin != at or end <= at:
            raise answer.unexpected("with another piece of an object than was asked for")
        at = end


def _decoded(cursor: str) -> dict[str, Any]:
    try:
        found: Any = json.loads(cursor) if cursor else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # our own text


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def day_prefix(layout: str, log: str, day: date) -> str:
    """The beginning of the names of a day's objects.

    ``layout`` may hold ``{log}``, ``{yyyy}``, ``{mm}`` and ``{dd}``.
    """
    return layout.format_map({"log": log, "yyyy": f"{day:%Y}", "mm": f"{day:%m}", "dd": f"{day:%d}"})


def checked_layout(layout: str) -> str:
    """The layout, if it can be filled in. Raises ValueError."""
    try:
        filled = day_prefix(layout, "log", date(2026, 1, 2))
    except (KeyError, ValueError, IndexError, AttributeError):
        filled = ""
    if not filled or filled.startswith("/") or not all(part in filled for part in ("2026", "01", "02")):
        raise ValueError(
            "a layout is made of {log}, {yyyy}, {mm}, {dd} and text, such as {log}/{yyyy}/{mm}/{dd}/"
        )
    return layout
