"""Dependencies suggested by timing: a job that always begins soon after another has ended.

Only of jobs that no clock and no known job starts, since two clocks may agree for years and mean nothing.
What is found is a suggestion: it says what to ask about, and is never concluded from.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from dogwatch.model import Noun, UtcTime
from dogwatch.model.text import span
from dogwatch.pipelines.graph import Edge, EdgeBasis

LEAST_STARTS = 6
"""Fewer starts are no habit."""
WINDOW = timedelta(minutes=5)
"""So soon after the end of the other it begins at the latest."""
CLOCKS_APART = timedelta(seconds=2)
"""By which the clocks of two platforms may differ without being noticed."""
_BUSY = 4
"""The window is at most this part of the usual time between two ends, or else one of them is always near."""
_MISSES = 1
"""So many starts may have had another reason (somebody pressed the button)."""
_MOST_SURE = 0.7


class Habit(Noun):
    """What timing says of one job that nothing else explains."""

    downstream: str
    """Its subject."""
    upstreams: tuple[str, ...] = ()
    """The job after which it begins, or those of which it waits for the last; empty if there is none."""
    times: int = 0
    """How many of its starts followed an end of the others"""
    of: int = 0
    """among so many."""
    lag_seconds: float = 0.0
    """The usual time between the two."""
    looked_at: UtcTime

    def edges(self) -> list[Edge]:
        """The edges that it suggests. Their confidence is what the counts allow by the rule of succession
        (Laplace), and never high enough to be certain."""
        last = "this one" if len(self.upstreams) == 1 else "the last of several, at times this one,"
        within, usual = span(WINDOW.total_seconds()), span(self.lag_seconds)
        return [
            Edge(
                upstream=upstream,
                downstream=self.downstream,
                basis=EdgeBasis.habit,
                confidence=round(_MOST_SURE * (self.times + 1) / (self.of + 2), 2),
                triggers=True,
                why=f"{self.times} of its last {self.of} runs began within {within} after {last} ended,"
                f" usually {usual} after",
            )
            for upstream in self.upstreams
        ]


def habit_of(
    downstream: str,
    starts: Sequence[datetime],
    ends: Mapping[str, Sequence[datetime]],
    now: datetime,
    feeders: AbstractSet[str] = frozenset(),
) -> Habit:
    """After which job, or the last of which jobs, ``downstream`` always begins.

    ``starts`` are when its latest runs began, in order; ``ends`` when runs of other jobs ended well, in
    order, over the same time; ``feeders`` those of which it is known that it reads what they write. A job
    that ends more often than the other begins is no reason for it. Feeders are tried together first: what
    waits for several begins after the last of them, whichever that is. Of single jobs that fit equally well
    the one that ends last before is taken.
    """
    found = Habit(downstream=downstream, of=len(starts), looked_at=now)
    if len(starts) < LEAST_STARTS:
        return found
    calm = {
        upstream: ended
        for upstream, ended in sorted(ends.items())
        if len(_within(ended, starts)) <= len(starts) + _MISSES
    }
    enough = max(LEAST_STARTS, len(starts) - _MISSES)
    best: tuple[int, float, tuple[str, ...]] | None = None
    joint = {upstream: ended for upstream, ended in calm.items() if upstream in feeders}
    if len(joint) > 1:
        lags, last = _joint_lags(starts, joint)
        best = (-len(lags), median(lags), tuple(last)) if len(lags) >= enough else None
    for upstream, ended in calm.items() if best is None else ():
        lags = _lags(starts, ended)
        if len(lags) >= enough:
            fits = (-len(lags), median(lags), (upstream,))
            best = fits if best is None else min(best, fits)
    if best is None:
        return found
    times, lag, upstreams = best
    told = {"upstreams": upstreams, "times": -times, "lag_seconds": round(max(0.0, lag), 1)}
    return found.model_copy(update=told)


def _within(ended: Sequence[datetime], starts: Sequence[datetime]) -> Sequence[datetime]:
    return ended[bisect_left(ended, starts[0] - WINDOW) : bisect_right(ended, starts[-1] + CLOCKS_APART)]


def _joint_lags(
    starts: Sequence[datetime], ends: Mapping[str, Sequence[datetime]]
) -> tuple[list[float], list[str]]:
    """Seconds from the last end of any to each start that soon followed, and who was ever that last one."""
    found: list[float] = []
    last: dict[str, None] = {}
    for start in starts:
        before = [
            (ended[at - 1], upstream)
            for upstream, ended in ends.items()
            if (at := bisect_right(ended, start + CLOCKS_APART))
        ]
        moment, upstream = max(before, default=(start - 2 * WINDOW, ""))
        if start - moment <= WINDOW:
            found.append((start - moment).total_seconds())
            last[upstream] = None
    return found, sorted(last)


def _lags(starts: Sequence[datetime], ended: Sequence[datetime]) -> list[float]:
    """Seconds from the end that each start followed, of those that followed one."""
    gaps = [(second - first).total_seconds() for first, second in pairwise(ended)]
    window = min(WINDOW, timedelta(seconds=median(gaps) / _BUSY)) if gaps else WINDOW
    found: list[float] = []
    for start in starts:
        at = bisect_right(ended, start + CLOCKS_APART)
        if at and ended[at - 1] >= start - window:
            found.append((start - ended[at - 1]).total_seconds())
    return found
