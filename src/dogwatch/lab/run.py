"""Lets dogwatch watch a scenario: the same rounds as in life, on simulated time, one after the other.

The lab does not know how dogwatch is put together; a surface hands it an ``Opener``.
"""

import asyncio
import gc
import random
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2

from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.scenario import Scenario
from dogwatch.lab.serve import Lab
from dogwatch.model import Action
from dogwatch.model.actions import ActionList
from dogwatch.model.report import CheckReport


class Checker(Protocol):
    """What makes rounds."""

    async def check(self) -> CheckReport:
        """One round over all platforms."""
        ...

    async def actions(self, *, everything: bool = False) -> ActionList:
        """What was proposed and done."""
        ...


Opener = Callable[
    [Path, SimulatedClock, httpx2.AsyncBaseTransport, random.Random], AbstractAsyncContextManager[Checker]
]
"""Opens dogwatch with the configuration in a folder, on a clock, a way out and a source of chance."""


@dataclass(frozen=True, slots=True)
class Night:
    """What dogwatch said in the rounds of one scenario."""

    scenario: Scenario
    lab: Lab
    reports: tuple[CheckReport, ...]
    """One for each round, in order."""
    wall_seconds: float
    actions: tuple[Action, ...] = ()
    """Everything that was proposed, whatever became of it."""

    @property
    def names(self) -> dict[str, str]:
        """The estate's name of every subject that a finding may have: jobs by native id, and platforms."""
        names = {platform: platform for platform in self.lab.twins}
        for job in self.lab.world.jobs.values():
            twin = self.lab.twins.get(job.platform)
            if twin is not None:
                names[f"{job.platform}/{twin.job_id(job.job)}"] = job.job
        return names


def watch(
    scenario: Scenario,
    opener: Opener,
    *,
    timer: Callable[[], float],
    seen: Callable[[Lab, CheckReport], None] = lambda lab, report: None,
) -> Night:
    """Play a scenario from the first round to ``now``; ``seen`` hears of every round.

    ``timer`` gives real seconds. The store is a file in a folder that is gone afterwards. Raises
    SettingsError or StoreError if dogwatch cannot be opened.
    """
    rounds = scenario.rounds()
    clock = SimulatedClock(rounds[0])
    lab = Lab(scenario.world(clock))
    began = timer()

    async def night(folder: Path) -> tuple[list[CheckReport], tuple[Action, ...]]:
        reports: list[CheckReport] = []
        rng = random.Random(scenario.seed)
        async with opener(folder, clock, lab.transport(), rng) as dogwatch:
            for moment in rounds:
                clock.set(moment)
                reports.append(await dogwatch.check())
                seen(lab, reports[-1])
            proposed = await dogwatch.actions(everything=True)
        return reports, proposed.actions

    with tempfile.TemporaryDirectory(prefix="dogwatch-lab-") as name:
        folder = Path(name)
        days = max(1, min(365, scenario.history.days))
        lab.write_config(folder, history_days=days, told=scenario.told)
        with asyncio.Runner(loop_factory=LabLoop) as runner:
            reports, actions = runner.run(night(folder))
    gc.collect()  # cycles hold the logs of whole nights, and count too little to be looked for soon
    return Night(scenario, lab, tuple(reports), timer() - began, actions)
