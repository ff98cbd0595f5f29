"""When a schedule that reads a clock on the wall is due: cron and Quartz cron, in any zone.

What happens in the night when clocks change differs, and is taken from what each platform says:

- **Quartz** (Airbyte, Databricks). "1:05 AM may occur twice … 2:05 AM may never occur" (Quartz Scheduler,
  Best Practices, daylight saving time; Databricks, Run jobs on a schedule: hourly jobs "may be skipped or
  appear delayed by an hour or two"). In fact Java resolves a repeated time to standard time, so that a
  trigger fires once, as a rule in the second pass (quartz-scheduler/quartz issues 81, 462 and 1104 saw it
  in either). Hence: a time that is skipped is not due; a repeated one is due once, met by a run in either
  pass, and missed only after the second.
- **Snowflake** (CREATE TASK, USING CRON). A task at a time that is skipped "would not run at all"; at a
  repeated one it "would run twice". The second run of a task that names its hours is not demanded, as
  nobody can need it; of one that runs every hour it is.
- **Power Automate** (Azure Logic Apps, daylight saving and standard time). The recurrence keeps its UTC
  time: 2:30 runs at 3:30 where 2:30 is skipped, and a repeated time is due in the first pass. The page
  warns that either hour "might have problems".
- **Anything else**, declared schedules among them, is due as Debian's cron keeps it (cronsim): a skipped
  time right after the change, a repeated one once, but an hour field of ``*`` follows real time.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from dogwatch.detect.quartz import parse
from dogwatch.model import Schedule, ScheduleKind

_MOST = 20_000
"""Slots looked at in one window: two weeks of a job that runs every minute."""
_DAY = timedelta(days=1)
_ANY_DAY = ["*", "*", "*"]
_BLOCK = 4
"""Windows are widened to whole blocks of days, so that jobs and rounds can share what was worked out."""


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """A moment at which a run is due."""

    at: datetime
    """Nominal time, UTC."""
    not_before: datetime
    """Earlier than ``at`` only where the wall clock showed the time twice."""


class ClockChange(Enum):
    """How a platform reads its clock in the night when it is changed."""

    quartz = "quartz"
    snowflake = "snowflake"
    power_automate = "power_automate"
    debian = "debian"


_BY_PLATFORM = {
    "snowflake": ClockChange.snowflake,
    "power_automate": ClockChange.power_automate,
}


def due(schedule: Schedule, platform: str, start: datetime, end: datetime) -> tuple[Slot, ...]:
    """The slots of a cron or Quartz schedule in [start, end), ascending, at most 20,000.

    Raises ValueError for an expression or a zone that is not understood, and for other kinds of schedule.
    """
    change = ClockChange.quartz
    if schedule.kind is ScheduleKind.cron:
        change = _BY_PLATFORM.get(platform, ClockChange.debian)
    elif schedule.kind is not ScheduleKind.quartz:
        raise ValueError(f"a schedule of kind {schedule.kind} reads no clock")
    if end <= start:
        return ()
    first, last = start.astimezone(UTC).date() - _DAY, end.astimezone(UTC).date() + 2 * _DAY
    first -= (first.toordinal() % _BLOCK) * _DAY
    last += (-last.toordinal() % _BLOCK) * _DAY
    slots = _due(schedule.expression, schedule.timezone, change, first, last)
    return slots[
        bisect_left(slots, start, key=lambda slot: slot.at) : bisect_left(
            slots, end, key=lambda slot: slot.at
        )
    ]


@lru_cache(maxsize=1024)
def _due(expression: str, timezone: str, change: ClockChange, first: date, last: date) -> tuple[Slot, ...]:
    """All slots from the beginning of one day to that of another, on the zone's wall."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"time zone {timezone!r} is not known") from error
    start, end = datetime.combine(first, time()), datetime.combine(last, time())
    quartz = change is ClockChange.quartz
    if timezone == "UTC":  # the zone of most schedules, where a wall shows every time once
        walls = parse(expression).between(start, end) if quartz else _cron(expression, start, end)
        return tuple(Slot(at, at) for at in (wall.replace(tzinfo=UTC) for wall in islice(walls, _MOST)))
    if change is ClockChange.debian:
        moments = (local.astimezone(UTC) for local in _cron(expression, start.replace(tzinfo=zone), end))
        return tuple(Slot(moment, moment) for moment in moments)
    walls = parse(expression).between(start, end) if quartz else _cron(expression, start, end)
    hourly = change is ClockChange.snowflake and expression.split()[1].startswith("*")
    return tuple(
        sorted({slot for wall in islice(walls, _MOST) for slot in _instants(wall, zone, change, hourly)})
    )


def _cron(expression: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """The times of a five-field cron in [start, end), in the manner of ``start``: naive, or in its zone."""
    if len(expression.split()) != 5:
        raise ValueError(f"cron {expression!r}: five fields are needed")
    try:
        times = CronSim(expression, start - timedelta(seconds=1))
        if start.tzinfo is None and expression.split()[2:] == _ANY_DAY:
            return _daily(times, start, end)
    except CronSimError as error:
        raise ValueError(f"cron {expression!r}: {error}") from error
    return takewhile(lambda moment: moment.replace(tzinfo=None) < end, islice(times, _MOST))


def _daily(times: Iterator[datetime], start: datetime, end: datetime) -> Iterator[datetime]:
    """The same for an expression that is due every day, from the times of the first: what most jobs have,
    and an eighth of the work."""
    first = list(takewhile(lambda moment: moment < start + _DAY, times))
    days = range((end - start).days + 1)
    return takewhile(lambda moment: moment < end, (moment + day * _DAY for day in days for moment in first))


def _instants(wall: datetime, zone: ZoneInfo, change: ClockChange, hourly: bool) -> Iterator[Slot]:
    """The moments at which a time on the wall is due: one as a rule, none or two when clocks change."""
    early, late = wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
    before, after = early.utcoffset() or timedelta(), late.utcoffset() or timedelta()
    first = (wall - before).replace(tzinfo=UTC)
    if before == after:
        yield Slot(first, first)
    elif before < after:  # skipped; read with the offset before the change, it lies after it
        if change is ClockChange.power_automate:
            yield Slot(first, first)
    elif change is ClockChange.quartz:
        yield Slot(late.astimezone(UTC), first)
    else:
        yield Slot(first, first)
        if hourly:
            second = late.astimezone(UTC)
            yield Slot(second, second)
