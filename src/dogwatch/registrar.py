"""The hub of one configuration: opened, fed from the store, and compared with it."""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, JsonValue, SecretStr

from dogwatch import hub
from dogwatch.errors import SettingsError
from dogwatch.feed import LONGEST, Batch, Fed, Feeder, Part, number_at, runs_at
from dogwatch.hub.base import AnyHub, unfit
from dogwatch.hub.rows import Row, documents, first_document, health_rows, incident_row, round_row, run_row
from dogwatch.hub.tables import HEALTH_ASSESSMENTS, INCIDENTS, JOB_STATUS, ROUNDS, SCHEMA_VERSION, Table
from dogwatch.model import Reach
from dogwatch.model.hub import HubVerdict, HubView
from dogwatch.settings import Settings
from dogwatch.store import Store, StoreThread
from dogwatch.store.feeds import FeedName, FeedState, RunsAt
from dogwatch.wire.http import Doors

KIND = "hub"
"""What its feed is called in the outbox."""
AT_ONCE = 5_000
"""Rows in one statement at most,"""
LARGEST = 4 << 20
"""and bytes of its document, about."""
_FEW = 200
"""Rounds in one statement: each brings some assessments and how every platform could be seen."""
_EVENTS = 2_000

Progress = Callable[[str, int], None]
"""Told of every batch: sort, records confirmed so far."""


def none_yet() -> SettingsError:
    """There is no hub."""
    return SettingsError(
        "no hub is set up: everything is in the store, and nowhere else",
        "add hub: to dogwatch.yaml; docs/hub.md tells how",
    )


class Registrar:
    """Keeps the hub as the store is."""

    def __init__(
        self, settings: Settings, doors: Doors, store: Store, thread: StoreThread, stack: AsyncExitStack
    ) -> None:
        """Opens the hub if there is one; ``stack`` closes it. One that cannot be opened fails, and nothing
        else does."""
        self._settings = settings
        self._doors = doors
        self._store = store
        self._thread = thread
        self._stack = stack
        self._hub: AnyHub | None = None
        self._broken: SettingsError | None = None
        if settings.hub is not None:
            self._open(settings.hub.kind, settings.hub.settings)

    def _open(self, kind: str, given: BaseModel) -> None:
        for value in given.__dict__.values():
            if isinstance(value, SecretStr):
                self._doors.secrets.add(value.get_secret_value())
        try:
            self._hub = hub.load(kind)(given, self._doors)
        except SettingsError as error:
            self._broken = error
            return
        self._stack.push_async_callback(self._hub.aclose)

    @property
    def feeds(self) -> Sequence[FeedName]:
        """What a round has to extend: the hub's feed, if there is a hub."""
        return () if self._hub is None else (self._feed,)

    @property
    def _feed(self) -> FeedName:
        return FeedName(KIND, self._known.place)

    @property
    def _known(self) -> AnyHub:
        """The hub. Raises SettingsError if there is none or it cannot be opened."""
        if self._hub is None:
            raise self._broken or none_yet()
        return self._hub

    def ddl(self) -> tuple[Sequence[str], Sequence[str]]:
        """Statements that make the tables, and those that grant what is needed. Raises SettingsError."""
        return self._known.ddl(), self._known.grants()

    async def register(self, afresh: bool) -> None:
        """There may be something to send, now; ``afresh``: everything. Raises SettingsError."""
        feeds, now = (self._feed,), self._doors.clock.now()
        await self._thread(lambda: self._store.extend_feeds(feeds, now, afresh=afresh))

    async def sync(
        self,
        holder: str,
        rng: random.Random,
        longest: timedelta | None = LONGEST,
        progress: Progress | None = None,
    ) -> HubView | None:
        """Send what the hub has not confirmed; None if there is no hub. Raises StoreError only."""
        fed = Fed(rows={})
        if self._hub is not None:
            parts = self._parts(self._hub, progress)
            try:
                fed = await Feeder(
                    self._feed,
                    parts,
                    self._store,
                    self._thread,
                    self._doors.clock,
                    holder=holder,
                    secrets=self._doors.secrets,
                    rng=rng,
                ).run(longest)
            finally:
                await parts[0].aclose()
        elif self._broken is None:
            return None
        return (await self.status()).model_copy(update={"sent": fed.rows})

    def _parts(self, target: AnyHub, progress: Progress | None) -> tuple["_Runs", Part, Part]:
        gate = _Gate(target)
        here = (gate, self._store, self._thread, progress or _silent)
        return _Runs(*here), _Incidents(*here), _Rounds(*here)

    async def status(self) -> HubView:
        """How the hub stands; asks the store, not the hub."""
        return await self._thread(self._status, self._doors.clock.now())

    def _status(self, now: datetime) -> HubView:
        config = self._settings.hub
        said: dict[str, Any] = {"at": now, "timezone": self._settings.timezone}
        if config is None:
            return HubView(kind="none", state="none", **said)
        if self._hub is None:
            error = self._broken or none_yet()
            return HubView(kind=config.kind, state="failing", reason=error.message, hint=error.hint, **said)
        feed = self._feed
        state = self._store.feed_state(feed)
        reach = self._store.reaches().get(feed.destination, Reach(destination=feed.destination))
        waiting = self._store.count_behind(runs_at(state.done.get(_Runs.name)))
        failing = reach.failing_since is not None
        behind = state.pending is not None or waiting > 0
        return HubView(
            kind=config.kind,
            place=feed.destination,
            state="failing" if failing else "behind" if behind else "whole",
            since=reach.failing_since,
            reason=reach.reason,
            hint=reach.hint,
            waiting=waiting,
            whole_at=state.sent_at or reach.last_sent_at,
            next_at=None if state.pending is None else state.pending.next_at,
            attempts=0 if state.pending is None else state.pending.attempts,
            **said,
        )

    async def verify(self) -> HubVerdict:
        """Compare every record on both sides. Raises SettingsError, StoreError or ConnectorError."""
        from dogwatch.hubcompare import compared

        target = self._known
        await _Gate(target).check()
        state: FeedState = await self._thread(self._store.feed_state, self._feed)
        tables, differences = await compared(target, self._store, self._thread, state.done)
        return HubVerdict(
            at=self._doors.clock.now(),
            timezone=self._settings.timezone,
            place=target.place,
            tables=tables,
            differences=differences,
        )


class Registration:
    """What surfaces may do with the hub."""

    def __init__(
        self, settings: Settings, doors: Doors, store: Store, thread: StoreThread, holder: str
    ) -> None:
        self._parts = (settings, doors, store, thread)
        self._rng = doors.rng
        self._holder = holder

    async def ddl(self) -> tuple[Sequence[str], Sequence[str]]:
        """Statements that make the tables, and those that grant what is needed. Raises SettingsError."""
        async with AsyncExitStack() as stack:
            return Registrar(*self._parts, stack).ddl()

    async def sync(self, progress: Progress, *, afresh: bool = False) -> HubView:
        """Send all that the hub has not confirmed, however long it takes; ``afresh``: everything. Raises
        SettingsError or StoreError."""
        async with AsyncExitStack() as stack:
            registrar = Registrar(*self._parts, stack)
            await registrar.register(afresh)
            view = await registrar.sync(self._holder, self._rng, longest=None, progress=progress)
            assert view is not None  # there is a hub, or there was nothing to register with
            return view

    async def status(self) -> HubView:
        """How the hub stands; asks the store, not the hub. Raises StoreError."""
        async with AsyncExitStack() as stack:
            return await Registrar(*self._parts, stack).status()

    async def verify(self) -> HubVerdict:
        """Compare every record on both sides. Raises SettingsError, StoreError or ConnectorError."""
        async with AsyncExitStack() as stack:
            return await Registrar(*self._parts, stack).verify()


def _silent(part: str, rows: int) -> None:
    """Nobody is watching."""


@dataclass(slots=True)
class _Gate:
    """Nothing is written into tables that are not ours."""

    target: AnyHub
    open: bool = False

    async def check(self) -> None:
        """Look once. Raises ConnectorError."""
        if not self.open:
            found = await self.target.version()
            if found != SCHEMA_VERSION:
                raise unfit(found)
            self.open = True

    async def put(self, table: Table, texts: Iterable[str]) -> None:
        """Write documents. Raises ConnectorError."""
        await self.check()
        for text in texts:
            await self.target.put(table, text)


class _Copied:
    """What the parts share."""

    name: ClassVar[str]

    def __init__(self, gate: _Gate, store: Store, thread: StoreThread, progress: Progress) -> None:
        self._gate = gate
        self._store = store
        self._thread = thread
        self._progress = progress
        self._sent = 0

    def _confirmed(self, at: JsonValue, rows: int) -> Batch:
        self._sent += rows
        self._progress(self.name, self._sent)
        return Batch(at, rows)


@dataclass(frozen=True, slots=True)
class _Page:
    """Run attempts, ready to be sent in one statement."""

    last: RunsAt
    rows: int
    text: str
    more: bool
    """Whether there may be another page."""


class _Runs(_Copied):
    """Run attempts. While the hub takes one page, the store's thread makes the next one ready."""

    name = "runs"
    _ahead: tuple[RunsAt, int, "asyncio.Future[_Page | None]"] | None = None

    async def send(self, at: JsonValue, upto: int) -> Batch | None:
        """One page."""
        page = await self._next(runs_at(at), upto)
        if page is None:
            return None
        if page.more:
            task = asyncio.ensure_future(self._thread(self._page, page.last, upto))
            self._ahead = (page.last, upto, task)
        await self._gate.put(JOB_STATUS, [page.text])
        return self._confirmed(list(page.last), page.rows)

    async def _next(self, at: RunsAt, upto: int) -> _Page | None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[:2] == (at, upto):
            return await ahead[2]
        return await self._thread(self._page, at, upto)

    def _page(self, at: RunsAt, upto: int) -> _Page | None:
        found = self._store.runs_behind(at, upto, AT_ONCE)
        if not found:
            return None
        text, rows = first_document((run_row(run) for _, run in found), LARGEST)
        return _Page(found[rows - 1][0], rows, text, rows < len(found) or len(found) == AT_ONCE)

    async def aclose(self) -> None:
        """Wait for what is being made ready."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            await asyncio.gather(ahead[2], return_exceptions=True)


class _Incidents(_Copied):
    """Incidents, in the order in which something happened to them."""

    name = "incidents"

    async def send(self, at: JsonValue, upto: int) -> Batch | None:
        """Those to which something happened in some events of the record."""
        after = number_at(at)
        last, found = await self._thread(self._store.incidents_behind, after, _EVENTS)
        if last == after:
            return None
        await self._gate.put(INCIDENTS, documents([incident_row(one) for one in found], LARGEST))
        return self._confirmed(last, len(found))


class _Rounds(_Copied):
    """Rounds with their assessments."""

    name = "rounds"

    async def send(self, at: JsonValue, upto: int) -> Batch | None:
        """Some rounds."""
        found = await self._thread(self._store.rounds_behind, number_at(at), upto, _FEW)
        if not found:
            return None
        healths: list[Row] = []
        rounds: list[Row] = []
        for one in found:
            rounds.append(round_row(one.number, one.started_at, one.ended_at, one.exit_code, one.body))
            healths += health_rows(one.number, one.started_at, one.body)
        await self._gate.put(ROUNDS, documents(rounds, LARGEST))
        await self._gate.put(HEALTH_ASSESSMENTS, documents(healths, LARGEST))
        return self._confirmed(found[-1].number, len(found))
