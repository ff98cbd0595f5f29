"""Those who are kept up to date with what the store holds: the hub, and the OpenLineage server."""

import asyncio
import random
from contextlib import AsyncExitStack

from dogwatch.model.report import CheckReport
from dogwatch.settings import Settings
from dogwatch.store import Store, StoreThread
from dogwatch.store.feeds import FeedName
from dogwatch.wire.http import Doors


class Copies:
    """The copies of one configuration; most have none, and need not even know what one is."""

    def __init__(
        self, settings: Settings, doors: Doors, store: Store, thread: StoreThread, stack: AsyncExitStack
    ) -> None:
        """Opens what is set up; ``stack`` closes it."""
        self._hub = self._lineage = None
        if settings.hub is not None:
            from dogwatch.registrar import Registrar

            self._hub = Registrar(settings, doors, store, thread, stack)
        if settings.openlineage is not None:
            from dogwatch.emitter import Emitter

            self._lineage = Emitter(settings.openlineage, doors, store, thread, stack)

    @property
    def feeds(self) -> list[FeedName]:
        """What a round has to extend."""
        return [feed for one in (self._hub, self._lineage) if one is not None for feed in one.feeds]

    async def sync(self, report: CheckReport, holder: str, rng: random.Random) -> CheckReport:
        """Send what they have not confirmed; the report, and how they stand. Raises StoreError only."""
        found = await self.follow(holder, rng)
        return report.model_copy(update=found) if found else report

    async def follow(self, holder: str, rng: random.Random) -> dict[str, object]:
        """Send what they have not confirmed, side by side; by name, how they stand. Raises StoreError
        only."""

        async def hub() -> None:
            if self._hub is not None:
                found["hub"] = await self._hub.sync(holder, rng)

        async def lineage() -> None:
            if self._lineage is not None:
                found["lineage"] = await self._lineage.sync(holder, rng)

        found: dict[str, object] = {}
        async with asyncio.TaskGroup() as group:
            group.create_task(hub())
            group.create_task(lineage())
        return found
