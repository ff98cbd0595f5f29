"""A trouble: all that is found of one job or platform, as one thing that began at one time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dogwatch.causes.evidence import Kind
from dogwatch.causes.figures import kind_of, meaning
from dogwatch.incidents.reason import SILENT, Reason, reason_of
from dogwatch.model import Evidence, EvidenceKind, Finding, Severity
from dogwatch.model.signal import COMPONENT

OWN = frozenset({"paused", "suspended", "schedule_changed", "duplicated", "cancelled", "unknown_status"})
"""What somebody or the platform did to the job itself: nothing upstream explains it."""
FOLLOWS = frozenset({"skipped", "missed", "late"})
"""What happens to a job because another one is not done."""
SHORT = frozenset({"empty", "few_rows", "few_bytes", "fast"})
"""Less was moved than usual."""
FAILS = frozenset({"failed", "flapping", "retries"})
SIGNALS = frozenset({"threshold", "shift", "alert", "log_new", "log_surge"})
"""What shows that a component is not well."""
HARMFUL = frozenset(
    {
        *FOLLOWS,
        *SHORT,
        *SIGNALS,
        "failed",
        "flapping",
        "cancelled",
        "slow",
        "paused",
        "suspended",
        "unknown_status",
    }
)
"""What keeps a job from delivering what others wait for."""
_LOGGED = frozenset({"log_new", "log_surge"})
_COMPANIONS = ("retries", "flapping", "fast")
"""Findings that tell of a trouble less well than others do."""


@dataclass(frozen=True, slots=True)
class Past:
    """A finding that an incident remembers although it is no longer found."""

    finding: Finding
    cleared_at: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one subject."""

    subject: str
    findings: tuple[Finding, ...]
    """The one that tells it best first."""
    active: frozenset[str]
    """Fingerprints of those that are still found."""
    since: datetime
    """When the run began that did badly; at the latest the moment of the first finding."""
    at: datetime
    """When the first finding began."""
    latest: datetime
    """The newest fact that shows it."""
    until: datetime | None
    """The round that no longer found it; None while it is found."""
    reason: Reason
    works: bool = False
    """Of a service: whether it is only slow or strained, as far as is known, and fails nobody."""

    @property
    def lead(self) -> Finding:
        """The finding that tells it best."""
        return self.findings[0]

    @property
    def instance(self) -> str:
        """The platform's name."""
        return self.subject.partition("/")[0]

    @property
    def blind(self) -> bool:
        """Whether it is that a platform cannot be read."""
        return self.lead.rule == "blind"

    @property
    def grave(self) -> bool:
        """Whether it may be an incident by itself; else it is a note that only adds to one."""
        return is_grave(self.findings[0])  # notes stand last, or alone


def counts(finding: Finding) -> bool:
    """Whether a finding can belong to an incident at all."""
    return is_grave(finding) or finding.rule in FOLLOWS


def is_grave(finding: Finding) -> bool:
    """Whether somebody should hear of a finding, or would if the user did not want silence."""
    return finding.severity is not Severity.INFO or finding.muted != ""


def troubles(
    findings: Iterable[Finding],
    past: Iterable[Past],
    evidence: Mapping[str, Evidence],
    kinds: Mapping[str, str],
) -> dict[str, Trouble]:
    """What is wrong, by subject: what is found now, and what live incidents remember.

    ``kinds`` are the platforms' kinds by instance.
    """
    grouped: dict[str, dict[str, tuple[Finding, datetime | None]]] = {}
    for old in past:
        grouped.setdefault(old.finding.subject, {})[old.finding.fingerprint] = (old.finding, old.cleared_at)
    for finding in findings:
        if counts(finding):
            grouped.setdefault(finding.subject, {})[finding.fingerprint] = (finding, None)
    return {subject: _trouble(subject, known, evidence, kinds) for subject, known in sorted(grouped.items())}


def _trouble(
    subject: str,
    known: Mapping[str, tuple[Finding, datetime | None]],
    evidence: Mapping[str, Evidence],
    kinds: Mapping[str, str],
) -> Trouble:
    ordered = list(known.values())
    if len(ordered) > 1:
        ordered.sort(key=lambda item: (item[1] is not None, *_rank(item[0])))
        grave = [item for item in ordered if is_grave(item[0])]
        ordered = grave or ordered  # notes on a job that is in trouble itself add nothing
    found = tuple(finding for finding, _ in ordered)
    cleared = [ended for _, ended in ordered]
    ended = [moment for moment in cleared if moment is not None]
    runs = _own_runs(found, subject, evidence)
    first = min(finding.at for finding in found)
    text = _said(found[0], evidence)
    instance = subject.partition("/")[0]
    return Trouble(
        subject=subject,
        findings=found,
        active=frozenset(finding.fingerprint for finding, over in ordered if over is None),
        since=min([first, *(begun for begun, end in runs if end is None or end >= first)]),
        at=first,
        latest=max([finding.at for finding in found] + [end or begun for begun, end in runs]),
        until=max(ended) if len(ended) == len(cleared) else None,
        reason=reason_of(text, kinds.get(instance, instance)) if text else SILENT,
        works=subject.startswith(COMPONENT) and not any(_fails(one, evidence) for one in found),
    )


def _fails(finding: Finding, evidence: Mapping[str, Evidence]) -> bool:
    """Whether a service logs errors or answers with them."""
    if finding.rule in _LOGGED and finding.severity.rank >= Severity.ERROR.rank:
        return True
    cited = (evidence.get(id_) for id_ in finding.evidence)
    names = (item.content.get("metric") or item.content.get("alert") for item in cited if item is not None)
    return any(kind_of(meaning(name), rose=True) is Kind.errors for name in names if isinstance(name, str))


def _rank(finding: Finding) -> tuple[bool, bool, int, datetime, str]:
    """Failures tell more than what is unusual; then the worse, then the earlier."""
    companion = finding.rule in _COMPANIONS
    return (not is_grave(finding), companion, -finding.severity.rank, finding.at, finding.fingerprint)


def _own_runs(
    findings: Sequence[Finding], subject: str, evidence: Mapping[str, Evidence]
) -> list[tuple[datetime, datetime | None]]:
    """Beginning and end of the runs of the subject that did badly, as far as the findings cite them."""
    runs: list[tuple[datetime, datetime | None]] = []
    for finding in findings:
        if finding.rule in {"missed", "empty"} | SHORT:
            continue  # these cite good runs too
        for id_ in finding.evidence:
            item = evidence.get(id_)
            begun = None if item is None else _moment(item, "started_at") or _moment(item, "queued_at")
            if item is None or begun is None or item.subject != subject:
                continue
            if item.content.get("status") in {"success", "warned"} and finding.rule != "slow":
                continue
            if finding.rule == "slow" and id_ != finding.evidence[0]:
                continue
            runs.append((begun, _moment(item, "ended_at")))
    return runs


def _moment(item: Evidence, key: str) -> datetime | None:
    text = item.content.get(key)
    return datetime.fromisoformat(text) if isinstance(text, str) and item.kind is EvidenceKind.run else None


def _said(finding: Finding, evidence: Mapping[str, Evidence]) -> str:
    """What the platform says of the newest run, or why it cannot be read; empty if it says nothing."""
    for id_ in finding.evidence:
        item = evidence.get(id_)
        if item is None or item.subject != finding.subject:
            continue
        for key in ("error_message", "answer"):
            text = item.content.get(key)
            if isinstance(text, str) and text:
                return text
        if "status" in item.content:
            return ""
    return ""
