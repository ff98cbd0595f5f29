"""Metrics that left their own usual level, although no limit may be set for them.

The level of each hour (its median) of the last weeks is known. The usual at a moment is the median of the
levels at about the same hour of the earlier days, weekends compared with weekends once there are two; how
far the levels usually lie from it (their median absolute deviation) says how far is too far. Everything is
compared as a logarithm, as metrics vary by factors; a share that should be near one (accuracy) is compared by
what is missing to one, so that a fall from 96 to 80 % is a rise of the errors to five times as many. Median
and MAD: Hampel et al., Robust Statistics, 1986; the factor 1.4826 makes the MAD a standard deviation.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from statistics import median

from pydantic import JsonValue

from dogwatch.detect.alerting import called
from dogwatch.detect.facts import Detection
from dogwatch.model import Evidence, EvidenceKind, Finding, MetricSeries, Severity, content_id
from dogwatch.model.text import one_line, span

Level = tuple[datetime, float]

LASTING = timedelta(minutes=10)
"""A metric has to be off for so long without a break."""
_LEAST_LEVELS = 48
"""Hours that have to be known: two days."""
_NEAR_HOURS = 1
_SIGMAS = 6.0
"""Spreads from the usual. Minutes scatter more than the hourly levels that the spread is made of."""
_LEAST_SPREAD = 0.05
_SELDOM = 0.97
"""The worst hours of a fortnight, up to ten of them, are episodes that teach nothing."""
_WORSE = 1.5
"""So many times as far out as the worst usual hours, as a logarithm."""
_GRAVE = 4.0
"""From this factor on it is an ERROR."""
_CITED = 30
_STALE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Character:
    """What sort of number a metric is."""

    factor: float = 1.6
    """It has to differ from the usual by at least this factor."""
    floor: float = 0.0
    """Added before logarithms are taken, so that almost nothing and nothing are alike."""
    missing: bool = False
    """Judge by what is missing to 1; a fall is the trouble."""
    share: bool = False
    of_events: bool = False
    """A share of events, which are few where there is little traffic."""


CHARACTERS: Mapping[str, Character] = {
    "error_rate": Character(factor=3.0, floor=0.002, share=True, of_events=True),
    "response_time": Character(factor=1.6, floor=0.01),
    "cpu": Character(factor=1.5, floor=0.02, share=True),
    "memory": Character(factor=1.3, floor=0.02, share=True),
    "disk": Character(factor=1.25, floor=0.02, share=True),
    "queue_lag": Character(factor=2.5, floor=10.0),
    "cost": Character(factor=1.6, floor=0.01),
    "accuracy": Character(factor=1.8, floor=0.01, missing=True, share=True),
}
"""By metric; others are judged like ``Character()``. The trouble is a rise, or a fall of accuracy."""


def scaled(value: float, character: Character) -> float:
    """A value as it is compared with others; a rise is the trouble."""
    amount = 1 - value if character.missing else value
    return math.log(max(0.0, amount) + character.floor + 1e-12)


class Usual:
    """What is usual for one series, by the levels of earlier hours."""

    def __init__(self, levels: Sequence[Level], metric: str, before: datetime, zone: tzinfo) -> None:
        """``before`` keeps what is judged now out of its own usual; ``zone`` is the one that days follow."""
        self.character = CHARACTERS.get(metric, Character())
        self._zone = zone
        self._at: dict[tuple[bool, int], float] = {}
        self._groups: dict[tuple[bool, int], list[float]] = {}
        points: list[tuple[tuple[bool, int], float]] = []
        for when, value in levels:
            if when < before:
                points.append((self._place(when), self.scaled(value)))
        for place, value in points:
            self._groups.setdefault(place, []).append(value)
        self.known = len(points)
        residuals = sorted(value - self._reference(place) for place, value in points)
        spread = median(abs(residual) for residual in residuals) if residuals else 0.0
        self.spread = max(_LEAST_SPREAD, 1.4826 * spread)
        self._worst = residuals[int(_SELDOM * len(residuals))] if residuals else 0.0

    def at(self, moment: datetime) -> float:
        """What is usual at a moment, scaled."""
        return self._reference(self._place(moment))

    @property
    def beyond(self) -> float:
        """How far above the usual, scaled, is too far. A share of few events is nothing in most hours and
        much in some: its spread is none, so the worst hours that came again and again count too."""
        worst = _WORSE * self._worst if self.character.of_events else 0.0
        return max(math.log(self.character.factor), _SIGMAS * self.spread, worst)

    def scaled(self, value: float) -> float:
        """A value as it is compared."""
        return scaled(value, self.character)

    def plain(self, scaled: float) -> float:
        """The value in its own unit."""
        amount = max(0.0, math.exp(scaled) - self.character.floor)
        return 1 - amount if self.character.missing else amount

    def _place(self, moment: datetime) -> tuple[bool, int]:
        local = moment.astimezone(self._zone)
        return local.weekday() >= 5, local.hour

    def _reference(self, place: tuple[bool, int]) -> float:
        """The median of the levels at about this hour, of like days if two are known, else of all days."""
        if place not in self._at:
            weekend, hour = place
            hours = [(hour + off) % 24 for off in range(-_NEAR_HOURS, _NEAR_HOURS + 1)]
            like = [value for near in hours for value in self._groups.get((weekend, near), ())]
            if len(like) < 2 * len(hours):
                like += [value for near in hours for value in self._groups.get((not weekend, near), ())]
            everything = like or [value for group in self._groups.values() for value in group]
            self._at[place] = median(everything)
        return self._at[place]


def shifts(
    series: Iterable[MetricSeries],
    levels: Mapping[str, Sequence[Level]],
    now: datetime,
    found: Detection,
    zone: tzinfo,
    names: Mapping[str, str] | None = None,
) -> None:
    """One finding for each series that has been off its own level for ``LASTING``, unless a limit has said
    so already."""
    limited = {
        (item.subject, item.content.get("metric"))
        for finding in found.findings
        if finding.rule == "threshold"
        for id_ in finding.evidence
        if (item := found.evidence.get(id_)) is not None
    }
    for one in series:
        known = levels.get(one.key, ())
        if (one.subject, one.metric) in limited or len(known) < _LEAST_LEVELS or _surely_usual(one, known):
            continue
        first = one.samples[0][0] if one.samples else now
        usual = Usual(known, one.metric, first, zone)
        since = off_since(one, usual, now) if usual.known >= _LEAST_LEVELS else None
        if since is not None:
            _tell(one, called(one.subject, names or {}), usual, since, now, found)


def _surely_usual(one: MetricSeries, levels: Sequence[Level]) -> bool:
    """Whether the newest sample is not even beyond the best hour by the least factor: most series are not,
    and need no further look."""
    if not one.samples:
        return True
    character = CHARACTERS.get(one.metric, Character())
    values = [value for _, value in levels]
    best = scaled(max(values) if character.missing else min(values), character)
    return scaled(one.samples[-1][1], character) <= best + math.log(character.factor)


def off_since(series: MetricSeries, usual: Usual, now: datetime) -> datetime | None:
    """Since when the series is off without a break, if that is at least ``LASTING``; else None."""
    known = [(at, value) for at, value in series.samples if at <= now]
    if not known or now - known[-1][0] > _STALE:
        return None
    since: datetime | None = None
    for at, value in reversed(known):
        if usual.scaled(value) <= usual.at(at) + usual.beyond:
            break
        since = at
    return since if since is not None and now - since >= LASTING else None


def _tell(
    one: MetricSeries, subject: str, usual: Usual, since: datetime, now: datetime, found: Detection
) -> None:
    recent = [(at, value) for at, value in one.samples if since <= at <= now]
    value = median(sample for _, sample in recent[-10:])
    there = usual.at(now)
    factor = math.exp(usual.scaled(value) - there)
    content: dict[str, JsonValue] = {
        "metric": one.metric,
        "query": one.query,
        "labels": dict(one.labels),
        "since": since.isoformat(),
        "usual": round(usual.plain(there), 6),
        "limit": round(usual.plain(there + usual.beyond), 6),
        "hours_known": usual.known,
        "samples": [[at.isoformat(), sample] for at, sample in recent[:_CITED]],
    }
    if one.said:
        content["message"] = one.said
    evidence = Evidence.of(
        EvidenceKind.metric, source=one.instance, subject=one.subject, content=content, at=since, url=one.url
    )
    name = one_line(one.metric, 60).replace("_", " ")
    found.add(
        [
            Finding(
                rule="shift",
                subject=one.subject,
                severity=Severity.ERROR if factor >= _GRAVE else Severity.WARNING,
                summary=f"{one_line(subject, 80)}: {name} has been {_shown(value, one.metric)} "
                f"for {span((now - since).total_seconds())}; "
                f"usual at this hour is {_shown(usual.plain(there), one.metric)}",
                evidence=found.cite(evidence),
                fingerprint=content_id(["shift", one.subject, one.metric, dict(one.labels)]),
                at=since,
                url=one.url,
                next_step=one.url or "",
            )
        ]
    )


def _shown(value: float, metric: str) -> str:
    if CHARACTERS.get(metric, Character()).share:
        return f"{100 * value:.2g} %" if value < 0.1 else f"{100 * value:.0f} %"
    return f"{value:.3g}" + {"response_time": " s", "cost": " USD/h"}.get(metric, "")
