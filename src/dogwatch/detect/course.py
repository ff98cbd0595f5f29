"""What a picture of a job shows: a number of its latest runs, and between which borders it is usual."""

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Literal

from pydantic import JsonValue

from dogwatch.detect.baseline import Baseline
from dogwatch.detect.rules import Rules
from dogwatch.model import Evidence, EvidenceKind, Run
from dogwatch.model.report import Course, Point

Metric = Literal["duration_seconds", "rows", "bytes"]
_SHOWN = 60
_NO_NUMBER = frozenset(
    {"blind", "late", "missed", "paused", "schedule_changed", "schedule_unreadable", "suspended", "threshold"}
)
"""Rules of which no number of the job's runs tells anything."""


def metric_of(rule: str, history: Sequence[Run]) -> Metric | None:
    """What a finding of that rule is best seen by; None if by nothing that runs show."""
    if rule in _NO_NUMBER:
        return None
    if rule.endswith("_bytes"):
        return "bytes"
    if rule.endswith("_rows") or rule == "empty":
        return "rows" if any("rows" in run.metrics for run in history) else "bytes"
    return "duration_seconds"


def sampled(evidence: Iterable[Evidence]) -> Course | None:
    """The samples of a metric and its limit, as the rule ``threshold`` cites them; None if none are cited."""
    for item in evidence:
        samples, limit = item.content.get("samples"), item.content.get("limit")
        if item.kind is not EvidenceKind.metric or not isinstance(samples, list):
            continue
        points = [_sample(sample) for sample in samples if isinstance(sample, list)]
        if points and isinstance(limit, (int, float)):
            below = bool(item.content.get("below"))
            return Course(
                metric=str(item.content.get("metric", "")),
                points=tuple(points[-_SHOWN:]),
                low=float(limit) if below else None,
                high=None if below else float(limit),
            )
    return None


def _sample(sample: Sequence[JsonValue]) -> Point:
    at, value = sample
    return Point(at=datetime.fromisoformat(str(at)), value=float(str(value)))


def course(
    history: Sequence[Run], metric: Metric, rules: Rules, zone: tzinfo, now: datetime
) -> Course | None:
    """The latest runs of a job (oldest first in ``history``), and what is usual for the newest of them.

    The newest is not in its own baseline; one that still goes on is as old as it was when it was last seen.
    None if no run has such a number.
    """
    points = [point for run in history if (point := _point(run, metric, now)) is not None]
    if not points:
        return None
    before = [point for point in points[:-1] if point.status and point.status.good and point.value > 0]
    volume = metric != "duration_seconds"
    baseline = Baseline(rules.volume if volume else rules.duration, zone)
    baseline.learn((point.at.timestamp(), 1 / point.value if volume else point.value) for point in before)
    borders = baseline.borders(points[-1].at.timestamp())
    if borders is None:
        return Course(metric=metric, points=tuple(points[-_SHOWN:]), known=baseline.known)
    low, usual, high = sorted(1 / border for border in borders) if volume else borders
    if not volume:
        high = max(high, usual + rules.slower_by.total_seconds())
    return Course(
        metric=metric, points=tuple(points[-_SHOWN:]), usual=usual, low=low, high=high, known=baseline.known
    )


def _point(run: Run, metric: Metric, now: datetime) -> Point | None:
    if metric != "duration_seconds":
        value = run.metrics.get(metric) if run.status.good else None
    elif run.started_at is None or (run.ended_at is None and not run.status.open):
        value = None
    else:
        value = ((run.ended_at or now) - run.started_at).total_seconds()
    if value is None or value < 0:
        return None
    return Point(at=run.began_at, value=value, status=run.status, run_uid=run.uid)
