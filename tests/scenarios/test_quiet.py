"""Nights in which nothing is wrong, and nobody is told anything (bench/quiet.py watches whole months)."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from dogwatch.cli.lab import opener
from dogwatch.lab.estate import load_estate
from dogwatch.lab.run import watch
from dogwatch.lab.scenario import Scenario
from dogwatch.model import Health


def test_a_monday_morning_wakes_nobody() -> None:
    assert told(datetime(2026, 3, 16, 6, 30, tzinfo=UTC), hours=1, history=8) == []


@pytest.mark.slow
@pytest.mark.parametrize("day", ["2026-03-30", "2026-10-26"])
def test_the_change_of_clocks_and_the_monday_after_it_wake_nobody(day: str) -> None:
    assert told(datetime.fromisoformat(f"{day}T09:00:00+00:00"), hours=36) == []


def told(now: datetime, hours: float, history: float = 30) -> list[str]:
    """What is said of WARNING or worse in so many hours of the audit estate, until then."""
    scenario = Scenario(
        id="quiet",
        estate=load_estate("audit"),
        now=now,
        seed=23,
        history=timedelta(days=history),
        watch=timedelta(hours=hours),
    )
    night = watch(scenario, opener, timer=time.perf_counter)
    assert {report.health[0].overall_health for report in night.reports} <= {Health.healthy, Health.degraded}
    return [
        finding.summary
        for report in night.reports
        for finding in report.findings
        if finding.severity.rank >= 1
    ]
