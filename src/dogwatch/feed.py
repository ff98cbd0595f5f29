"""Keeps a copy of the store up to date somewhere else: a feed of the outbox, worked off batch by batch.

What is sent is whatever the destination has not confirmed, in the order in which it was learned; every batch
that it takes is written down before the next one goes. Sending one twice has to be harmless, so that a
process may die anywhere. A destination that fails costs nobody anything: the rest waits for the next round.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, cast

from pydantic import JsonValue

from dogwatch.errors import ConnectorError, RateLimited
from dogwatch.model import Delivery, DeliveryState, Reach
from dogwatch.store import Store, StoreThread
from dogwatch.store.feeds import FeedName, RunsAt
from dogwatch.wire.clock import Clock
from dogwatch.wire.secrets import Secrets

FIRST_WAIT = 30.0
"""Seconds before the second attempt, doubled each time. Rounds are what tries again, so that the wait ends
before most of them."""
LONGEST_WAIT = 600.0
LONGEST = timedelta(seconds=120)
"""So long a round works on one destination; what is not sent by then waits for the next one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What the destination has just confirmed."""

    at: JsonValue
    """How far the part has come with it."""
    rows: int
    """How many records it held."""


class Part(Protocol):
    """One sort of record that is copied."""

    @property
    def name(self) -> str:
        """By which its progress is remembered."""
        ...

    async def send(self, at: JsonValue, upto: int) -> Batch | None:
        """Send the next batch behind ``at`` (None: the first) of what rounds up to ``upto`` knew.

        Returns once it is confirmed; None if there is nothing left. Raises ConnectorError.
        """
        ...


@dataclass(slots=True)
class Fed:
    """What came of one worker's work."""

    rows: dict[str, int]
    """By part, records that were confirmed."""
    whole: bool = False
    """True if nothing is left to send."""
    error: ConnectorError | None = None
    """Why it stopped early; None if it did not, or if its time was over."""
    busy: bool = False
    """True if another process is at it."""


class Feeder:
    """One worker on one feed."""

    def __init__(
        self,
        feed: FeedName,
        parts: Sequence[Part],
        store: Store,
        thread: StoreThread,
        clock: Clock,
        *,
        holder: str,
        secrets: Secrets,
        rng: random.Random,
    ) -> None:
        self._feed = feed
        self._parts = parts
        self._store = store
        self._thread = thread
        self._clock = clock
        self._holder = holder
        self._secrets = secrets
        self._rng = rng

    async def run(self, longest: timedelta | None = LONGEST) -> Fed:
        """Send what is due, for at most ``longest`` (None: until it is done). Raises StoreError only."""
        fed = Fed(rows={})
        began = self._clock.now()
        until = None if longest is None else began + longest
        while not fed.error:
            claimed = await self._thread(
                self._store.claim_delivery, *self._feed, self._holder, self._clock.now()
            )
            if claimed is None:
                state = await self._thread(self._store.feed_state, self._feed)
                fed.whole = state.pending is None
                fed.busy = state.pending is not None and state.pending.state is DeliveryState.sending
                break
            if not await self._work(await self._from_where(claimed), until, fed):
                break
        return fed

    async def _from_where(self, delivery: Delivery) -> Delivery:
        """A delivery goes on where the one before ended."""
        if "done" in delivery.payload:
            return delivery
        state = await self._thread(self._store.feed_state, self._feed)
        return delivery.model_copy(update={"payload": {**delivery.payload, "done": dict(state.done)}})

    async def _work(self, delivery: Delivery, until: datetime | None, fed: Fed) -> bool:
        """Send all of one delivery; False if it has to wait, or is somebody else's by now."""
        upto, progress = delivery.payload["to"], False
        assert isinstance(upto, int)
        for part in self._parts:
            while True:
                done = delivery.payload["done"]
                assert isinstance(done, Mapping)
                if until is not None and self._clock.now() >= until:
                    return await self._later(delivery, self._clock.now(), "")
                try:
                    batch = await part.send(done.get(part.name), upto)
                except ConnectorError as error:
                    fed.error = error
                    return await self._failed(delivery, error, progress)
                if batch is None:
                    break
                progress = True
                fed.rows[part.name] = fed.rows.get(part.name, 0) + batch.rows
                payload = {**delivery.payload, "done": {**done, part.name: batch.at}}
                delivery = delivery.model_copy(update={"payload": payload})
                if not await self._thread(
                    self._store.advance_feed, delivery, self._holder, self._clock.now()
                ):
                    return False
        return await self._sent(delivery)

    async def _sent(self, delivery: Delivery) -> bool:
        now = self._clock.now()
        ended = {"state": DeliveryState.sent, "finished_at": now, "error": "", "doubtful": False}
        sent = delivery.model_copy(update=ended)
        if not await self._thread(self._store.finish_delivery, sent, self._holder, now):
            return False
        await self._thread(self._store.forget_sent, sent)
        await self._reached(None, now)
        return True

    async def _failed(self, delivery: Delivery, error: ConnectorError, progress: bool) -> bool:
        """Who took some of it before will soon take more."""
        now = self._clock.now()
        failures = 0 if progress else delivery.attempts - 1
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 10)) * self._rng.uniform(0.8, 1.0)
        if isinstance(error, RateLimited):
            wait = max(wait, error.retry_after or 0.0)
        await self._reached(error, now)
        said = self._secrets.scrub(error.message)
        return await self._later(delivery, now + timedelta(seconds=wait), said)

    async def _later(self, delivery: Delivery, when: datetime, error: str) -> bool:
        """Leave the rest to the next worker."""
        waits = {"state": DeliveryState.waiting, "next_at": when, "error": error, "doubtful": False}
        now = self._clock.now()
        await self._thread(self._store.finish_delivery, delivery.model_copy(update=waits), self._holder, now)
        return False

    async def _reached(self, error: ConnectorError | None, now: datetime) -> None:
        """Remember how well the destination can be reached."""
        name = self._feed.destination
        if error is None:
            reach = Reach(destination=name, last_sent_at=now)
        else:
            known = (await self._thread(self._store.reaches)).get(name, Reach(destination=name))
            told = {"reason": self._secrets.scrub(error.message), "hint": error.hint}
            since = known.failing_since or now
            reach = known.model_copy(update={"failing_since": since, **told})
        await self._thread(self._store.save_reach, reach, now)


def runs_at(at: JsonValue) -> RunsAt:
    """How far the run attempts were sent, as a feed remembers it."""
    if not isinstance(at, list):
        return RunsAt()
    number, uid = cast("tuple[int, str]", at)
    return RunsAt(number, uid)


def number_at(at: JsonValue) -> int:
    """The same for what is counted."""
    return at if isinstance(at, int) else 0
