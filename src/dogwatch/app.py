"""The verbs that every surface shares: one class, made from settings, used within ``async with``."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from pydantic import SecretStr

from dogwatch import connectors
from dogwatch.model import Action, Incident, Run, Turn
from dogwatch.model.channels import ChannelsReport, TrialReport
from dogwatch.model.dossier import Dossier, IncidentList
from dogwatch.model.report import CheckReport, Diagnosis, Explanation, Timetable
from dogwatch.settings import ConnectorConfig, Settings
from dogwatch.store import StoreThread, open_store
from dogwatch.store.holders import new_holder
from dogwatch.store.incidents import IncidentFilter
from dogwatch.store.rows import RunFilter
from dogwatch.wire.clock import Clock, SystemClock
from dogwatch.wire.connector import AnyConnector
from dogwatch.wire.http import Doors, Pace
from dogwatch.wire.secrets import Secrets

if TYPE_CHECKING:
    import httpx2

    from dogwatch.agents.session import Runtime
    from dogwatch.desk import Desk
    from dogwatch.doorkeeper import Doorkeeper
    from dogwatch.investigator import Investigator
    from dogwatch.keeper import Keeper
    from dogwatch.lookup.graph import Chart
    from dogwatch.messenger import Messenger
    from dogwatch.model.actions import ActionList, AuditTrail, AuditVerdict
    from dogwatch.model.answer import Answer, Statement
    from dogwatch.model.door import Tick
    from dogwatch.model.investigation import Investigation
    from dogwatch.model.message import Consent
    from dogwatch.model.overview import Overview
    from dogwatch.pages import Pages
    from dogwatch.registrar import Registration
    from dogwatch.relay import Relay
    from dogwatch.round import Progress
    from dogwatch.round import Step as Step
    from dogwatch.steward import Steward
    from dogwatch.watchkeeping import Watchkeeping

__all__ = [
    "ChannelsReport",
    "CheckReport",
    "Diagnosis",
    "Dogwatch",
    "Dossier",
    "Explanation",
    "IncidentFilter",
    "IncidentList",
    "RunFilter",
    "Timetable",
    "TrialReport",
]


def _silent(step: "Step") -> None:
    """Nobody is watching."""


class Dogwatch:
    """dogwatch with one configuration. Opening it touches the store only; platforms are asked by the verbs.

    ``transport`` replaces the network (the lab's seam), ``pace`` every connector's own limits (benchmarks),
    ``holder`` is this process's name in the lease that keeps rounds apart, ``runtime`` drives agents in place
    of the models of the settings.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        pace: Pace | None = None,
        rng: random.Random | None = None,
        holder: str | None = None,
        runtime: "Runtime | None" = None,
    ) -> None:
        self.settings = settings
        self._runtime = runtime
        self._clock = clock or SystemClock()
        self._doors = Doors(
            clock=self._clock,
            secrets=Secrets(),
            transport=transport,
            rng=rng or random.Random(),  # noqa: S311  # jitter, not a secret
            pace=pace,
        )
        self._thread = StoreThread()
        self._holder = holder or new_holder()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Dogwatch":
        """Open the store. Raises StoreError."""
        self._open.callback(self._thread.close)
        try:
            password = self.settings.store_password
            secret = "" if password is None else password.get_secret_value()
            if secret:
                self._doors.secrets.add(secret)
            self._store = await self._thread(open_store, self.settings.store, secret)
        except BaseException:
            await self._open.aclose()
            raise
        self._open.push_async_callback(self._thread, self._store.close)
        turns = self._store.shared_turns(self._doors.rng)
        if turns is not None:
            self._open.push_async_callback(turns.aclose)
            self._doors.shared = turns.of
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        await self._open.aclose()

    async def check(
        self, progress: "Progress" = _silent, *, only: frozenset[str] | None = None
    ) -> CheckReport:
        """One round over all platforms: read, record, detect, correlate; then people are told of it. Waits
        while another round is under way.

        ``only`` are the connectors that are asked; what is known of the others stays as it is. Raises
        SettingsError or StoreError only.
        """
        return await self.relay().whole(progress, only)

    def relay(self) -> "Relay":
        """Makes rounds, at one go or in the steps of a team."""
        from dogwatch.relay import Relay, Verbs  # and with it all rules, which the other verbs do not need

        verbs = Verbs(self._connect, self._investigator, lambda: self.desk().review(30), self.day, self.asks)
        return Relay(self.settings, self._doors, self._store, self._thread, self._holder, verbs)

    async def deliver(self) -> int:
        """Send what waits to be sent; returns how much was. Raises StoreError only."""
        async with AsyncExitStack() as stack:
            sent = await self._messenger(stack).deliver(self._holder, self._doors.rng, self.asks)
            return sent.sent

    def keeper(self) -> "Keeper":
        """How the store is, what of it is forgotten, backups."""
        from dogwatch.keeper import Keeper

        return Keeper(self.settings, self._store, self._thread, self._clock.now())

    def watchkeeping(self) -> "Watchkeeping":
        """Calls from outside, the lead among watchers, and how old what we know is."""
        from dogwatch.watchkeeping import Watchkeeping

        return Watchkeeping(self.settings, self._doors, self._store, self._thread, self._holder)

    async def news(self, name: str) -> int:
        """Wait a while for what the queue of a connector tells; how much of it was new. Raises
        ConnectorError, SettingsError or StoreError."""
        return await self.watchkeeping().news(name, self._named)

    def registration(self) -> "Registration":
        """The copy of the audit trail in a warehouse: how it stands, made up to date, compared."""
        from dogwatch.registrar import Registration

        return Registration(self.settings, self._doors, self._store, self._thread, self._holder)

    async def notify_test(self, name: str) -> TrialReport:
        """Send a test message by one channel. Raises SettingsError or StoreError only."""
        async with AsyncExitStack() as stack:
            return await self._messenger(stack).trial(name)

    async def notify_status(self) -> ChannelsReport:
        """How every channel is, and what waits for it. Sends nothing."""
        async with AsyncExitStack() as stack:
            return await self._messenger(stack).status()

    def _messenger(self, stack: AsyncExitStack) -> "Messenger":
        from dogwatch.messenger import Messenger

        return Messenger(self.settings, self._doors, self._store, self._thread, stack)

    async def doctor(self, names: Sequence[str] = ()) -> list[Diagnosis]:
        """Can each connector (or each of ``names``) be reached, does it let us in, may we read?"""
        from dogwatch.diagnosis import diagnosis

        async with AsyncExitStack() as stack:
            opened = [await self._connect(config, stack) for config in self._configs(names)]
            parts = (self._store, self._thread, self._doors)
            return list(await asyncio.gather(*(diagnosis(connector, *parts) for connector in opened)))

    async def runs(self, wanted: RunFilter) -> list[Run]:
        """Remembered runs, newest first. Asks no platform. Raises SettingsError if no connector is called as
        ``wanted`` says."""
        await self._must_know(wanted.platform, or_kind=True)
        return await self._thread(self._store.runs, wanted)

    async def schedule(self, job: str | None = None, *, limit: int = 50, slots: int = 10) -> Timetable:
        """When jobs run next and what became of their last slots: all jobs, or those that ``job`` names
        by id, subject or a part of the name. Asks no platform."""
        from dogwatch.lookup.times import timetable
        from dogwatch.settings.policy import policy

        now = self._clock.now()
        return await self._thread(timetable, self._store, policy(self.settings), job, limit, slots, now)

    async def explain(self, fingerprint: str) -> list[Explanation]:
        """Findings, open or not, whose fingerprint begins so, with the numbers they rest on.

        Asks no platform.
        """
        from dogwatch.lookup.times import explanations
        from dogwatch.settings.policy import policy

        now = self._clock.now()
        return await self._thread(explanations, self._store, policy(self.settings), fingerprint, now)

    async def graph(self, what: str | None = None) -> "Chart":
        """What depends on what: everything, or what concerns the pipeline or job that is named. Asks no
        platform. Raises SettingsError if nothing is called so."""
        from dogwatch.lookup.graph import chart
        from dogwatch.settings.pipelines import pipelines_of

        declared = pipelines_of(self.settings, self.settings.timezone)
        now = self._clock.now()
        return await self._thread(chart, self._store, declared, self.settings.lineage, what, now)

    # ── incidents ───────────────────────────────────────────────────────────────────────────────────────

    async def incidents(self, wanted: IncidentFilter) -> IncidentList:
        """Remembered incidents. Asks no platform. Raises SettingsError if no connector is called as
        ``wanted`` says."""
        await self._must_know(wanted.platform)
        from dogwatch.lookup.cases import incident_list

        now = self._clock.now()
        return await self._thread(incident_list, self._store, wanted, self.settings.timezone, now)

    async def incident(self, number: int) -> Dossier:
        """One incident with everything it rests on. Asks no platform. Raises IncidentError."""
        from dogwatch.lookup.cases import dossier

        return await self._thread(dossier, self._store, number, self.settings.timezone, self._clock.now())

    async def acknowledge(self, number: int, by: str) -> Incident:
        """Somebody takes an incident on; ``by`` is ``user:<name>``. Raises IncidentError."""
        from dogwatch.incidents import lifecycle

        now = self._clock.now()
        return await self._decide(number, lambda incident: lifecycle.acknowledge(incident, by, now))

    async def mute(self, number: int, by: str, until: datetime | None = None, why: str = "") -> Incident:
        """Tell nobody of an incident, until a moment or until it is over. Raises IncidentError."""
        from dogwatch.incidents import lifecycle

        now = self._clock.now()
        return await self._decide(number, lambda incident: lifecycle.mute(incident, by, until, now, why))

    async def unmute(self, number: int, by: str) -> Incident:
        """Tell people of it again. Raises IncidentError."""
        from dogwatch.incidents import lifecycle

        now = self._clock.now()
        return await self._decide(number, lambda incident: lifecycle.unmute(incident, by, now))

    async def resolve(self, number: int, by: str, why: str = "") -> Incident:
        """Somebody says that it is over. Raises IncidentError."""
        from dogwatch.incidents import lifecycle

        now = self._clock.now()
        return await self._decide(number, lambda incident: lifecycle.resolve(incident, by, now, why))

    async def reopen(self, number: int, by: str, why: str = "") -> Incident:
        """Somebody says that it is not over. Raises IncidentError."""
        from dogwatch.incidents import lifecycle

        now = self._clock.now()
        return await self._decide(number, lambda incident: lifecycle.reopen(incident, by, now, why))

    async def note(self, number: int, by: str, text: str) -> Incident:
        """Keep somebody's words with an incident. Raises IncidentError."""
        from dogwatch.lookup.cases import note

        return await self._thread(note, self._store, number, by, text, self._clock.now())

    async def _decide(self, number: int, step: Callable[[Incident], tuple[Incident, Turn]]) -> Incident:
        from dogwatch.lookup.cases import decide

        return await self._thread(decide, self._store, number, step)

    async def overview(self, since: datetime) -> "Overview":
        """The estate at one glance; incidents that ended before ``since`` are left out. Asks no platform."""
        from dogwatch.lookup.overview import overview
        from dogwatch.settings.policy import policy

        now = self._clock.now()
        found = await self._thread(overview, self._store, policy(self.settings), since, now)
        actions = await self.actions()
        labels = {one.id: label for one, label in zip(actions.actions, actions.labels, strict=True)}
        stale = await self.watchkeeping().stale_since()
        return found.model_copy(update={"actions": actions.actions, "labels": labels, "stale_since": stale})

    @property
    def clock(self) -> Clock:
        """What time it is for everything that this does."""
        return self._clock

    def doorkeeper(self) -> "Doorkeeper":
        """Tokens and sessions of those who come by web."""
        from dogwatch.doorkeeper import Doorkeeper

        return Doorkeeper(self._store, self._thread, self._clock, self.settings.timezone)

    def pages(self) -> "Pages":
        """What pages and searches ask for."""
        from dogwatch.pages import Pages

        return Pages(self.settings, self._store, self._thread, self._clock)

    async def tick(self) -> "Tick":
        """Another value whenever something was found, decided or done."""
        return await self._thread(self._store.tick)

    async def day(self) -> "Overview":
        """The same for the last day, as the daily digest tells it."""
        return await self.overview(self._clock.now() - timedelta(days=1))

    # ── actions ─────────────────────────────────────────────────────────────────────────────────────────

    def _steward(self) -> "Steward":
        from dogwatch.steward import Steward

        return Steward(self.settings, self._doors, self._store, self._thread)

    async def actions(self, *, everything: bool = False, incident: int | None = None) -> "ActionList":
        """What could be done, waits for consent or is under way. Asks no platform."""
        return await self._steward().actions(everything=everything, incident=incident)

    async def consent(
        self, id_: str, by: str, *, yes: bool, via: str = "command line", digest: str | None = None
    ) -> Action:
        """A person's decision on one exact action; what is approved is done at once. Raises ConsentError."""

        return await self._steward().consent(id_, by, self._named, yes=yes, via=via, digest=digest)

    async def carry_on(self) -> list[Action]:
        """Do what people consented to and nobody has begun: the process that took their consent may have died
        before it did, or something stood in the way then. Raises SettingsError or StoreError."""
        return await self._steward().carry_on(self._named)

    async def asks(self, incident: str) -> list["Consent"]:
        """What waits for a person about an incident such as INC-7, as messages ask for it."""
        return await self._steward().asks(incident)

    async def press(self, payload: object) -> Action:
        """Somebody's press of a button, which the caller knows to come from Slack; what it approves is
        done at once. Raises ConsentError."""
        return await self._steward().press(payload, self._named)

    async def ask(self, question: str, before: Sequence[str] = ()) -> "Answer":
        """The answer to a question by rules; ``before``: what the one before was about. Asks no platform."""
        from dogwatch.answering import answer

        return await answer(self.settings, self._store, self._thread, self.desk(), question, before)

    async def discuss(
        self,
        told: "Answer",
        history: Sequence["Answer"],
        progress: Callable[[str], None],
        heard: Callable[["Statement"], None] = lambda statement: None,
    ) -> "Answer":
        """The answer with what agents add, if a model is set; ``history``: the answers before it; ``heard``
        gets each sentence that stands while the others are still written."""
        return await self._investigator(progress).discuss(told, history, heard)

    def desk(self) -> "Desk":
        """What agents and their like may ask for: ``agents.tools`` is called with it."""
        from dogwatch.desk import Desk

        return Desk(self.settings, self._doors, self._store, self._thread, self._named)

    async def investigate(
        self, number: int, progress: Callable[[str], None] = lambda text: None
    ) -> "Investigation":
        """What rules and agents say of an incident; by rules alone where no model can be asked. Raises
        IncidentError, SettingsError or StoreError."""
        return await self._investigator(progress).investigate(number)

    async def investigated(self, number: int) -> "Investigation":
        """What agents said of an incident last, in a round or when asked. Raises IncidentError."""
        return await self.desk().kept(number)

    def _investigator(self, progress: Callable[[str], None] = lambda text: None) -> "Investigator":
        from dogwatch.investigator import Investigator

        return Investigator(self.settings.agents, self.desk(), runtime=self._runtime, progress=progress)

    async def _named(self, name: str, stack: AsyncExitStack) -> AnyConnector:
        return await self._connect(self.settings.connectors[name], stack)

    async def halt(self, by: str, *, off: bool = False) -> None:
        """Stop every action everywhere at once, or let them go on."""
        await self._steward().halt(by, off=off)

    async def audit(self, subject: str | None = None, *, after: int = 0, limit: int = 1_000) -> "AuditTrail":
        """What was decided and done, in order."""
        return await self._steward().audit(subject, after=after, limit=limit)

    async def verify_audit(self) -> "AuditVerdict":
        """Whether the record is as it was written."""
        return await self._steward().verify_audit()

    async def _must_know(self, platform: str | None, or_kind: bool = False) -> None:
        if platform is None:
            return
        from dogwatch.lookup.names import must_be_connector

        kinds = {name: one.kind for name, one in self.settings.connectors.items()}
        await self._thread(must_be_connector, self._store, kinds, platform, or_kind)

    def _configs(self, names: Sequence[str]) -> list[ConnectorConfig]:
        known = self.settings.connectors
        for name in names:
            if name not in known:
                from dogwatch.lookup.names import no_connector

                raise no_connector(name, known)
        return [known[name] for name in names or known]

    async def _connect(self, config: ConnectorConfig, stack: AsyncExitStack) -> AnyConnector:
        for value in config.settings.__dict__.values():
            if isinstance(value, SecretStr):
                self._doors.secrets.add(value.get_secret_value())
        connector = connectors.load(config.kind)(config.name, config.settings, self._doors.of(config.name))
        stack.push_async_callback(connector.aclose)
        return connector
