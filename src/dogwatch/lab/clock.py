"""Simulated time: a clock that jumps, a clock that flows, and an event loop on which jumping is orderly."""

import asyncio
import heapq
import selectors
from asyncio import Future
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import TypeVar, TypeVarTuple

from dogwatch.wire.clock import Clock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class SimulatedClock:
    """Stands still until somebody sleeps on it or sets it; sleeping takes no real time.

    Those who sleep at the same time do not add up: each wakes at its own moment, and the clock never goes
    back. On a ``LabLoop`` they also wake in the order of their moments, whatever else is going on.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Where the clock stands, aware UTC."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Jump ``seconds`` ahead; everybody else gets a turn first."""
        target = self._now + timedelta(seconds=max(0.0, seconds))
        loop = asyncio.get_running_loop()
        if isinstance(loop, LabLoop):
            await loop.idle(target)
        else:
            await asyncio.sleep(0)
        self.set(target)

    def set(self, moment: datetime) -> None:
        """Go to that moment, unless it has passed already."""
        self._now = max(self._now, moment)

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.set(self._now + by)


class RunningClock:
    """Begins at ``start`` and flows ``speed`` times as fast as ``clock``, until ``end``."""

    def __init__(self, clock: Clock, start: datetime, *, speed: float = 1.0, end: datetime) -> None:
        self._clock = clock
        self._began = clock.now()
        self._start = start
        self._speed = speed
        self.end = end

    def now(self) -> datetime:
        """The simulated present, aware UTC; it stays at ``end`` once that is reached."""
        return min(self.end, self._start + (self._clock.now() - self._began) * self._speed)


class LabLoop(asyncio.SelectorEventLoop):
    """An event loop on which simulated time passes only while nobody has anything else to do.

    A sleeper is woken, the one with the earliest moment first, when no task is ready and no thread that
    was started with ``run_in_executor`` is still at work. So the order of events does not depend on how
    fast this machine is. Real sockets are not waited for: what is simulated here talks through transports.
    """

    def __init__(self) -> None:
        self._sleepers: list[tuple[datetime, int, Future[None]]] = []
        self._slept = 0
        self._threads = 0
        super().__init__(_Idle(self._wake))

    async def idle(self, until: datetime) -> None:
        """Return when it is this sleeper's turn."""
        turn: Future[None] = self.create_future()
        self._slept += 1
        heapq.heappush(self._sleepers, (until, self._slept, turn))
        await turn

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> Future[T]:
        """As usual; nobody is woken before the thread is done."""
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: object) -> None:
        self._threads -= 1

    def _wake(self) -> bool:
        """Wake the next sleeper, if it is time for that."""
        if self._threads:
            return False
        while self._sleepers:
            turn = heapq.heappop(self._sleepers)[2]
            if not turn.done():
                turn.set_result(None)
                return True
        return False


class _Idle(selectors.DefaultSelector):
    """Asks for a sleeper to wake before it would block."""

    def __init__(self, wake: Callable[[], bool]) -> None:
        super().__init__()
        self._wake = wake

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Events as usual; none if somebody was woken instead."""
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        return super().select(0) or ([] if self._wake() else super().select(timeout))
