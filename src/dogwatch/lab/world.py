"""The world as it really was: jobs, and the life of every run. Twins read it; nothing here knows HTTP.

A world is fixed from the start to the end of its time: what is visible at a moment follows from the moment
alone, so the same file and seed always tell the same story, however often and in which order one asks.
"""

import bisect
import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from dogwatch.errors import LabError

if TYPE_CHECKING:
    from dogwatch.lab.estate import Component
    from dogwatch.lab.faults import Fault

TRACES = "langfuse"
"""The platform of components that are traced: pipelines of language models."""


class LabClock(Protocol):
    """Where the simulated present stands."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...


class Outcome(StrEnum):
    """How an attempt ends, in the lab's own words; each twin puts it into its vendor's."""

    success = "success"
    failed = "failed"
    cancelled = "cancelled"
    timed_out = "timed_out"
    skipped = "skipped"


class Trigger(StrEnum):
    """What started a run."""

    schedule = "schedule"
    manual = "manual"
    after = "after"


class Skip(StrEnum):
    """Why a platform made a record of a run that it never started."""

    upstream = "upstream"
    """What it waits for did not succeed."""
    overlap = "overlap"
    """The previous run was still going."""


@dataclass(frozen=True, slots=True)
class LabAttempt:
    """One try at doing the run's work. A platform's own retry and a person's repair are further attempts."""

    started: datetime
    ended: datetime | None
    """None: it hangs for ever."""
    outcome: Outcome
    error: str | None = None
    rows: int = 0
    repair: bool = False
    """True if a person asked for this try after the run had ended (Databricks repair)."""
    skip: Skip | None = None
    """Why the outcome is ``skipped``; None for every other outcome."""


@dataclass(frozen=True, slots=True)
class LabRun:
    """One run and everything that will ever become of it."""

    job: str
    """``<platform>/<key>``."""
    number: int
    """Counts the runs of the platform in order of creation, from 1; native ids derive from it."""
    trigger: Trigger
    created: datetime
    """When the platform makes the record."""
    attempts: tuple[LabAttempt, ...]
    """In order of time, at least one; a skipped run has one that starts and ends at ``created``."""
    scheduled_for: datetime | None = None
    native_status: str | None = None
    """A status word that no vendor documents, to be told instead of the usual one once the run ended."""

    def attempts_at(self, at: datetime) -> tuple[LabAttempt, ...]:
        """The attempts that have started by then."""
        return tuple(attempt for attempt in self.attempts if attempt.started <= at)

    def ended_at(self, at: datetime) -> datetime | None:
        """When the run ended as far as one can tell then; None while it waits, works or is being repaired."""
        last = self.attempts[-1].ended
        if last is not None and last <= at:
            return last
        begun = self.attempts_at(at)
        if not begun or (len(begun) < len(self.attempts) and not self.attempts[len(begun)].repair):
            return None
        ended = begun[-1].ended
        return ended if ended is not None and ended <= at else None


@dataclass(frozen=True, slots=True)
class LabEdit:
    """Something that a person changed about a job on its platform. What is None stays as it was."""

    at: datetime
    schedule: str | None = None
    """A new five-field cron, which replaces ``every`` too."""
    every: timedelta | None = None
    """A new interval, which replaces ``schedule`` too."""
    paused: bool | None = None


@dataclass(frozen=True, slots=True)
class LabJob:
    """A job as its platform knows it, before any edit (see ``as_of``)."""

    job: str
    """``<platform>/<key>``."""
    name: str
    schedule: str | None = None
    """Five-field cron, None if ``every`` or if it is triggered or manual."""
    every: timedelta | None = None
    timezone: str = "UTC"
    after: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    owner: str | None = None
    created: datetime | None = None
    """None: long before the story begins."""
    paused: bool = False
    retries: int = 0
    """How often the platform itself tries a failing run again."""
    edits: tuple[LabEdit, ...] = ()
    """In order of time."""

    @property
    def platform(self) -> str:
        """The part before the slash."""
        return self.job.partition("/")[0]

    def as_of(self, at: datetime) -> "LabJob":
        """The job as it stands at that moment: ``schedule``, ``every`` and ``paused`` after all edits."""
        job = self
        for edit in self.edits:
            if edit.at > at:
                break
            if edit.schedule is not None or edit.every is not None:
                job = replace(job, schedule=edit.schedule, every=edit.every)
            if edit.paused is not None:
                job = replace(job, paused=edit.paused)
        return job


@dataclass(frozen=True, slots=True)
class PlatformFault:
    """Something that befalls every call to a platform in [at, until)."""

    platform: str
    kind: str
    """platform_down, platform_slow, auth_revoked, rate_limited, bad_payload or clock_skew."""
    at: datetime
    until: datetime | None
    fields: Mapping[str, object] = field(default_factory=dict[str, object])


class Wish(StrEnum):
    """What somebody outside may ask a platform to do."""

    run = "run"
    repair = "repair"
    """A run that has ended badly is tried again."""
    cancel = "cancel"
    pause = "pause"
    resume = "resume"


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that was asked of a platform through its API while the story goes on."""

    at: datetime
    job: str
    wish: Wish
    created: datetime | None = None
    """Of the run that it is about, for ``repair`` and ``cancel``."""


Life = Callable[[Sequence[Asked]], tuple[Mapping[str, LabJob], Sequence[LabRun]]]
"""The jobs and runs of a story in which this was asked."""


@dataclass(slots=True)
class World:
    """Everything that is true of a simulated estate."""

    id: str
    timezone: str
    jobs: Mapping[str, LabJob]
    runs: Sequence[LabRun]
    """Ordered by ``created``."""
    clock: LabClock
    platform_faults: Sequence[PlatformFault] = ()
    offset: timedelta = timedelta(0)
    """The UTC offset in which twins write timestamps where their format carries one."""
    other_faults: Sequence["Fault"] = ()
    """Faults of logs, metrics and deployments, as the scenario tells them."""
    components: Mapping[str, "Component"] = field(default_factory=dict[str, "Component"])
    """What is no job, but writes logs and is measured; by ``component/<name>``."""
    seed: int = 1
    """Of what chance decides beside the runs: log lines and metrics."""
    start: datetime | None = None
    """When the story begins; None: nobody asks."""
    end: datetime | None = None
    """When it is over."""
    life: Life | None = field(default=None, repr=False)
    """Tells the story anew; None: nothing can be asked for in this world."""
    asked: list[Asked] = field(default_factory=list[Asked])
    """In order of time."""
    listeners: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]], repr=False)
    """Called after the story has changed."""
    _by_platform: dict[str, list[LabRun]] = field(default_factory=dict[str, list[LabRun]], repr=False)

    def __post_init__(self) -> None:
        self._sort()

    def _sort(self) -> None:
        self._by_platform.clear()
        for run in self.runs:
            self._by_platform.setdefault(run.job.partition("/")[0], []).append(run)

    def ask(self, asked: Asked) -> None:
        """Somebody asks a platform for something, now. What has been stays as it was; what comes follows from
        it, as if it had always been part of the story."""
        if self.life is None:
            raise LabError("nothing can be asked for in a world that was not simulated")
        self.asked.append(asked)
        self.jobs, self.runs = self.life(self.asked)
        self._sort()
        for listener in self.listeners:
            listener()

    @property
    def now(self) -> datetime:
        """The simulated present."""
        return self.clock.now()

    @property
    def platforms(self) -> set[str]:
        """Those that have something to tell: of jobs, of components' logs, of metrics, of changes."""
        kinds = {fault.kind for fault in self.other_faults}
        told = {job.platform for job in self.jobs.values()}
        told |= {part.platform for part in self.components.values() if part.platform}
        told |= {"prometheus"} if self.components or "metric_shift" in kinds else set()
        told |= {"github"} if self.components or "deploy" in kinds else set()
        return told

    @property
    def traced(self) -> list[str]:
        """Components that write no logs and are not measured, but traced in Langfuse; sorted."""
        return sorted(name for name, part in self.components.items() if part.platform == TRACES)

    def jobs_of(self, platform: str) -> list[LabJob]:
        """The platform's jobs that exist now, as they stand now, in the order of the estate file."""
        now = self.now
        return [
            job.as_of(now)
            for job in self.jobs.values()
            if job.platform == platform and (job.created is None or job.created <= now)
        ]

    def runs_of(self, platform: str, since: datetime | None = None) -> Sequence[LabRun]:
        """The platform's runs that exist now, or those of them created since then, oldest first."""
        runs = self._by_platform.get(platform, [])
        first = 0 if since is None else bisect.bisect_left(runs, since, key=lambda run: run.created)
        return runs[first : bisect.bisect_right(runs, self.now, key=lambda run: run.created)]

    def faults_of(self, platform: str) -> list[PlatformFault]:
        """What befalls calls to the platform now."""
        if not self.platform_faults:
            return []  # asked for every record that is told
        now = self.now
        return [
            fault
            for fault in self.platform_faults
            if fault.platform == platform and fault.at <= now and (fault.until is None or now < fault.until)
        ]

    def skew(self, platform: str) -> timedelta:
        """How far the platform's clock is ahead of the true time now (clock_skew's ``by``)."""
        if not self.platform_faults:
            return timedelta(0)
        shifts = (fault.fields.get("by") for fault in self.faults_of(platform) if fault.kind == "clock_skew")
        return sum((by for by in shifts if isinstance(by, timedelta)), timedelta(0))


def native_uuid(*parts: str) -> str:
    """A uuid that looks random and is always the same for the same parts."""
    return str(uuid.UUID(bytes=hashlib.sha256("\x1f".join(parts).encode()).digest()[:16], version=4))


def native_number(*parts: str, digits: int = 12) -> int:
    """A positive number of that many digits, always the same for the same parts."""
    raw = int.from_bytes(hashlib.sha256("\x1f".join(parts).encode()).digest()[:8], "big")
    lowest = int(10 ** (digits - 1))
    return lowest + raw % (9 * lowest)
