"""How good a night's watch was: what dogwatch said, against what the scenario expects.

Only what dogwatch itself reported is looked at. Until incidents exist, each job or platform with findings
of WARNING or worse counts as one incident for as long as they last, with that subject as culprit. A key
that ``expect`` leaves out is not scored and appears as null.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import Any

from dogwatch.lab.run import Night
from dogwatch.lab.scenario import ExpectedIncident
from dogwatch.lab.signs import culprit_sign
from dogwatch.model import EvidenceKind, Finding, Severity
from dogwatch.model.report import CheckReport
from dogwatch.model.text import one_line

Row = dict[str, Any]

_DETAILS = frozenset({"id", "incidents", "false_alarms_on"})
"""Keys of a scenario's row that have no mean."""


@dataclass(slots=True)
class Told:
    """One incident as dogwatch told it, in the estate's own names."""

    culprits: tuple[str, ...]
    """Whom it blames, the most likely first."""
    subjects: frozenset[str]
    """Everything that it is about."""
    first: datetime
    """The round that told it first."""
    last: datetime
    severity: Severity = Severity.INFO
    """The worst it came to."""
    cites: set[EvidenceKind] = field(default_factory=set[EvidenceKind])


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

    def blames(self, among: int) -> bool:
        """Whether the culprit is one of the first so many that are blamed."""
        return any(self.expected.culprit in told.culprits[:among] for told in self.told)


def score(night: Night) -> Row:
    """The row of one scenario. Equal files and seeds give equal rows, ``wall_seconds_per_day`` apart."""
    scenario, expect = night.scenario, night.scenario.expect
    told = incidents(night)
    matches, alarms = _match(night, told)
    scored = expect.incidents is not None
    found = sum(bool(match.told) for match in matches)
    days = max(scenario.watch, scenario.check_every).total_seconds() / 86400
    row: Row = {
        "id": scenario.id,
        "rounds": len(night.reports),
        "detection_precision": found / (found + len(alarms)) if scored and found + len(alarms) else None,
        "detection_recall": _share(bool(match.told) for match in matches),
        "culprit_ac1": _share(match.blames(1) for match in matches),
        "culprit_ac3": _share(match.blames(3) for match in matches),
        "severity_ok": _share(_severe(match) for match in matches if match.expected.min_severity),
        "minutes_to_detect": _mean(match.minutes for match in matches),
        "detected_in_time": _share(_in_time(match) for match in matches if match.expected.detected_within),
        "must_cite": _share(_cites(match) for match in matches if match.expected.must_cite is not None),
        "must_not_blame": _share(
            _spares(match, alarms) for match in matches if match.expected.must_not_blame is not None
        ),
        "citations_valid": _share(_citations(night.reports)),
        "false_alarms": len(alarms) if scored else None,
        "false_alarms_per_day": len(alarms) / days if expect.incidents == () else None,
        "forbidden_claims": None if expect.forbidden_text is None else _claims(night, expect.forbidden_text),
        "healthy": None if expect.healthy is None else float(_healthy(night) == expect.healthy),
        "incidents": [_detail(match) for match in matches],
        "false_alarms_on": sorted({alarm.culprits[0] for alarm in alarms}) if scored else [],
        "wall_seconds_per_day": night.wall_seconds / days,
    }
    return {key: _rounded(value) for key, value in row.items()}


def summary(rows: Sequence[Row]) -> Row:
    """All rows, and the mean of each figure over the scenarios in which it is scored."""
    figures = [key for key in rows[0] if key not in _DETAILS] if rows else []
    return {
        "scenarios": list(rows),
        "means": {key: _rounded(_mean(row[key] for row in rows)) for key in figures},
    }


def incidents(night: Night) -> list[Told]:
    """What dogwatch told of, in order of telling: a subject's findings, as long as they last unbroken."""
    names = night.names
    open_now: dict[str, Told] = {}
    everything: list[Told] = []
    for report in night.reports:
        kinds = {evidence.id: evidence.kind for evidence in report.evidence}
        still: dict[str, Told] = {}
        for finding in report.findings:
            if finding.severity.rank < Severity.WARNING.rank:
                continue
            name = names.get(finding.subject, finding.subject)
            told = still.get(name) or open_now.get(name)
            if told is None:
                told = Told((name,), frozenset({name}), report.at, report.at)
                everything.append(told)
            still[name] = told
            told.last = report.at
            told.severity = max(told.severity, finding.severity, key=lambda severity: severity.rank)
            told.cites |= {kinds[id_] for id_ in finding.evidence if id_ in kinds}
        open_now = still
    return everything


def _match(night: Night, told: Sequence[Told]) -> tuple[list[Match], list[Told]]:
    """The expected incidents with what was told of them, and the false alarms."""
    scenario, expect = night.scenario, night.scenario.expect
    left = list(told)
    matches: list[Match] = []
    for expected in expect.incidents or ():
        sign = culprit_sign(scenario, night.lab.world, expected.culprit)
        own = [one for one in left if _is_it(one, expected, sign)]
        matches.append(Match(expected, sign, tuple(own)))
        left = [one for one in left if one not in own]
    tolerated = {expected.culprit for expected in expect.tolerated}
    return matches, [one for one in left if not tolerated.intersection(one.culprits[:1])]


def _is_it(told: Told, expected: ExpectedIncident, sign: datetime | None) -> bool:
    """Whether what was told is about the expected culprit, and was not over before the fault showed."""
    return expected.culprit in told.subjects.union(told.culprits) and (sign is None or told.last >= sign)


def _severe(match: Match) -> bool:
    least = match.expected.min_severity or Severity.INFO
    return any(told.severity.rank >= least.rank for told in match.told)


def _in_time(match: Match) -> bool:
    within = match.expected.detected_within
    return within is not None and match.minutes is not None and match.minutes * 60 <= within.total_seconds()


def _cites(match: Match) -> bool:
    wanted = set(match.expected.must_cite or ())
    return bool(match.told) and wanted <= set[EvidenceKind]().union(*(told.cites for told in match.told))


def _spares(match: Match, alarms: Sequence[Told]) -> bool:
    """Whether nobody who must not be blamed is, neither for this incident nor in a false alarm."""
    blamed = {name for told in (*match.told, *alarms) for name in told.culprits[:1]}
    return not blamed.intersection(match.expected.must_not_blame or ())


def _citations(reports: Iterable[CheckReport]) -> Iterable[bool]:
    """For every citation whether it leads to evidence that was given."""
    for report in reports:
        given = {evidence.id for evidence in report.evidence}
        for finding in report.findings:
            yield from (id_ in given for id_ in finding.evidence)


def _healthy(night: Night) -> bool:
    """Whether nothing of WARNING or worse is open in the last round."""
    return all(finding.severity.rank < Severity.WARNING.rank for finding in night.reports[-1].findings)


def _claims(night: Night, forbidden: Sequence[str]) -> int:
    """How many forbidden claims dogwatch made in its own words, in whatever number of rounds."""
    said: set[str] = set()
    for report in night.reports:
        content = {evidence.id: evidence.content for evidence in report.evidence}
        for finding in report.findings:
            quoted = [text for id_ in finding.evidence for text in _texts(content.get(id_, {}))]
            said |= {_own_words(text, quoted) for text in _sentences(finding)}
    return sum(any(claim.casefold() in text.casefold() for text in said) for claim in forbidden)


def _sentences(finding: Finding) -> tuple[str, ...]:
    return finding.summary, finding.next_step


def _own_words(text: str, quoted: Iterable[str]) -> str:
    """The sentence without what it quotes from its evidence, whole or shortened."""
    for quote in sorted(quoted, key=len, reverse=True):
        for form in (quote, one_line(quote), one_line(quote).rstrip("…")):
            if len(form) > 3:
                text = text.replace(form, "…")
    return text


def _texts(value: Any) -> Iterable[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():  # pyright: ignore[reportUnknownVariableType]  # any JSON object
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:  # pyright: ignore[reportUnknownVariableType]  # any JSON array
            yield from _texts(item)


def _detail(match: Match) -> Row:
    return {
        "culprit": match.expected.culprit,
        "first_sign": None if match.sign is None else match.sign.isoformat(),
        "detected": bool(match.told),
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
