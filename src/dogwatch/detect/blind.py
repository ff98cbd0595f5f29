"""Platforms that could not be read: not healthy, not broken, but unseen."""

from datetime import datetime

from dogwatch.detect.facts import Detection, Facts, blind_evidence
from dogwatch.model import Finding, Severity, content_id
from dogwatch.model.text import one_line


def blind(facts: Facts, now: datetime, found: Detection) -> None:
    """One finding for each platform whose last reading did not come to its end."""
    for source in facts.sources:
        if source.blind_since is None:
            continue
        found.add(
            [
                Finding(
                    rule="blind",
                    subject=source.instance,
                    severity=Severity.ERROR,
                    summary=f"{source.instance} cannot be read: {one_line(source.blind_reason)}",
                    evidence=found.cite(blind_evidence(source, now)),
                    fingerprint=content_id(["blind", source.instance]),
                    at=source.blind_since,
                    next_step=f"{source.blind_hint}; then: dogwatch doctor {source.instance}".lstrip("; "),
                )
            ]
        )
