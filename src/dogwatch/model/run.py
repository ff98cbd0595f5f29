"""Jobs and their runs, as every platform's records look once they are ours."""

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field, JsonValue

from dogwatch.model.base import Instant, Noun, UtcTime

_RUN_NAMESPACE = uuid.UUID("6f0a3f6e-5d0b-5c7e-9a3e-3b1f2d9c4a10").bytes
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The two upper bits of this digit are 10 in every uuid of RFC 9562."""


class Status(StrEnum):
    """What became of a run. A native word we do not know is ``unknown``, never ``success``."""

    pending = "pending"
    running = "running"
    success = "success"
    warned = "warned"
    failed = "failed"
    cancelled = "cancelled"
    skipped = "skipped"
    timed_out = "timed_out"
    unknown = "unknown"

    @property
    def open(self) -> bool:
        """True while the platform may still change it; an unknown word may mean anything, so it counts."""
        return self in _OPEN

    @property
    def bad(self) -> bool:
        """True if the run ended without doing its work (a skip or a cancellation is judged elsewhere)."""
        return self in _BAD

    @property
    def good(self) -> bool:
        """True if the run did its work."""
        return self in _GOOD


_OPEN = frozenset({Status.pending, Status.running, Status.unknown})
_BAD = frozenset({Status.failed, Status.timed_out})
_GOOD = frozenset({Status.success, Status.warned})


def run_uid(platform: str, instance: str, job_id: str, native_run_id: str, attempt: int) -> str:
    """The identity of one attempt: the same five facts always give the same uuid (version 5)."""
    name = f"{platform}\x1f{instance}\x1f{job_id}\x1f{native_run_id}\x1f{attempt}"
    # RFC 9562 §5.5 by hand: the same as uuid.uuid5 at a quarter of the time, on the hot path of a round.
    text = hashlib.sha1(_RUN_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


class Run(Noun):
    """One attempt of one job, as its platform tells it."""

    uid: str
    """uuid5 of platform, instance, job_id, native_run_id and attempt (see ``run_uid``)."""
    platform: str
    """The connector's kind, e.g. ``airbyte``."""
    instance: str
    """The connector's name in dogwatch.yaml; equals ``platform`` unless there are several of one kind."""
    job_id: str
    """The platform's own id of the job."""
    job_name: str
    """The job's name for people; the job id where the platform tells none."""
    kind: str = ""
    """The platform's own word for the sort of job, e.g. ``sync``, ``JOB_RUN``, ``task``."""
    native_run_id: str
    """The platform's own id of the run."""
    attempt: int = Field(default=1, ge=1)
    """1 for the first; counts only what the platform's run record shows (a Databricks repair is 2, 3 …)."""
    parent_uid: str | None = None
    """The run that this one is a part or a retry of."""
    trigger: str = ""
    """What started it, in the platform's own word; empty if the platform does not say."""
    status: Status
    """Our word for the state."""
    native_status: str
    """The platform's word for the state, verbatim."""
    scheduled_for: Instant | None = None
    """The nominal time, if the platform tells one."""
    queued_at: Instant | None = None
    """When the platform created or queued it."""
    started_at: Instant | None = None
    """When it began to work; the creation time where the platform tells no other."""
    ended_at: Instant | None = None
    """When it reached a terminal state."""
    updated_at: Instant | None = None
    """The platform's own time of the last change of this record, if it tells one."""
    error_message: str | None = None
    """Why it failed, in the platform's words; None where the platform does not say. Never invented."""
    metrics: Mapping[str, float] = Field(default_factory=dict[str, float])
    """Numbers of this run: ``rows``, ``bytes``, ``retries`` and the like."""
    url: str | None = None
    """Where a person can look at it."""
    metadata: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Whatever else the platform says and somebody may need, small."""
    observed_at: Instant
    """When dogwatch read it."""

    @classmethod
    def told(
        cls,
        *,
        uid: str,
        platform: str,
        instance: str,
        job_id: str,
        job_name: str,
        native_run_id: str,
        status: Status,
        native_status: str,
        observed_at: datetime,
        kind: str = "",
        attempt: int = 1,
        parent_uid: str | None = None,
        trigger: str = "",
        scheduled_for: datetime | None = None,
        queued_at: datetime | None = None,
        started_at: datetime | None = None,
        ended_at: datetime | None = None,
        updated_at: datetime | None = None,
        error_message: str | None = None,
        metrics: Mapping[str, float] | None = None,
        url: str | None = None,
        metadata: Mapping[str, JsonValue] | None = None,
    ) -> "Run":
        """The same as ``Run(...)`` at a fifth of its time, for a connector whose wire model has checked the
        answer already: only the type checker looks at what is given. Moments must be in UTC, metrics floats
        and the attempt 1 or more; the suite of every connector holds each run against ``Run(...)``.
        """
        return run_of(
            {
                "uid": uid,
                "platform": platform,
                "instance": instance,
                "job_id": job_id,
                "job_name": job_name,
                "kind": kind,
                "native_run_id": native_run_id,
                "attempt": attempt,
                "parent_uid": parent_uid,
                "trigger": trigger,
                "status": status,
                "native_status": native_status,
                "scheduled_for": scheduled_for,
                "queued_at": queued_at,
                "started_at": started_at,
                "ended_at": ended_at,
                "updated_at": updated_at,
                "error_message": error_message,
                "metrics": {} if metrics is None else metrics,
                "url": url,
                "metadata": {} if metadata is None else metadata,
                "observed_at": observed_at,
            },
        )

    @property
    def version(self) -> tuple[datetime, bool]:
        """Which of two states of the same attempt is newer: the platform's time, then terminal over open."""
        moment = self.updated_at or self.ended_at or self.started_at or self.queued_at or self.scheduled_for
        return (moment or self.observed_at, not self.status.open)

    @property
    def began_at(self) -> datetime:
        """The best known moment at which the run came to be."""
        return self.started_at or self.queued_at or self.scheduled_for or self.ended_at or self.observed_at

    @property
    def duration(self) -> timedelta | None:
        """How long it took, None while it is open or if a time is missing."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at


_FIELDS = set(Run.model_fields)


def run_of(values: dict[str, object]) -> Run:
    """The run of values that were checked before, one for each field: what pydantic's own ``model_construct``
    does, without its search for defaults and aliases."""
    run = Run.__new__(Run)
    object.__setattr__(run, "__dict__", values)
    object.__setattr__(run, "__pydantic_fields_set__", _FIELDS)
    object.__setattr__(run, "__pydantic_extra__", None)
    object.__setattr__(run, "__pydantic_private__", None)
    return run


class JobState(StrEnum):
    """Whether the platform would start the job when its time comes."""

    active = "active"
    paused = "paused"
    """A person switched it off."""
    suspended = "suspended"
    """The platform switched it off (locked, auto-suspended, policy)."""
    deleted = "deleted"
    unknown = "unknown"


class ScheduleKind(StrEnum):
    """How a job comes to run."""

    cron = "cron"
    """Five-field cron in ``expression``."""
    quartz = "quartz"
    """Quartz cron (six or seven fields) in ``expression``."""
    interval = "interval"
    """Every ``every_seconds``."""
    after = "after"
    """When its predecessors (``Job.after``) are done."""
    event = "event"
    """On a file, a message, a table change or continuously."""
    manual = "manual"


class Schedule(Noun):
    """When the platform itself says that the job runs."""

    kind: ScheduleKind
    expression: str = ""
    """The native expression, verbatim."""
    timezone: str = "UTC"
    """IANA name of the zone in which the expression is read."""
    every_seconds: float | None = None
    """For intervals."""


class Job(Noun):
    """Something a platform runs again and again."""

    platform: str
    instance: str
    job_id: str
    name: str
    kind: str = ""
    state: JobState = JobState.active
    state_reason: str = ""
    """Why it is paused or suspended, in the platform's words."""
    schedule: Schedule | None = None
    """None if the platform does not tell."""
    after: tuple[str, ...] = ()
    """Job ids, on the same instance, that this one waits for."""
    owner: str | None = None
    url: str | None = None
    metadata: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    observed_at: UtcTime

    @property
    def subject(self) -> str:
        """How findings name it."""
        return job_subject(self.instance, self.job_id)


def job_subject(instance: str, job_id: str) -> str:
    """The subject of a finding on a job: ``<instance>/<job id>``; on a platform it is the instance alone."""
    return f"{instance}/{job_id}"
