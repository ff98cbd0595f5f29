"""Watching a small estate through the real app, at whatever moments one likes."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dogwatch.cli.lab import opener
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.scenario import Scenario, load_scenario
from dogwatch.lab.serve import Lab
from dogwatch.model.report import CheckReport


def scenario(folder: Path, estate: str, told: str) -> Scenario:
    """A scenario with an estate of its own; ``told`` is all of its file but the two first keys."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.yaml").write_text(f"id: own\n{estate}", encoding="utf-8")
    (folder / "s.yaml").write_text(f"id: s\nestate: own.yaml\n{told}", encoding="utf-8")
    return load_scenario(folder / "s.yaml")


def played(
    story: Scenario, folder: Path, rounds: Sequence[datetime] | None = None
) -> tuple[Lab, list[CheckReport]]:
    """What dogwatch says in rounds at these moments, or in those of the scenario. Its store stays."""
    rounds = story.rounds() if rounds is None else rounds
    clock = SimulatedClock(rounds[0])
    lab = Lab(story.world(clock))
    lab.write_config(folder, history_days=story.history.days, told=story.told)

    async def life() -> list[CheckReport]:
        reports: list[CheckReport] = []
        async with opener(folder, clock, lab.transport(), random.Random(1)) as dogwatch:
            for moment in rounds:
                clock.set(moment)
                reports.append(await dogwatch.check())
        return reports

    with asyncio.Runner(loop_factory=LabLoop) as runner:
        return lab, runner.run(life())
