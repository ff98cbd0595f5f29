"""What a log says, as findings of a round with evidence: the template, its counts, three lines of it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import JsonValue

from dogwatch.logs.trend import Change
from dogwatch.logs.triage import iso, many
from dogwatch.logs.verdict import Verdict
from dogwatch.model import Evidence, EvidenceKind, Finding, Severity, content_id
from dogwatch.model.signal import COMPONENT
from dogwatch.model.text import bounded, one_line

_RULES = {"new": "log_new", "surging": "log_surge", "vanished": "log_vanished"}
RULES = frozenset(_RULES.values())
"""The rules that judge logs."""


def findings(
    verdicts: Sequence[Verdict], instance: str, component: str, now: datetime
) -> tuple[list[Finding], list[Evidence]]:
    """A finding per verdict.

    ``instance`` is the connector's name, ``component`` may be empty: then the subject is the log as a whole.
    """
    subject = f"{COMPONENT}{component}" if component else instance
    found: list[Finding] = []
    evidence: list[Evidence] = []
    for verdict in verdicts:
        rule = _RULES[verdict.change.kind]
        proof = _evidence(verdict.change, instance, subject, min(now, _moment(verdict.began)))
        occurrence: list[JsonValue] = [rule, subject, verdict.anchor]
        if rule != "log_new":  # what is new is so once; the same message may surge again
            occurrence.append(int(verdict.began))
        evidence.append(proof)
        found.append(
            Finding(
                rule=rule,
                subject=subject,
                severity=Severity(verdict.severity),
                summary=_summary(verdict.change, component or instance),
                evidence=(proof.id,),
                fingerprint=content_id(occurrence),
                at=proof.at,
            )
        )
    return found, evidence


def _evidence(change: Change, instance: str, subject: str, at: datetime) -> Evidence:
    entry = change.entry
    samples: list[JsonValue] = [bounded(sample.text, 500) for sample in entry.samples]
    return Evidence.of(
        EvidenceKind.log,
        source=f"{instance}: log lines",
        subject=subject,
        content={
            "template": bounded(entry.template.text, 1000),
            "template_id": entry.template.id,
            "lines": entry.lines,
            "change": change.kind,
            "seen": change.seen,
            "usual": round(change.usual, 1),
            "severity": entry.severity,
            "first": iso(entry.first),
            "last": iso(entry.last),
            "samples": samples,
        },
        at=at,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _summary(change: Change, who: str) -> str:
    said = one_line(
        change.entry.samples[-1].text if change.entry.samples else change.entry.template.text, 160
    )
    if change.kind == "new":
        return f"{who} says something new, {many(change.seen, 'time')}: {said}"
    if change.kind == "surging":
        return f"{who} says {change.seen:,} times in an hour (usually {change.usual:,.0f}): {said}"
    return f"{who} no longer says, where at least {change.usual:,.0f} lines were usual: {said}"
