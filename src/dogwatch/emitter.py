"""Tells an OpenLineage server of every run: a feed of the outbox, some runs at a time.

What the outbox remembers is how far the runs were told, not the events: those are made of a run as it is when
it is told, and the same run makes the same ones.
"""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from pydantic import JsonValue

from dogwatch.errors import SettingsError
from dogwatch.feed import Batch, Fed, Feeder
from dogwatch.hub.lineage import OpenLineage, OpenLineageSettings
from dogwatch.model import Job, Reach, Run
from dogwatch.model.lineage import LineageView
from dogwatch.pipelines.run_events import Json, events_of
from dogwatch.store import Store, StoreThread
from dogwatch.store.feeds import FeedName, RunsAt
from dogwatch.wire.http import Doors

KIND = "lineage"
"""What its feed is called in the outbox."""
LONGEST = timedelta(seconds=60)
"""So long a round works on it; what is not told by then waits for the next one."""
HISTORY = timedelta(days=1)
"""Runs that began so long before the server was set up are told; older ones are not."""
_PART = "runs"
_AT_ONCE = 40
"""Runs of one batch."""
_LOOKED_AT = 200
"""Runs looked through for them."""


class Emitter:
    """Keeps the server told."""

    def __init__(
        self,
        settings: OpenLineageSettings,
        doors: Doors,
        store: Store,
        thread: StoreThread,
        stack: AsyncExitStack,
    ) -> None:
        """``stack`` closes the connections. A server that cannot be opened fails, and nothing else does."""
        self._namespace = settings.namespace
        self._doors = doors
        self._store = store
        self._thread = thread
        self._server: OpenLineage | None = None
        self._broken: SettingsError | None = None
        try:
            self._server = OpenLineage(settings, doors)
        except SettingsError as error:
            self._broken = error
        else:
            stack.push_async_callback(self._server.aclose)

    @property
    def feeds(self) -> tuple[FeedName, ...]:
        """What a round has to extend."""
        return () if self._server is None else (FeedName(KIND, self._server.place),)

    async def sync(self, holder: str, rng: random.Random) -> LineageView:
        """Tell what the server has not heard. Raises StoreError only."""
        if self._server is None:
            assert self._broken is not None
            return LineageView(reason=self._broken.message, hint=self._broken.hint)
        (feed,) = self.feeds
        part = _Runs(self._server, self._namespace, self._store, self._thread, self._doors.clock.now())
        fed: Fed = await Feeder(
            feed,
            [part],
            self._store,
            self._thread,
            self._doors.clock,
            holder=holder,
            secrets=self._doors.secrets,
            rng=rng,
        ).run(LONGEST)
        waiting, reach = await self._thread(self._standing, feed)
        return LineageView(
            place=feed.destination,
            runs=fed.rows.get(part.name, 0),
            refused=part.refused,
            refusal=self._doors.secrets.scrub(part.refusal),
            waiting=waiting,
            since=reach.failing_since,
            reason=reach.reason,
            hint=reach.hint,
        )

    def _standing(self, feed: FeedName) -> tuple[int, Reach]:
        state = self._store.feed_state(feed)
        place = _where(state.done.get(_PART), self._doors.clock.now())[0]
        reach = self._store.reaches().get(feed.destination, Reach(destination=feed.destination))
        return (self._store.count_behind(place) if state.pending is not None else 0), reach


@dataclass(slots=True)
class _Page:
    """Runs to be told, each as its events."""

    last: RunsAt
    runs: list[list[Json]]


@dataclass(slots=True)
class _Runs:
    """The one sort of record: run attempts."""

    server: OpenLineage
    namespace: str
    store: Store
    thread: StoreThread
    now: datetime
    name: str = field(default=_PART, init=False)
    refused: int = field(default=0, init=False)
    """Events that the server will never take."""
    refusal: str = field(default="", init=False)
    """Why, in its words."""
    _jobs: dict[tuple[str, str], Job] | None = field(default=None, init=False)

    async def send(self, at: JsonValue, upto: int) -> Batch | None:
        """Some runs, several at a time; the events of one in order."""
        place, since = _where(at, self.now)
        page = await self.thread(self._page, place, since, upto)
        if page is None:
            return None
        told = await asyncio.gather(*(self._tell(events) for events in page.runs), return_exceptions=True)
        for failure in told:
            if isinstance(failure, BaseException):
                raise failure
        return Batch([*page.last, since.isoformat()], len(page.runs))

    async def _tell(self, events: list[Json]) -> None:
        for event in events:
            refusal = await self.server.tell(event)
            if refusal:
                self.refused += 1
                self.refusal = refusal

    def _page(self, place: RunsAt, since: datetime, upto: int) -> _Page | None:
        """The next runs that are worth telling; those that only wait, or are too old, are passed over."""
        found = self.store.runs_behind(place, upto, _LOOKED_AT)
        if not found:
            return None
        if self._jobs is None:
            self._jobs = {(job.instance, job.job_id): job for job in self.store.jobs()}
        jobs, parents = self._jobs, self._parents([run for _, run in found])
        page = _Page(place, [])
        for place_of_run, run in found:
            page.last = place_of_run
            if run.began_at < since:
                continue
            parent = parents.get(run.parent_uid or "")
            events = events_of(run, jobs.get((run.instance, run.job_id)), parent, self.namespace)
            if events:
                page.runs.append(events)
            if len(page.runs) == _AT_ONCE:
                break
        return page

    def _parents(self, runs: list[Run]) -> dict[str, Run]:
        uids = {run.parent_uid for run in runs if run.parent_uid}
        return self.store.runs_by_uid(uids) if uids else {}


def _where(at: JsonValue, now: datetime) -> tuple[RunsAt, datetime]:
    """How far the runs were told, and since when they are."""
    if not isinstance(at, list):
        return RunsAt(), now - HISTORY
    number, uid, since = cast("tuple[int, str, str]", at)
    return RunsAt(number, uid), datetime.fromisoformat(since)
