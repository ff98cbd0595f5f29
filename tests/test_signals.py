"""Metrics and changes in rounds: learned first, judged then, kept while nobody can look, told when over."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from dogwatch.app import Dogwatch
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.estate import Component, Estate, JobSpec
from dogwatch.lab.faults import Fault
from dogwatch.lab.serve import Lab
from dogwatch.lab.simulate import simulate
from dogwatch.model import ChangeKind, MetricSeries
from dogwatch.model.report import CheckReport
from dogwatch.settings import load
from dogwatch.signals import hourly, known_changes
from dogwatch.store import open_store
from support.clock import NOON

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
API = "component/api"
ESTATE = Estate(
    "small",
    "UTC",
    {"databricks/load": JobSpec("databricks/load", "load", schedule="0 3 * * *")},
    {API: Component(API)},
)


def nights(folder: Path, faults: Sequence[Fault], offsets: Sequence[timedelta]) -> list[CheckReport]:
    """A round at each offset from noon; before the first one dogwatch knows nothing."""
    clock = SimulatedClock(NOON + offsets[0])
    lab = Lab(simulate(ESTATE, seed=4, start=NOON - 20 * DAY, end=NOON + DAY, clock=clock, faults=faults))
    lab.write_config(folder, history_days=14)

    async def rounds() -> list[CheckReport]:
        settings = load(None, {}, folder)
        transport = lab.transport()
        reports: list[CheckReport] = []
        async with Dogwatch(
            settings, clock=clock, transport=transport, rng=random.Random(1), holder="test"
        ) as dogwatch:
            for offset in offsets:
                clock.set(NOON + offset)
                reports.append(await dogwatch.check())
        return reports

    with asyncio.Runner(loop_factory=LabLoop) as runner:
        return runner.run(rounds())


def shift(metric: str, factor: float, at: timedelta, until: timedelta | None = None) -> Fault:
    end = None if until is None else NOON + until
    return Fault("metric_shift", API, NOON + at, end, {"metric": metric, "factor": factor})


def rules(report: CheckReport) -> set[tuple[str, str]]:
    return {(finding.rule, finding.subject) for finding in report.findings}


def test_a_shift_is_found_told_with_its_beginning_and_cleared(tmp_path: Path) -> None:
    moved = shift("latency", 3.0, -15 * MINUTE, 4 * HOUR)
    offsets = [-HOUR, timedelta(), 3 * HOUR + 50 * MINUTE, 4 * HOUR + 15 * MINUTE]
    before, first, later, after = nights(tmp_path, [moved], offsets)
    assert rules(before) == set()
    assert rules(first) == rules(later) == {("shift", API)}
    assert rules(after) == set()
    assert first.findings[0].at == later.findings[0].at
    assert abs(first.findings[0].at - (NOON - 15 * MINUTE)) <= MINUTE


def test_what_nobody_can_look_at_is_not_over(tmp_path: Path) -> None:
    down = Fault("platform_down", "prometheus", NOON + 5 * MINUTE, NOON + HOUR, {"status": 503})
    faults = [shift("error_rate", 100.0, -30 * MINUTE), down]
    seen, unseen, again = nights(tmp_path, faults, [timedelta(), 30 * MINUTE, 90 * MINUTE])
    assert ("threshold", API) in rules(seen)
    assert rules(seen) < rules(unseen)
    assert ("blind", "prometheus") in rules(unseen)
    assert all(
        id_ in {item.id for item in unseen.evidence} for one in unseen.findings for id_ in one.evidence
    )
    assert ("threshold", API) in rules(again)


def test_the_first_round_learns_and_may_already_judge_by_what_it_learned(tmp_path: Path) -> None:
    (first,) = nights(tmp_path, [shift("memory", 1.8, -HOUR)], [timedelta()])
    assert rules(first) == {("shift", API)}


def test_deployments_and_edits_of_jobs_are_known_changes(tmp_path: Path) -> None:
    job = "databricks/load"
    faults = [
        Fault("deploy", API, NOON - 40 * MINUTE, None, {"version": "v3.0.0"}),
        Fault("schedule_changed", job, NOON - 30 * MINUTE, None, {"cron": "0 5 * * *"}),
        Fault("paused", job, NOON + 5 * MINUTE),
    ]
    nights(tmp_path, faults, [-HOUR, timedelta(), 30 * MINUTE])
    store = open_store(tmp_path / "dogwatch.db")
    found = known_changes(store, NOON - HOUR, NOON + HOUR)
    store.close()
    assert [one.kind for one in found] == [
        ChangeKind.deployment,
        ChangeKind.schedule,
        ChangeKind.paused,
    ]
    assert found[0].subject == API


def test_an_hour_of_which_only_the_end_is_known_has_no_level() -> None:
    half = NOON - 2 * HOUR + 30 * MINUTE
    samples = tuple((half + MINUTE * number, float(number)) for number in range(90))
    one = MetricSeries(instance="p", subject=API, metric="cpu", samples=samples)
    assert hourly([one], NOON) == {one.key: [(NOON - HOUR, 59.5)]}
    shorter = one.model_copy(update={"samples": samples[:60]})
    assert hourly([shorter], NOON) == {one.key: [(NOON - HOUR, 44.5)]}


@pytest.mark.parametrize("fault", ["auth_revoked", "bad_payload", "rate_limited"])
def test_a_prometheus_in_trouble_hides_nobody_else(tmp_path: Path, fault: str) -> None:
    (report,) = nights(tmp_path, [Fault(fault, "prometheus", NOON - DAY)], [timedelta()])
    assert rules(report) == {("blind", "prometheus")}
    assert [view.instance for view in report.blind] == ["prometheus"]
