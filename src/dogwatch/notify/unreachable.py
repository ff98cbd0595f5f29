"""A channel that cannot be reached is itself something that is wrong: a finding like any other."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from dogwatch.model import Evidence, EvidenceKind, Finding, Reach, Severity, content_id
from dogwatch.model.text import one_line
from dogwatch.notify.routing import Plan

RULE = "unreachable"


def subject_of(channel: str) -> str:
    """How findings name a channel."""
    return f"channel/{channel}"


def unreachable(
    reaches: Mapping[str, Reach], plan: Plan, now: datetime
) -> tuple[list[Finding], list[Evidence]]:
    """A finding for each configured channel to which nothing can be delivered, and what it rests on.

    Worse if there is no other channel that gets its messages.
    """
    findings: list[Finding] = []
    evidence: list[Evidence] = []
    struggling = {name for name, reach in reaches.items() if reach.dead_since or reach.failing_since}
    others = plan.without(struggling)
    for name in _known(plan, reaches):
        reach = reaches[name]
        since = reach.dead_since or reach.failing_since
        if since is None:
            continue
        item = Evidence.of(
            EvidenceKind.alert,
            source="outbox",
            subject=subject_of(name),
            content={"message": reach.reason, "off": reach.dead_since is not None},
            at=since,
        )
        instead = others.instead_of(name)
        goes = f"{instead} gets its messages" if instead else "nobody gets its messages"
        state = "is switched off" if reach.dead_since else "does not answer"
        hint = one_line(reach.hint, 200)
        findings.append(
            Finding(
                rule=RULE,
                subject=subject_of(name),
                severity=Severity.WARNING if instead else Severity.ERROR,
                summary=f"Channel {name} {state}: {one_line(reach.reason, 200)}; {goes}",
                evidence=(item.id,),
                fingerprint=content_id([RULE, name, since.isoformat()]),
                at=since,
                next_step=f"{hint}; then: dogwatch notify test {name}".removeprefix("; then: "),
            )
        )
        evidence.append(item)
    return findings, evidence


def _known(plan: Plan, reaches: Mapping[str, Reach]) -> Iterable[str]:
    return (name for name in plan.channels if name in reaches)
