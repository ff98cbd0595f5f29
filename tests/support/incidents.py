"""Findings with their evidence, a graph, and rounds of correlation, for tests of incidents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dogwatch.detect.facts import run_evidence
from dogwatch.incidents import Correlation, Known, Past, correlate
from dogwatch.model import (
    Evidence,
    EvidenceKind,
    Finding,
    Incident,
    Job,
    Run,
    Schedule,
    ScheduleKind,
    Severity,
    Status,
    content_id,
    run_uid,
)
from dogwatch.pipelines.graph import Edge, EdgeBasis, Graph
from support.cast import NOON

AUTH = 'FATAL: password authentication failed for user "{0}"'
_STATUS = {"skipped": Status.skipped, "cancelled": Status.cancelled, "slow": Status.running}


def at(minute: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minute)


def a_run(subject: str, minute: float, status: Status = Status.success, error: str | None = None) -> Run:
    """A run that ended then and took five minutes."""
    instance, _, job_id = subject.partition("/")
    native = f"{minute:g}"
    return Run(
        uid=run_uid(instance, instance, job_id, native, 1),
        platform=instance,
        instance=instance,
        job_id=job_id,
        job_name=job_id,
        native_run_id=native,
        status=status,
        native_status=status.value,
        started_at=at(minute - 5),
        ended_at=None if status.open else at(minute),
        error_message=error,
        observed_at=at(minute),
    )


@dataclass(frozen=True)
class Told:
    """A finding and what it cites."""

    finding: Finding
    evidence: Evidence


def told(
    rule: str,
    subject: str,
    minute: float = 0,
    error: str = "",
    severity: Severity | None = None,
    muted: str = "",
) -> Told:
    """What a rule says of a subject, since that minute; ``error`` is what the platform said."""
    if rule == "blind":
        cited = Evidence.of(
            EvidenceKind.alert,
            source=subject,
            subject=subject,
            content={"unreadable_since": at(minute).isoformat(), "answer": error or "503"},
            at=at(minute),
        )
    elif rule == "missed":
        cited = Evidence.of(
            EvidenceKind.run,
            source=subject.partition("/")[0],
            subject=subject,
            content={"expected": at(minute).isoformat(), "state": "missed"},
            at=at(minute),
        )
    elif rule == "log_new":
        cited = Evidence.of(
            EvidenceKind.log,
            source="logs: log lines",
            subject=subject,
            content={"template": error, "change": "new", "first": at(minute).isoformat()},
            at=at(minute),
        )
    else:
        cited = run_evidence(a_run(subject, minute, _STATUS.get(rule, Status.failed), error or None))
    note = Severity.INFO if rule == "skipped" or muted else Severity.ERROR
    return Told(
        Finding(
            rule=rule,
            subject=subject,
            severity=severity or note,
            summary=f"{subject.partition('/')[2] or subject} {rule}{f': {error}' if error else ''}",
            evidence=(cited.id,),
            fingerprint=content_id([rule, subject]),
            at=at(minute),
            muted=muted,
        ),
        cited,
    )


def graph(*ways: str) -> Graph:
    """``a/x > b/y`` starts it, ``a/x - b/y`` is read by it, ``a/x ~ b/y`` is a habit."""
    edges: list[Edge] = []
    for way in ways:
        upstream, mark, downstream = way.split()
        basis = EdgeBasis.habit if mark == "~" else EdgeBasis.platform
        edges.append(Edge(upstream=upstream, downstream=downstream, basis=basis, triggers=mark == ">"))
    return Graph(edges=edges)


def clocked(*subjects: str) -> dict[str, Job]:
    """Jobs that start by a schedule of their own."""
    schedule = Schedule(kind=ScheduleKind.cron, expression="0 * * * *")
    return {
        subject: Job(
            platform=subject.partition("/")[0],
            instance=subject.partition("/")[0],
            job_id=subject.partition("/")[2],
            name=subject.partition("/")[2],
            schedule=schedule,
            observed_at=NOON,
        )
        for subject in subjects
    }


@dataclass
class Watch:
    """Rounds of correlation one after the other, with the memory that the store would be."""

    graph: Graph = field(default_factory=Graph)
    jobs: Mapping[str, Job] = field(default_factory=dict[str, Job])
    lives: dict[str, list[Run]] = field(default_factory=dict[str, list[Run]])
    good: dict[str, datetime] = field(default_factory=dict[str, datetime])
    incidents: dict[int, Incident] = field(default_factory=dict[int, Incident])
    findings: dict[str, Finding] = field(default_factory=dict[str, Finding])
    cleared: dict[str, datetime] = field(default_factory=dict[str, datetime])
    evidence: dict[str, Evidence] = field(default_factory=dict[str, Evidence])
    turns: list[str] = field(default_factory=list[str])
    """``INC-1 opened`` and so on, in order."""

    def round(self, minute: float, *found: Told) -> list[Incident]:
        """What is live after a round that found this."""
        return list(self.correlate(minute, found).incidents)

    def correlate(self, minute: float, found: Iterable[Told]) -> Correlation:
        """A round, in full."""
        given = list(found)
        now = at(minute)
        self.evidence |= {one.evidence.id: one.evidence for one in given}
        names = {one.finding.fingerprint for one in given}
        past = [
            Past(finding, self.cleared.setdefault(key, now))
            for key, finding in self.findings.items()
            if key not in names
        ]
        for one in given:
            self.findings[one.finding.fingerprint] = one.finding
            self.cleared.pop(one.finding.fingerprint, None)
        after = correlate(
            [one.finding for one in given],
            self.evidence,
            [one for one in self.incidents.values() if one.state.live],
            self.graph,
            self._known(past),
            now,
        )
        assert [turn.version for turn in after.turns] == [one.version for one in sorted_by_turn(after)]
        for incident in after.changed:
            self.incidents[incident.number] = incident
        self.turns += [f"INC-{turn.number} {turn.kind.value}" for turn in after.turns]
        return after

    def _known(self, past: Sequence[Past]) -> Known:
        return Known(
            jobs=self.jobs,
            lives=self.lives,
            good=self.good,
            past=past,
            ended=[one for one in self.incidents.values() if one.state.value == "resolved"],
            next_number=max(self.incidents, default=0) + 1,
        )


def sorted_by_turn(after: Correlation) -> list[Incident]:
    """The incidents that changed, in the order of their turns."""
    by_number = {incident.number: incident for incident in (*after.incidents, *after.ended)}
    return [by_number[turn.number] for turn in after.turns]


def told_of(incidents: Iterable[Incident]) -> set[tuple[str, frozenset[str]]]:
    """(culprit, others that are hit by more than a threat) of each."""
    return {
        (one.culprit, frozenset(hit.subject for hit in one.affected if hit.since is not None))
        for one in incidents
    }
