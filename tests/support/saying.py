"""A small estate of the lab that talks: two components that write logs, and the job that needs them. One says
something new, the other says something far more often than usual."""

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from dogwatch.app import Dogwatch
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.scenario import load_scenario
from dogwatch.lab.serve import Lab
from dogwatch.settings import Settings, load
from dogwatch.wire.http import Pace

ESTATE = """
id: scans
timezone: Europe/Berlin
jobs:
  databricks/marts: {name: invoice_marts, schedule: "20 * * * *", duration: 9m, spread: 0.1, rows: 1400}
components:
  component/extractor:
    platform: cloud_logging
    rate: 2/m
    templates:
      - "extracted {n} fields from {doc} in {ms} ms"
      - "cache hit for vendor {word}"
      - "WARNING field due_date missing in {doc}: default used"
    calls: [component/bq-writer]
  component/bq-writer:
    platform: cloud_logging
    rate: 1/m
    templates:
      - "committed stream {id} at offset {n}"
      - "WARNING slow append to stream {id}: {ms} ms"
told:
  pipelines:
    - name: invoices
      jobs: [component/extractor, component/bq-writer, databricks/marts]
      edges:
        - [component/extractor, component/bq-writer]
        - [component/bq-writer, databricks/marts]
"""
SCENARIO = """
id: s
estate: scans.yaml
seed: 201
now: 2026-03-03T12:25:00Z
history_days: 2
faults:
  - at: 2026-03-03T09:10:00Z
    on: component/extractor
    kind: log_new
    severity: ERROR
    rate: 1/m
    line: "validation failed for {doc}: column 'vendor_tax_id' not found <b>in</b> the response schema"
  - {at: 2026-03-03T10:40:00Z, on: component/bq-writer, kind: log_surge, rate: 9/m,
     line: "WARNING slow append to stream {id}: {ms} ms"}
"""


@dataclass(frozen=True)
class Talk:
    """What two rounds left behind."""

    settings: Settings
    ways: dict[str, Any]
    """How dogwatch is opened on it."""


def talk(folder: Path) -> Talk:
    """Make the rounds: one before anything was odd, one after."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scans.yaml").write_text(ESTATE, encoding="utf-8")
    (folder / "s.yaml").write_text(SCENARIO, encoding="utf-8")
    scenario = load_scenario(folder / "s.yaml")
    clock = SimulatedClock(scenario.now - timedelta(hours=4))
    lab = Lab(scenario.world(clock))
    home = folder / "home"
    lab.write_config(home, history_days=2, told=scenario.told)
    settings = load(None, {}, home)
    pace, rng = Pace(per_second=0), random.Random(1)
    ways: dict[str, Any] = {"clock": clock, "transport": lab.transport(), "pace": pace, "rng": rng}

    async def rounds() -> None:
        for moment in (clock.now(), scenario.now):
            clock.set(moment)
            async with Dogwatch(settings, **ways) as app:
                await app.check()

    with asyncio.Runner(loop_factory=LabLoop) as runner:
        runner.run(rounds())
    return Talk(settings, ways)
