"""Logs out of a bucket, whoever keeps it: what was not read yet, day by day."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from dogwatch.wire.connector import LogAsk, LogPart
from dogwatch.wire.unread import Object, Unread, day_prefix


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
        for prefix in sorted({day_prefix(layout, log, day) for log in logs}):
            for one in unread.new(day, await bucket.find(prefix)):
                async for data in bucket.read(one):
                    yield LogPart(one.name, data)
                unread.took(day, one)
                yield LogPart(one.name, b"", unread.cursor)
        unread.listed(day)
    yield LogPart("", b"", unread.cursor)
