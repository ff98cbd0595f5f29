"""Alerts of other monitoring systems, and rules of theirs, as findings of ours."""

from collections.abc import Iterable
from datetime import datetime

from dogwatch.detect.facts import Detection
from dogwatch.model import Alert, Evidence, EvidenceKind, Finding, content_id
from dogwatch.model.text import one_line, span


def alerting(alerts: Iterable[Alert], now: datetime, found: Detection) -> None:
    """One finding for each alert that fires, as grave as whoever set the rule says."""
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
        name = one_line(alert.name, 80)
        lasted = span((now - alert.active_since).total_seconds())
        found.add(
            [
                Finding(
                    rule="alert",
                    subject=alert.subject,
                    severity=alert.severity,
                    summary=f"{one_line(alert.subject, 80)}: {name} fires for {lasted}{said}",
                    evidence=found.cite(evidence),
                    fingerprint=content_id(["alert", alert.instance, alert.name, dict(alert.labels)]),
                    at=alert.active_since,
                    url=alert.url,
                    next_step=alert.url or "",
                )
            ]
        )
