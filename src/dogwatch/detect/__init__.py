"""Runs in, findings out. Pure: the same facts at the same time always give the same findings."""

from collections.abc import Iterable
from datetime import datetime

from dogwatch.detect.asleep import asleep, edited
from dogwatch.detect.blind import blind
from dogwatch.detect.facts import Detection, Facts, JobKey
from dogwatch.detect.failed import failed
from dogwatch.detect.hushed import hushed
from dogwatch.detect.ledger import Duty, judge
from dogwatch.detect.missed import late, missed, unreadable
from dogwatch.detect.pattern import patterns
from dogwatch.detect.policy import Policy
from dogwatch.detect.skipped import skipped
from dogwatch.detect.slow import slow
from dogwatch.detect.volume import volume
from dogwatch.model import Basis, Finding

__all__ = [
    "Detection",
    "Duty",
    "Facts",
    "JobKey",
    "Policy",
    "by_cadence",
    "by_habit",
    "detect",
    "in_order",
]

_BY_HABIT = frozenset({"slow", "fast", "few_rows", "many_rows", "few_bytes", "many_bytes", "empty"})


def detect(facts: Facts, now: datetime, duty: Duty | None = None, policy: Policy | None = None) -> Detection:
    """Ask every rule; what the user wants to be quiet about is lowered to a note.

    The worst findings come first, then the oldest. ``Detection.ledger`` is what has to be written down of the
    runs that should exist.
    """
    duty, policy = duty or Duty(), policy or Policy()
    found = Detection()
    failed(facts, now, found)
    blind(facts, now, found)
    slow(facts, now, found, policy.rulebook, policy.zone)
    volume(facts, now, found, policy.rulebook, policy.zone)
    patterns(facts, now, found, policy.rulebook)
    skipped(facts, duty.pasts, found)
    asleep(duty.pasts, now, found, policy.zone, policy.timezone)
    edited(duty.pasts, now, found, policy.zone, policy.timezone)
    judged = judge(duty, facts.read_until, facts.skews, policy, now)
    missed(judged.slots, duty.pasts, judged.told, found, policy.zone)
    late(judged.slots, duty.pasts, judged.told, found, policy.zone)
    unreadable(judged.expected, facts.jobs, found)
    found.ledger = judged.ledger
    found.findings = in_order(hushed(found, facts.jobs, policy.told, now))
    return found


def by_habit(found: Detection) -> set[str]:
    """The subjects of findings that more of the past might explain."""
    return {finding.subject for finding in found.findings if finding.rule in _BY_HABIT}


def by_cadence(found: Detection) -> set[str]:
    """The subjects of which runs are missing or late by a learned habit alone."""
    habitual = {
        id_ for id_, item in found.evidence.items() if item.content.get("basis") == Basis.learned.value
    }
    return {finding.subject for finding in found.findings if habitual.intersection(finding.evidence)}


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first, then the oldest."""
    return sorted(findings, key=_order)


def _order(finding: Finding) -> tuple[int, datetime, str]:
    return (-finding.severity.rank, finding.at, finding.fingerprint)
