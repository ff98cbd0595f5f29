"""Dependencies suggested by timing: a job that always begins soon after another has ended.

Only of jobs that no clock and no known job starts, since two clocks may agree for years and mean nothing.
What is found is a suggestion: it says what to ask about, and is never concluded from.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
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
    upstream: str | None
    """The job after which it begins; None if there is no such job."""
    times: int = 0
    """How many of its starts followed an end of the other"""
    of: int = 0
    """among so many."""
    lag_seconds: float = 0.0
    """The usual time between the two."""
    looked_at: UtcTime

    def edge(self) -> Edge | None:
        """The edge that it suggests. Its confidence is the lower end of what the counts allow, by the rule of
        succession (Laplace), and never high enough to be certain."""
        if self.upstream is None:
            return None
        return Edge(
            upstream=self.upstream,
            downstream=self.downstream,
            basis=EdgeBasis.habit,
            confidence=round(min(_MOST_SURE, _MOST_SURE * (self.times + 1) / (self.of + 2)), 2),
            triggers=True,
            why=f"{self.times} of its last {self.of} runs began within {span(WINDOW.total_seconds())} after"
            f" this one ended, usually {span(self.lag_seconds)} after",
        )


def habit_of(
    downstream: str, starts: Sequence[datetime], ends: Mapping[str, Sequence[datetime]], now: datetime
) -> Habit:
    """After which job ``downstream`` always begins.

    ``starts`` are when its latest runs began, in order; ``ends`` when runs of other jobs ended well, in
    order, over the same time. A job that ends more often than the other begins is no reason for it. Of
    several that fit equally well the one that ends last before is taken.
    """
    found = Habit(downstream=downstream, upstream=None, looked_at=now)
    if len(starts) < LEAST_STARTS:
        return found
    best: tuple[int, float, str] | None = None
    for upstream, ended in sorted(ends.items()):
        lags = _lags(starts, ended)
        within = ended[
            bisect_left(ended, starts[0] - WINDOW) : bisect_right(ended, starts[-1] + CLOCKS_APART)
        ]
        if len(lags) < max(LEAST_STARTS, len(starts) - _MISSES) or len(within) > len(starts) + _MISSES:
            continue
        fits = (-len(lags), median(lags), upstream)
        best = fits if best is None else min(best, fits)
    if best is None:
        return found
    times, lag, upstream = best
    return found.model_copy(
        update={
            "upstream": upstream,
            "times": -times,
            "of": len(starts),
            "lag_seconds": round(max(0.0, lag), 1),
        }
    )


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
