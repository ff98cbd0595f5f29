"""What a log says, as findings of a round with evidence: the template, its counts, three lines of it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import JsonValue

from dogwatch.logs.book import Entry
from dogwatch.logs.judge import CRITICAL, ERROR, SEVERITIES, WARNING
from dogwatch.logs.trend import Change
from dogwatch.logs.triage import iso, main_component
from dogwatch.model import Evidence, EvidenceKind, Finding, Severity, content_id, job_subject

_RULES = {"new": "log_new", "surging": "log_surge", "vanished": "log_vanished"}


def findings(changes: Sequence[Change], instance: str, now: datetime) -> tuple[list[Finding], list[Evidence]]:
    """A finding per change worth one: new templates from WARNING on, surges, and vanished ones.

    ``instance`` is the name of the log in the configuration; the subject is the component if there is one.
    """
    found: list[Finding] = []
    evidence: list[Evidence] = []
    for change in changes:
        if change.kind == "new" and change.entry.severity not in (WARNING, ERROR, CRITICAL):
            continue
        proof = _evidence(change, instance, now)
        evidence.append(proof)
        found.append(
            Finding(
                rule=_RULES[change.kind],
                subject=proof.subject,
                severity=_severity(change),
                summary=_summary(change),
                evidence=(proof.id,),
                fingerprint=content_id([_RULES[change.kind], proof.subject, change.entry.template.id]),
                at=proof.at,
                next_step="dogwatch logs triage",
            )
        )
    return found, evidence


def _evidence(change: Change, instance: str, now: datetime) -> Evidence:
    entry = change.entry
    component = main_component(entry)
    samples: list[JsonValue] = [sample.text for sample in entry.samples]
    return Evidence.of(
        EvidenceKind.log,
        source=f"{instance}: log lines",
        subject=job_subject(instance, component) if component else instance,
        content={
            "template": entry.template.text,
            "template_id": entry.template.id,
            "lines": entry.lines,
            "change": change.kind,
            "seen": change.seen,
            "usual": change.usual,
            "severity": entry.severity,
            "first": iso(entry.first),
            "last": iso(entry.last),
            "samples": samples,
        },
        at=_began(change, now),
    )


def _began(change: Change, now: datetime) -> datetime:
    at = change.hour if change.kind == "surging" else change.entry.first
    return now if at is None else datetime.fromtimestamp(at, UTC)


def _severity(change: Change) -> Severity:
    """A surge of harmless lines is worth a warning; a message that is gone too."""
    own = change.entry.severity if change.kind != "vanished" else WARNING
    return Severity(max(own, WARNING, key=SEVERITIES.index) if change.kind != "new" else own)


def _summary(change: Change) -> str:
    entry: Entry = change.entry
    who = main_component(entry) or "The log"
    text = entry.template.text if len(entry.template.text) <= 160 else entry.template.text[:159] + "…"
    if change.kind == "new":
        return f"{who} says something new, {change.seen:,} times: {text}"
    if change.kind == "surging":
        return f"{who} says {change.seen:,} times in an hour (usually {change.usual:,.0f}): {text}"
    return f"{who} no longer says, where at least {change.usual:,.0f} lines were usual: {text}"
