"""Slots that follow from other runs: so long after the last one, or after what a job waits for."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from dogwatch.detect.pairing import Candidate, newest
from dogwatch.detect.schedule import Slot
from dogwatch.model import Run

_MOST = 5_000
_LONGEST_EARLY = timedelta(minutes=15)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


def interval_slots(
    every: timedelta, runs: Sequence[Candidate], since: datetime, until: datetime, now: datetime
) -> list[Slot]:
    """The slots in [since, until) of a job that runs again ``every`` so long after it last began.

    Airbyte counts from the last sync, whoever started it (Sync schedules, "Scheduled syncs"); Databricks and
    Snowflake keep a grid. Both are followed by counting from each run to the next: a run that comes early
    (a grid after a late run) uses up no slot, and as long as a run goes on none is due. ``since`` is when
    the job began to be active with this interval; ``runs`` are in order of time and may lie before it.
    """
    early = min(every / 4, _LONGEST_EARLY)
    before = [run for run in runs if run.nominal < since]
    after = [run for run in runs if run.nominal >= since]
    anchor = before[-1] if before else None
    slots: list[Slot] = []
    for index in range(len(after) + 1):
        following = after[index] if index < len(after) else None
        begun = anchor.nominal if anchor else since
        if begun < since and since - begun > every + early:
            begun = since  # it was asleep, or another interval held: it may start its count anew
        limit = min(following.nominal + early if following else until, until)
        busy = _busy_until(anchor, now)
        for moment in _grid(begun, every, limit):
            if moment >= since and moment > busy:
                slots.append(Slot(moment, moment - early))
        anchor = following
    return slots


def _grid(begun: datetime, every: timedelta, limit: datetime) -> list[datetime]:
    steps = min(_MOST, max(0, (limit - begun) // every))
    return [moment for step in range(1, steps + 1) if (moment := begun + step * every) < limit]


def _busy_until(run: Candidate | None, now: datetime) -> datetime:
    if run is None:
        return _LONG_AGO
    if run.run.ended_at is not None:
        return run.run.ended_at
    return now if run.run.status.open else _LONG_AGO


def upstream_slots(upstreams: Sequence[Sequence[Run]], skews: Mapping[str, timedelta]) -> list[Slot]:
    """One slot for each time that all predecessors have succeeded: the moment when the last of them ended.

    The predecessor that runs least often sets the pace. To each of its runs belong those runs of the others
    that began nearest to it; of several, the last that had ended by then. If one of them is still going or
    did not succeed, nothing is expected. ``skews`` are the platforms' clocks minus ours, by instance.
    """
    lives = [_newest_attempts(runs) for runs in upstreams]
    if not lives or not all(lives):
        return []
    driver = min(lives, key=len)
    others = [life for life in lives if life is not driver]
    slots: list[Slot] = []
    for index, run in enumerate(driver):
        low = _between(driver[index - 1], run) if index else _LONG_AGO
        high = _between(run, driver[index + 1]) if index + 1 < len(driver) else _NEVER
        group = [run, *(partner for life in others if (partner := _partner(life, run, low, high)))]
        ends = [
            member.ended_at - skews.get(member.instance, timedelta())
            for member in group
            if member.status.good and member.ended_at
        ]
        if len(ends) == len(lives):
            slots.append(Slot(max(ends), max(ends)))
    return sorted(slots)


def _newest_attempts(runs: Sequence[Run]) -> list[Run]:
    last: dict[str, Run] = {}
    for run in newest(runs):
        known = last.get(run.native_run_id)
        if run.parent_uid is None or run.attempt > 1:
            last[run.native_run_id] = run if known is None or run.attempt >= known.attempt else known
    return sorted(last.values(), key=lambda run: (run.began_at, run.uid))


def _between(first: Run, second: Run) -> datetime:
    return first.began_at + (second.began_at - first.began_at) / 2


def _partner(life: Sequence[Run], driver: Run, low: datetime, high: datetime) -> Run | None:
    moments = [run.began_at for run in life]
    near = life[bisect_left(moments, low) : bisect_right(moments, high)]
    done = driver.ended_at or _NEVER
    over = [run for run in near if run.ended_at is not None and run.ended_at <= done]
    return (over[-1] if over else near[0]) if near else None
