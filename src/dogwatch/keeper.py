"""Keeping the store: how it is, what of it is forgotten, backups of it and stores made from them."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from dogwatch.errors import StoreError
from dogwatch.model.keeping import BackupView, PruneView, StoreView
from dogwatch.settings import Settings
from dogwatch.store import Store, StoreThread
from dogwatch.store.copying import Contents, backup, restore, verify
from dogwatch.store.pruning import Limits

_EVERY = timedelta(days=1)
"""So often what is over is forgotten."""

Progress = Callable[[str, int], None]
"""Told of each table and how many of its rows were copied."""


class Keeper:
    """The keeping of one store."""

    def __init__(self, settings: Settings, store: Store, thread: StoreThread, now: datetime) -> None:
        self._settings = settings
        self._store = store
        self._thread = thread
        self._now = now

    async def state(self) -> StoreView:
        """How the store is. Raises StoreError."""

        def look() -> StoreView:
            began = time.perf_counter()
            version, revision, size = self._store.about()
            took = round(time.perf_counter() - began, 4)
            return StoreView(
                kind="sqlite" if self._store.dialect == "sqlite" else "postgresql",
                place=self._settings.store,
                version=version,
                revision=revision,
                bytes=size,
                seconds=took,
                pruned_at=self._store.last_pruned(),
            )

        return await self._thread(look)

    async def tidy(self) -> None:
        """Forget what is over, once a day. What fails (a full disk) is tried again after the next round."""
        with suppress(StoreError):
            if await self._thread(self._store.prune_due, self._now, _EVERY):
                await self._thread(self._store.prune, self._limits, self._now)

    async def prune(self, *, compact: bool) -> PruneView:
        """Forget what is over, now; ``compact`` also gives back to the disk what was freed. Raises
        StoreError."""

        def work() -> PruneView:
            before = self._store.about()[2]
            gone = self._store.prune(self._limits, self._now)
            if compact:
                self._store.compact()
            return PruneView(gone=gone, before=before, bytes=self._store.about()[2], compacted=compact)

        return await self._thread(work)

    async def backup(self, target: Path, progress: Progress) -> BackupView:
        """Everything as it is at one moment in a new file. Raises StoreError."""
        found = await self._thread(backup, self._store, target, progress)
        return _view(target, found, self._settings.store)

    async def restore(self, source: Path, progress: Progress) -> BackupView:
        """The store, which has to be empty, filled from a backup and compared with it. Raises StoreError."""
        found = await self._thread(restore, source, self._store, progress)
        return _view(source, found, self._settings.store)

    @property
    def _limits(self) -> Limits:
        keep = self._settings.keep
        return Limits(
            runs=keep.runs,
            jobs=keep.jobs,
            findings=keep.findings,
            rounds=keep.rounds,
            messages=keep.messages,
            changes=keep.changes,
            incidents=keep.incidents,
        )


def verified(source: Path) -> BackupView:
    """What a backup holds, if it is whole. No store is opened. Raises StoreError if it is not."""
    return _view(source, verify(source), "")


def _view(path: Path, found: Contents, store: str) -> BackupView:
    return BackupView(
        file=str(path),
        store=store,
        revision=found.revision,
        bytes=path.stat().st_size,
        rows=found.rows,
        checksums=found.checksums,
        events=found.events,
        last_hash=found.last_hash,
    )
