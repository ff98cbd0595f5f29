"""The estate at one glance: the value behind the report that people open, and behind the page."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field

from dogwatch.model.action import Action
from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.dossier import Dossier
from dogwatch.model.expectation import ExpectationState
from dogwatch.model.health import HealthAssessment
from dogwatch.model.incident import Incident
from dogwatch.model.report import Course, PlatformView
from dogwatch.model.run import JobState, Status


class Bar(Noun):
    """One run in a timeline."""

    run_uid: str
    native_run_id: str
    starts_at: UtcTime
    ends_at: UtcTime | None
    """None while it is going."""
    status: Status


class Mark(Noun):
    """A run that should exist, in a timeline."""

    at: UtcTime
    state: ExpectationState


class Lane(Noun):
    """One job in a timeline."""

    subject: str
    name: str
    state: JobState = JobState.active
    wrong: bool = False
    """Whether a live incident has to do with it."""
    bars: tuple[Bar, ...] = ()
    """Oldest first."""
    slots: tuple[Mark, ...] = ()
    """Oldest first; also those to come."""


class Track(Noun):
    """One platform in a timeline."""

    instance: str
    title: str
    blind_since: UtcTime | None = None
    lanes: tuple[Lane, ...] = ()
    """What is wrong first, then by name."""
    folded: int = 0
    """Jobs that are not shown, because nothing happened to them or there are too many."""


class Day(StrEnum):
    """A job's day in one word, the worst of it."""

    none = "none"
    """Nothing ran."""
    good = "good"
    open = "open"
    skipped = "skipped"
    missed = "missed"
    bad = "bad"


class HeatRow(Noun):
    """One job over many days."""

    subject: str
    name: str
    days: tuple[Day, ...]
    """One for each of ``Overview.days``."""
    runs: tuple[int, ...]
    """How many runs began on each of them."""
    failures: tuple[int, ...]


class Picture(Noun):
    """The durations of one job."""

    subject: str
    name: str
    course: Course


class Overview(Noun):
    """The answer of ``dogwatch report``."""

    format: Literal["dogwatch.report/1"] = "dogwatch.report/1"
    at: UtcTime
    timezone: str
    since: UtcTime
    """What ended before is left out."""
    last_round_at: UtcTime | None = None
    """When the platforms were looked at last; None if never."""
    stale_since: UtcTime | None = None
    """When the last round of everything ended, if that is too long ago."""
    health: tuple[HealthAssessment, ...] = ()
    """By the last round: the whole first, then platforms and pipelines."""
    platforms: tuple[PlatformView, ...] = ()
    """By the last round."""
    runs: Mapping[Status, int] = Field(default_factory=dict[Status, int])
    """How many run attempts began in the last 24 hours, by what became of them."""
    incidents: tuple[Incident, ...] = ()
    """The live ones first, worst first; then those that ended since, the latest first."""
    dossiers: tuple[Dossier, ...] = ()
    """Of the worst live ones, with all that they rest on."""
    actions: tuple[Action, ...] = ()
    """Proposed, waiting or under way."""
    labels: Mapping[str, str] = Field(default_factory=dict[str, str])
    """By action id, what it would do, in words."""
    tracks: tuple[Track, ...] = ()
    """The last 24 hours, and a little of what is to come."""
    starts_at: UtcTime
    ends_at: UtcTime
    """The borders of the timeline."""
    days: tuple[str, ...] = ()
    """ISO dates in the reader's zone, the oldest first."""
    heat: tuple[HeatRow, ...] = ()
    more_heat: int = 0
    """Jobs that were left out of it."""
    pictures: tuple[Picture, ...] = ()
    """Durations of the jobs that live incidents are about, then of those that failed most."""
