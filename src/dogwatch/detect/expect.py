"""The ledger of runs that should exist: from schedules, predecessors, or habit where neither is told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from dogwatch.detect.chains import interval_slots, upstream_slots
from dogwatch.detect.facts import JobKey
from dogwatch.detect.learn import Cadence, cadence
from dogwatch.detect.pairing import Candidate, candidates, newest, pair
from dogwatch.detect.rules import Rulebook, Rules
from dogwatch.detect.schedule import Slot, due
from dogwatch.detect.told import Told
from dogwatch.model import (
    Basis,
    Expectation,
    ExpectationState,
    Job,
    JobState,
    Run,
    Schedule,
    ScheduleKind,
)

_ASLEEP = frozenset({JobState.paused, JobState.suspended, JobState.deleted})
_CLOCKS = frozenset({ScheduleKind.cron, ScheduleKind.quartz})
_STARTS_KNOWN = 5
"""Starts that must be known before a job's own lag counts."""
_LAG_RUNS = 25
_LAG_ALLOWANCE = 1.5
_EDITED = "the schedule was edited around this time"


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class JobVersion:
    """A job as its platform listed it for a while."""

    job: Job
    valid_from: datetime
    """When it was first seen like this."""
    valid_to: datetime | None = None
    """When it was last seen like this, None if it is so now. Between this and the next version's
    ``valid_from`` nobody knows which of the two held: no run is demanded then."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of one job."""

    versions: Sequence[JobVersion]
    """In order of time. Nothing is expected before the first: the job was not known."""
    runs: Sequence[Run]
    """The latest, in any order; some from before the window, which alone tell how it usually starts."""
    upstreams: Sequence[Sequence[Run]] = ()
    """The runs of each predecessor, on any platform, in any order."""
    declared: Schedule | None = None
    """The schedule in dogwatch.yaml; it stands above the platform's."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What ``expect`` gives back."""

    expectations: list[Expectation] = field(default_factory=list[Expectation])
    """By job, then by time."""
    unreadable: dict[JobKey, str] = field(default_factory=dict[JobKey, str])
    """Jobs whose schedule is not understood, and why: nothing is expected of them."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The slots of one version of a job, and how sure they are."""

    basis: Basis
    slots: Sequence[Slot]
    leeway: timedelta
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class _Context:
    """What is the same for all jobs."""

    window: Window
    now: datetime
    rulebook: Rulebook
    told: Told
    skews: Mapping[str, timedelta]
    timezone: str


def expect(
    pasts: Mapping[JobKey, Past],
    window: Window,
    now: datetime,
    *,
    rulebook: Rulebook | None = None,
    told: Told | None = None,
    skews: Mapping[str, timedelta] | None = None,
    timezone: str = "UTC",
) -> Expected:
    """Every run that should begin in the window, none of them matched yet.

    ``skews`` are the platforms' clocks minus ours, by instance; ``timezone`` is the reader's, in which habits
    are kept where no schedule tells another.
    """
    told = told or Told()
    context = _Context(window, now, rulebook or Rulebook(), told, skews or {}, timezone)
    found = Expected()
    for key in sorted(pasts):
        past = pasts[key]
        if not past.versions:
            continue
        try:
            found.expectations.extend(_of_job(past, context))
        except ValueError as error:
            found.unreadable[key] = str(error)
    return found


def _of_job(past: Past, context: _Context) -> Iterator[Expectation]:
    runs = newest(past.runs)
    window = context.window
    lasts = _longest([run for run in runs if run.began_at < window.start])
    for index, version in enumerate(past.versions):
        following = past.versions[index + 1] if index + 1 < len(past.versions) else None
        until = following.valid_from if following else window.end
        span = Window(max(version.valid_from, window.start), min(until, window.end))
        job = version.job
        if span.start >= span.end or job.state in _ASLEEP:
            continue
        plan = _plan(past, runs, version, span, context)
        unsure = None if following is None or _alike(job, following.job) else version.valid_to
        for slot in plan.slots:
            blurred = unsure is not None and slot.at > unsure
            reason = _EDITED if blurred else context.told.excuse(job.subject, job.name, slot.at)
            yield _expectation(job, plan, slot, reason, lasts)


def _alike(one: Job, other: Job) -> bool:
    """Whether the same runs are expected of both."""
    return (one.schedule, one.state in _ASLEEP) == (other.schedule, other.state in _ASLEEP)


def _expectation(job: Job, plan: _Plan, slot: Slot, reason: str, lasts: timedelta | None) -> Expectation:
    start_by = slot.at + plan.leeway
    return Expectation(
        platform=job.platform,
        instance=job.instance,
        job_id=job.job_id,
        job_name=job.name,
        basis=plan.basis,
        confidence=plan.confidence,
        scheduled_for=slot.at,
        not_before=slot.not_before,
        start_by=start_by,
        finish_by=None if lasts is None else start_by + lasts,
        state=ExpectationState.excused if reason else ExpectationState.waiting,
        reason=reason,
    )


def _plan(past: Past, known: Sequence[Run], version: JobVersion, span: Window, context: _Context) -> _Plan:
    job, now = version.job, context.now
    rules = context.rulebook.of(job.subject, past.versions[-1].job.name)
    skew = context.skews.get(job.instance, timedelta())
    schedule = past.declared or job.schedule
    basis = Basis.declared if past.declared else Basis.schedule
    kind = schedule.kind if schedule else None
    if schedule is not None and kind in _CLOCKS:
        slots = due(schedule, job.platform, span.start, span.end)
        runs = candidates(known, skew, scheduled=True)
        before = _before(context.window, runs)
        return _Plan(basis, slots, leeway(_clock_lags(schedule, job.platform, before), rules))
    if schedule is not None and kind is ScheduleKind.interval and schedule.every_seconds:
        every = timedelta(seconds=schedule.every_seconds)
        runs = candidates(known, skew, scheduled=job.platform != "airbyte", trust_nominal=False)
        before = _before(context.window, runs)
        earlier = (
            interval_slots(every, before, before[0].nominal, context.window.start, now) if before else []
        )
        expected = interval_slots(every, runs, version.valid_from, span.end, now)
        return _within(span, basis, expected, leeway(lags(earlier, before), rules))
    runs = candidates(known, skew, scheduled=False, trust_nominal=False)
    if past.upstreams:
        expected = upstream_slots(past.upstreams, context.skews)
        earlier = [slot for slot in expected if slot.at < context.window.start]
        return _within(
            span, Basis.upstream, expected, leeway(lags(earlier, _before(context.window, runs)), rules)
        )
    habit = cadence([run.nominal for run in runs], context.timezone)
    return _learned(habit, span, rules) if habit else _Plan(Basis.learned, (), timedelta())


def _before(window: Window, runs: Sequence[Candidate]) -> list[Candidate]:
    """The runs that tell how late the job may be in a window: none of those that are judged there."""
    return [run for run in runs if run.nominal < window.start]


def _within(span: Window, basis: Basis, slots: Sequence[Slot], allowed: timedelta) -> _Plan:
    return _Plan(basis, [slot for slot in slots if span.start <= slot.at < span.end], allowed)


def _learned(habit: Cadence, span: Window, rules: Rules) -> _Plan:
    allowed = min(max(habit.leeway, rules.start_unknown), rules.longest_leeway)
    return _Plan(Basis.learned, habit.slots(span.start, span.end), allowed, habit.confidence)


def _clock_lags(schedule: Schedule, platform: str, runs: Sequence[Candidate]) -> list[timedelta]:
    """How late the latest runs began, if the schedule that holds now held then too."""
    recent = runs[-_LAG_RUNS:]
    if not recent:
        return []
    slots = due(schedule, platform, recent[0].nominal - timedelta(minutes=5), recent[-1].nominal)
    return lags(slots, recent)


def lags(slots: Sequence[Slot], runs: Sequence[Candidate]) -> list[timedelta]:
    """From each slot to the moment at which the run that met it began to work."""
    met = pair(slots, runs, timedelta())
    return [max(timedelta(), run.started - slots[index].at) for index, run in met.items() if run.started]


def leeway(known: Sequence[timedelta], rules: Rules) -> timedelta:
    """How long after its time a job may begin, by its own starts.

    Half as much again as seven of eight of them needed, and at least five scaled median absolute deviations
    more than their median; one late start of few does not count. At least ``start_leeway`` (and
    ``start_unknown`` until five starts are known), at most ``longest_leeway``.
    """
    ranked = sorted(lag.total_seconds() for lag in known if lag <= rules.longest_leeway)
    if len(ranked) < _STARTS_KNOWN:
        return rules.start_unknown
    most = ranked[len(ranked) - 1 - max(1, len(ranked) // 8)]
    middle = median(ranked)
    spread = 1.4826 * median(abs(lag - middle) for lag in ranked)
    allowed = timedelta(seconds=max(_LAG_ALLOWANCE * most, middle + 5 * spread))
    return min(max(allowed, rules.start_leeway), rules.longest_leeway)


def _longest(runs: Sequence[Run]) -> timedelta | None:
    """A quarter more than the longest of the latest successes took; None if too few are known."""
    took = [length for run in runs[-2 * _LAG_RUNS :] if run.status.good and (length := run.duration)]
    return 1.25 * max(took[-_LAG_RUNS:]) if len(took) >= _STARTS_KNOWN else None
