"""What was edited before dogwatch first saw a job: its own runs tell how it used to live.

The first sight of a job is no beginning. One that ran every night until yesterday and is switched off today
was switched off by somebody; one whose runs follow another clock than its schedule was rescheduled. Both are
known by habit alone (``detect.learn``), and only if it is recent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dogwatch.detect.expect import Past
from dogwatch.detect.learn import Cadence, cadence
from dogwatch.detect.pairing import candidates, newest
from dogwatch.detect.schedule import due
from dogwatch.model import Schedule, ScheduleKind

CLOCKS = frozenset({ScheduleKind.cron, ScheduleKind.quartz})
RECENT = timedelta(days=7)
"""A job that has not run for so long has another life by now."""
_SAME_TIME = timedelta(minutes=20)
"""Starts that lie so near to each other are of one slot."""
_FEW = 2
"""Runs in the last week that speak for a habit of late."""
_LATE = timedelta(hours=2)
"""A run that begins within this after a slot may be that slot's."""


@dataclass(frozen=True, slots=True)
class Formerly:
    """How a job lived before it was first seen."""

    habit: Cadence
    last: datetime
    """When its last run before that began."""
    seen: datetime
    """When it was first seen."""

    def lost(self, now: datetime) -> int:
        """How many runs its habit would have brought since the last one; a slot whose time has not run out
        is none yet."""
        allowed = max(self.habit.leeway, _SAME_TIME)
        return len(self.habit.slots(self.last + allowed, now - self.habit.leeway))


def formerly(past: Past, timezone: str) -> Formerly | None:
    """How a job lived until it was first seen; None if it had no habit, or none of late."""
    if not past.versions:
        return None
    seen = past.versions[0].valid_from
    runs = [run for run in candidates(newest(past.runs), timedelta(), scheduled=False) if run.nominal < seen]
    if not runs or seen - runs[-1].nominal > RECENT:
        return None
    habit = cadence([run.nominal for run in runs], timezone)
    return None if habit is None else Formerly(habit, runs[-1].nominal, seen)


def fits(began: datetime, schedule: Schedule, platform: str) -> bool:
    """Whether a run that began then may be one of this schedule; True if the schedule is not understood."""
    try:
        return bool(due(schedule, platform, began - _LATE, began + timedelta(minutes=5)))
    except ValueError:
        return True


def rescheduled(past: Past) -> bool:
    """Whether the schedule that was first seen explains few of the runs in the last week before that."""
    job, seen = past.versions[0].job, past.versions[0].valid_from
    if past.declared or job.schedule is None or job.schedule.kind not in CLOCKS:
        return False
    latest = [
        run.nominal
        for run in candidates(newest(past.runs), timedelta(), scheduled=True)
        if seen - RECENT <= run.nominal < seen
    ]
    if len(latest) < _FEW or fits(latest[-1], job.schedule, job.platform):
        return False
    strange = [began for began in latest if not fits(began, job.schedule, job.platform)]
    return 2 * len(strange) > len(latest)
