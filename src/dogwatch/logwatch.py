"""The part of a round that is about logs: what was not read yet is mined, remembered and judged.

What was counted and where to go on are remembered in one transaction, after every so many bytes. Whoever is
killed in between reads the same again, into the same memory as before: no line is lost and none is counted
twice. A file of which only a part came counts as not read.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO

from dogwatch.detect import Detection, Policy
from dogwatch.detect.hushed import hushed
from dogwatch.logs.events import Events
from dogwatch.logs.findings import findings
from dogwatch.logs.judge import Components
from dogwatch.logs.memory import Memory
from dogwatch.logs.read import Tally, blocks
from dogwatch.logs.verdict import Verdict, verdicts
from dogwatch.store import Store, StoreThread
from dogwatch.store.logbooks import LogShelf
from dogwatch.wire.bucket import read_backlog
from dogwatch.wire.connector import AnyConnector, HasBacklog, HasLogs, LogAsk, LogPart
from dogwatch.wire.unread import Backlog

IN_MEMORY = 8 << 20
"""Bytes of one file that are held in memory; a larger one waits in a file of ours."""
_AT_ONCE = 256 << 20
"""Bytes after which what was counted is remembered, however much is still to come: some seconds of work."""
_PIECE = 1 << 20
"""Bytes that are taken apart together; of small pieces each component would have a few lines."""


@dataclass(slots=True)
class LogSight:
    """What is known of one connector's log in this round."""

    instance: str
    verdicts: Mapping[str, Sequence[Verdict]] = field(default_factory=dict[str, Sequence[Verdict]])
    """By component."""
    lines: int = 0
    """Read in this round."""
    bad: Mapping[str, int] = field(default_factory=dict[str, int])
    """What was wrong with what was read, and how often."""


@dataclass(slots=True)
class Ahead:
    """A log that somebody has begun to read in this round."""

    shelf: LogShelf
    """As it is stored."""
    memory: Memory
    """What is stored, with all that was read in this round."""
    tally: Tally
    """What was wrong with that."""
    backlog: Backlog | None = None
    """What there is still to read; None if nobody knows."""


async def read_logs(
    connector: AnyConnector,
    store: Store,
    thread: StoreThread,
    now: datetime,
    components: Mapping[str, str],
    into: LogSight,
    ahead: Ahead | None = None,
) -> None:
    """Read what a connector's log says since the last round, remember it, and judge all that is remembered.

    ``components`` are RE2 patterns by component; ``ahead`` is where to go on if it was begun. Raises the
    connector's error, after what came before it was remembered and judged.
    """
    if not isinstance(connector, HasLogs):
        return
    ahead = ahead or await opened_log(connector, store, thread, now, components)
    memory = ahead.memory
    reader = _Reader(connector, store, thread, ahead, now)
    try:
        if ahead.backlog is not None and isinstance(connector, HasBacklog):
            await reader.read(read_backlog(connector, ahead.backlog))
        else:
            await reader.read(connector.logs(LogAsk(now, ahead.shelf.cursor)))
    finally:
        into.lines, into.bad = memory.lines, dict(reader.tally.bad)
        read_until = reader.shelf.read_until
        if read_until is not None:
            until = (read_until - connector.overlap).timestamp()
            into.verdicts = await thread(_judged, memory, until)


async def opened_log(
    connector: AnyConnector,
    store: Store,
    thread: StoreThread,
    now: datetime,
    components: Mapping[str, str],
) -> Ahead:
    """What is stored of a connector's log."""
    shelf = await thread(store.log_shelf, connector.name)
    memory = await thread(Memory, Components(components), shelf.books, now.timestamp())
    return Ahead(shelf, memory, Tally())


def mine_file(file: IO[bytes], memory: Memory, tally: Tally, now: datetime) -> None:
    """Count the lines of one file, from its beginning."""
    file.seek(0)
    events = Events(now.timestamp(), tally)
    for block in blocks(_pieces(file), tally):
        memory.add(events.feed(block))
    memory.add(events.finish())


class _Reader:
    """Takes the parts of a log, mines each file when it is whole, and remembers."""

    def __init__(
        self,
        connector: AnyConnector,
        store: Store,
        thread: StoreThread,
        begun: Ahead,
        now: datetime,
    ) -> None:
        self._instance = connector.name
        self._store = store
        self._thread = thread
        self._memory = begun.memory
        self._now = now
        self.shelf = begun.shelf
        self.tally = begun.tally
        self._before = begun.shelf.lines - begun.memory.lines

    async def read(self, parts: AsyncIterator[LogPart]) -> None:
        """Everything that is new. What was mined is remembered even if an error follows."""
        latest: LogPart | None = None
        try:
            with SpooledTemporaryFile(IN_MEMORY) as spool:
                name, unsaved = "", 0
                async for part in parts:
                    if part.name != name:  # the file before was given up, or is done
                        name = part.name
                        emptied(spool)
                    spool.write(part.data)
                    if part.cursor is None:
                        continue
                    unsaved += spool.tell()
                    latest = part
                    await self._thread(mine_file, spool, self._memory, self.tally, self._now)
                    emptied(spool)
                    if unsaved >= _AT_ONCE:
                        await self._remember(latest, None)
                        unsaved = 0
        except BaseException:
            await self._remember(latest, None)
            raise
        await self._remember(latest, self._now)

    async def _remember(self, part: LogPart | None, read_until: datetime | None) -> None:
        """What was counted and where to go on, together. The round's time is noted once all was read."""
        cursor = self.shelf.cursor if part is None or part.cursor is None else part.cursor()
        self.shelf = LogShelf(
            cursor,
            read_until or self.shelf.read_until,
            self._before + self._memory.lines,
            await self._thread(self._memory.changed),
        )
        await self._thread(self._store.save_log_shelf, self._instance, self.shelf)


def emptied(spool: IO[bytes]) -> None:
    """Make a file empty again."""
    spool.seek(0)
    spool.truncate()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _judged(memory: Memory, until: float) -> dict[str, list[Verdict]]:
    return {name: found for name, book in memory.books.items() if (found := verdicts(book, until))}


def judge_logs(sights: Sequence[LogSight], policy: Policy, now: datetime) -> Detection:
    """What is wrong by logs; what the user wants to be quiet about is lowered to a note."""
    found = Detection()
    for sight in sights:
        for component, said in sorted(sight.verdicts.items()):
            named, evidence = findings(said, sight.instance, component, now)
            found.cite(*evidence)
            found.add(named)
    found.findings = hushed(found, {}, policy.told, now)
    return found
