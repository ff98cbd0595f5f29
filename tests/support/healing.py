"""A small estate in the lab, dogwatch on it, and a person who decides: rounds on simulated time."""

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from dogwatch.app import Dogwatch
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.scenario import load_scenario
from dogwatch.lab.serve import Lab
from dogwatch.model import Action, ActionState, Consent, Event, Incident
from dogwatch.model.report import CheckReport
from dogwatch.settings import load
from dogwatch.store import Store, open_store
from dogwatch.wire.http import Pace

T = TypeVar("T")
ESTATE = """
id: own
timezone: Europe/Berlin
jobs:
  {on}/job-1: {{name: {name}, schedule: "5 * * * *", duration: 10m, spread: 0.1, rows: 90000}}
"""
SCENARIO = """
id: s
estate: own.yaml
seed: 5
now: 2026-03-04T14:00:00Z
history_days: 4
watch_hours: 5
faults: [{fault}]
"""
ONE_RUN = "at: 2026-03-04T09:00:00Z, until: 2026-03-04T09:10:00Z"
"""The run of 09:05 UTC; what is tried after it is well."""
FOR_GOOD = "at: 2026-03-04T09:00:00Z"


@dataclass
class Ward:
    """dogwatch on an estate of one hourly job on one platform, which something befalls; rounds from 09:00
    UTC. Use within ``with``."""

    folder: Path
    platform: str
    fault: str
    policy: str = ""
    name: str = "JOB_1"
    env: dict[str, str] = field(default_factory=dict[str, str])

    def __enter__(self) -> "Ward":
        """Write the files, begin the story."""
        estate = ESTATE.format(on=self.platform, name=self.name)
        (self.folder / "own.yaml").write_text(estate, encoding="utf-8")
        fault = f"{{on: {self.platform}/job-1, {self.fault}}}" if self.fault else ""
        (self.folder / "s.yaml").write_text(SCENARIO.format(fault=fault), encoding="utf-8")
        self._scenario = scenario = load_scenario(self.folder / "s.yaml")
        self.clock = SimulatedClock(scenario.rounds()[0])
        self.lab = Lab(scenario.world(self.clock))
        self.home = self.folder / "home"
        self.lab.write_config(self.home, history_days=4)
        self.consents_to(self.policy)
        self._runner = asyncio.Runner(loop_factory=LabLoop)
        self._runner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._runner.__exit__(kind, error, trace)

    def consents_to(self, policy: str) -> None:
        """Write policy.yaml; empty: there is none."""
        file = self.home / "policy.yaml"
        file.unlink(missing_ok=True)
        if policy:
            file.write_text(policy, encoding="utf-8")

    def keep(self) -> None:
        """Remember how everything is now, for ``rewind``."""
        assert not self.lab.world.asked
        self._kept = (self.clock.now(), (self.home / "dogwatch.db").read_bytes())

    def rewind(self) -> None:
        """Everything is again as it was at ``keep``: the time, the store, the platform, the policy."""
        moment, store = self._kept
        for file in self.home.glob("dogwatch.db*"):
            file.unlink()
        (self.home / "dogwatch.db").write_bytes(store)
        self.clock = SimulatedClock(moment)
        self.lab = Lab(self._scenario.world(self.clock))
        self.lab.write_config(self.home, history_days=4)
        self.consents_to(self.policy)

    @property
    def subject(self) -> str:
        """The job, as dogwatch calls it."""
        return f"{self.platform}/{self.lab.twins[self.platform].job_id(f'{self.platform}/job-1')}"

    def does(self, work: "Coroutine[Any, Any, T]") -> T:
        """Run it on the simulated time."""
        return self._runner.run(work)

    def app(self) -> Dogwatch:
        """dogwatch as a process of its own would open it."""
        return Dogwatch(
            load(None, self.env, self.home),
            clock=self.clock,
            transport=self.lab.transport(),
            pace=Pace(per_second=0),
            rng=random.Random(1),
        )

    def round(self, hour: int, minute: int = 0) -> CheckReport:
        """A round at that time of the day (UTC)."""
        self.clock.set(self.clock.now().replace(hour=hour, minute=minute))

        async def work() -> CheckReport:
            async with self.app() as app:
                return await app.check()

        return self.does(work())

    def rounds(self, begin: tuple[int, int], end: tuple[int, int], every: int = 15) -> CheckReport:
        """Rounds every so many minutes, both ends included; the last one's report."""
        day = self.clock.now()
        moment, last = day.replace(hour=begin[0], minute=begin[1]), day.replace(hour=end[0], minute=end[1])
        report = self.round(moment.hour, moment.minute)
        while moment + timedelta(minutes=every) <= last:
            moment += timedelta(minutes=every)
            report = self.round(moment.hour, moment.minute)
        return report

    def actions(self) -> list[Action]:
        """All of them, the newest proposal first."""
        with_store: Store = open_store(self.home / "dogwatch.db")
        try:
            return with_store.actions()
        finally:
            with_store.close()

    def waiting(self, verb: str | None = None) -> Action:
        """The one that waits for consent."""
        (found,) = [
            one
            for one in self.actions()
            if one.state is ActionState.waiting and (verb is None or one.verb == verb)
        ]
        return found

    def now_is(self, action: Action) -> Action:
        """The action as it stands."""
        return next(one for one in self.actions() if one.id == action.id)

    def incident(self, number: int) -> Incident:
        """One as it stands."""
        store = open_store(self.home / "dogwatch.db")
        try:
            found = store.incident(number)
        finally:
            store.close()
        assert found is not None
        return found

    def events(self) -> list[Event]:
        """The record."""
        store = open_store(self.home / "dogwatch.db")
        try:
            assert store.broken_event() is None
            return store.events()
        finally:
            store.close()

    def consent(
        self, action: Action, by: str = "anna", *, yes: bool = True, digest: str | None = None
    ) -> Action:
        """A person decides."""

        async def work() -> Action:
            async with self.app() as app:
                return await app.consent(action.id, by, yes=yes, digest=digest)

        return self.does(work())

    def carry_on(self) -> list[Action]:
        """What the watch does every few seconds."""

        async def work() -> list[Action]:
            async with self.app() as app:
                return await app.carry_on()

        return self.does(work())

    def press(self, payload: object) -> Action:
        """A person presses a button in Slack."""

        async def work() -> Action:
            async with self.app() as app:
                return await app.press(payload)

        return self.does(work())

    def asks(self, incident: int) -> list[Consent]:
        """What messages about that incident ask for."""

        async def work() -> list[Consent]:
            async with self.app() as app:
                return await app.asks(f"INC-{incident}")

        return self.does(work())

    def halt(self, *, off: bool = False) -> None:
        """The stop switch."""

        async def work() -> None:
            async with self.app() as app:
                await app.halt("bert", off=off)

        self.does(work())

    def suggest(self, action: Action) -> Action:
        """Write an action down as an agent's proposal that a person has to decide on."""
        store = open_store(self.home / "dogwatch.db")
        try:
            (made,) = store.propose([action])
        finally:
            store.close()
        return made
