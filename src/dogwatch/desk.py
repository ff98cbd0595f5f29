"""What agents may ask of one configuration: the read verbs in plain words, proposals and questions.

It is what ``agents.tools`` is called with. Nothing of it asks a platform or changes one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from pydantic import BaseModel, JsonValue, SecretStr

from dogwatch.agents.data import masked
from dogwatch.agents.spans import Spans
from dogwatch.errors import ConnectorError, SettingsError
from dogwatch.gather.lineage import steps_in
from dogwatch.lookup.agents import changes_since, keep_investigation, kept_investigation, precedents
from dogwatch.lookup.cases import dossier, incident_list
from dogwatch.lookup.cases import note as noted
from dogwatch.lookup.graph import chart
from dogwatch.lookup.overview import last_health
from dogwatch.lookup.review import feedback, keep, reviewed
from dogwatch.lookup.times import explanations, timetable
from dogwatch.lookup.vitals import headroom_series
from dogwatch.model import (
    NOWHERE,
    Action,
    Change,
    HealthAssessment,
    Incident,
    IncidentState,
    Run,
    Status,
)
from dogwatch.model.actions import ActionList, AuditTrail
from dogwatch.model.dossier import Dossier
from dogwatch.model.investigation import Investigation
from dogwatch.model.precedent import Precedent
from dogwatch.model.report import Explanation, PlatformView, Timetable
from dogwatch.model.review import Review
from dogwatch.pipelines.draw import as_json
from dogwatch.settings import Settings
from dogwatch.settings.pipelines import pipelines_of
from dogwatch.settings.policy import policy
from dogwatch.steward import Connect, Steward
from dogwatch.store import Store, StoreThread
from dogwatch.store.incidents import IncidentFilter
from dogwatch.store.rows import RunFilter
from dogwatch.wire.http import Doors
from dogwatch.wire.otlp import Score, send

_TOLD = 20
_LEVELS = timedelta(days=60)
_LIVE = tuple(state for state in IncidentState if state.live)


class Desk:
    """The verbs behind the tools of agents."""

    def __init__(
        self, settings: Settings, doors: Doors, store: Store, thread: StoreThread, connect: Connect
    ) -> None:
        self._settings = settings
        self._doors = doors
        self._store = store
        self._thread = thread
        self._connect = connect
        self._steward = Steward(settings, doors, store, thread)
        owners: list[BaseModel] = [settings.agents, *(one.settings for one in settings.connectors.values())]
        owners += [one.settings for one in settings.channels.values()]
        for owner in owners:
            for value in vars(owner).values():
                if isinstance(value, SecretStr):
                    doors.secrets.add(value.get_secret_value())
        for secret in settings.hook_secrets.values():
            doors.secrets.add(secret.get_secret_value())

    def now(self) -> datetime:
        """The clock's time."""
        return self._doors.clock.now()

    def scrub(self, text: str) -> str:
        """The text with every credential of the configuration masked."""
        return self._doors.secrets.scrub(text)

    async def incidents(
        self, *, live: bool, platform: str | None, since: datetime | None, limit: int
    ) -> Sequence[Incident]:
        """Incidents, worst first."""
        states = _LIVE if live else ()
        wanted = IncidentFilter(states=states, platform=platform, since=since, limit=limit)
        zone, now = self._settings.timezone, self.now()
        return (await self._thread(incident_list, self._store, wanted, zone, now)).incidents

    async def incident(self, number: int) -> Dossier:
        """One incident with everything it rests on. Raises IncidentError."""
        return await self._thread(dossier, self._store, number, self._settings.timezone, self.now())

    async def similar(self, number: int, limit: int) -> Sequence[Precedent]:
        """Past incidents that are like one. Raises IncidentError."""
        declared = pipelines_of(self._settings, self._settings.timezone)
        lineage = partial(steps_in, self._settings.lineage)
        return await self._thread(precedents, self._store, number, declared, lineage, limit, self.now())

    async def runs(
        self,
        *,
        platform: str | None,
        job: str | None,
        status: tuple[Status, ...],
        since: datetime,
        limit: int,
    ) -> Sequence[Run]:
        """Remembered runs, newest first."""
        wanted = RunFilter(platform=platform, job=job, status=status, since=since, limit=limit)
        return await self._thread(self._store.runs, wanted)

    async def schedule(self, job: str | None, limit: int, slots: int) -> Timetable:
        """When jobs run next, and what became of their last slots."""
        rules, now = policy(self._settings), self.now()
        return await self._thread(timetable, self._store, rules, job, limit, slots, now)

    async def explain(self, fingerprint: str) -> Sequence[Explanation]:
        """Findings whose fingerprint begins so."""
        rules = policy(self._settings)
        return await self._thread(explanations, self._store, rules, fingerprint, self.now())

    async def health(self) -> tuple[Sequence[HealthAssessment], Sequence[PlatformView], datetime | None]:
        """By the last round: how all is, what could be seen, and when that was."""
        return await self._thread(last_health, self._store)

    async def graph(self, what: str | None) -> Mapping[str, JsonValue]:
        """What depends on what. Raises SettingsError if nothing is called so."""
        declared = pipelines_of(self._settings, self._settings.timezone)
        found = await self._thread(chart, self._store, declared, self._settings.lineage, what, self.now())
        return as_json(found.picture, found.warnings, found.heading)

    async def changes(self, since: datetime) -> Sequence[Change]:
        """Changes since then, in order of time."""
        return await self._thread(changes_since, self._store, since, self.now())

    async def actions(self, incident: int | None) -> ActionList:
        """What could be done, waits for consent or is under way."""
        return await self._steward.actions(everything=True, incident=incident)

    async def audit(self, subject: str | None, *, after: int, limit: int) -> AuditTrail:
        """What was decided and done, in order."""
        return await self._steward.audit(subject, after=after, limit=limit)

    async def propose(
        self, number: int, verb: str, target: str, reason: str, cites: tuple[str, ...], by: str
    ) -> Action:
        """Write down a proposal; a person decides about it. Raises IncidentError or ConsentError."""
        why = masked(reason, self.scrub, 240)
        return await self._steward.suggest(number, verb, target, why, cites, by, self._connect)

    async def ask(self, number: int, question: str, by: str) -> None:
        """Write down a question for a person, with the incident. Raises IncidentError."""
        said = f"question: {masked(question, self.scrub, 400)}"
        await self._thread(noted, self._store, number, by, said, self.now())

    async def record(self, actor: str, kind: str, subject: str, detail: Mapping[str, JsonValue]) -> None:
        """Write an event of the crew into the record."""
        await self._thread(self._store.log, self.now(), actor, kind, subject, detail)

    async def reviewed(self, days: int) -> Review:
        """Own alerts, causes and actions of so many days, judged."""
        return await self._thread(reviewed, self._store, days, self._settings.timezone, self.now())

    async def review(self, days: int) -> Review:
        """The same; the figures are kept once a day."""
        found = await self.reviewed(days)
        await self._thread(keep, self._store, found)
        return found

    async def feedback(self, number: int, score: int, why: str, by: str) -> Incident:
        """Somebody's score, 0 to 100, of what was said of an incident. Raises IncidentError."""
        return await self._thread(feedback, self._store, number, score, why, by, self.now())

    async def told(self, number: int) -> tuple[str, ...]:
        """Where people were told of an incident, by the outbox: never by anybody's word."""
        found = await self._thread(self._store.deliveries, "message", [f"INC-{number}"])
        return tuple(
            f"{one.destination}: {one.state.value}" for one in found[-_TOLD:] if one.destination != NOWHERE
        )

    async def keep(self, found: Investigation) -> None:
        """Write an investigation into the record, to be read later."""
        await self._thread(keep_investigation, self._store, found)

    async def kept(self, number: int) -> Investigation:
        """What agents said of an incident last. Raises IncidentError."""
        return await self._thread(kept_investigation, self._store, number)

    async def trace(self, spans: Spans, found: Investigation) -> None:
        """Send the traces of an investigation where the settings say; that they were lost is recorded."""
        settings, kept = self._settings.agents, len(found.causes)
        judged = kept + len(found.dropped)
        scores = [Score(spans.trace, "grounded", round(kept / judged, 4))] if judged else []
        try:
            await send(self._doors, settings.traces, settings.traces_headers, spans.all, scores)
        except (ConnectorError, SettingsError) as error:
            why = masked(error.message, self.scrub, 200)
            await self.record("agent:crew", "agent.traces_lost", found.incident, {"why": why})

    async def note_headroom(self, headroom: Mapping[str, float]) -> None:
        """Remember, as hourly levels of metrics, how much providers of models still allow: by
        ``provider:requests`` and the like."""
        now = self.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        levels = {
            headroom_series(*name.split(":", 1)).key: [(hour, value)]
            for name, value in sorted(headroom.items())
        }
        if levels:
            await self._thread(self._store.save_levels, levels, now - _LEVELS)
