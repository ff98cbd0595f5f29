"""What one round found: the value behind the board, the JSON and the page."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field

from dogwatch.model.action import Action
from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.evidence import Evidence
from dogwatch.model.expectation import Basis, ExpectationState
from dogwatch.model.finding import Finding
from dogwatch.model.health import HealthAssessment
from dogwatch.model.hub import HubView
from dogwatch.model.incident import Incident, Turn
from dogwatch.model.lineage import LineageView
from dogwatch.model.message import Message
from dogwatch.model.run import JobState, Status


class Sight(StrEnum):
    """How well one platform could be seen."""

    clear = "clear"
    blind = "blind"


class PlatformView(Noun):
    """One configured platform at the end of a round."""

    instance: str
    """The connector's name in dogwatch.yaml."""
    platform: str
    """Its kind."""
    title: str
    """The platform's name for people."""
    sight: Sight
    blind_since: UtcTime | None = None
    reason: str = ""
    """Why it is blind."""
    hint: str = ""
    """What to do about it."""
    read_until: UtcTime | None = None
    """When it was last read whole; None if never."""
    jobs: int = 0
    """Jobs known there."""
    jobs_as_expected: int | None = None
    """Jobs without a finding of WARNING or worse; None while blind, because nobody knows."""
    runs_read: int = 0
    """Run attempts read in this round."""
    requests: int = 0
    """Requests made in this round."""
    skew_seconds: float | None = None
    """The platform's clock minus ours."""
    caveats: tuple[str, ...] = ()
    """What this platform cannot show."""
    baseline: bool = False
    """True if this round learned its history for the first time."""


class CheckReport(Noun):
    """The answer of ``dogwatch check``. Its JSON is stable: keys are added, never renamed."""

    format: Literal["dogwatch.check/1"] = "dogwatch.check/1"
    at: UtcTime
    """The round's time."""
    timezone: str
    """IANA zone in which the reader wants times shown."""
    previous_round_at: UtcTime | None = None
    exit_code: int
    """0 healthy, 1 incidents, 3 blind somewhere but no incident."""
    findings: tuple[Finding, ...] = ()
    """Everything that is wrong now, worst first; ``blind`` ones included."""
    new: tuple[str, ...] = ()
    """Fingerprints of findings that were not open at the end of the previous round."""
    evidence: tuple[Evidence, ...] = ()
    """Every fact that a finding cites."""
    platforms: tuple[PlatformView, ...] = ()
    incidents: tuple[Incident, ...] = ()
    """All that are live, worst first; blindness last."""
    ended: tuple[Incident, ...] = ()
    """Those that this round resolved, or merged into others."""
    turns: tuple[Turn, ...] = ()
    """What this round changed about incidents."""
    health: tuple[HealthAssessment, ...] = ()
    """The whole first, then each platform, then each declared pipeline."""
    messages: tuple[Message, ...] = ()
    """What this round decided to tell, each message once, whether or not there is a channel for it."""
    actions: tuple[Action, ...] = ()
    """What could be done, waits for consent or is under way after this round."""
    labels: Mapping[str, str] = Field(default_factory=dict[str, str])
    """By action id: what it would do, in words."""
    hub: HubView | None = None
    """How the copy of the audit trail stands; None if there is none."""
    lineage: LineageView | None = None
    """How the OpenLineage server was told of runs; None if there is none."""
    wall_seconds: float = 0.0

    @property
    def troubles(self) -> list[Finding]:
        """Findings of WARNING or worse that are about jobs, not about our own sight."""
        return [
            finding for finding in self.findings if finding.severity.rank >= 1 and finding.rule != "blind"
        ]

    @property
    def wrong(self) -> list[Incident]:
        """Live incidents that make the estate unhealthy."""
        return [incident for incident in self.incidents if incident.wrong]

    @property
    def blind(self) -> list[PlatformView]:
        """Platforms that could not be read."""
        return [platform for platform in self.platforms if platform.sight is Sight.blind]


class Diagnosis(Noun):
    """What ``dogwatch doctor`` says of one connector."""

    instance: str
    platform: str
    title: str
    ok: bool
    line: str
    """One line: what can be read, or what went wrong."""
    hint: str = ""
    """What to do if it is not ok."""
    fault: Literal["", "credentials", "permission", "rate_limited", "unreachable", "unexpected"] = ""
    """What sort of trouble, empty if ok."""
    read_until: UtcTime | None = None
    """When a round last read it whole."""
    skew_seconds: float | None = None
    requests: int = 0
    seconds: float = 0.0


class SlotView(Noun):
    """A run that should exist, and what became of it."""

    scheduled_for: UtcTime
    """The nominal time."""
    start_by: UtcTime
    """When it counts as late, or as missed."""
    state: ExpectationState
    basis: Basis
    """Why the run is expected."""
    confidence: float = 1.0
    """Below 1 only where it is learned."""
    reason: str = ""
    """Why no run is needed, if none is."""
    run_uid: str | None = None
    native_run_id: str = ""
    """The platform's own id of the run that met it."""
    status: Status | None = None
    """What became of that run."""
    started_at: UtcTime | None = None
    took_seconds: float | None = None


class JobTimes(Noun):
    """One job's slots."""

    instance: str
    platform: str
    job_id: str
    name: str
    state: JobState
    state_reason: str = ""
    told: str
    """When it runs, in words: the schedule, what it waits for, or that it is known by habit."""
    after: tuple[str, ...] = ()
    """The names of the jobs that it waits for."""
    declared: bool = False
    """True if dogwatch.yaml says so and not the platform."""
    problem: str = ""
    """Why nothing is expected of it, if its schedule is not understood."""
    watched_since: UtcTime | None = None
    """What was due before was never judged."""
    read_until: UtcTime | None = None
    """Up to when its platform was read whole."""
    past: tuple[SlotView, ...] = ()
    """The latest first."""
    coming: tuple[SlotView, ...] = ()
    """The next first."""


class Timetable(Noun):
    """The answer of ``dogwatch schedule``."""

    format: Literal["dogwatch.schedule/1"] = "dogwatch.schedule/1"
    at: UtcTime
    timezone: str
    jobs: tuple[JobTimes, ...] = ()
    """By their next slot; those without one last."""
    more: int = 0
    """Jobs that were left out."""


class Point(Noun):
    """One run, or one sample, as a number."""

    at: UtcTime
    value: float
    status: Status | None = None
    """What became of the run; None for a sample of a metric."""
    run_uid: str = ""


class Course(Noun):
    """A number of a job's latest runs, or the latest samples of a metric, and what is usual."""

    metric: str
    """``duration_seconds``, ``rows`` or ``bytes`` for runs, a metric's own name else."""
    points: tuple[Point, ...]
    """Oldest first."""
    usual: float | None = None
    """None if too few runs are known to say."""
    low: float | None = None
    """Below this a run is unusual."""
    high: float | None = None
    """Above this a run is unusual."""
    known: int = 0
    """Successes that these rest on; 0 where a limit was set."""


class Explanation(Noun):
    """The answer of ``dogwatch explain``: a finding with everything it rests on."""

    format: Literal["dogwatch.explain/1"] = "dogwatch.explain/1"
    at: UtcTime
    timezone: str
    finding: Finding
    first_seen: UtcTime
    """The round that told it first, of this occurrence."""
    last_seen: UtcTime
    cleared_at: UtcTime | None = None
    """The round that no longer found it; None while it is open."""
    evidence: tuple[Evidence, ...] = ()
    course: Course | None = None
    """The job's latest runs, or the metric's samples; None where no number decides."""
    slots: tuple[SlotView, ...] = ()
    """Where the finding is about runs that should exist: the job's latest ones, the latest first."""
    thresholds: Mapping[str, float | str] = Field(default_factory=dict[str, float | str])
    """The settings of dogwatch.yaml that decide, with the values that hold for this job."""
