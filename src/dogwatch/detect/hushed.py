"""What the user does not want to be woken for: muted jobs, maintenance, holidays."""

from collections.abc import Mapping
from datetime import datetime

from dogwatch.detect.facts import Detection, JobKey
from dogwatch.detect.told import Told
from dogwatch.model import Evidence, EvidenceKind, Finding, Job, Severity, Status

_QUIET_DAYS = frozenset({"fast", "few_rows", "few_bytes", "empty", "late"})
"""What is ordinary on a day on which nobody works; a failure is not."""
_BEGINNINGS = ("scheduled_for", "queued_at", "started_at")
_GOES_ON = frozenset({"blind", "paused", "suspended"})
"""What is judged by the present, whenever it began."""


def hushed(found: Detection, jobs: Mapping[JobKey, Job], told: Told, now: datetime) -> list[Finding]:
    """The same findings; those on which the user wants silence are notes that say why."""
    names = {job.subject: job.name for job in jobs.values()}
    return [_heard(finding, names, found.evidence, told, now) for finding in found.findings]


def _heard(
    finding: Finding, names: Mapping[str, str], evidence: Mapping[str, Evidence], told: Told, now: datetime
) -> Finding:
    if finding.severity is Severity.INFO:
        return finding
    name = names.get(finding.subject, "")
    at = now if finding.rule in _GOES_ON else _newest(finding, evidence, now)
    reason = "muted" if told.is_muted(finding.subject, name) else told.maintained(finding.subject, name, at)
    if not reason and finding.rule in _QUIET_DAYS:
        reason = told.holiday(at)
    if not reason:
        return finding
    said = f"{finding.summary} ({reason})"
    return finding.model_copy(update={"severity": Severity.INFO, "summary": said, "muted": reason})


def _newest(finding: Finding, evidence: Mapping[str, Evidence], now: datetime) -> datetime:
    """When the newest of the runs that a finding cites began, now if it still goes on; when the finding began
    if it cites none."""
    runs = [
        evidence[id_].content
        for id_ in finding.evidence
        if id_ in evidence and "status" in evidence[id_].content and evidence[id_].kind is EvidenceKind.run
    ]
    if any(Status(str(run["status"])).open for run in runs):
        return now
    told = [next((run[key] for key in _BEGINNINGS if key in run), None) for run in runs]
    return max((datetime.fromisoformat(text) for text in told if isinstance(text, str)), default=finding.at)
