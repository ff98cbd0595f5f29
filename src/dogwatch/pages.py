"""What pages and searches ask of one configuration. Asks no platform."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeVar

from dogwatch.lookup import pages as lookup
from dogwatch.lookup.agents import alike
from dogwatch.lookup.graph import Chart, Survey, pictured, survey
from dogwatch.lookup.names import must_be_connector
from dogwatch.lookup.vitals import stale_since
from dogwatch.model import Incident
from dogwatch.model.overview import Overview
from dogwatch.model.pages import JobFile, JobList, LogPage, SearchResult
from dogwatch.model.precedent import Precedent
from dogwatch.settings import Settings
from dogwatch.settings.pipelines import pipelines_of
from dogwatch.settings.policy import policy
from dogwatch.store import Store, StoreThread
from dogwatch.wire.clock import Clock

T = TypeVar("T")
_ALIKE, _PAST = 5, 100
_DRAWN = 400
"""Jobs in a picture of everything."""


class Pages:
    """Looks up what a page shows."""

    def __init__(self, settings: Settings, store: Store, thread: StoreThread, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._thread = thread
        self._clock = clock

    async def _look(self, look: Callable[..., T], *args: Any) -> T:
        """What a look at the store gives, over one connection."""

        def at_one_moment() -> T:
            with self._store.at_one_moment():
                return look(*args)

        return await self._thread(at_one_moment)

    async def tonight(self) -> Overview:
        """Verdict, incidents, and the last 24 hours of what matters."""
        now = self._clock.now()
        found = await self._look(lookup.tonight, self._store, policy(self._settings), now)
        return await self.as_of_now(found)

    async def as_of_now(self, found: Overview) -> Overview:
        """What was looked up a while ago, at the present: nothing was found since, but time has passed, and
        perhaps nobody looks any more."""
        now, own = self._clock.now(), self._settings
        stale = await self._thread(stale_since, self._store, own.watch, own.timezone, now)
        passed = now - found.at
        moved = {"starts_at": found.starts_at + passed, "ends_at": found.ends_at + passed}
        return found.model_copy(update={"at": now, "stale_since": stale, **moved})

    async def shape(self) -> str:
        """Another text whenever the graph may have changed."""
        shape = await self._thread(self._store.shape)
        lineage = self._settings.lineage
        files = bool(lineage.dbt or lineage.openlineage)  # which may change with any round
        return f"{shape} {(await self._thread(self._store.tick)).round if files else ''}"

    async def survey(self) -> Survey:
        """The graph of everything."""
        declared = pipelines_of(self._settings, self._settings.timezone)
        return await self._thread(survey, self._store, declared, self._settings.lineage, None)

    async def chart(self, known: Survey, what: str | None) -> Chart:
        """The part of a survey that is named, with live incidents marked. Raises SettingsError if nothing is
        called so."""
        return await self._look(pictured, self._store, known, what, _DRAWN)

    async def alike(self, known: Survey, number: int) -> list[Precedent]:
        """A few incidents of the latest that are like this one. Raises IncidentError."""
        return await self._look(alike, self._store, number, known.graph, _ALIKE, _PAST)

    async def job(self, instance: str, job_id: str, cursor: str | None = None) -> JobFile:
        """One job; ``cursor`` is the uid of the run behind which its runs are shown. Raises
        SettingsError if it was never known."""
        now, key = self._clock.now(), (instance, job_id)
        look = partial(lookup.job_file, self._store, policy(self._settings), key, cursor, now)
        return await self._look(look)

    async def concerning(self, subject: str) -> tuple[Incident, ...]:
        """Incidents that have to do with a job or a component, live ones first."""
        return await self._look(lookup.concerning, self._store, subject)

    async def jobs(
        self, instance: str | None = None, text: str = "", after: str = "", limit: int = 100
    ) -> JobList:
        """A page of jobs. Raises SettingsError if no connector is called like ``instance``."""
        if instance is not None:
            kinds = {name: one.kind for name, one in self._settings.connectors.items()}
            await self._thread(must_be_connector, self._store, kinds, instance, False)
        now, zone = self._clock.now(), self._settings.timezone
        look = partial(lookup.job_list, self._store, zone, instance, text, after, limit, now)
        return await self._look(look)

    async def in_trouble(self, instance: str | None = None) -> tuple[lookup.Trouble, ...]:
        """The jobs and components that live incidents are about."""
        return await self._look(lookup.in_trouble, self._store, instance)

    async def search(self, text: str) -> SearchResult:
        """Jobs, incidents, actions and findings that have to do with a text."""
        now, zone = self._clock.now(), self._settings.timezone
        return await self._look(lookup.search, self._store, zone, text, now)

    async def log_pulse(self) -> str:
        """Another text whenever a log was read."""
        return await self._thread(self._store.log_pulse)

    async def logs(self, only: Collection[str] | None = None) -> LogPage:
        """What the logs say, new and surging first; or what ``only`` some components say."""
        now, settings = self._clock.now(), self._settings
        look = partial(
            lookup.log_page,
            self._store,
            settings.timezone,
            list(settings.connectors),
            settings.log_components,
            now,
            only,
        )
        return await self._look(look)
