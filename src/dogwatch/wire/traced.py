"""What was traced of a pipeline, and what the hour before a moment shows of it."""

import bisect
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

WINDOW = timedelta(hours=1)
"""Each sample tells of the hour before it."""
LEAST = 10
"""An hour with fewer traces (or scores) says nothing about latency, errors or accuracy."""

Sample = tuple[datetime, float]
Key = tuple[str, str, str]
"""Metric, trace name, score name (empty for what is no score)."""


@dataclass(slots=True)
class Traced:
    """Everything that was read of some hours, by trace name, in no order."""

    latencies: dict[str, list[Sample]] = field(default_factory=dict[str, list[Sample]])
    """Seconds."""
    failures: dict[str, list[Sample]] = field(default_factory=dict[str, list[Sample]])
    """1 for a trace that failed, else 0."""
    costs: dict[str, list[Sample]] = field(default_factory=dict[str, list[Sample]])
    """US dollars."""
    scores: dict[tuple[str, str], list[Sample]] = field(default_factory=dict[tuple[str, str], list[Sample]])
    """By trace name and score name."""
    complaints: dict[str, list[tuple[datetime, str]]] = field(
        default_factory=dict[str, list[tuple[datetime, str]]]
    )
    """What failed traces said."""
    traces: dict[str, str] = field(default_factory=dict[str, str])
    """Trace id to trace name."""

    def trace(self, id_: str, name: str, at: datetime, latency: float | None, *, failed: bool) -> None:
        """Count what began a trace; ``latency`` is None while it is going."""
        self.traces[id_] = name
        self.failures.setdefault(name, []).append((at, float(failed)))
        if latency is not None:
            self.latencies.setdefault(name, []).append((at, latency))

    def complaint(self, name: str, at: datetime, said: str | None) -> None:
        """Keep what a failed part of a trace said."""
        if said and said.strip():
            self.complaints.setdefault(name, []).append((at, said.strip()))

    def commonest(self, name: str, since: datetime) -> str:
        """What failed traces said most often since then; empty if nothing."""
        said = Counter(text for at, text in self.complaints.get(name, ()) if at >= since)
        return said.most_common(1)[0][0] if said else ""

    def cost(self, name: str, at: datetime, dollars: float | None) -> None:
        """Count what a part of a trace cost."""
        if dollars:
            self.costs.setdefault(name, []).append((at, dollars))

    def score(self, trace: str, score: str, at: datetime, value: float | None) -> None:
        """Count a score of a trace that is known, or that cannot be of another pipeline."""
        names = set(self.traces.values())
        name = self.traces.get(trace) or (next(iter(names)) if len(names) == 1 else None)
        if name is not None and value is not None:
            self.scores.setdefault((name, score), []).append((at, value))

    def rolling(self, moments: Sequence[datetime]) -> dict[Key, list[Sample]]:
        """At each moment, what the hour before it shows; nothing where it held too little."""
        found: dict[Key, list[Sample]] = {}
        for name, samples in self.latencies.items():
            found["latency", name, ""] = _rolled(samples, moments, p95, LEAST)
        for name, samples in self.failures.items():
            found["error_rate", name, ""] = _rolled(
                samples, moments, lambda values: error_share(sum(values), len(values)), LEAST
            )
        for name, samples in self.costs.items():
            found["cost", name, ""] = _rolled(samples, moments, math.fsum, 1)
        for (name, score), samples in self.scores.items():
            found["accuracy", name, score] = _rolled(
                samples, moments, lambda values: math.fsum(values) / len(values), LEAST
            )
        return found


def _rolled(
    samples: Iterable[Sample],
    moments: Sequence[datetime],
    what: Callable[[Sequence[float]], float],
    least: int,
) -> list[Sample]:
    ordered = sorted(samples)
    times = [at for at, _ in ordered]
    found: list[Sample] = []
    for moment in moments:
        first, last = bisect.bisect_right(times, moment - WINDOW), bisect.bisect_right(times, moment)
        if last - first >= least:
            found.append((moment, what([value for _, value in ordered[first:last]])))
    return found


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, by the nearest rank."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def error_share(failed: float, count: float) -> float:
    """The share of failures; a single one within the hour is an accident and no rate."""
    return failed / count if failed > 1 else 0.0
