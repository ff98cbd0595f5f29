"""The log of a bucket read by many: each mines a share of its new objects, one puts the shares together.

A share is a run of objects in the order in which one alone would read them. What is mined of it (a ``part``
of ``logs.memory``) lies with its step until the ``read`` step that was parked meanwhile goes on: that adds
the parts in their order to what is remembered, notes in the same transaction which objects they were, and
then reads and judges like any other ``read``. So it does not matter who mines which share, when, or how
often: counted is what the last one who took a step wrote down, once, and the outcome is that of one who read
everything himself.

What a share could not read, whoever puts them together tries himself, and says so if he cannot either.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from tempfile import SpooledTemporaryFile
from typing import Any, cast

from pydantic import JsonValue

from dogwatch.errors import DATA_FAULTS, ConnectorError
from dogwatch.logs.judge import Components
from dogwatch.logs.memory import Memory
from dogwatch.logs.read import Tally
from dogwatch.logwatch import IN_MEMORY, Ahead, emptied, mine_file, opened_log
from dogwatch.store import Store, StoreThread
from dogwatch.store.access import StepKey
from dogwatch.store.logbooks import LogShelf
from dogwatch.wire.bucket import cursor_after
from dogwatch.wire.connector import AnyConnector, HasBacklog, LogAsk
from dogwatch.wire.unread import Backlog, Dated, Object

SHARE = 256 << 20
"""Bytes of a share at most, but for large objects: some seconds of work, which is what is lost with a worker
that is killed. Up to twice as much is read by one alone: with less there is more to put together than to
gain."""
_MOST = 64
"""Shares at a time; what is left is shared out once they are put together."""


def shared_out(objects: Sequence[Dated], share: int = SHARE) -> list[JsonValue]:
    """The objects in runs of about as many bytes; empty if they are too few to be shared."""
    total = sum(one.size for _, one in objects)
    if total <= 2 * share or len(objects) < 2:
        return []
    each = total / (-(-total // (2 * share)) * 2)  # an even number, so that two come to an end together
    runs: dict[int, list[Dated]] = {}
    before = 0
    for dated in objects:
        size = dated[1].size
        runs.setdefault(int((before + size / 2) / each), []).append(dated)
        before += size
    return [_told(run) for run in list(runs.values())[:_MOST]]


async def begun(
    connector: AnyConnector,
    store: Store,
    thread: StoreThread,
    key: StepKey,
    now: datetime,
    components: Mapping[str, str],
    share: int,
) -> tuple[Ahead | None, list[JsonValue]]:
    """For the ``read`` step ``key`` of a bucket: what others have mined for it, put together, and what there
    is still to read; or the shares of that, if it is much.

    What they did not come to the end of is not shared out again: who cannot be read would be for ever.
    """
    keys = await thread(store.shares, key[0], key[2])
    ahead = await opened_log(connector, store, thread, now, components) if keys else None
    whole = ahead is None or await _put_together(keys, ahead, connector.name, store, thread, now)
    shelf = await thread(store.log_shelf, connector.name, ()) if ahead is None else ahead.shelf
    backlog: Backlog | None = None
    if whole and isinstance(connector, HasBacklog):
        with suppress(ConnectorError, *DATA_FAULTS):  # who reads on meets the same, and says so
            backlog = await connector.backlog(LogAsk(now, shelf.cursor))
            if shares := shared_out(backlog.objects, share):
                return None, shares
    ahead = ahead or await opened_log(connector, store, thread, now, components)
    ahead.backlog = backlog
    return ahead, []


async def mined(
    connector: HasBacklog, share: JsonValue, thread: StoreThread, now: datetime, components: Mapping[str, str]
) -> JsonValue:
    """What comes of a share, as far as it could be read."""
    objects = _objects(share)
    memory, tally = Memory(Components(components), {}, now.timestamp()), Tally()
    taken = 0
    try:
        with SpooledTemporaryFile(IN_MEMORY) as spool:
            for _, one in objects:
                async for data in connector.read(one):
                    spool.write(data)
                await thread(mine_file, spool, memory, tally, now)
                emptied(spool)
                taken += 1
    except ConnectorError:
        pass  # what came before is good
    except DATA_FAULTS:  # the memory may hold half an object
        return {"objects": len(objects), "taken": [], "bad": {}, "part": ""}
    part = b64encode(await thread(memory.part)).decode()
    return {
        "objects": len(objects),
        "taken": _told(objects[:taken]),
        "bad": dict(tally.bad),
        "part": part,
    }


async def _put_together(
    keys: Sequence[StepKey], ahead: Ahead, name: str, store: Store, thread: StoreThread, now: datetime
) -> bool:
    """Count what was mined of the shares ``keys`` of a log, in their order, and store it. Whether all was
    mined that was to be."""
    whole = True
    taken: list[Dated] = []
    left: dict[StepKey, dict[str, JsonValue]] = {}
    for one in keys:
        share = await thread(store.share, one)
        if not isinstance(share, dict):  # nobody came to its end
            whole = False
            continue
        if "part" in share:
            objects = await thread(_added, share, ahead)
            taken += objects
            share = left[one] = dict[str, JsonValue](left=cast("int", share["objects"]) - len(objects))
        whole = whole and not share.get("left")
    if left:
        ahead.shelf = LogShelf(
            cursor_after(LogAsk(now, ahead.shelf.cursor), taken),
            ahead.shelf.read_until,
            ahead.shelf.lines + ahead.memory.lines,
            await thread(ahead.memory.changed),
        )
        await thread(store.save_log_shelf, name, ahead.shelf, left)
    return whole


def _added(share: Mapping[str, Any], ahead: Ahead) -> list[Dated]:
    """Count what was mined of a share; the objects that are counted now."""
    if not ahead.memory.absorb(b64decode(share["part"])):
        return []
    ahead.tally.bad.update(share["bad"])
    return _objects(share["taken"])


def _told(objects: Sequence[Dated]) -> list[JsonValue]:
    return [[day.isoformat(), one.name, one.version, one.size] for day, one in objects]


def _objects(told: Any) -> list[Dated]:
    return [(date.fromisoformat(day), Object(name, version, size)) for day, name, version, size in told]
