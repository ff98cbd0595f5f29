"""Calls as evidence: a slow edge is the callee's.

Whether the callee itself takes longer or the way to it does (what the caller waits beyond the callee's own
time), the callee is where to look: the caller only waits. Each edge is compared with itself before the
incident.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dogwatch.causes.evidence import Evidence, Kind
from dogwatch.causes.figures import FAINT, Usual, deviation

FEWEST = 5
"""Calls below which a median says nothing."""
UNNOTICED_MS = 1.0
"""Milliseconds that nobody notices."""


@dataclass(frozen=True)
class Call:
    """The calls over one edge in one stretch of time."""

    caller: str
    callee: str
    count: int
    callee_ms: tuple[float, float]
    """The callee's own time: median and 90th percentile."""
    between_ms: tuple[float, float]
    """The caller's wait beyond it: median and 90th percentile."""


def from_calls(before: Iterable[Call], after: Iterable[Call]) -> list[Evidence]:
    """One fact per callee: its slowest edge, compared with the same edge before."""
    usual = {(call.caller, call.callee): call for call in before if call.count >= FEWEST}
    worst: dict[str, tuple[float, str]] = {}
    for call in after:
        known = usual.get((call.caller, call.callee))
        if known is not None and call.count >= FEWEST:
            for what, now, then in (
                ("answers in", call.callee_ms, known.callee_ms),
                ("is reached in", call.between_ms, known.between_ms),
            ):
                slower = _slower(now, then)
                says = f"{what} {now[0]:.4g} ms when {call.caller} calls, usually {then[0]:.4g}"
                worst[call.callee] = max(worst.get(call.callee, (0.0, "")), (slower, says))
    return [
        Evidence(n, Kind.latency, slower, says)
        for n, (slower, says) in sorted(worst.items())
        if slower >= FAINT
    ]


def _slower(now: tuple[float, float], then: tuple[float, float]) -> float:
    spread = max(then[1] - then[0], 0.0)
    return max(0.0, deviation(now[0], Usual(then[0], spread, spread), None, UNNOTICED_MS))
