"""The health of each pipeline, each platform and the whole, computed from findings."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from dogwatch.detect.facts import JobKey
from dogwatch.model import Finding, Health, HealthAssessment, Job, Priority, RiskLevel, Severity, job_subject
from dogwatch.model.text import one_line, plural

ALL = "all"
_MOST_RECOMMENDED = 10
_WIDE = 0.5
"""When at least so large a share of at least four jobs does not work, the whole scope is at stake."""
_WIDE_LEAST = 4
_PRIORITY = {
    RiskLevel.LOW: Priority.low,
    RiskLevel.MEDIUM: Priority.normal,
    RiskLevel.HIGH: Priority.high,
    RiskLevel.CRITICAL: Priority.urgent,
}
_BLIND = "blind"


def assess(
    findings: Sequence[Finding],
    jobs: Mapping[JobKey, Job],
    pipelines: Mapping[str, AbstractSet[str]],
    now: datetime,
) -> list[HealthAssessment]:
    """The whole first, then each platform instance, then each pipeline (name to its jobs' subjects).

    A platform that cannot be read is unknown, never healthy, and so is a pipeline of which it holds a part
    in which nothing else is wrong.
    """
    subjects = {job_subject(*key): job for key, job in jobs.items()}
    instances = sorted({key[0] for key in jobs} | {f.subject for f in findings if f.rule == _BLIND})
    scopes: list[tuple[str, set[str]]] = [(ALL, set(subjects) | set(instances))]
    scopes += [
        (name, {subject for subject in subjects if _instance(subject) == name} | {name}) for name in instances
    ]
    scopes += [
        (name, set(members) | {_instance(member) for member in members})
        for name, members in sorted(pipelines.items())
    ]
    return [
        _assessed(scope, members, _concerning(findings, members, scope), subjects, now)
        for scope, members in scopes
    ]


def _instance(subject: str) -> str:
    return subject.partition("/")[0]


def _concerning(findings: Iterable[Finding], members: AbstractSet[str], scope: str) -> list[Finding]:
    """What is wrong within a scope, worst first. The whole is concerned by everything."""
    within = [finding for finding in findings if scope == ALL or finding.subject in members]
    return sorted(within, key=lambda finding: (-finding.severity.rank, finding.at, finding.fingerprint))


def _assessed(
    scope: str,
    members: AbstractSet[str],
    findings: Sequence[Finding],
    jobs: Mapping[str, Job],
    now: datetime,
) -> HealthAssessment:
    size = sum(member in jobs for member in members)
    grave = [finding for finding in findings if finding.severity.rank >= Severity.WARNING.rank]
    blind = [finding for finding in grave if finding.rule == _BLIND]
    broken = {f.subject for f in grave if f.severity.rank >= Severity.ERROR.rank} - {f.subject for f in blind}
    odd = {finding.subject for finding in grave} - broken - {finding.subject for finding in blind}
    risk = _risk(grave, len(broken), size)
    return HealthAssessment(
        scope=scope,
        overall_health=_health(bool(blind), bool(broken), bool(odd)),
        summary=_sentence(scope, size, len(broken), len(odd), blind),
        risk_level=risk,
        recommendations=tuple(_recommendation(f, jobs) for f in grave[:_MOST_RECOMMENDED]),
        requires_notification=risk is not RiskLevel.LOW,
        notification_priority=_PRIORITY[risk],
        findings=tuple(finding.fingerprint for finding in findings),
        at=now,
    )


def _health(blind: bool, broken: bool, odd: bool) -> Health:
    if broken:
        return Health.unhealthy
    if blind:
        return Health.unknown
    return Health.degraded if odd else Health.healthy


def _risk(grave: Sequence[Finding], broken: int, size: int) -> RiskLevel:
    worst = max((finding.severity.rank for finding in grave), default=0)
    if worst >= Severity.CRITICAL.rank or (size >= _WIDE_LEAST and broken >= _WIDE * size):
        return RiskLevel.CRITICAL
    if worst >= Severity.ERROR.rank:
        return RiskLevel.HIGH
    return RiskLevel.MEDIUM if grave else RiskLevel.LOW


def _sentence(scope: str, size: int, broken: int, odd: int, blind: Sequence[Finding]) -> str:
    where = "everything" if scope == ALL else one_line(scope, 80)
    parts: list[str] = []
    if broken:
        parts.append(
            f"{broken} of {plural(size, 'job')} not doing their work" if size else f"{broken} broken"
        )
    if odd:
        parts.append(f"{odd} unusual")
    if blind:
        names = ", ".join(sorted({one_line(finding.subject, 40) for finding in blind}))
        parts.append(f"{names} not readable, nothing is claimed about it")
    if not parts:
        return f"{where}: {plural(size, 'job')} as expected"
    return f"{where}: {'; '.join(parts)}"


def _recommendation(finding: Finding, jobs: Mapping[str, Job]) -> str:
    """The job's name and what to do about it."""
    job = jobs.get(finding.subject)
    name = one_line(job.name if job else finding.subject, 80)
    command = (
        finding.next_step or finding.url or f"dogwatch runs --job {shlex.quote(job.job_id if job else name)}"
    )
    return f"{name} ({finding.rule}): {command}"
