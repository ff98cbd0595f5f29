"""What became of every expectation: met, late, missed, skipped, or not known."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from dogwatch.detect.expect import Past
from dogwatch.detect.facts import JobKey
from dogwatch.detect.pairing import Candidate, candidates, newest, pair
from dogwatch.detect.schedule import Slot
from dogwatch.model import Basis, Expectation, ExpectationState, Run, ScheduleKind, Status

_RUNS_SIDE_BY_SIDE = frozenset({"power_automate"})
"""Platforms that start a run while the one before it is still going."""
_TOLD_AT_THE_END = frozenset({"power_automate"})
"""Platforms that tell of a run only once it has ended."""
_LENGTH_UNKNOWN = timedelta(hours=6)
"""So long a run may take there as long as too few are known to say how long the job's do."""
_BUSY = "the run before was still going"


def known_by(slot: Expectation) -> datetime:
    """When a run that met the slot has to be known: by ``start_by``, or where runs are told of only once they
    have ended, by as much later as the job may take."""
    if slot.platform not in _TOLD_AT_THE_END:
        return slot.start_by
    return slot.finish_by or slot.start_by + _LENGTH_UNKNOWN


def match(
    expectations: Sequence[Expectation],
    pasts: Mapping[JobKey, Past],
    read_until: Mapping[str, datetime],
    now: datetime,
    *,
    skews: Mapping[str, timedelta] | None = None,
) -> list[Expectation]:
    """The expectations with their states, in the same order.

    ``read_until`` tells for each instance up to when it was read whole; one that is missing was never read.
    A slot without a run is missed only if its platform was read past ``known_by``; a platform that was not
    is somebody else's finding. The verdict follows from the facts alone, in whatever order or in how many
    rounds they came to be known.
    """
    skews = skews or {}
    jobs: dict[JobKey, list[int]] = {}
    for index, expectation in enumerate(expectations):
        jobs.setdefault((expectation.instance, expectation.job_id), []).append(index)
    matched = list(expectations)
    for key, indexes in jobs.items():
        indexes.sort(key=lambda index: expectations[index].scheduled_for)
        slots = [expectations[index] for index in indexes]
        read = min(read_until[key[0]], now) if key[0] in read_until else None
        states = _of_job(slots, pasts[key], read, now, skews.get(key[0], timedelta()))
        for index, state in zip(indexes, states, strict=True):
            matched[index] = state
    return matched


def _of_job(
    slots: Sequence[Expectation], past: Past, read: datetime | None, now: datetime, skew: timedelta
) -> list[Expectation]:
    clocked = slots[0].basis in {Basis.schedule, Basis.declared}
    airbyte_interval = slots[0].platform == "airbyte" and not _reads_clock(past)
    known = newest(past.runs)
    runs = candidates(
        known, skew, scheduled=clocked and not airbyte_interval, trust_nominal=_reads_clock(past)
    )
    met = pair(
        [Slot(slot.scheduled_for, slot.not_before) for slot in slots],
        runs,
        slots[0].start_by - slots[0].scheduled_for,
    )
    return [
        _met(slot, met[index], now) if index in met else _unmet(slot, known, read, now, skew)
        for index, slot in enumerate(slots)
    ]


def _reads_clock(past: Past) -> bool:
    schedule = past.declared or past.versions[-1].job.schedule
    return schedule is not None and schedule.kind in {ScheduleKind.cron, ScheduleKind.quartz}


def _met(slot: Expectation, run: Candidate, now: datetime) -> Expectation:
    if run.run.status is Status.skipped:
        state = ExpectationState.skipped
    elif run.started is None:
        state = ExpectationState.waiting if now <= slot.start_by else ExpectationState.late
    else:
        state = ExpectationState.met if run.started <= slot.start_by else ExpectationState.late
    return slot.model_copy(update={"state": state, "run_uid": run.run.uid, "reason": ""})


def _unmet(
    slot: Expectation, runs: Sequence[Run], read: datetime | None, now: datetime, skew: timedelta
) -> Expectation:
    deadline = known_by(slot)
    if slot.state is ExpectationState.excused or now <= deadline:
        return slot
    if read is None or read <= deadline:
        return slot.model_copy(update={"state": ExpectationState.unseen})
    if slot.platform not in _RUNS_SIDE_BY_SIDE and _was_busy(slot, runs, skew):
        return slot.model_copy(update={"state": ExpectationState.excused, "reason": _BUSY})
    return slot.model_copy(update={"state": ExpectationState.missed})


def _was_busy(slot: Expectation, runs: Sequence[Run], skew: timedelta) -> bool:
    return any(
        run.started_at is not None
        and run.started_at - skew < slot.scheduled_for
        and (run.status.open if run.ended_at is None else run.ended_at - skew > slot.scheduled_for)
        for run in runs
    )
