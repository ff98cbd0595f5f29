"""Queues that tell of what happened on platforms: one task each, waiting beside everything else."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from dogwatch.app import Dogwatch
from dogwatch.errors import DogwatchError, StoreError
from dogwatch.wire.clock import Clock

_STORE, _QUEUE = 10.0, 60.0
"""Seconds before it is tried again after the store, or the queue, failed."""
_BREATH = 1.0
"""Seconds between two looks where a queue answers at once that there is nothing."""


class _Say(Protocol):
    def __call__(self, event: str, /, **fields: object) -> None: ...


class Queues:
    """Follows the queue of every connector that has one."""

    def __init__(self, app: Dogwatch, names: Iterable[str], clock: Clock, say: _Say) -> None:
        """``names`` are the connectors that have one."""
        self._app, self._names, self._clock, self._say = app, tuple(names), clock, say
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self) -> None:
        """Begin, if it has not begun. What broke in one of them is raised here."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._follow(name)) for name in self._names]
        for task in self._tasks:
            if task.done():
                task.result()

    async def stop(self) -> None:
        """Leave the queues to somebody else. What was on its way is told again there."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, name: str) -> None:
        fails = False
        while True:
            try:
                new = await self._app.news(name)
                fails = False
            except StoreError:  # the loop says so
                await self._clock.sleep(_STORE)
            except DogwatchError as error:
                if not fails:
                    self._say("queue failed", connector=name, why=error.message, hint=error.hint)
                fails = True
                await self._clock.sleep(_QUEUE)
            else:
                if new:
                    self._say("queue told", connector=name, new=new)
                else:
                    await self._clock.sleep(_BREATH)
