"""Logs out of a bucket, whoever keeps it: what was not read yet, day by day."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date, datetime
from typing import Protocol

from dogwatch.wire.connector import LogAsk, LogPart
from dogwatch.wire.unread import Backlog, Dated, Object, Unread, day_prefix

AT_ONCE = 8
"""Objects of one bucket that are read at once, by however many workers."""


class Bucket(Protocol):
    """Where objects are found and read."""

    async def find(self, prefix: str) -> Sequence[Object]:
        """All objects whose names begin so."""
        ...

    def read(self, one: Object) -> AsyncIterator[bytes]:
        """The content of an object, in parts."""
        ...


async def unread_logs(
    bucket: Bucket, ask: LogAsk, now: datetime, layout: str, logs: Iterable[str]
) -> AsyncIterator[LogPart]:
    """The objects of the last days that were not read yet, late ones included. ``now``: as told there."""
    unread = Unread(ask.cursor, now, ask.since)
    for day in unread.days():
        for prefix in _prefixes(layout, logs, day):
            async for part in _read(bucket, unread, day, unread.new(day, await bucket.find(prefix))):
                yield part
        unread.listed(day)
    yield LogPart("", b"", unread.cursor)


async def backlog(bucket: Bucket, ask: LogAsk, now: datetime, layout: str, logs: Iterable[str]) -> Backlog:
    """What ``unread_logs`` would read."""
    unread = Unread(ask.cursor, now, ask.since)
    days: list[tuple[date, list[Object]]] = []
    for day in unread.days():
        found: dict[str, Object] = {}  # prefixes may overlap
        for prefix in _prefixes(layout, logs, day):
            for one in unread.new(day, await bucket.find(prefix)):
                found.setdefault(one.key, one)
        days.append((day, list(found.values())))
    return Backlog(unread, days)


async def read_backlog(bucket: Bucket, told: Backlog) -> AsyncIterator[LogPart]:
    """The same as ``unread_logs`` once it is known what there is to read."""
    for day, objects in told.days:
        async for part in _read(bucket, told.unread, day, objects):
            yield part
        told.unread.listed(day)
    yield LogPart("", b"", told.unread.cursor)


def cursor_after(ask: LogAsk, objects: Iterable[Dated]) -> str:
    """Where to go on once these objects were read as well."""
    unread = Unread(ask.cursor, ask.now, ask.since)
    for day, one in objects:
        unread.took(day, one)
    return unread.cursor()


async def _read(
    bucket: Bucket, unread: Unread, day: date, objects: Sequence[Object]
) -> AsyncIterator[LogPart]:
    for one in objects:
        async for data in bucket.read(one):
            yield LogPart(one.name, data)
        unread.took(day, one)
        yield LogPart(one.name, b"", unread.cursor)


def _prefixes(layout: str, logs: Iterable[str], day: date) -> list[str]:
    return sorted({day_prefix(layout, log, day) for log in logs})
