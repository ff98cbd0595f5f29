"""Limits on metrics that have to be crossed for a while: error rates, response times, any other series."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from pydantic import JsonValue

from dogwatch.detect.facts import Detection
from dogwatch.model import Evidence, EvidenceKind, Finding, Severity, content_id
from dogwatch.model.text import one_line, span

_STALE = timedelta(minutes=5)
"""A series without a sample for so long says nothing about now (Prometheus' staleness)."""
_GAP = 3.0
"""A hole of more than so many usual steps breaks a series: what happened in it is not known."""
_CITED = 30


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one metric of one thing."""

    metric: str
    """E.g. ``error_rate`` (a share, 0 to 1) or ``response_time`` (seconds)."""
    subject: str
    """What it is about: a job, a platform, a service."""
    samples: Sequence[tuple[datetime, float]]
    """In order of time; not-a-number is no sample."""
    source: str
    """Where it was read."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str | None = None
    name: str = ""
    """What people call the subject; empty: as it is written."""
    said: str = ""
    """What the platform says beside the numbers."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit and for how long it has to be crossed without a break."""

    metric: str
    """A name or a pattern of names."""
    limit: float
    severity: Severity
    lasting: timedelta = timedelta(minutes=5)
    """``for:`` in dogwatch.yaml."""
    below: bool = False
    """True if too little is the trouble."""
    subject: str = "*"
    """A subject or a pattern of subjects."""
    unit: str = ""
    """``%`` for shares, ``s`` for seconds, empty for plain numbers."""

    def fits(self, series: Series) -> bool:
        """Whether it is about that metric of that thing."""
        return fnmatchcase(series.metric, self.metric) and fnmatchcase(series.subject, self.subject)

    def crossed(self, value: float) -> bool:
        """Whether a sample lies beyond the limit."""
        return value < self.limit if self.below else value > self.limit


UNITS = {"error_rate": "%", "accuracy": "%", "cpu": "%", "memory": "%", "disk": "%", "response_time": "s"}
"""How the metrics of known names are told; see ``Threshold.unit``."""
DEFAULTS: tuple[Threshold, ...] = (
    Threshold("error_rate", 0.01, Severity.WARNING, unit="%"),
    Threshold("error_rate", 0.05, Severity.CRITICAL, unit="%"),
    Threshold("response_time", 2.0, Severity.WARNING, unit="s"),
    Threshold("response_time", 5.0, Severity.CRITICAL, unit="s"),
)


def thresholds(
    series: Iterable[Series],
    now: datetime,
    found: Detection,
    limits: Sequence[Threshold] = (),
) -> None:
    """One finding for each series beyond a limit for long enough: that of the gravest limit crossed.

    ``series`` are values that any source of metrics may make (``MetricSeries`` of a connector becomes a
    ``Series``): the last hours at whatever step the source has, an hour at least of what is judged by
    ``for:`` limits of an hour. ``limits`` are the user's (``Policy.limits``); a series that none of them fits
    is judged by ``DEFAULTS``. Nothing is remembered: what is told follows from the samples alone, so that a
    round may be repeated.
    """
    for one in series:
        fitting = [limit for limit in limits if limit.fits(one)] or DEFAULTS
        crossed = [
            (limit, since)
            for limit in fitting
            if limit.fits(one) and (since := crossed_since(one.samples, limit, now)) is not None
        ]
        if crossed:
            limit, since = max(crossed, key=lambda item: (item[0].severity.rank, item[1]))
            _tell(one, limit, since, now, found)


def crossed_since(
    samples: Sequence[tuple[datetime, float]], limit: Threshold, now: datetime
) -> datetime | None:
    """Since when a limit is crossed without a break, if that is at least ``limit.lasting``; else None."""
    known = [(at, value) for at, value in samples if at <= now and not math.isnan(value)]
    if not known or now - known[-1][0] > _STALE:
        return None
    longest = _GAP * _usual_step(known)
    since: datetime | None = None
    following = known[-1][0]
    for at, value in reversed(known):
        if not limit.crossed(value) or following - at > longest:
            break
        since = following = at
    return since if since is not None and now - since >= limit.lasting else None


def _usual_step(known: Sequence[tuple[datetime, float]]) -> timedelta:
    steps = sorted(other[0] - one[0] for one, other in itertools.pairwise(known))
    return steps[len(steps) // 2] if steps else _STALE


def _tell(one: Series, limit: Threshold, since: datetime, now: datetime, found: Detection) -> None:
    recent = [(at, value) for at, value in one.samples if at <= now and not math.isnan(value)][-_CITED:]
    value = recent[-1][1]
    content: dict[str, JsonValue] = {
        "metric": one.metric,
        "labels": dict(one.labels),
        "value": value,
        "limit": limit.limit,
        "below": limit.below,
        "since": since.isoformat(),
        "samples": [[at.isoformat(), sample] for at, sample in recent],
    }
    if one.said:
        content["message"] = one.said
    evidence = Evidence.of(
        EvidenceKind.metric, source=one.source, subject=one.subject, content=content, at=since, url=one.url
    )
    name, lasted = one_line(one.metric, 60).replace("_", " "), span((now - since).total_seconds())
    side = "below" if limit.below else "above"
    found.add(
        [
            Finding(
                rule="threshold",
                subject=one.subject,
                severity=limit.severity,
                summary=f"{one_line(one.name or one.subject, 80)}: {name} is {_shown(value, limit.unit)},"
                f" {side} {_shown(limit.limit, limit.unit)} for {lasted}"
                f" ({span(limit.lasting.total_seconds())} are needed to say so)",
                evidence=found.cite(evidence),
                fingerprint=content_id(["threshold", one.subject, one.metric, dict(one.labels)]),
                at=since,
                url=one.url,
                next_step=one.url or "",
            )
        ]
    )


def _shown(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.2g} %"
    return f"{value:.3g} {unit}".rstrip()
