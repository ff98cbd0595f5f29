"""Runs in, findings out. Pure: the same facts at the same time always give the same findings."""

from datetime import datetime

from dogwatch.detect.blind import blind
from dogwatch.detect.facts import Detection, Facts, JobKey
from dogwatch.detect.failed import failed
from dogwatch.detect.stuck import stuck
from dogwatch.model import Finding

__all__ = ["Detection", "Facts", "JobKey", "detect"]

RULES = (failed, stuck, blind)


def detect(facts: Facts, now: datetime) -> Detection:
    """Ask every rule; the worst findings come first, then the oldest."""
    found = Detection()
    for rule in RULES:
        rule(facts, now, found)
    found.findings.sort(key=_order)
    return found


def _order(finding: Finding) -> tuple[int, datetime, str]:
    return (-finding.severity.rank, finding.at, finding.fingerprint)
