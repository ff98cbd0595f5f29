"""What goes on for months with a configuration that may change: the watch, and workers.

A configuration that is wrong, or with which nothing can begin, is refused, and the good one kept.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from dogwatch.app import Dogwatch
from dogwatch.engine.face import Face
from dogwatch.errors import DogwatchError, SettingsError, StoreError
from dogwatch.settings import Settings
from dogwatch.wire.clock import Clock

POLL = 1.0
"""Seconds between two looks at what is due."""
_AGAIN = 10.0
"""Seconds until a store that is gone is opened again."""


class Say(Protocol):
    """Takes one line of the log."""

    def __call__(self, event: str, /, **fields: object) -> None:
        """An event in two words and what belongs to it."""
        ...


class House:
    """What the loop needs from whoever started it."""

    def __init__(
        self,
        reread: Callable[[], Settings],
        opened: Callable[[Settings], Dogwatch],
        clock: Clock,
        say: Say,
        *,
        changed: Callable[[], object] = lambda: None,
        listener: Callable[[Settings], Face | None] = lambda settings: None,
        rng: random.Random | None = None,
        poll: float = POLL,
    ) -> None:
        """``reread`` reads the configuration (raises SettingsError), ``opened`` makes dogwatch of it,
        ``changed`` gives another value whenever a file of the configuration is another one, ``listener``
        is the process that listens if any does."""
        self.reread, self.opened, self.clock, self.say = reread, opened, clock, say
        self.changed, self.listener, self.poll = changed, listener, poll
        self.rng = rng or random.Random()  # noqa: S311  # jitter, not a secret


class Lasting(ABC):
    """Works with one configuration after the other."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._known: object = None
        self.stopping = asyncio.Event()
        self.reload = asyncio.Event()

    async def run(self, settings: Settings) -> None:
        """Work until ``stopping`` is set; a configuration that changes is taken over in between.

        Raises SettingsError or StoreError if it cannot even begin. Once it has begun, a store that is gone
        is waited for.
        """
        good: Settings | None = None
        while not self.stopping.is_set():
            try:
                self._known = self._house.changed()
                fresh = await self._keep(settings)
            except DogwatchError as error:
                if good is None:
                    raise
                if isinstance(error, StoreError) and settings.store == good.store:
                    await self._without_store(error)
                    continue
                if good is settings:
                    raise
                self._house.say("configuration refused", why=error.message, hint=error.hint)
                fresh = good
            else:
                good = settings
            settings = fresh

    async def _without_store(self, error: StoreError) -> None:
        """Say so and let some time pass."""
        self._house.say("store failed", why=error.message, hint=error.hint, again_in=_AGAIN)
        await self._pause(_AGAIN)

    @abstractmethod
    async def _keep(self, settings: Settings) -> Settings:
        """Work with one configuration until ``_fresh`` has another one, or until we have to stop."""

    def _fresh(self, old: Settings) -> Settings | None:
        """Another configuration, if there is one by now; None, and the old one stays, if it is wrong or the
        same."""
        found = self._house.changed()
        if not self.reload.is_set() and found == self._known:
            return None
        self.reload.clear()
        self._known = found
        try:
            fresh = self._house.reread()
        except SettingsError as error:
            self._house.say("configuration refused", why=error.message, hint=error.hint)
            return None
        self._house.say("configuration read", changed=fresh != old)
        return None if fresh == old else fresh

    async def _pause(self, seconds: float | None = None) -> None:
        """Until the next look, or so long, or until somebody wants us to stop."""
        pause = self._house.poll if seconds is None else seconds
        nap = asyncio.ensure_future(self._house.clock.sleep(pause))
        stop = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({nap, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (nap, stop):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
