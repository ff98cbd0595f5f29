"""What the rules look at, and what they give back."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import JsonValue

from dogwatch.model import Evidence, EvidenceKind, Finding, Job, Run, Source, job_subject
from dogwatch.model.ledger import JobKey as JobKey
from dogwatch.model.ledger import Ledger
from dogwatch.model.text import one_line

_SURE_SKEW = 5.0
"""Seconds; platforms tell their time in whole ones, and answers take a while."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a round knows that a rule may need."""

    jobs: Mapping[JobKey, Job]
    """Those of the jobs in question that exist, as last listed."""
    histories: Mapping[JobKey, Sequence[Run]]
    """Attempts of the jobs in question, oldest first."""
    sources: Sequence[Source]
    """How far each platform was read."""
    lists_jobs: frozenset[str] = frozenset()
    """Instances whose jobs are listed: there, a job that is not in ``jobs`` was deleted."""
    troubles: Sequence[Run] = ()
    """Runs of whatever job that ended badly at the moments when one of the jobs in question was skipped."""

    @property
    def read_until(self) -> dict[str, datetime]:
        """Up to when each instance was read whole; one that never was is left out."""
        return {
            source.instance: source.read_until for source in self.sources if source.read_until is not None
        }

    @property
    def skews(self) -> dict[str, timedelta]:
        """The platforms' clocks minus ours, by instance; a difference that may be the way's is none."""
        return {
            source.instance: timedelta(seconds=source.skew_seconds)
            for source in self.sources
            if source.skew_seconds is not None and abs(source.skew_seconds) >= _SURE_SKEW
        }

    def last_sight(self, instance: str, now: datetime) -> datetime | None:
        """When a platform was last seen, on its own clock; None if never. What runs there may have ended
        since: it has to be judged as of then, not as of ``now``."""
        source = next((source for source in self.sources if source.instance == instance), None)
        if source is None:
            return now
        seen = None if source.read_until is None else min(source.read_until, now)
        return seen and seen + self.skews.get(instance, timedelta())


@dataclass(slots=True)
class Detection:
    """Findings and the evidence they cite."""

    findings: list[Finding] = field(default_factory=list[Finding])
    evidence: dict[str, Evidence] = field(default_factory=dict[str, Evidence])
    ledger: Ledger = field(default_factory=Ledger)
    """What has to be written down of the runs that should exist."""

    def cite(self, *items: Evidence) -> tuple[str, ...]:
        """Keep the evidence and return its ids for a finding."""
        for item in items:
            self.evidence[item.id] = item
        return tuple(item.id for item in items)

    def add(self, findings: Iterable[Finding]) -> None:
        """Keep findings."""
        self.findings.extend(findings)

    def merge(self, other: "Detection") -> None:
        """Keep what was found elsewhere, once."""
        known = {finding.fingerprint for finding in self.findings}
        self.findings += [finding for finding in other.findings if finding.fingerprint not in known]
        self.evidence |= other.evidence
        self.ledger.merge(other.ledger)


def run_evidence(run: Run) -> Evidence:
    """The run's record as something to cite, without when it was observed: reading again changes nothing."""
    told = run.model_dump(mode="json", exclude={"observed_at", "uid", "parent_uid", "platform", "instance"})
    content: dict[str, JsonValue] = {"run": run.uid, **{key: value for key, value in told.items() if value}}
    return Evidence.of(
        EvidenceKind.run,
        source=run.instance,
        subject=job_subject(run.instance, run.job_id),
        content=content,
        at=run.ended_at or run.began_at,
        url=run.url,
    )


def blind_evidence(source: Source, now: datetime) -> Evidence:
    """Our own failed attempt to read a platform as something to cite."""
    since = source.blind_since or now
    return Evidence.of(
        EvidenceKind.alert,
        source=source.instance,
        subject=source.instance,
        content={"unreadable_since": since.isoformat(), "answer": source.blind_reason},
        at=since,
    )


def listing(run: Run) -> str:
    """The command that lists the runs of the same job; a hostile id cannot become another command."""
    return f"dogwatch runs --platform {run.instance} --job {shlex.quote(one_line(run.job_id))}"


def slots_of(job: Job) -> str:
    """The command that shows when the job was and is due, as safe as ``listing``."""
    return f"dogwatch schedule {shlex.quote(one_line(job.job_id))}"
