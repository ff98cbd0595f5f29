"""The ledger of runs that should exist, kept from round to round for those jobs to which something happened.

Slots are worked out by quarters of a day of UTC, each from what was known when the quarter began, so that it
makes no difference in how many rounds, in which order or how late the runs came to be known. What is written
down is a copy for people and for what lies longer back; within the quarters judged again, the facts decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dogwatch.detect.before import RECENT, fits
from dogwatch.detect.expect import Expected, JobVersion, Past, Window, expect
from dogwatch.detect.facts import JobKey
from dogwatch.detect.match import known_by, match
from dogwatch.detect.policy import Policy
from dogwatch.detect.schedule import due
from dogwatch.model import Expectation, ExpectationState, Job, JobState, Schedule, ScheduleKind
from dogwatch.model.ledger import Kept, Ledger, Look

AGAIN = timedelta(hours=2)
"""Runs that a platform shows so much too late still meet their slots."""
_QUARTER = timedelta(hours=6)
_AHEAD = (2, 8, 40, 400)
"""Days in which the next slot is looked for."""
_UNSETTLED = frozenset({ExpectationState.waiting, ExpectationState.unseen})
_ABSENT = frozenset({ExpectationState.missed, ExpectationState.late})
_CLOCKS = frozenset({ScheduleKind.cron, ScheduleKind.quartz})
_ASLEEP = frozenset({JobState.paused, JobState.suspended, JobState.deleted})


@dataclass(frozen=True, slots=True)
class Duty:
    """The jobs whose runs are waited for, and what is known of them."""

    pasts: Mapping[JobKey, Past] = field(default_factory=dict[JobKey, Past])
    since: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """By instance: from the quarter of this moment on slots are judged again."""
    kept: Mapping[JobKey, Sequence[Kept]] = field(default_factory=dict[JobKey, Sequence[Kept]])
    """The slots of those quarters that are written down, and the last ones before them."""

    def start(self, key: JobKey) -> datetime:
        """The quarter from which on the slots of a job are judged again: no later than that of the first slot
        whose time has not run out."""
        kept = [one.slot for one in self.kept.get(key, ())]
        open_since = [slot.scheduled_for for slot in kept if slot.state in _UNSETTLED]
        return quarter_of(min([self.since[key[0]], *open_since]))


@dataclass(slots=True)
class Judged:
    """What became of all slots of the jobs in question."""

    slots: list[Expectation] = field(default_factory=list[Expectation])
    """By job and time, those before the quarters judged again included."""
    told: set[str] = field(default_factory=set[str])
    """The ids of those that earlier rounds told."""
    expected: Expected = field(default_factory=Expected)
    """Of it ``unreadable`` alone is of use."""
    ledger: Ledger = field(default_factory=Ledger)


def judge(
    duty: Duty,
    read_until: Mapping[str, datetime],
    skews: Mapping[str, timedelta],
    policy: Policy,
    now: datetime,
) -> Judged:
    """Work out the slots of the quarters in question, what became of them, and what to write down."""
    judged = Judged()
    fresh = _expected(duty, skews, policy, now, judged.expected)
    matched = match(fresh, duty.pasts, read_until, now, skews=skews)
    by_job: dict[JobKey, list[Expectation]] = {}
    for slot in matched:
        by_job.setdefault((slot.instance, slot.job_id), []).append(slot)
    for key, past in duty.pasts.items():
        slots = by_job.get(key, [])
        start = duty.start(key)
        kept = duty.kept.get(key, ())
        judged.slots += [one.slot for one in kept if one.slot.scheduled_for < start]
        judged.slots += slots
        judged.told |= {one.slot.id for one in kept if one.told}
        _write_down(key, slots, [one for one in kept if one.slot.scheduled_for >= start], now, judged.ledger)
        judged.ledger.looks[key] = _look(past, slots, policy, now)
    return judged


def quarter_of(moment: datetime) -> datetime:
    """The beginning of its quarter of the day in UTC."""
    utc = moment.astimezone(UTC)
    return utc.replace(hour=utc.hour - utc.hour % 6, minute=0, second=0, microsecond=0)


def first_look(
    job: Job, declared: Schedule | None, newest: datetime | None, policy: Policy, now: datetime
) -> Look | None:
    """When a job that was just met has to be looked at: no later than its first slot can be missed.

    ``newest`` is when its newest run began. What only a closer look can tell is left to the next round.
    """
    schedule = declared or job.schedule
    if job.state is JobState.deleted:
        return None
    if job.state in _ASLEEP:
        return Look(now) if newest is not None and now - newest <= RECENT else None
    if schedule is not None and schedule.kind in _CLOCKS:
        strange = newest is not None and now - newest <= RECENT and not fits(newest, schedule, job.platform)
        return Look(now) if strange else _next_slot(schedule, job, policy, now)
    if schedule is not None and schedule.kind is ScheduleKind.interval and schedule.every_seconds:
        following = max(now, (newest or now) + timedelta(seconds=schedule.every_seconds))
        return Look(following + policy.rulebook.of(job.subject, job.name).start_leeway, following)
    return None if job.after else Look(now)


def _expected(
    duty: Duty, skews: Mapping[str, timedelta], policy: Policy, now: datetime, told: Expected
) -> list[Expectation]:
    """The slots from the first quarter in question to the end of the present one."""
    found: list[Expectation] = []
    last = quarter_of(now)
    starts = {key: duty.start(key) for key in duty.pasts}
    start = min(starts.values(), default=last + _QUARTER)
    while start <= last:
        pasts = {key: past for key, past in duty.pasts.items() if starts[key] <= start}
        expected = expect(
            pasts,
            Window(start, start + _QUARTER),
            now,
            rulebook=policy.rulebook,
            told=policy.told,
            skews=skews,
            timezone=policy.timezone,
        )
        found += expected.expectations
        told.unreadable.update(expected.unreadable)
        start += _QUARTER
    return found


def _write_down(
    key: JobKey, slots: Iterable[Expectation], kept: Iterable[Kept], now: datetime, ledger: Ledger
) -> None:
    """Note what is settled and new, what was settled and is no more, and what stays open for so long that it
    would be forgotten else."""
    known = {one.slot.scheduled_for: one for one in kept}
    for slot in slots:
        patient = slot.scheduled_for <= now and known_by(slot) - slot.scheduled_for > AGAIN
        if slot.state in _UNSETTLED and not patient:
            continue
        before = known.pop(slot.scheduled_for, None)
        entry = Kept(slot, told=slot.state in _ABSENT or (before is not None and before.told))
        if entry != before:
            ledger.slots.append(entry)
    ledger.dropped += [(key, scheduled_for) for scheduled_for in known]


def _look(past: Past, slots: Sequence[Expectation], policy: Policy, now: datetime) -> Look | None:
    """The earliest moment at which silence would mean something."""
    version = past.versions[-1]
    job, schedule = version.job, past.declared or version.job.schedule
    if job.state in _ASLEEP:
        return None
    rules = policy.rulebook.of(job.subject, job.name)
    open_now = [known_by(slot) for slot in slots if slot.state in _UNSETTLED and slot.scheduled_for <= now]
    ahead = [slot.scheduled_for for slot in slots if slot.scheduled_for > now]
    if ahead:
        following: Look | None = Look(min(ahead) + rules.start_leeway, min(ahead))
    elif schedule is not None and schedule.kind in _CLOCKS:
        following = _next_slot(schedule, job, policy, now)
    else:
        # What is due in the next quarter will be seen then; a predecessor speaks for itself.
        following = None if job.after else Look(quarter_of(now) + _QUARTER)
    if not open_now:
        return following
    return Look(min(open_now), None if following is None else following.slot)


def _next_slot(schedule: Schedule, job: Job, policy: Policy, now: datetime) -> Look | None:
    """The next slot of a schedule that reads a clock; None if there is none, or if it is not understood."""
    try:
        following = _following(schedule.kind, schedule.expression, schedule.timezone, job.platform, now)
    except ValueError:
        return None  # the round that looks at the job says so
    leeway = policy.rulebook.of(job.subject, job.name).start_leeway
    return None if following is None else Look(following + leeway, following)


@lru_cache(maxsize=4096)
def _following(
    kind: ScheduleKind, expression: str, timezone: str, platform: str, now: datetime
) -> datetime | None:
    """The next time after ``now`` at which such a schedule is due; many jobs share one."""
    schedule = Schedule(kind=kind, expression=expression, timezone=timezone)
    for days in _AHEAD:
        slots = due(schedule, platform, now + timedelta(microseconds=1), now + timedelta(days=days))
        if slots:
            return slots[0].at
    return None


def since_first_read(versions: Iterable[JobVersion], first_read_at: datetime | None) -> list[JobVersion]:
    """The versions, beginning when their platform was first read whole: nothing is expected before."""
    if first_read_at is None:
        return []
    return [
        JobVersion(version.job, max(version.valid_from, first_read_at), version.valid_to)
        for version in versions
        if version.valid_to is None or version.valid_to >= first_read_at
    ]
