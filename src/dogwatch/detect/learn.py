"""The habit of a job that no schedule describes, learned from when it ran."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dogwatch.detect.schedule import Slot
from dogwatch.model.text import span

_ENOUGH = 20
"""Runs needed before a habit can be spoken of."""
_LATEST = 200
_SURE = 0.8
"""The habit has to have held in so large a share of its slots, as far as one can be sure."""
_EXPLAINED = 0.9
"""And so large a share of the runs has to belong to it."""
_SAME_TIME = 20.0
"""Minutes within which runs of different days count as the same time of day."""
_WEEKS = 2
"""A weekday is part of the habit only if it was seen so often."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ALL_DAYS = len(_DAYS)
_TOLD = 4


@dataclass(frozen=True, slots=True)
class Cadence:
    """When a job usually runs: every so often, or at certain times of certain weekdays."""

    zone: ZoneInfo
    every: timedelta | None
    anchor: datetime
    """The last run known."""
    times: tuple[tuple[float, frozenset[int]], ...]
    """(minute of the day, weekdays with Monday 0), empty if ``every`` is given."""
    confidence: float
    """Lower end of the 95 % interval (Wilson 1927) of the share of its slots that were met."""
    known: int
    """Runs it was learned from."""
    leeway: timedelta
    """How far from its time the job has begun."""

    def slots(self, start: datetime, end: datetime) -> list[Slot]:
        """When it should run in [start, end)."""
        if self.every is not None:
            return self._by_interval(start, end)
        found: list[Slot] = []
        day = start.astimezone(self.zone).date() - timedelta(days=1)
        while day <= end.astimezone(self.zone).date():
            for minute, weekdays in self.times:
                if day.weekday() in weekdays:
                    earliest, latest = self._either(_moment(day, minute, self.zone))
                    if start <= latest < end:
                        found.append(Slot(latest, earliest - self.leeway))
            day += timedelta(days=1)
        return sorted(found)

    def words(self) -> str:
        """The habit for people: ``about 02:00 Europe/Berlin`` or ``about every 30 min``."""
        if self.every is not None:
            return f"about every {span(self.every.total_seconds())}"
        told = [
            f"{int(minute) // 60:02d}:{int(minute) % 60:02d}"
            + ("" if len(days) == _ALL_DAYS else " on " + ", ".join(_DAYS[day] for day in sorted(days)))
            for minute, days in self.times
        ]
        return f"about {' and '.join(told[:_TOLD])} {self.zone.key}"

    def _either(self, wall: datetime) -> tuple[datetime, datetime]:
        """The time on the wall, and the one that keeps its distance from the last run known: until it ran
        after a change of clocks, nobody knows which of the two a job follows."""
        then, now = self.anchor.astimezone(self.zone).utcoffset(), wall.astimezone(self.zone).utcoffset()
        steady = wall + ((now or timedelta()) - (then or timedelta()))
        return min(wall, steady), max(wall, steady)

    def _by_interval(self, start: datetime, end: datetime) -> list[Slot]:
        assert self.every is not None
        first = max(1, math.ceil((start - self.anchor) / self.every))
        last = math.ceil((end - self.anchor) / self.every)
        early = self.every / 4
        return [
            Slot(moment, moment - early)
            for step in range(first, min(last, first + 5_000))
            if (moment := self.anchor + step * self.every) >= start
        ]


def cadence(starts: Sequence[datetime], timezone: str = "UTC") -> Cadence | None:
    """The habit in at least 20 starts, None if there are fewer or none is sure enough.

    ``starts`` are in order of time. Times of day are kept on the wall of ``timezone``, or in UTC where that
    explains more of the starts.
    """
    starts = starts[-_LATEST:]
    if len(starts) < _ENOUGH:
        return None
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    clocks = [habit for each in (zone, ZoneInfo("UTC")) if (habit := _by_clock(starts, each))]
    return max(clocks, key=lambda habit: habit.confidence) if clocks else _by_interval(starts, zone)


def _by_interval(starts: Sequence[datetime], zone: ZoneInfo) -> Cadence | None:
    gaps = [(second - first).total_seconds() for first, second in pairwise(starts)]
    usual = median(gaps)
    reach = max(0.05 * usual, 60.0)
    near = [gap for gap in gaps if abs(gap - usual) <= reach]
    sure = _wilson(len(near), len(gaps))
    if usual <= 0 or sure < _SURE:
        return None
    every = timedelta(seconds=sum(near) / len(near))
    off = max(abs(gap - usual) for gap in near)
    return Cadence(zone, every, starts[-1], (), sure, len(starts), timedelta(seconds=2 * off))


def _by_clock(starts: Sequence[datetime], zone: ZoneInfo) -> Cadence | None:
    local = [start.astimezone(zone) for start in starts]
    first, last = local[0].date(), local[-1].date()
    if (last - first).days < 7 * _WEEKS:
        return None
    times: list[tuple[float, frozenset[int]]] = []
    met = expected = explained = 0
    widest = 0.0
    for group in _same_times(local):
        days = {moment.date() for moment in group}
        weekdays = _weekdays(days, first, last)
        if not weekdays:
            continue
        middle = median(_minute(moment) for moment in group)
        inside = [moment for moment in group if moment.weekday() in weekdays]
        times.append((middle, weekdays))
        explained += len(inside)
        met += len({moment.date() for moment in inside})
        expected += sum(_count(weekday, first, last) for weekday in weekdays)
        widest = max(widest, max(abs(_minute(moment) - middle) for moment in inside))
    sure = _wilson(met, expected)
    if not times or sure < _SURE or explained < _EXPLAINED * len(starts):
        return None
    allowed = timedelta(minutes=1.5 * widest)
    return Cadence(zone, None, starts[-1].astimezone(UTC), tuple(times), sure, len(starts), allowed)


def _same_times(local: Sequence[datetime]) -> list[list[datetime]]:
    """Runs grouped by time of day; a gap of 20 minutes ends a group."""
    groups: list[list[datetime]] = []
    for moment in sorted(local, key=_minute):
        if groups and _minute(moment) - _minute(groups[-1][-1]) <= _SAME_TIME:
            groups[-1].append(moment)
        else:
            groups.append([moment])
    return groups


def _weekdays(days: set[date], first: date, last: date) -> frozenset[int]:
    """The weekdays on which it nearly always ran between two days."""
    seen = [sum(day.weekday() == weekday for day in days) for weekday in range(7)]
    return frozenset(
        weekday
        for weekday in range(7)
        if seen[weekday] >= _WEEKS and seen[weekday] >= 0.75 * _count(weekday, first, last)
    )


def _count(weekday: int, first: date, last: date) -> int:
    """How often a weekday comes in [first, last]."""
    until_first = (weekday - first.weekday()) % 7
    return max(0, ((last - first).days - until_first) // 7 + 1)


def _minute(moment: datetime) -> float:
    return moment.hour * 60 + moment.minute + moment.second / 60


def _moment(day: date, minute: float, zone: ZoneInfo) -> datetime:
    wall = datetime.combine(day, time(), zone) + timedelta(minutes=minute)
    return wall.astimezone(UTC)


def _wilson(good: int, of: int) -> float:
    """Lower end of the 95 % interval of a share."""
    if of == 0:
        return 0.0
    z, share = 1.96, good / of
    middle = share + z * z / (2 * of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - reach) / (1 + z * z / of)
