"""What pages show that no report tells: one job in full, what a search finds, what the logs say."""

from enum import StrEnum
from typing import Literal

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.incident import Incident
from dogwatch.model.report import Course, JobTimes, PlatformView
from dogwatch.model.run import Job, JobState, Run


class ErrorGroup(Noun):
    """Errors of a job that say the same but for numbers and names."""

    template: str
    """The message with ``<*>`` for what varies."""
    count: int
    last_at: UtcTime
    sample: str
    """The latest of them, shortened."""


class JobFile(Noun):
    """One job with its runs, its slots and what went wrong with it."""

    format: Literal["dogwatch.job/1"] = "dogwatch.job/1"
    at: UtcTime
    timezone: str
    job: Job
    gone: bool = False
    """Whether its platform does not list it any more."""
    times: JobTimes | None = None
    """Schedule and slots; None if it is gone."""
    runs: tuple[Run, ...] = ()
    """The newest first."""
    courses: tuple[Course, ...] = ()
    """Durations, and rows or bytes where runs tell them."""
    errors: tuple[ErrorGroup, ...] = ()
    """Of the runs that are shown, the most frequent first."""
    incidents: tuple[Incident, ...] = ()
    """Live ones of which it is the culprit or that hit it, and the latest of which it was the culprit."""


class JobLine(Noun):
    """A job in a list."""

    instance: str
    platform: str
    job_id: str
    name: str
    state: JobState

    @property
    def subject(self) -> str:
        """How findings call it."""
        return f"{self.instance}/{self.job_id}"


class JobList(Noun):
    """Jobs by name, a page of them."""

    format: Literal["dogwatch.jobs/1"] = "dogwatch.jobs/1"
    at: UtcTime
    timezone: str
    jobs: tuple[JobLine, ...] = ()
    next_after: str = ""
    """The subject after which the next page begins; empty at the end."""
    platforms: tuple[PlatformView, ...] = ()
    """By the last round."""


class HitKind(StrEnum):
    """What a search found."""

    job = "job"
    incident = "incident"
    action = "action"
    finding = "finding"


class Hit(Noun):
    """One thing that a search found."""

    kind: HitKind
    title: str
    subject: str
    """A job's subject, ``INC-7``, an action's id, a finding's fingerprint."""
    note: str = ""
    """Where it stands."""
    at: UtcTime | None = None


class SearchResult(Noun):
    """What a search found, of each kind the best few."""

    format: Literal["dogwatch.search/1"] = "dogwatch.search/1"
    at: UtcTime
    timezone: str
    query: str
    hits: tuple[Hit, ...] = ()


class LogLine(Noun):
    """One kind of message in a log."""

    instance: str
    component: str
    template: str
    severity: str
    count: int
    first_at: UtcTime | None = None
    last_at: UtcTime | None = None
    change: Literal["", "new", "surging", "vanished"] = ""
    usual: float = 0.0
    """Of what surges, lines in the same hour in the past."""
    seen: int = 0
    """Of what surges, lines in the hour that shows it most."""
    hours: tuple[int, ...] = ()
    """Lines in each of the last 48 hours that the log knows, the oldest first."""
    sample: str = ""
    """A line of it, without secrets."""


class LogPage(Noun):
    """What the logs say: new and surging first."""

    format: Literal["dogwatch.logs.page/1"] = "dogwatch.logs.page/1"
    at: UtcTime
    timezone: str
    lines: tuple[LogLine, ...] = ()
    more: int = 0
    """Templates that were left out."""
    sources: tuple[str, ...] = ()
    """Connectors whose logs are read."""
    read_until: UtcTime | None = None
    total: int = 0
    """Lines counted so far."""
