"""What a finding says against its subject: facts on the one scale of ``causes.evidence``, and its words.

Three questions about a finding: when did its trouble begin, what do the platform's own words name as the
cause, and could something upstream have brought it about?
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from pydantic import JsonValue

from dogwatch.causes.classify import UNKNOWN, Classification, classify
from dogwatch.causes.evidence import Evidence as Fact
from dogwatch.causes.evidence import Kind
from dogwatch.causes.figures import kind_of, meaning
from dogwatch.model import CauseClass, Evidence, EvidenceKind, Finding, Severity
from dogwatch.model.signal import COMPONENT

_BEGINNINGS = ("started_at", "queued_at", "scheduled_for", "expected")
_OF_RULE: Mapping[str, Kind] = {
    "failed": Kind.failure,
    "cancelled": Kind.failure,
    "unknown_status": Kind.failure,
    "flapping": Kind.failure,
    "retries": Kind.failure,
    "missed": Kind.absence,
    "late": Kind.absence,
    "skipped": Kind.absence,
    "blind": Kind.unseen,
    "paused": Kind.change,
    "suspended": Kind.change,
    "schedule_changed": Kind.change,
    "log_new": Kind.log,
    "log_surge": Kind.log,
    "log_vanished": Kind.log,
}
"""Rules that are not named here speak of a job's course, or of a figure."""
OWN_CHANGE = frozenset(rule for rule, kind in _OF_RULE.items() if kind is Kind.change)
"""Rules that tell of a change itself."""
_STRENGTH: Mapping[Severity, float] = {
    Severity.INFO: 0.4,
    Severity.WARNING: 1.0,
    Severity.ERROR: 1.2,
    Severity.CRITICAL: 1.4,
}
_INHERITED = frozenset({CauseClass.upstream_missing, CauseClass.schema_drift, CauseClass.bad_data})
"""What an input in trouble can do to a job. All other classes are somebody's own."""
_OF_STATE: Mapping[str, CauseClass] = {
    "paused": CauseClass.config_error,
    "suspended": CauseClass.config_error,
    "schedule_changed": CauseClass.config_error,
    "skipped": CauseClass.upstream_missing,
}
"""What a rule says by itself: the platform's record, not its words, names the cause."""
LOOKS_LIKE: Mapping[str, CauseClass] = {
    "empty": CauseClass.upstream_missing,
    "few_rows": CauseClass.upstream_missing,
    "few_bytes": CauseClass.upstream_missing,
}
"""What a rule's trouble looks like as long as nobody says why: a success that moved too little found too
little. It is named as what to look for, never as known."""
_IN_PRACTICE = 3
"""Strength from which on words name a cause rather than hint at one."""
_NAME = "·"
_TEXTS = ("error_message", "answer", "template", "message", "summary", "description", "reason")


@dataclass(frozen=True, slots=True)
class Words:
    """What was said about a cause, and where."""

    said: Classification
    evidence: str
    """Id of the evidence that says it; empty if nothing is said."""


SILENT = Words(UNKNOWN, "")


def onset(finding: Finding, evidence: Mapping[str, Evidence]) -> datetime:
    """When the trouble of a finding began: a run's trouble begins with the run, not with its end."""
    first = evidence.get(finding.evidence[0])
    if first is None or first.kind is not EvidenceKind.run:
        return finding.at
    for key in _BEGINNINGS:
        told = first.content.get(key)
        if isinstance(told, str):
            return min(finding.at, _moment(told, finding.at))
    return finding.at


def _moment(text: str, otherwise: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return moment if moment.tzinfo is not None else otherwise


def words(finding: Finding, evidence: Mapping[str, Evidence]) -> Words:
    """The strongest statement about a cause in the evidence that a finding cites."""
    best = SILENT
    for id_ in finding.evidence:
        proof = evidence.get(id_)
        if proof is not None:
            said = words_of(proof)
            if said.said.strength > best.said.strength:
                best = said
    return best


def words_of(proof: Evidence) -> Words:
    """What one piece of evidence says about a cause; a service's own name says nothing (``pg-proxy``)."""
    best = UNKNOWN
    platform = proof.source.partition(":")[0]
    name = proof.subject.removeprefix(COMPONENT) if proof.subject.startswith(COMPONENT) else ""
    for text in texts(proof):
        said = _classified(text.replace(name, _NAME) if name else text, platform)
        said = _classified(text, platform) if _NAME in said.phrase else said  # quoted as it was said
        if said.strength > best.strength:
            best = said
    return Words(best, proof.id) if best.strength else SILENT


@lru_cache(maxsize=8_192)
def _classified(text: str, platform: str) -> Classification:
    return classify(text, platform)


def texts(proof: Evidence) -> Iterator[str]:
    """What its source says in words about what went wrong."""
    for key in _TEXTS:
        told = proof.content.get(key)
        if isinstance(told, str) and told.strip():
            yield told
    if proof.kind is EvidenceKind.log:
        yield from _strings(proof.content.get("samples"))
    for key in ("annotations", "labels"):
        held = proof.content.get(key)
        if isinstance(held, Mapping) and proof.kind is EvidenceKind.alert:
            yield from (text for text in held.values() if isinstance(text, str))


def _strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, (list, tuple)):
        yield from (item for item in value if isinstance(item, str))


def class_of(finding: Finding, said: Words, evidence: Mapping[str, Evidence]) -> CauseClass | None:
    """The class that a finding names: by words, else by the platform's record, else by what is measured;
    None if by none of them."""
    if said.said.cause_class is not None:
        return said.said.cause_class
    if finding.rule in _OF_STATE:
        return _OF_STATE[finding.rule]
    full = {Kind.resource, Kind.disk} & {
        of_metric(evidence[id_]) for id_ in finding.evidence if id_ in evidence
    }
    return CauseClass.resource_exhaustion if full else None


def stands_alone(finding: Finding, evidence: Mapping[str, Evidence]) -> bool:
    """Whether nothing upstream can have brought it about: it was changed itself, cannot be read, or its own
    error names a cause of its own."""
    if _OF_RULE.get(finding.rule) in {Kind.change, Kind.unseen}:
        return True
    said = words(finding, evidence).said
    return (
        said.cause_class is not None and said.cause_class not in _INHERITED and said.strength >= _IN_PRACTICE
    )


def testify(finding: Finding, evidence: Mapping[str, Evidence]) -> list[Fact]:
    """The facts that a finding holds against its subject."""
    strength = _STRENGTH[finding.severity]
    kind = _kind(finding, evidence)
    facts = [Fact(finding.subject, kind, strength, finding.summary)]
    said = words(finding, evidence).said
    own = said.cause_class is not None and said.cause_class not in _INHERITED
    if own and kind in {Kind.failure, Kind.absence, Kind.course}:
        facts.append(
            Fact(finding.subject, Kind.own_words, strength * said.strength / 4, f"it says “{said.phrase}”")
        )
    return facts


def _kind(finding: Finding, evidence: Mapping[str, Evidence]) -> Kind:
    known = _OF_RULE.get(finding.rule)
    if known is not None:
        return known
    for id_ in finding.evidence:
        proof = evidence.get(id_)
        if proof is not None and proof.kind is EvidenceKind.metric:
            return of_metric(proof) or Kind.course
    return Kind.course


def of_metric(proof: Evidence) -> Kind | None:
    """What a shifted figure means; None for what is no figure, and for those of a run itself, which say how
    it went."""
    name = proof.content.get("metric")
    if not isinstance(name, str) or name in {"duration_seconds", "rows", "bytes"}:
        return None
    value, limit = proof.content.get("value"), proof.content.get("limit", proof.content.get("usual"))
    rose = not (isinstance(value, (int, float)) and isinstance(limit, (int, float)) and value < limit)
    return kind_of(meaning(name), rose=rose)
