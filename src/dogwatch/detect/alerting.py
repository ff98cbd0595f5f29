"""Alerts of other monitoring systems, and rules of theirs, as findings of ours."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from dogwatch.detect.facts import Detection
from dogwatch.model import Alert, Evidence, EvidenceKind, Finding, content_id
from dogwatch.model.signal import COMPONENT
from dogwatch.model.text import one_line, span


def called(subject: str, names: Mapping[str, str]) -> str:
    """What people call a subject: its name if one is known, a component without the word for it."""
    return names.get(subject) or subject.removeprefix(COMPONENT)


def alerting(
    alerts: Iterable[Alert], now: datetime, found: Detection, names: Mapping[str, str] | None = None
) -> None:
    """One finding for each alert that fires, as grave as whoever set the rule says.

    ``names`` are those of subjects, where people call them otherwise."""
    for alert in alerts:
        evidence = Evidence.of(
            EvidenceKind.alert,
            source=alert.instance,
            subject=alert.subject,
            content={
                "alert": alert.name,
                "summary": alert.summary,
                "labels": dict(alert.labels),
                "active_since": alert.active_since.isoformat(),
            },
            at=alert.active_since,
            url=alert.url,
        )
        said = f": {one_line(alert.summary, 200)}" if alert.summary else ""
        name, subject = one_line(alert.name, 80), one_line(called(alert.subject, names or {}), 80)
        lasted = span((now - alert.active_since).total_seconds())
        found.add(
            [
                Finding(
                    rule="alert",
                    subject=alert.subject,
                    severity=alert.severity,
                    summary=f"{subject}: {name} fires for {lasted}{said}",
                    evidence=found.cite(evidence),
                    fingerprint=content_id(["alert", alert.instance, alert.name, dict(alert.labels)]),
                    at=alert.active_since,
                    url=alert.url,
                    next_step=alert.url or "",
                )
            ]
        )
