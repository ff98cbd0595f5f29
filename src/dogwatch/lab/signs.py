"""When a fault could first be seen by anybody: from then on, detection is timed.

The definitions are part of the contract (docs/lab.md, "The first visible sign").
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.faults import Fault, Reach, targets
from dogwatch.lab.scenario import Scenario
from dogwatch.lab.world import LabRun, Outcome, World

_LEEWAY = timedelta(minutes=10)
_BAD = frozenset({Outcome.failed, Outcome.cancelled, Outcome.timed_out})
_LATE_OR_NEVER = frozenset({"run_missing", "run_late", "paused", "upstream_skipped", "schedule_changed"})


def first_sign(scenario: Scenario, world: World, fault: Fault) -> datetime | None:
    """The first moment at which the fault shows, None if it does not show before the scenario's ``now``."""
    if fault.reach is Reach.platform:
        moments = [moment for moment in scenario.rounds() if fault.strikes(moment)]
    elif fault.reach is Reach.signal and not targets(fault, scenario.estate):
        moments = [fault.at]
    else:
        moments = _of_runs(scenario, world, fault)
    seen = [moment for moment in moments if moment <= scenario.now]
    return min(seen, default=None)


def culprit_sign(scenario: Scenario, world: World, culprit: str) -> datetime | None:
    """The first sign of all faults that strike a culprit, None if there is none."""
    signs = [
        sign
        for fault in scenario.faults
        if culprit == fault.on or any(spec.job == culprit for spec in targets(fault, scenario.estate))
        if (sign := first_sign(scenario, world, fault)) is not None
    ]
    return min(signs, default=None)


def _of_runs(scenario: Scenario, world: World, fault: Fault) -> list[datetime]:
    names = {spec.job for spec in targets(fault, scenario.estate)}
    struck = [run for run in world.runs if run.job in names and fault.strikes(_start(run))]
    if fault.kind in _LATE_OR_NEVER:
        return _absences(scenario, struck, fault, names)
    if fault.kind in {"run_hangs", "run_slow"}:
        return [_overdue(scenario, run) for run in struck]
    if fault.kind == "run_duplicated":
        slots = [run.scheduled_for for run in struck]
        return [run.created for index, run in enumerate(struck) if run.scheduled_for in slots[:index]]
    ended = [(run, run.attempts[-1].ended) for run in struck]
    if fault.kind in {"zero_rows", "row_drop"}:
        return [end for _, end in ended if end is not None]
    return [end for run, end in ended if end is not None and run.attempts[-1].outcome in _BAD]


def _start(run: LabRun) -> datetime:
    return run.scheduled_for or run.created


def _overdue(scenario: Scenario, run: LabRun) -> datetime:
    """When the run has taken twice its usual duration, or ten minutes more if that is later; its end if it
    is over before."""
    spec = scenario.estate.jobs[run.job]
    attempt = run.attempts[0]
    usual = spec.duration * spec.weekly[attempt.started.astimezone(ZoneInfo(spec.timezone)).weekday()]
    overdue = attempt.started + max(2 * usual, usual + _LEEWAY)
    return overdue if attempt.ended is None else min(overdue, attempt.ended)


def _absences(scenario: Scenario, struck: Sequence[LabRun], fault: Fault, names: set[str]) -> list[datetime]:
    """The scheduled times of runs that would have come but for the fault, and the times of those that came
    only because of it."""
    faults = tuple(other for other in scenario.faults if other is not fault)
    clock = SimulatedClock(scenario.now)
    without = replace(scenario, faults=faults).world(clock)
    usual = [run for run in without.runs if run.job in names and fault.strikes(_start(run))]
    came = {(run.job, run.created) for run in struck if run.attempts[0].outcome is not Outcome.skipped}
    absent = [_start(run) for run in usual if (run.job, run.created) not in came]
    if fault.kind != "schedule_changed":
        return absent
    known = {(run.job, run.created) for run in usual}
    return absent + [run.created for run in struck if (run.job, run.created) not in known]
