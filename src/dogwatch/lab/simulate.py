"""Turns an estate and its faults into a world: every run of every job, from beginning to end.

Jobs are lived one after the other, predecessors first. Every draw of chance follows from (seed, job, slot)
alone, so a fault of one job changes nothing for jobs that do not depend on it. Ordinary life has no
failures.
"""

import bisect
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

from dogwatch.lab.chance import Chance, milliseconds
from dogwatch.lab.estate import Estate, JobSpec
from dogwatch.lab.faults import Fault, Reach, edits, platform_faults, targets
from dogwatch.lab.world import (
    Asked,
    LabAttempt,
    LabClock,
    LabEdit,
    LabJob,
    LabRun,
    Outcome,
    Skip,
    Trigger,
    Wish,
    World,
)

RETRY_PAUSE = timedelta(seconds=30)
"""Between a failed try and the platform's next one."""
FAILS_AFTER = 0.5
"""A run fails after this part of its usual duration, unless the fault says otherwise."""
TIMEOUT = 2.0
"""A run that times out does so after this many times its usual duration."""
SKIPS_ARE_RECORDED = frozenset({"databricks", "snowflake"})
"""Platforms that make a record of a run that they skip; the others make no run at all."""
RUNS_IN_PARALLEL = frozenset({"power_automate"})
"""Platforms that start the next run although the previous one is still going."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NEVER_ENDS = datetime.max.replace(tzinfo=UTC)


class _Verdict(Enum):
    good = "good"
    bad = "bad"
    never = "never"
    """It never came, or never ends: nothing that waits for it hears of it."""


@dataclass(frozen=True, slots=True)
class _Cycle:
    """What became of one slot, as those who wait for it see it."""

    slot: datetime
    verdict: _Verdict
    ended: datetime


@dataclass(frozen=True, slots=True)
class _Due:
    """A slot whose time has come: at ``at`` the platform looks whether to start the job."""

    slot: datetime
    at: datetime
    go: bool | None
    """False if a predecessor did badly, None if there is nothing to start."""
    by_hand: bool = False
    """Somebody asked for it, whatever the schedule says."""


@dataclass(slots=True)
class _Orders:
    """What the faults that strike a run demand of it."""

    missing: bool = False
    skip: bool = False
    twice: bool = False
    late: timedelta = timedelta(0)
    slow: float = 1.0
    rows: float = 1.0
    outcome: Outcome | None = None
    """How it ends instead of well; None with ``hangs`` if it never ends."""
    hangs: bool = False
    error: str | None = None
    after: float | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """A run that has no number yet."""

    created: datetime
    trigger: Trigger
    scheduled_for: datetime | None
    attempts: tuple[LabAttempt, ...]


def simulate(
    estate: Estate,
    *,
    seed: int,
    start: datetime,
    end: datetime,
    clock: LabClock,
    faults: Sequence[Fault] = (),
) -> World:
    """The world of an estate whose slots lie in [start, end], with what the faults did to it.

    Same arguments, same world, on every machine.
    """
    struck: dict[str, list[Fault]] = {}
    for fault in faults:
        for spec in targets(fault, estate):
            struck.setdefault(spec.job, []).append(fault)

    def live(asked: Sequence[Asked]) -> tuple[Mapping[str, LabJob], Sequence[LabRun]]:
        return _lived(estate, seed, (start, end), struck, asked)

    jobs, runs = live(())
    return World(
        id=estate.id,
        timezone=estate.timezone,
        jobs=jobs,
        runs=runs,
        life=live,
        clock=clock,
        platform_faults=platform_faults(faults),
        other_faults=[fault for fault in faults if fault.reach is Reach.signal],
        components=estate.components,
        seed=seed,
        start=start,
        end=end,
    )


def _lived(
    estate: Estate,
    seed: int,
    span: tuple[datetime, datetime],
    struck: Mapping[str, Sequence[Fault]],
    asked: Sequence[Asked],
) -> tuple[dict[str, LabJob], list[LabRun]]:
    """All jobs and all their runs."""
    jobs = {spec.job: _lab_job(spec, struck.get(spec.job, ()), asked) for spec in estate.jobs.values()}
    cycles: dict[str, list[_Cycle]] = {}
    drafts: dict[str, list[_Draft]] = {}
    for spec in _predecessors_first(estate.jobs):
        wishes = [one for one in asked if one.job == spec.job]
        plan = list(_plan(spec, _own_slots(jobs[spec.job], *span), cycles))
        by_hand = [_Due(one.at, one.at, True, by_hand=True) for one in wishes if one.wish is Wish.run]
        if by_hand:
            plan = sorted([*plan, *by_hand], key=lambda due: due.at)
        life = _Life(spec, jobs[spec.job], seed, struck.get(spec.job, ()), wishes)
        lived = [cycle for due in plan for cycle in life.live(due)]
        cycles[spec.job] = sorted(lived, key=lambda cycle: cycle.slot) if wishes else lived
        drafts[spec.job] = life.drafts
    return jobs, _numbered(estate, drafts)


def _lab_job(spec: JobSpec, faults: Sequence[Fault], asked: Sequence[Asked]) -> LabJob:
    switches = {Wish.pause: True, Wish.resume: False}
    by_hand = [
        LabEdit(one.at, paused=switches[one.wish])
        for one in asked
        if one.job == spec.job and one.wish in switches
    ]
    return LabJob(
        job=spec.job,
        name=spec.name,
        schedule=spec.schedule,
        every=spec.every,
        timezone=spec.timezone,
        after=spec.after,
        reads=spec.reads,
        owner=spec.owner,
        retries=spec.retries,
        edits=tuple(sorted([*edits(spec, faults), *by_hand], key=lambda edit: edit.at)),
    )


def _predecessors_first(jobs: Mapping[str, JobSpec]) -> list[JobSpec]:
    """The jobs in an order in which each comes after those it waits for (the loader refused circles)."""
    done: dict[str, JobSpec] = {}

    def visit(spec: JobSpec) -> None:
        if spec.job not in done:
            for name in spec.after:
                visit(jobs[name])
            done[spec.job] = spec

    for spec in jobs.values():
        visit(spec)
    return list(done.values())


def _numbered(estate: Estate, drafts: Mapping[str, Sequence[_Draft]]) -> list[LabRun]:
    """All runs in order of creation, counted for each platform."""
    order = {job: index for index, job in enumerate(estate.jobs)}
    everything = [(draft.created, order[job], job, draft) for job, life in drafts.items() for draft in life]
    everything.sort(key=lambda item: item[:2])
    counts: dict[str, int] = {}
    runs: list[LabRun] = []
    for created, _, job, draft in everything:
        platform = job.partition("/")[0]
        counts[platform] = number = counts.get(platform, 0) + 1
        runs.append(LabRun(job, number, draft.trigger, created, draft.attempts, draft.scheduled_for))
    return runs


# When a job is due


def _own_slots(job: LabJob, start: datetime, end: datetime) -> list[datetime]:
    """The times in [start, end] at which the schedule itself is due, edits respected, pauses not."""
    turns = [edit.at for edit in job.edits if start < edit.at <= end]
    slots: list[datetime] = []
    for begin, stop in zip([start, *turns], [*turns, end + timedelta(microseconds=1)], strict=True):
        current = job.as_of(begin)
        if current.schedule is not None:
            slots += _cron_slots(current.schedule, current.timezone, begin, stop)
        elif current.every is not None:
            slots += _interval_slots(current.job, current.every, begin, stop)
    return slots


@lru_cache(maxsize=1024)
def _cron_slots(expression: str, timezone: str, start: datetime, stop: datetime) -> tuple[datetime, ...]:
    """The due times in [start, stop); daylight saving as Debian's cron keeps it (cronsim)."""
    before = (start - timedelta(microseconds=1)).astimezone(ZoneInfo(timezone))
    slots: list[datetime] = []
    for local in CronSim(expression, before):
        moment = local.astimezone(UTC)
        if moment >= stop:
            break
        if moment >= start:
            slots.append(moment)
    return tuple(slots)


def _interval_slots(job: str, every: timedelta, start: datetime, stop: datetime) -> list[datetime]:
    """A grid of its own for each job, in whole minutes; platforms do not align intervals to the clock."""
    minutes = max(1, int(every.total_seconds() // 60))
    phase = timedelta(minutes=int.from_bytes(hashlib.blake2b(job.encode()).digest()[:8], "big") % minutes)
    moment = _EPOCH + phase + every * math.ceil((start - _EPOCH - phase) / every)
    slots: list[datetime] = []
    while moment < stop:
        slots.append(moment)
        moment += every
    return slots


def _plan(spec: JobSpec, own: Sequence[datetime], cycles: Mapping[str, Sequence[_Cycle]]) -> Iterable[_Due]:
    """When the platform looks at the job: by its schedule, or after what it waits for."""
    if not spec.after:
        return [_Due(slot, slot, True) for slot in own]
    if spec.schedule or spec.every:
        return [_gated(slot, [cycles[name] for name in spec.after]) for slot in own]
    driver = min(spec.after, key=lambda name: len(cycles[name]))
    others = [cycles[name] for name in spec.after if name != driver]
    return _triggered(cycles[driver], others)


def _gated(slot: datetime, upstreams: Sequence[Sequence[_Cycle]]) -> _Due:
    """A job that has a schedule and predecessors: it waits for, and depends on, the latest of each."""
    latest = [
        upstream[index - 1]
        for upstream in upstreams
        if (index := bisect.bisect_right(upstream, slot, key=lambda cycle: cycle.slot))
    ]
    good = all(cycle.verdict is _Verdict.good for cycle in latest)
    ended = [cycle.ended for cycle in latest if cycle.verdict is not _Verdict.never]
    return _Due(slot, max([slot, *ended]), good)


def _triggered(driver: Sequence[_Cycle], others: Sequence[Sequence[_Cycle]]) -> Iterable[_Due]:
    """A job without a schedule: due when the run of its slowest predecessor and the others' runs that
    belong to it (whose slots are nearest) are over."""
    slots = [cycle.slot for cycle in driver]
    for index, cycle in enumerate(driver):
        earliest = slots[index] - (slots[index] - slots[index - 1]) / 2 if index else _LONG_AGO
        latest = slots[index] + (slots[index + 1] - slots[index]) / 2 if slots[index + 1 :] else _NEVER_ENDS
        group = [cycle]
        for other in others:
            partner = _partner(other, cycle, earliest, latest)
            if partner is not None:
                group.append(partner)
        if len(group) <= len(others) or any(member.verdict is _Verdict.never for member in group):
            yield _Due(cycle.slot, cycle.slot, None)
        else:
            good = all(member.verdict is _Verdict.good for member in group)
            yield _Due(cycle.slot, max(member.ended for member in group), good)


def _partner(others: Sequence[_Cycle], driver: _Cycle, earliest: datetime, latest: datetime) -> _Cycle | None:
    """Of the slots in (earliest, latest] the last that was over when the driver was, else the first."""
    low = bisect.bisect_right(others, earliest, key=lambda cycle: cycle.slot)
    high = bisect.bisect_right(others, latest, key=lambda cycle: cycle.slot)
    near = others[low:high]
    over = [cycle for cycle in near if cycle.ended <= driver.ended]
    return (over[-1] if over else near[0]) if near else None


# What becomes of it


class _Life:
    """Lives through the slots of one job and keeps the runs."""

    def __init__(
        self, spec: JobSpec, job: LabJob, seed: int, faults: Sequence[Fault], asked: Sequence[Asked] = ()
    ) -> None:
        self._spec = spec
        self._job = job
        self._seed = seed
        self._faults = faults
        self._asked = asked
        self._zone = ZoneInfo(spec.timezone)
        self._struck: dict[int, int] = {}
        self._busy_until = _LONG_AGO
        self.drafts: list[_Draft] = []

    def live(self, due: _Due) -> list[_Cycle]:
        """What becomes of one slot: one cycle, and one more for each repair of its run."""
        orders = self._orders(due.at)
        paused = self._job.edits and self._job.as_of(due.at).paused and not due.by_hand
        if due.go is None or orders.missing or paused:
            return [_Cycle(due.slot, _Verdict.never, due.at)]
        if not due.go or orders.skip:
            return [self._skipped(due, Skip.upstream)]
        moment = due.at + orders.late
        if moment < self._busy_until and self._spec.platform not in RUNS_IN_PARALLEL:
            return [self._skipped(due, Skip.overlap)]
        attempts = self._run(due, orders, 0)
        if orders.twice:
            self._run(due, orders, 1)
        first = [attempt for attempt in attempts if not attempt.repair]
        repairs = [attempt for attempt in attempts if attempt.repair]
        return [
            _cycle(due.slot, first[-1]),
            *(_cycle(repair.started, repair) for repair in repairs),
        ]

    def _skipped(self, due: _Due, why: Skip) -> _Cycle:
        if self._spec.platform not in SKIPS_ARE_RECORDED:
            return _Cycle(due.slot, _Verdict.never, due.at)
        chance = Chance(self._seed, self._spec.job, due.slot)
        created = due.at + milliseconds(chance.between(0, 300, 4000))
        self._keep(due, created, (LabAttempt(created, created, Outcome.skipped, skip=why),))
        return _Cycle(due.slot, _Verdict.bad, created)

    def _keep(self, due: _Due, created: datetime, attempts: tuple[LabAttempt, ...]) -> None:
        scheduled = (self._spec.schedule is not None or self._spec.every is not None) and not due.by_hand
        trigger = Trigger.manual if due.by_hand else Trigger.schedule if scheduled else Trigger.after
        self.drafts.append(_Draft(created, trigger, due.slot if scheduled else None, attempts))

    def _run(self, due: _Due, orders: _Orders, copy: int) -> tuple[LabAttempt, ...]:
        chance = Chance(self._seed, self._spec.job, due.slot, copy)
        created = due.at + orders.late + milliseconds(chance.between(0, 300, 4000) + 5000 * copy)
        if due.by_hand:
            created = due.at  # who asks for a run gets its id at once
        started = created + milliseconds(chance.between(1, 500, 15000))
        attempts = tuple(self._attempts(started, chance, orders))
        if self._asked:
            attempts = self._meddled(created, attempts)
        self._keep(due, created, attempts)
        self._busy_until = max(self._busy_until, attempts[-1].ended or _NEVER_ENDS)
        return attempts

    def _attempts(self, started: datetime, chance: Chance, orders: _Orders) -> Iterable[LabAttempt]:
        spec = self._spec
        weekly = spec.weekly[started.astimezone(self._zone).weekday()]
        first, second = chance.normals()
        usual = spec.duration.total_seconds() * 1000 * weekly * orders.slow
        length = usual * math.exp(spec.spread * first)
        if orders.hangs:
            yield LabAttempt(started, None, Outcome.failed)
        elif orders.outcome is None:
            rows = round(spec.rows * weekly * math.exp(spec.spread / 2 * second) * orders.rows)
            yield LabAttempt(started, started + milliseconds(length), Outcome.success, rows=rows)
        elif orders.outcome is Outcome.failed:
            lasts = milliseconds(usual * (FAILS_AFTER if orders.after is None else orders.after))
            for _ in range(1 + spec.retries):
                yield LabAttempt(started, started + lasts, Outcome.failed, orders.error)
                started += lasts + RETRY_PAUSE
        else:
            cancelled = orders.outcome is Outcome.cancelled
            lasts = milliseconds(length * chance.between(2, 0.2, 0.9) if cancelled else usual * TIMEOUT)
            yield LabAttempt(started, started + lasts, orders.outcome, orders.error)

    def _meddled(self, created: datetime, attempts: tuple[LabAttempt, ...]) -> tuple[LabAttempt, ...]:
        """The attempts of a run with what was asked for it: cut off, or tried again."""
        for one in self._asked:
            if one.created != created:
                continue
            if one.wish is Wish.cancel:
                begun = [attempt for attempt in attempts if attempt.started <= one.at] or [attempts[0]]
                last = begun[-1]
                if last.ended is None or last.ended > one.at:
                    ended = max(one.at, last.started)
                    begun[-1] = replace(last, ended=ended, outcome=Outcome.cancelled, error=None, rows=0)
                    attempts = tuple(begun)
            elif one.wish is Wish.repair:
                chance = Chance(self._seed, self._spec.job, one.at)
                started = one.at + milliseconds(chance.between(1, 500, 15000))
                again = list(self._attempts(started, chance, self._orders(one.at)))
                attempts = (*attempts, replace(again[-1], started=started, repair=True))
        return attempts

    def _orders(self, moment: datetime) -> _Orders:
        orders = _Orders()
        for index, fault in enumerate(self._faults):
            if fault.strikes(moment):
                count = self._struck[index] = self._struck.get(index, -1) + 1
                _apply(orders, fault, moment, count)
        return orders


def _cycle(slot: datetime, last: LabAttempt) -> _Cycle:
    """How a run that ends with this attempt looks to those who wait for it."""
    if last.ended is None:
        return _Cycle(slot, _Verdict.never, slot)
    verdict = _Verdict.good if last.outcome is Outcome.success else _Verdict.bad
    return _Cycle(slot, verdict, last.ended)


_ENDINGS = {
    "run_fails": Outcome.failed,
    "schema_change": Outcome.failed,
    "deploy": Outcome.failed,
    "flapping": Outcome.failed,
    "run_cancelled": Outcome.cancelled,
    "run_timed_out": Outcome.timed_out,
}


def _apply(orders: _Orders, fault: Fault, moment: datetime, count: int) -> None:
    """Add what one fault demands. ``count`` is 0 for the first slot that it strikes. The first of several
    bad ends holds."""
    fields: Mapping[str, Any] = fault.fields
    match fault.kind:
        case "run_missing":
            orders.missing = True
        case "upstream_skipped":
            orders.skip = True
        case "run_duplicated":
            orders.twice = True
        case "run_late":
            orders.late += fields["by"]
        case "run_slow":
            orders.slow *= fields["factor"]
        case "zero_rows":
            orders.rows = 0.0
        case "row_drop":
            orders.rows *= fields["factor"]
        case _:
            _apply_ending(orders, fault, moment, count)


def _apply_ending(orders: _Orders, fault: Fault, moment: datetime, count: int) -> None:
    if orders.hangs or orders.outcome is not None:
        return
    if fault.kind == "run_hangs":
        orders.hangs = True
    elif fault.kind in _ENDINGS and (fault.kind != "flapping" or _flaps(fault, moment, count)):
        orders.outcome = _ENDINGS[fault.kind]
        orders.error = fault.fields.get("error")
        orders.after = fault.fields.get("after")


def _flaps(fault: Fault, moment: datetime, count: int) -> bool:
    """Whether this one fails: every n-th run (at least every second), or every other stretch of time."""
    every = fault.fields.get("every", 2)
    if isinstance(every, timedelta):
        return (moment - fault.at) // every % 2 == 0
    return count % max(2, int(every)) == 0
