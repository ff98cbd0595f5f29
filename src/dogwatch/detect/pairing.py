"""Which run met which slot: one to one, nominal times first, then each run the slot it began for."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dogwatch.detect.schedule import Slot
from dogwatch.model import Run

_EXACT = timedelta(seconds=60)
"""A platform's nominal time and ours may differ by this."""
_EARLY = timedelta(seconds=60)
"""A run may seem to begin this much before its slot, as two clocks are never quite alike."""

_NEVER = datetime.max.replace(tzinfo=UTC)

_BY_HAND = frozenset(
    {"one_time", "manual", "execute task", "execute_task", "instant", "backfill", "resubmit", "submit_run"}
)
_ON_SCHEDULE = frozenset({"schedule", "scheduled", "periodic", "cron", "recurrence"})
_AGAIN = frozenset({"retry", "repair"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that may meet a slot."""

    run: Run
    nominal: datetime
    """When it was due, as far as the platform tells; our clock."""
    exact: bool
    """Whether the platform itself tells the nominal time."""
    started: datetime | None
    """When it began to work; our clock. None while it waits."""


def candidates(
    runs: Iterable[Run], skew: timedelta, *, scheduled: bool, trust_nominal: bool = True
) -> list[Candidate]:
    """Runs that may use up a slot, by nominal time: no retries, no parts of other runs, nothing by hand.

    ``runs`` hold each attempt once (see ``newest``). ``skew`` is the platform's clock minus ours.
    ``scheduled`` says that the job has a schedule; what is started by hand then meets no slot. For a job
    without one, triggers tell nothing.
    """
    found: dict[str, Candidate] = {}
    for run in runs:
        word = run.trigger.casefold()
        if run.parent_uid is not None or word in _AGAIN or (scheduled and word in _BY_HAND):
            continue
        exact = run.scheduled_for if trust_nominal else None
        moment = exact or run.queued_at or run.started_at or run.began_at
        begun = run.started_at and run.started_at - skew
        known = found.get(run.native_run_id)
        if known is None or known.run.attempt > run.attempt:
            found[run.native_run_id] = Candidate(run, moment - skew, exact is not None, begun)
    return sorted(found.values(), key=_in_time)


def newest(runs: Iterable[Run]) -> list[Run]:
    """Each attempt once, in its newest state, by beginning."""
    known: dict[str, Run] = {}
    for run in runs:
        other = known.get(run.uid)
        if other is None or run.version > other.version:
            known[run.uid] = run
    return sorted(known.values(), key=lambda run: (run.began_at, run.uid))


def by_hand(run: Run, among: Sequence[Run]) -> bool:
    """Whether a run was started by hand while the job's runs usually are not."""
    if run.trigger.casefold() not in _BY_HAND:
        return False
    return 2 * sum(other.trigger.casefold() in _BY_HAND for other in among) < len(among)


def on_schedule(run: Run) -> bool:
    """Whether the platform says that its own schedule started the run."""
    return run.trigger.casefold() in _ON_SCHEDULE


def pair(slots: Sequence[Slot], runs: Sequence[Candidate], leeway: timedelta) -> dict[int, Candidate]:
    """The run that met each slot, by the slot's index. Both are in order of time.

    Where the platform tells a nominal time, that decides, whether its clock is set right or not. Any other
    run meets the latest slot that was due when it came; if that is taken, a free one before, but none
    that has two others after it by then. Of runs that came late (beyond ``leeway``), the earlier run
    belongs to the earlier slot.
    """
    met: dict[int, Candidate] = {}
    moments = [slot.at for slot in slots]
    rest: list[Candidate] = []
    for run in runs:
        if not run.exact:
            rest.append(run)
            continue
        for nominal in (run.nominal, run.run.scheduled_for or run.nominal):
            index = bisect_left(moments, nominal - _EXACT)
            if index < len(slots) and moments[index] <= nominal + _EXACT:
                met.setdefault(index, run)
                break
    earliest = [slot.not_before for slot in slots]
    for run in rest:
        latest = bisect_right(earliest, run.nominal + _EARLY) - 1
        for index in range(latest, max(-1, latest - 2), -1):
            if index not in met:
                met[index] = run
                break
    late = sorted(
        index for index, run in met.items() if not run.exact and run.nominal > slots[index].at + leeway
    )
    met.update(zip(late, sorted((met[index] for index in late), key=_in_time), strict=True))
    return met


def _in_time(candidate: Candidate) -> tuple[datetime, datetime, str]:
    return candidate.nominal, candidate.started or _NEVER, candidate.run.uid
