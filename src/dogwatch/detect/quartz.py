"""Quartz cron expressions: when they say that something happens, as times on a wall clock.

Format and meaning are those of ``org.quartz.CronExpression`` (Quartz 2.5, its class documentation and
behaviour): six or seven fields, second to day of week and an optional year; ``*``, ``?``, lists, ranges that
may wrap (``22-2``, ``FRI-MON``), steps (``0/15``, ``10-40/10``, ``/5``), names, ``L``, ``L-3``, ``LW``,
``15W``, ``6L``, ``6#3``. Sunday is 1. A day that a month does not have is not moved to another.

No maintained, typed library for Python existed in November 2026 (quartz-cron-checker validates only;
cronexpr is untyped, knows UTC alone and was last released in 2024), hence this one. One leniency: where both
day fields are given and one of them is ``*``, that one counts as ``?``, which is how people write it.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MOST_CHARACTERS = 500
_LAST_YEAR = 2199
_ITEM = re.compile(
    r"(?P<first>\*|[A-Z]{3}|[0-9]{1,4})?(?:-(?P<last>[A-Z]{3}|[0-9]{1,4}))?(?:/(?P<step>[0-9]{1,4}))?"
)
_DAY_BEFORE_LAST = re.compile(r"L(?:-([0-9]{1,2}))?(W?)")
_NEAREST = re.compile(r"([0-9]{1,2})W")
_LAST_WEEKDAY = re.compile(r"([A-Z]{3}|[1-7])L")
_NTH_WEEKDAY = re.compile(r"([A-Z]{3}|[1-7])#([1-5])")

DayTest = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """A number or a name of this field. Raises ValueError."""
        value = int(text) if text.isdigit() else self._named(text)
        if not self.least <= value <= self.most:
            raise ValueError(f"{self.name}: {text} is not between {self.least} and {self.most}")
        return value

    def _named(self, text: str) -> int:
        if text not in self.names:
            raise ValueError(f"{self.name}: {text!r} is not known")
        return self.names.index(text) + self.least

    def values(self, text: str) -> frozenset[int]:
        """What a list of numbers, names, ranges and steps stands for. Raises ValueError."""
        return frozenset(value for item in text.split(",") for value in self._item(item))

    def _item(self, item: str) -> Iterator[int]:
        match = _ITEM.fullmatch(item)
        if not match or not item:
            raise ValueError(f"{self.name}: {item!r} is not understood")
        first, last, step = match["first"], match["last"], match["step"]
        if last is not None and first in (None, "*"):
            raise ValueError(f"{self.name}: {item!r} is not a range")
        every = int(step) if step is not None else 1
        if not 1 <= every <= self.most - self.least + 1:
            raise ValueError(f"{self.name}: a step of {every} is not possible")
        start = self.least if first in (None, "*") else self.number(first)
        if last is not None:
            end = self.number(last)
        else:
            end = self.most if step is not None or first in (None, "*") else start
        size = self.most - self.least + 1
        if end < start and self.name == "year":
            raise ValueError("year: a range does not wrap")
        for value in range(start, end + 1 if end >= start else end + size + 1, every):
            yield (value - self.least) % size + self.least


_SECOND, _MINUTE, _HOUR = _Field("second", 0, 59), _Field("minute", 0, 59), _Field("hour", 0, 23)
_DAY, _MONTH = _Field("day of month", 1, 31), _Field("month", 1, 12, _MONTHS)
_WEEKDAY, _YEAR = _Field("day of week", 1, 7, _DAYS), _Field("year", 1970, _LAST_YEAR)


@dataclass(frozen=True, slots=True)
class Quartz:
    """A parsed expression."""

    times: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    """Hours, minutes and seconds, ascending."""
    months: frozenset[int]
    years: frozenset[int] | None
    """None: every year."""
    day_tests: tuple[DayTest, ...]
    """A day counts if one of them says so."""

    def days(self, first: date, last: date) -> Iterator[date]:
        """The days on which it fires, ascending, both ends included."""
        day = first
        while day <= last:
            if day.month not in self.months or (self.years is not None and day.year not in self.years):
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
                continue
            if any(test(day) for test in self.day_tests):
                yield day
            day += timedelta(days=1)

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The wall-clock times (naive) in [start, end), ascending."""
        hours, minutes, seconds = self.times
        for day in self.days(start.date(), end.date()):
            for hour in hours:
                if datetime.combine(day, time(hour, 59, 59)) < start:
                    continue
                for minute in minutes:
                    for second in seconds:
                        moment = datetime.combine(day, time(hour, minute, second))
                        if moment >= end:
                            return
                        if moment >= start:
                            yield moment


def parse(expression: str) -> Quartz:
    """Read an expression. Raises ValueError that names the field and what is wrong with it."""
    fields = expression[: _MOST_CHARACTERS + 1].upper().split()
    if len(expression) > _MOST_CHARACTERS or not 6 <= len(fields) <= 7:
        raise ValueError(f"a Quartz expression has six or seven fields, this one has {len(fields)}")
    day, weekday = fields[3], fields[5]
    if day == "?" and weekday == "?":
        raise ValueError("one of day of month and day of week has to be other than ?")
    if "?" not in (day, weekday):
        if "*" not in (day, weekday):
            raise ValueError("one of day of month and day of week has to be ?")
        day, weekday = ("?", weekday) if day == "*" and weekday != "*" else (day, "?")
    return Quartz(
        times=(
            tuple(sorted(_HOUR.values(fields[2]))),
            tuple(sorted(_MINUTE.values(fields[1]))),
            tuple(sorted(_SECOND.values(fields[0]))),
        ),
        months=_MONTH.values(fields[4]),
        years=_YEAR.values(fields[6]) if len(fields) == 7 and fields[6] != "*" else None,
        day_tests=tuple(_weekday_tests(weekday) if day == "?" else _day_tests(day)),
    )


def _day_tests(text: str) -> Iterator[DayTest]:
    plain: list[str] = []
    for item in text.split(","):
        if match := _DAY_BEFORE_LAST.fullmatch(item):
            yield _before_last(int(match[1] or 0), nearest=bool(match[2]))
        elif match := _NEAREST.fullmatch(item):
            yield _nearest_weekday(_DAY.number(match[1]))
        else:
            plain.append(item)
    if plain:
        numbers = _DAY.values(",".join(plain))
        yield lambda day: day.day in numbers


def _weekday_tests(text: str) -> Iterator[DayTest]:
    if text == "L":
        text = "SAT"
    if match := _LAST_WEEKDAY.fullmatch(text):
        number = _WEEKDAY.number(match[1])
        yield lambda day: _weekday(day) == number and day.day + 7 > _length(day)
    elif match := _NTH_WEEKDAY.fullmatch(text):
        number, nth = _WEEKDAY.number(match[1]), int(match[2])
        yield lambda day: _weekday(day) == number and (day.day + 6) // 7 == nth
    else:
        numbers = _WEEKDAY.values(text)
        yield lambda day: _weekday(day) in numbers


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _length(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _before_last(offset: int, *, nearest: bool) -> DayTest:
    """So many days before the last of the month, or the working day nearest to that."""
    if offset > 30:
        raise ValueError(f"day of month: L-{offset} reaches back more than 30 days")

    def test(day: date) -> bool:
        wanted = _length(day) - offset
        return day.day == (_moved(day, wanted) if nearest and wanted >= 1 else wanted)

    return test


def _nearest_weekday(number: int) -> DayTest:
    """The working day nearest to a day of the month; none in a month without that day."""
    return lambda day: number <= _length(day) and day.day == _moved(day, number)


def _moved(month: date, number: int) -> int:
    """The Monday to Friday nearest to a day, without leaving the month."""
    weekday = month.replace(day=number).weekday()
    if weekday < 5:
        return number
    if weekday == 5:
        return number - 1 if number > 1 else number + 2
    return number + 1 if number < _length(month) else number - 2
