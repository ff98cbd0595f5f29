"""The health of each pipeline, each platform and the whole, computed from findings."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from dogwatch.model import Finding, Health, HealthAssessment, Priority, RiskLevel, ScopeKind, Severity
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


@dataclass(frozen=True, slots=True)
class _Scope:
    name: str
    kind: ScopeKind
    jobs: int
    holds: Callable[[Finding], bool]


@dataclass(frozen=True, slots=True)
class _Troubles:
    """What is wrong within a scope, each subject once and where it is worst."""

    broken: AbstractSet[str]
    """Jobs that do not do their work."""
    odd: AbstractSet[str]
    """Jobs of which something is unusual."""
    others: AbstractSet[str]
    """What is no job: components."""
    blind: AbstractSet[str]
    """Platforms that cannot be read."""
    worst: int
    """Rank of the gravest severity."""


def assess(
    findings: Sequence[Finding],
    counts: Mapping[str, int],
    pipelines: Mapping[str, AbstractSet[str]],
    names: Mapping[str, str],
    now: datetime,
) -> list[HealthAssessment]:
    """The whole first, then each platform instance, then each pipeline.

    ``counts`` holds the number of jobs of every configured instance, ``pipelines`` the subjects of each
    pipeline, ``names`` what people call a subject. A platform that cannot be read is unknown, never healthy,
    and so is a pipeline of which it holds a part, if nothing else of it is broken.
    """
    scopes = [_Scope(ALL, ScopeKind.all, sum(counts.values()), lambda _: True)]
    scopes += [_platform(name, jobs) for name, jobs in sorted(counts.items())]
    scopes += [_pipeline(name, members) for name, members in sorted(pipelines.items())]
    return [
        _assessed(scope, _worst_first(filter(scope.holds, findings)), counts, names, now) for scope in scopes
    ]


def _platform(name: str, jobs: int) -> _Scope:
    return _Scope(name, ScopeKind.platform, jobs, lambda finding: _instance(finding.subject) == name)


def _pipeline(name: str, members: AbstractSet[str]) -> _Scope:
    platforms = {_instance(member) for member in members}
    jobs = sum(_instance(member) != "component" for member in members)
    return _Scope(
        name,
        ScopeKind.pipeline,
        jobs,
        lambda finding: finding.subject in (platforms if finding.rule == _BLIND else members),
    )


def _instance(subject: str) -> str:
    return subject.partition("/")[0]


def _worst_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (-finding.severity.rank, finding.at, finding.fingerprint))


def _assessed(
    scope: _Scope,
    findings: Sequence[Finding],
    counts: Mapping[str, int],
    names: Mapping[str, str],
    now: datetime,
) -> HealthAssessment:
    grave = [finding for finding in findings if finding.severity.rank >= Severity.WARNING.rank]
    troubles = _troubles(grave, counts)
    risk = _risk(troubles, scope.jobs)
    return HealthAssessment(
        scope=scope.name,
        kind=scope.kind,
        overall_health=_health(troubles),
        summary=_sentence(scope, troubles),
        risk_level=risk,
        recommendations=tuple(_recommendation(f, names) for f in grave[:_MOST_RECOMMENDED]),
        requires_notification=risk is not RiskLevel.LOW,
        notification_priority=_PRIORITY[risk],
        findings=tuple(finding.fingerprint for finding in findings),
        at=now,
    )


def _troubles(grave: Sequence[Finding], counts: Mapping[str, int]) -> _Troubles:
    seen = [finding for finding in grave if finding.rule != _BLIND]
    jobs = [finding for finding in seen if _instance(finding.subject) in counts]
    broken = {finding.subject for finding in jobs if finding.severity.rank >= Severity.ERROR.rank}
    return _Troubles(
        broken=broken,
        odd={finding.subject for finding in jobs} - broken,
        others={finding.subject for finding in seen} - {finding.subject for finding in jobs},
        blind={finding.subject for finding in grave if finding.rule == _BLIND},
        worst=max((finding.severity.rank for finding in grave), default=0),
    )


def _health(troubles: _Troubles) -> Health:
    if troubles.broken:
        return Health.unhealthy
    if troubles.blind:
        return Health.unknown
    return Health.degraded if troubles.odd or troubles.others else Health.healthy


def _risk(troubles: _Troubles, jobs: int) -> RiskLevel:
    wide = jobs >= _WIDE_LEAST and len(troubles.broken) >= _WIDE * jobs
    if wide or troubles.worst >= Severity.CRITICAL.rank:
        return RiskLevel.CRITICAL
    if troubles.worst >= Severity.ERROR.rank:
        return RiskLevel.HIGH
    return RiskLevel.MEDIUM if troubles.worst >= Severity.WARNING.rank else RiskLevel.LOW


def _sentence(scope: _Scope, troubles: _Troubles) -> str:
    where = "everything" if scope.kind is ScopeKind.all else one_line(scope.name, 80)
    jobs = plural(scope.jobs, "job")
    parts: list[str] = []
    if troubles.broken:
        parts.append(f"{len(troubles.broken)} of {jobs} not doing their work")
    if troubles.odd:
        parts.append(f"{len(troubles.odd)}{'' if parts else f' of {jobs}'} unusual")
    if troubles.others:
        parts.append(f"{plural(len(troubles.others), 'component')} beyond the usual")
    if troubles.blind:
        platforms = ", ".join(one_line(name, 40) for name in sorted(troubles.blind))
        parts.append(f"{platforms} not readable, nothing is claimed about it")
    return f"{where}: {'; '.join(parts) or f'{jobs} as expected'}"


def _recommendation(finding: Finding, names: Mapping[str, str]) -> str:
    """What people call the subject, and what to do about it."""
    name = one_line(names.get(finding.subject, finding.subject), 80)
    job_id = one_line(finding.subject.partition("/")[2] or finding.subject)
    todo = finding.next_step or finding.url or f"dogwatch runs --job {shlex.quote(job_id)}"
    return f"{name} ({finding.rule}): {todo}"
