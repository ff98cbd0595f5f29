"""What is usual for one job: a robust level that follows drift, steps, weekdays and month ends.

Everything is judged as a natural logarithm, because durations and volumes vary by factors: twice as long is
as far from usual as half as long. What becomes of a value, in order:

1. **Level.** The middle half of the last 21 values, or of fewer after a step, averaged. A value is compared
   with the level before it, so it is never in its own baseline. The one-step residuals (value minus the
   median of those 21) tell how far the level trails behind a drift (their centre) and how much the job varies
   (their spread): median and median absolute deviation first, then mean and standard deviation of what lies
   within three of it, which wastes less of a short history (Hampel et al., Robust Statistics, 1986). Where
   nothing drifts, the mean of the last 120 values replaces the level: it is the quieter of the two.
2. **Band.** A value is unusual beyond ``Limits.ratio`` and beyond ``Limits.sigmas`` spreads, whichever is
   further. A spread seen in a few tens of runs is off by a tenth or two, hence it is widened while little is
   known, and drawn to that of an ordinary job where it is close to it.
3. **Precedent.** An unusual value is excused where the same weekday of earlier weeks, the same hour of
   earlier days (for jobs that run more than twice a day) or the same place in earlier months (counted from
   the first day, the last day and the last working day) was unusual too, or at least always on that side.
4. **Habit.** It is also excused where three in twenty of the recent values, of various weekdays, lie as far
   out: such a job has two modes.
5. **Step.** Three values in a row that are far out on one side, one of them beyond the band, or four of the
   last five, are a new level once that has lasted most of a day. Until then what is unusual stays so: a job
   that runs every quarter of an hour and has crawled since midnight is not well by one o'clock. Should a
   value soon be back at the former level, that was an episode, and the former level holds again.

One pass in order of time; a history learned in one go or in parts gives the same verdicts.
"""

import math
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo

_WINDOW = 21
"""Values in the level: three weeks of a daily job, and odd, so that the median is one of them."""
_RECENT = 120
"""Values that tell the spread."""
_ENOUGH = 10
"""Residuals needed for a verdict."""
_BLOCK = 8
"""Spread and centre are computed once for so many values."""
_SURE = 0.25
"""Closer to the median than this (28 %) nothing is unusual; asked first, as it is almost always so."""
_MAX_TRAIL = 0.15
"""A level trails behind a drift by no more than this; what is more is a step."""
_STEP, _STEP_OF = 3, 5
_LASTS = 20 * 3_600.0
"""Seconds from the first to the last of the values that are a new level; three of a daily job take longer."""
_HABIT = 0.15
_HABIT_OF = 60
_HABIT_LEAST = 3
_ALIKE = 0.8
"""As far out is what lies beyond so much of the border, and no more than one border nearer to the level."""
_WEEKDAY_SHARE = 0.6
_DAY = 86_400.0
_NEAR = 3 * 3_600.0
"""A precedent may have begun so many seconds earlier or later in its day."""
_ORDINARY = 0.157
"""The spread of an ordinary job, and up to what it is taken for that, and from where on it is itself."""
_ORDINARY_TO, _ITSELF_FROM = 0.185, 0.21


@dataclass(frozen=True, slots=True)
class Limits:
    """When a value counts as unusual. Ratios are plain factors of at least 1.4, not logarithms."""

    ratio: float = 1.63
    """At least this many times the usual."""
    sigmas: float = 3.15
    """And at least this many spreads above it."""
    low_ratio: float = 2.5
    """At least this many times less than the usual."""
    low_sigmas: float = 4.5
    """And at least this many spreads below it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known about a value, in the value's own unit."""

    high: bool
    """True if it is above the usual."""
    value: float
    usual: float
    limit: float
    """The border between usual and not, on the side of the value."""
    p99: float
    """The largest known value but for one in a hundred."""
    spread: float
    """Standard deviation of the logarithm: 0.15 means that most values lie within 15 % of the usual."""
    known: int
    """How many values it rests on."""

    @property
    def ratio(self) -> float:
        """The value divided by the usual."""
        return self.value / self.usual


@dataclass(frozen=True, slots=True)
class _Band:
    centre: float
    high: float
    low: float
    spread: float

    def border(self, off: float) -> float:
        """The one on the side of ``off``."""
        return self.high if off > 0 else self.low


class Baseline:
    """The usual of one job, learned from its successes in order of time."""

    def __init__(self, limits: Limits | None = None, zone: tzinfo = UTC) -> None:
        """``zone`` is the one in which weekdays, hours and months are counted, its clock changes included."""
        self._limits = limits or Limits()
        self._zone = zone
        self._at: list[float] = []
        self._values: list[float] = []
        self._kept: list[float] = []
        """The values as the level learned them: without what a precedent or a habit explains."""
        self._window: deque[float] = deque()
        """Those of them that make the level, oldest first."""
        self._ranked: list[float] = []
        """The same in order of size."""
        self._former: list[float] = []
        """What the window was before the last step, oldest first."""
        self._residuals: list[float] = []
        self._weekly: set[int] = set()
        """Values that their weekday explains."""
        self._measured = (0, 0.0, 0.0, 0.0)
        """Up to how many residuals; trail, spread, long centre."""
        self._far: list[tuple[int, int, bool, float]] = []
        """The latest values far out: index, side, whether beyond the band, logarithm."""
        self._since: int | None = None
        """The first of the values that will be a new level if it lasts."""

    @property
    def known(self) -> int:
        """How many values were learned."""
        return len(self._values)

    def learn(self, points: Iterable[tuple[float, float]]) -> list[tuple[int, Judgement]]:
        """Take in (epoch seconds, value above 0) in order of time; judge each before it is learned.

        Gives back the unusual ones, each with its index among all values ever learned.
        """
        unusual: list[tuple[int, Judgement]] = []
        ats, values, residuals = self._at, self._values, self._residuals
        kept, window, ranked, log = self._kept, self._window, self._ranked, math.log
        for at, value in points:
            x = keep = log(value)
            if ranked:
                residual = x - ranked[len(ranked) >> 1]
                if not -_SURE <= residual <= _SURE:
                    keep, effect, judgement = self._meet(at, x)
                    residual -= effect
                    if judgement is not None:
                        unusual.append((len(values), judgement))
                residuals.append(residual)
            ats.append(at)
            values.append(x)
            kept.append(keep)
            window.append(keep)
            insort(ranked, keep)
            if len(ranked) > _WINDOW:
                del ranked[bisect_left(ranked, window.popleft())]
        return unusual

    def judge(self, at: float, value: float) -> Judgement | None:
        """What is unusual about a value not learned; None if nothing is, or if too little is known."""
        if len(self._residuals) < _ENOUGH:
            return None
        x = math.log(value)
        band = self._band()
        off = x - band.centre
        if band.low <= off <= band.high or self._precedent(at, off, band) or self._habit(x, band):
            return None
        return self._judgement(x, band)

    def usual(self, at: float) -> Judgement | None:
        """The usual value at a moment and the border above it; None if too little is known."""
        if len(self._residuals) < _ENOUGH:
            return None
        band = self._band_at(at)
        return self._judgement(band.centre, band)

    def borders(self, at: float) -> tuple[float, float, float] | None:
        """Below what, and above what, a value at a moment is unusual, with the usual in between."""
        if len(self._residuals) < _ENOUGH:
            return None
        band = self._band_at(at)
        return math.exp(band.centre + band.low), math.exp(band.centre), math.exp(band.centre + band.high)

    def _band_at(self, at: float) -> _Band:
        """What is usual at a moment, its weekday, hour and place in the month considered."""
        band = self._band()
        known = self._precedent(at, math.inf, band)
        return band if known is None else replace(band, centre=band.centre + known[0])

    def _meet(self, at: float, x: float) -> tuple[float, float, Judgement | None]:
        """A value that is not near the level: what the level should learn of it, how much of it the calendar
        explains, and the verdict."""
        if len(self._residuals) < _ENOUGH:
            return x, 0.0, None
        band = self._band()
        if self._former and self._is_back(x, band):
            return x, 0.0, None
        off = x - band.centre
        inside = band.low <= off <= band.high
        if not inside:
            known = self._precedent(at, off, band)
            if known is not None:
                effect, weekly = known
                if weekly:
                    self._weekly.add(len(self._values))
                return x - effect, effect, None
            if self._habit(x, band):
                return band.centre, 0.0, None
        if abs(off) < abs(band.border(off)) / 2:
            return x, 0.0, None
        judgement = None if inside else self._judgement(x, band)
        waits = self._step(at, x, 1 if off > 0 else -1, judgement is not None)
        return (band.centre, off, judgement) if waits and judgement else (x, 0.0, judgement)

    def _step(self, at: float, x: float, side: int, alarmed: bool) -> bool:
        """Remember a value that is far out; enough of them on one side are the new level. Whether it has not
        lasted long enough for that."""
        here = len(self._values)
        far = [known for known in self._far if known[0] > here - _STEP_OF and known[1] == side]
        far.append((here, side, alarmed, x))
        self._far = far
        in_a_row = len(far) >= _STEP and far[-_STEP][0] == here - _STEP + 1
        if len(far) < _STEP_OF - 1 and not (in_a_row and any(loud for _, _, loud, _ in far)):
            self._since = None
            return False
        self._since = far[0][0] if self._since is None else self._since
        if at - self._at[self._since] < _LASTS:
            return True
        window = list(self._window)
        self._former = window[: far[0][0] - here] or window
        self._reset([value for _, _, _, value in far[:-1]])
        return False

    def _is_back(self, x: float, band: _Band) -> bool:
        """Whether a value is back at the level before the last step; if so, that holds again."""
        if len(self._window) >= _WINDOW:
            self._former = []  # the step has lasted: it is no episode
            return False
        before = _mid_mean(sorted(self._former))
        if abs(x - band.centre) < band.high or abs(x - before) > band.high / 2:
            return False
        self._reset(self._former)
        self._former = []
        return True

    def _reset(self, window: Sequence[float]) -> None:
        self._window.clear()
        self._window.extend(window)
        self._ranked[:] = sorted(window)
        self._far, self._since = [], None

    def _band(self) -> _Band:
        """What is usual now."""
        known = len(self._residuals)
        upto = known if known < 3 * _BLOCK else known - known % _BLOCK
        if self._measured[0] != upto:
            trail, spread = _centre_and_spread(self._residuals[max(0, upto - _RECENT) : upto])
            noise = 2.5 * spread / math.sqrt(min(upto, _RECENT))
            trail = 0.0 if abs(trail) < noise else max(-_MAX_TRAIL, min(_MAX_TRAIL, trail))
            long, _ = _centre_and_spread(self._kept[max(0, upto - _RECENT) : upto])
            self._measured = (upto, trail, spread, long)
        _, trail, spread, long = self._measured
        size = len(self._ranked)
        level = _mid_mean(self._ranked)
        still = trail == 0.0 and size == _WINDOW and abs(long - level) < 0.6 * spread
        unsure = (1 + 4 / known) * math.sqrt((1 + 1.57 / size) / (1 + 1.57 / _WINDOW)) * spread
        limits = self._limits
        return _Band(
            centre=long if still else level + trail,
            high=max(math.log(limits.ratio), limits.sigmas * _drawn_to_ordinary(unsure)),
            low=-max(math.log(limits.low_ratio), limits.low_sigmas * unsure),
            spread=spread,
        )

    def _judgement(self, x: float, band: _Band) -> Judgement:
        ranked = sorted(self._values[-1000:])
        high = x >= band.centre
        return Judgement(
            high=high,
            value=math.exp(x),
            usual=math.exp(band.centre),
            limit=math.exp(band.centre + (band.high if high else band.low)),
            p99=math.exp(ranked[math.ceil(0.99 * len(ranked)) - 1]),
            spread=band.spread,
            known=len(self._values),
        )

    def _precedent(self, at: float, off: float, band: _Band) -> tuple[float, bool] | None:
        """How far out the precedents of a value were that is ``off`` by too much, if they explain it, and
        whether they are of the same weekday or hour. Asked with infinity: what they make expect."""
        border = abs(band.border(off))
        for moments, least, months in self._families(at):
            near = [i for moment in moments if (i := self._near(moment)) is not None]
            found = [self._values[i] - band.centre for i in near if not (months and i in self._weekly)]
            if len(found) < least:
                continue
            effect = _nearer_middle(found, off > 0)
            clear = max(2.5 * band.spread / math.sqrt(len(found)), border / (2 if months else 4))
            asked = math.isinf(off)
            faint = not (months or asked) and len(found) > 2 and all(value * off > 0 for value in found)
            if effect * off <= 0 or (abs(effect) <= clear and not faint):
                continue
            reach = abs(effect) + border * (1 if abs(effect) <= clear else math.sqrt(1 + 1 / len(found)))
            if abs(off) <= reach or asked:
                return effect, not months
        return None

    def _families(self, at: float) -> Iterator[tuple[list[float], int, bool]]:
        """Moments at which the same may have happened before, how many of them have to be known, and
        whether they are months apart."""
        age, local = at - self._at[0], datetime.fromtimestamp(at, self._zone)
        weeks = [(local - timedelta(weeks=week)).timestamp() for week in range(1, 5)]
        yield weeks, 2 if age > 21 * _DAY else 1, False
        if len(self._at) > 3 and at - self._at[-3] < _DAY:
            yield [(local - timedelta(days=day)).timestamp() for day in range(1, 4)], 2, False
        if age > 56 * _DAY:
            for moments in _months(local):
                yield moments, 2, True

    def _near(self, moment: float) -> int | None:
        """The index of the value learned nearest to a moment, None if there is none within three hours."""
        ats = self._at
        right = bisect_left(ats, moment)
        around = [i for i in (right - 1, right) if 0 <= i < len(ats) and abs(ats[i] - moment) <= _NEAR]
        return min(around, key=lambda i: abs(ats[i] - moment)) if around else None

    def _habit(self, x: float, band: _Band) -> bool:
        """Whether three in twenty recent values lie as far out, not counting weekdays that mostly do."""
        border = band.border(x - band.centre)
        side = math.copysign(1.0, border)
        least = max(_ALIKE * abs(border), side * (x - band.centre) - abs(border))
        end = len(self._values)
        if self._since is not None and self._far[-1][0] > end - _STEP_OF:
            end = self._since  # what goes on now is one event, and no habit
        ats = self._at[max(0, end - _HABIT_OF) : end]
        recent = [
            (int(at // _DAY) % 7, side * (value - band.centre) >= least)
            for at, value in zip(ats, self._values[max(0, end - _HABIT_OF) : end], strict=True)
        ]
        if ats and ats[-1] - ats[0] > 14 * _DAY:
            of = Counter(day for day, _ in recent)
            out = Counter(day for day, alike in recent if alike)
            recent = [(day, alike) for day, alike in recent if out[day] < _WEEKDAY_SHARE * of[day]]
        return sum(alike for _, alike in recent) >= max(_HABIT_LEAST, _HABIT * len(recent))


def _drawn_to_ordinary(spread: float) -> float:
    """Spreads that may well be an ordinary job's are taken for that."""
    if spread >= _ITSELF_FROM:
        return spread
    if spread <= _ORDINARY_TO:
        return min(spread, _ORDINARY)
    way = (spread - _ORDINARY_TO) / (_ITSELF_FROM - _ORDINARY_TO)
    return _ORDINARY + way * (_ITSELF_FROM - _ORDINARY)


def _months(local: datetime) -> Iterator[list[float]]:
    """The same place in up to four earlier months: by first day, by last day, by last working day."""
    today = local.date()
    starts = [_month_start(today, back) for back in range(5)]
    ends = [_month_start(start, -1) - timedelta(days=1) for start in starts]
    left = (ends[0] - today).days
    working = sum((today + timedelta(days=n)).weekday() < 5 for n in range(1, left + 1))
    for places in (
        [start + timedelta(days=today.day - 1) for start in starts[1:]],
        [end - timedelta(days=left) for end in ends[1:]],
        [_working_day(end, working) for end in ends[1:]],
    ):
        yield [datetime.combine(day, local.timetz()).timestamp() for day in places]


def _month_start(day: date, back: int) -> date:
    """The first day of the month so many months earlier."""
    months = day.year * 12 + day.month - 1 - back
    return date(months // 12, months % 12 + 1, 1)


def _working_day(last: date, after: int) -> date:
    """The Monday to Friday that has ``after`` others between it and the end of ``last``."""
    day = last
    while day.weekday() >= 5 or after:
        after -= day.weekday() < 5
        day -= timedelta(days=1)
    return day


def _centre_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of what lies within three scaled median absolute deviations."""
    middle = _median(values)
    reach = 3 * 1.4826 * _median([abs(value - middle) for value in values])
    inner = [value for value in values if abs(value - middle) <= reach]
    mean = sum(inner) / len(inner)
    variance = sum((value - mean) ** 2 for value in inner) / len(inner)
    return mean, 1.0136 * math.sqrt(variance)  # what is cut off of a normal distribution is given back


def _median(values: Sequence[float]) -> float:
    ranked = sorted(values)
    half = len(ranked) >> 1
    return ranked[half] if len(ranked) & 1 else (ranked[half - 1] + ranked[half]) / 2


def _mid_mean(ranked: Sequence[float]) -> float:
    """The mean of the middle half."""
    cut = len(ranked) >> 2
    middle = ranked[cut : len(ranked) - cut]
    return sum(middle) / len(middle)


def _nearer_middle(values: Sequence[float], high: bool) -> float:
    """The median; of an even number the less extreme of the two in the middle."""
    ranked = sorted(values, reverse=not high)
    return ranked[(len(ranked) - 1) >> 1]
