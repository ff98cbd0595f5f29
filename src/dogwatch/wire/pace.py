"""How hard one platform may be pressed, and the queue that keeps to it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dogwatch.wire.clock import Clock

_HURRIED: ContextVar[bool] = ContextVar("hurried", default=False)


@contextmanager
def hurried() -> Generator[None]:
    """Requests made within it are waited for by somebody: of those that share a platform they come first."""
    token = _HURRIED.set(True)
    try:
        yield
    finally:
        _HURRIED.reset(token)


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard we may press one platform, and how patient we are with it."""

    per_second: float = 20.0
    """Requests started per second, 0 for no limit."""
    burst: int = 0
    """Requests that may start at once beyond the rate, for quotas that are counted by the minute."""
    concurrency: int = 8
    """Requests under way at once."""
    tries: int = 5
    """Tries of a read in all."""
    timeout: float = 30.0
    """Seconds to wait for a connection, and between two reads."""
    patience: float = 120.0
    """Seconds one call may take in all, waits between tries included; waiting for its turn is not counted."""
    longest_wait: float = 60.0
    """Seconds we wait before one retry at most; a platform that asks for more gets its wish next round."""
    unhinted_429: float = 1.0
    """First wait after a 429 that does not say how long, doubled each time."""
    largest: int = 64 * 1024 * 1024
    """Bytes of one decoded body at most."""

    @property
    def interval(self) -> timedelta:
        """Between two starts."""
        return timedelta(seconds=1 / self.per_second if self.per_second > 0 else 0)

    @property
    def credit(self) -> timedelta:
        """How much earlier than the rate says a request may start."""
        return self.interval * self.burst

    @property
    def furthest(self) -> timedelta:
        """A clock that was set back must not freeze the door: no start lies further ahead than this."""
        return timedelta(seconds=self.longest_wait * 2) + self.interval * self.concurrency


class Shared(Protocol):
    """Keeps one platform's pace for all processes that ask it."""

    async def take(self, pace: Pace, clock: Clock, *, hurried: bool) -> tuple[float, Callable[[], None]]:
        """Wait for a place among the requests under way; the seconds until the next start by the rate, and
        what gives the place back. Raises Unreachable if there is none for too long."""
        ...

    def pause(self, until: datetime) -> None:
        """Nobody starts until then."""
        ...


class Turns:
    """Gives requests their turn: at most so many at once, and so many starts a second; with ``shared``
    together with all other processes."""

    def __init__(self, pace: Pace, clock: Clock, shared: Shared | None = None) -> None:
        self._clock = clock
        self._pace = pace
        self._shared = shared
        self._slots = asyncio.Semaphore(pace.concurrency)
        self._next: datetime | None = None
        self._paused: datetime | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for a place among the requests under way, and for the next start by the rate.

        Nobody waits for a second place while he has one, so that nobody waits for ever.
        """
        async with self._slots:
            if self._shared is None:
                await self._until(self._reserve().total_seconds())
                yield
                return
            wait, give_back = await self._shared.take(self._pace, self._clock, hurried=_HURRIED.get())
            try:
                await self._until(wait)
                yield
            finally:
                give_back()

    async def _until(self, wait: float) -> None:
        if wait > 0:
            await self._clock.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Nobody starts for so long: who is told to slow down speaks for all requests of this door."""
        until = self._clock.now() + timedelta(seconds=seconds)
        self._paused = until if self._paused is None else max(self._paused, until)
        if self._shared is not None:
            self._shared.pause(until)

    def _reserve(self) -> timedelta:
        """How long to wait, by the generic cell rate algorithm (ITU-T I.371)."""
        now, pace = self._clock.now(), self._pace
        due = min(max(now, self._next or now), now + pace.furthest + pace.credit)
        self._next = due + pace.interval
        start = max(now, due - pace.credit, min(self._paused or now, now + pace.furthest))
        if start > due:
            self._next = start + pace.interval
        return start - now
