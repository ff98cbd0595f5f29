"""Platforms that could not be read: not healthy, not broken, but unseen."""

from datetime import datetime

from dogwatch.detect.facts import Detection, Facts, blind_evidence
from dogwatch.model import Finding, Severity, Source, content_id
from dogwatch.model.text import one_line

_WAIT = "nothing to do"
"""How the hint begins where nobody has to do anything (``wire.http``: an allowance that renews itself)."""


def blind(facts: Facts, now: datetime, found: Detection) -> None:
    """One finding for each platform whose last reading did not come to its end.

    One that merely asks to wait is a note the first time; if the next round is sent away too, an error.
    """
    for source in facts.sources:
        if source.blind_since is None:
            continue
        found.add(
            [
                Finding(
                    rule="blind",
                    subject=source.instance,
                    severity=Severity.INFO if _asks_to_wait(source, now) else Severity.ERROR,
                    summary=f"{source.instance} cannot be read: {one_line(source.blind_reason)}",
                    evidence=found.cite(blind_evidence(source, now)),
                    fingerprint=content_id(["blind", source.instance]),
                    at=source.blind_since,
                    next_step=f"{source.blind_hint}; then: dogwatch doctor {source.instance}".lstrip("; "),
                )
            ]
        )


def _asks_to_wait(source: Source, now: datetime) -> bool:
    """Whether it answered for the first time that it had been asked too often."""
    return source.blind_since == now and source.blind_hint.startswith(_WAIT)
