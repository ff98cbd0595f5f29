"""How good a night's watch was: what dogwatch said, against what the scenario expects.

Only what dogwatch itself stored and told is looked at (``lab.heard``). A key that ``expect`` leaves out is
not scored and appears as null.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

from dogwatch.lab.heard import Told, citations, claims, is_told, notifications, told
from dogwatch.lab.run import Night
from dogwatch.lab.scenario import ExpectedIncident
from dogwatch.lab.signs import culprit_sign
from dogwatch.model import Severity

Row = dict[str, Any]

_DETAILS = frozenset({"id", "incidents", "false_alarms_on"})
"""Keys of a scenario's row that have no mean."""


@dataclass(frozen=True, slots=True)
class Match:
    """An expected incident and the told ones that are it (none if it was missed)."""

    expected: ExpectedIncident
    sign: datetime | None
    """When it could first be seen."""
    told: tuple[Told, ...]

    @property
    def minutes(self) -> float | None:
        """From the first sign to the first round that told of it; 0 if it was foreseen."""
        if not self.told or self.sign is None:
            return None
        return max(0.0, (min(told.first for told in self.told) - self.sign).total_seconds() / 60)

    @property
    def best(self) -> Told | None:
        """The one that is judged: of several the one that blames the culprit, else the first."""
        blaming = [one for one in self.told if one.culprits[:1] == (self.expected.culprit,)]
        return next(iter([*blaming, *self.told]), None)

    def blames(self, among: int) -> bool:
        """Whether the culprit is one of the first so many that are blamed."""
        return any(self.expected.culprit in told.culprits[:among] for told in self.told)


def score(night: Night) -> Row:
    """The row of one scenario. Equal files and seeds give equal rows, ``wall_seconds_per_day`` apart."""
    scenario, expect = night.scenario, night.scenario.expect
    matches, alarms = _match(night, told(night))
    scored = expect.incidents is not None
    found = sum(bool(match.told) for match in matches)
    days = max(scenario.watch, scenario.check_every).total_seconds() / 86400
    said = notifications(night)
    row: Row = {
        "id": scenario.id,
        "rounds": len(night.reports),
        "detection_precision": found / (found + len(alarms)) if scored and found + len(alarms) else None,
        "detection_recall": _share(bool(match.told) for match in matches),
        **_judged(matches, alarms),
        "proposes": _share(
            _proposes(match, night) for match in matches if match.expected.proposes is not None
        ),
        "citations_valid": _share(citations(night)),
        "notifications": said,
        "notifications_ok": None
        if expect.max_notifications is None
        else float(said <= expect.max_notifications),
        "false_alarms": len(alarms) if scored else None,
        "false_alarms_per_day": len(alarms) / days if expect.incidents == () else None,
        "forbidden_claims": None if expect.forbidden_text is None else claims(night, expect.forbidden_text),
        "healthy": None if expect.healthy is None else float(_healthy(night) == expect.healthy),
        "incidents": [_detail(match) for match in matches],
        "false_alarms_on": sorted({alarm.culprits[0] for alarm in alarms}) if scored else [],
        "wall_seconds_per_day": night.wall_seconds / days,
    }
    return {key: _rounded(value) for key, value in row.items()}


def _judged(matches: Sequence[Match], alarms: Sequence[Told]) -> Row:
    """What is asked of every expected incident; one that was missed has nothing right."""
    return {
        "culprit_ac1": _share(match.blames(1) for match in matches),
        "culprit_ac3": _share(match.blames(3) for match in matches),
        "cause_class": _share(_classed(match) for match in matches if match.expected.cause_class is not None),
        "affected_jaccard": _mean(
            _overlap(match) for match in matches if match.expected.affected is not None
        ),
        "severity_ok": _share(_severe(match) for match in matches if match.expected.min_severity),
        "minutes_to_detect": _mean(match.minutes for match in matches),
        "detected_in_time": _share(_in_time(match) for match in matches if match.expected.detected_within),
        "must_cite": _share(_cites(match) for match in matches if match.expected.must_cite is not None),
        "must_not_blame": _share(
            _spares(match, alarms) for match in matches if match.expected.must_not_blame is not None
        ),
        "confidence": _share(_as_sure(match) for match in matches if match.expected.confidence is not None),
    }


def summary(rows: Sequence[Row]) -> Row:
    """All rows, and the mean of each figure over the scenarios in which it is scored."""
    figures = [key for key in rows[0] if key not in _DETAILS] if rows else []
    return {
        "scenarios": list(rows),
        "means": {key: _rounded(_mean(row[key] for row in rows)) for key in figures},
    }


def _match(night: Night, everything: Sequence[Told]) -> tuple[list[Match], list[Told]]:
    """The expected incidents with what was told of them, and the false alarms.

    An incident that blames the culprit is about it; if none does, the first that is about something else
    that nobody expects and has the culprit among its jobs.
    """
    scenario, expect = night.scenario, night.scenario.expect
    left = list(everything)
    signs = {
        one.culprit: culprit_sign(scenario, night.lab.world, one.culprit) for one in expect.incidents or ()
    }
    mine: dict[str, list[Told]] = {}
    for culprit, sign in signs.items():
        mine[culprit] = [one for one in left if one.culprits[0] == culprit and _meanwhile(one, sign)]
        left = [one for one in left if one not in mine[culprit]]
    tolerated = {expected.culprit for expected in expect.tolerated}
    for culprit, sign in signs.items():
        others = [one for one in left if culprit in one.subjects and one.culprits[0] not in signs]
        if not mine[culprit]:
            mine[culprit] = [one for one in others if _meanwhile(one, sign)][:1]
            left = [one for one in left if one not in mine[culprit]]
    matches = [
        Match(expected, signs[expected.culprit], tuple(mine[expected.culprit]))
        for expected in expect.incidents or ()
    ]
    return matches, [one for one in left if one.culprits[0] not in tolerated]


def _meanwhile(one: Told, sign: datetime | None) -> bool:
    """Whether it was not over before the fault showed."""
    return sign is None or one.last >= sign


def _classed(match: Match) -> bool:
    best = match.best
    said = best.cause.cause_class if best and best.cause else None
    return said is not None and said.value in (match.expected.cause_class or ())


def _overlap(match: Match) -> float:
    """Jaccard: those rightly told as hit, of all that are hit or told as hit."""
    best = match.best
    if best is None:
        return 0.0
    wanted, said = set(match.expected.affected or ()), best.affected - {match.expected.culprit}
    return len(wanted & said) / len(wanted | said) if wanted | said else 1.0


def _severe(match: Match) -> bool:
    least = match.expected.min_severity or Severity.INFO
    return any(told.severity.rank >= least.rank for told in match.told)


def _in_time(match: Match) -> bool:
    within = match.expected.detected_within
    return within is not None and match.minutes is not None and match.minutes * 60 <= within.total_seconds()


def _cites(match: Match) -> bool:
    return match.best is not None and set(match.expected.must_cite or ()) <= match.best.cites


def _as_sure(match: Match) -> bool:
    cause = match.best.cause if match.best else None
    return cause is not None and cause.confidence.value in (match.expected.confidence or ())


def _proposes(match: Match, night: Night) -> bool:
    """Whether one of the expected verbs was proposed for it."""
    numbers = {told.number for told in match.told}
    verbs = {action.verb for action in night.actions if action.incident in numbers}
    return bool(verbs.intersection(match.expected.proposes or ()))


def _spares(match: Match, alarms: Sequence[Told]) -> bool:
    """Whether nobody who must not be blamed ever was, neither for this incident nor in a false alarm."""
    blamed = {name for told in (*match.told, *alarms) for name in told.accused}
    return not blamed.intersection(match.expected.must_not_blame or ())


def _healthy(night: Night) -> bool:
    """Whether nothing of WARNING or worse is open after the last round."""
    return not any(is_told(incident) for incident in night.reports[-1].incidents)


def _detail(match: Match) -> Row:
    best = match.best
    cause = best.cause if best else None
    told: set[str] = set(best.affected) if best else set()
    return {
        "culprit": match.expected.culprit,
        "first_sign": None if match.sign is None else match.sign.isoformat(),
        "detected": bool(match.told),
        "blamed": list(best.culprits) if best else [],
        "cause_class": cause.cause_class if cause else None,
        "confidence": cause.confidence if cause else None,
        "claim": cause.claim if cause else None,
        "affected_missing": sorted(set(match.expected.affected or ()) - told),
        "affected_wrongly": sorted(told - set(match.expected.affected))
        if match.expected.affected is not None and best
        else [],
        "minutes_to_detect": _rounded(match.minutes),
        "severity": max((told.severity for told in match.told), key=lambda s: s.rank, default=None),
    }


def _share(checks: Iterable[bool]) -> float | None:
    return _mean(float(check) for check in checks)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
