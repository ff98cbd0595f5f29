"""How hard one platform may be pressed, and the queue that keeps to it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from dogwatch.wire.clock import Clock


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


class Turns:
    """Gives requests their turn: at most so many at once, and so many starts a second."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(pace.concurrency)
        self._interval = timedelta(seconds=1 / pace.per_second if pace.per_second > 0 else 0)
        self._credit = self._interval * pace.burst
        self._furthest = timedelta(seconds=pace.longest_wait * 2) + self._interval * pace.concurrency
        self._next: datetime | None = None
        self._paused: datetime | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for a place among the requests under way, and for the next start by the rate."""
        async with self._slots:
            wait = self._reserve()
            if wait > timedelta(0):
                await self._clock.sleep(wait.total_seconds())
            yield

    def pause(self, seconds: float) -> None:
        """Nobody starts for so long: who is told to slow down speaks for all requests of this door."""
        until = self._clock.now() + timedelta(seconds=seconds)
        self._paused = until if self._paused is None else max(self._paused, until)

    def _reserve(self) -> timedelta:
        """How long to wait, by the generic cell rate algorithm (ITU-T I.371)."""
        now = self._clock.now()
        # A clock that was set back must not freeze the door: no reservation lies further ahead than this.
        due = min(max(now, self._next or now), now + self._furthest + self._credit)
        self._next = due + self._interval
        start = max(now, due - self._credit, min(self._paused or now, now + self._furthest))
        if start > due:
            self._next = start + self._interval
        return start - now
