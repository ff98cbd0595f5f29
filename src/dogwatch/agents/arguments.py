"""What tools of agents take: types and bounds. Whoever asks for more is told so."""

from typing import Literal

from pydantic import ConfigDict, Field

from dogwatch.model import EvidenceKind, Status
from dogwatch.model.described import Described

PAGE = 50
"""The most items of one answer."""
_FARTHEST = 5_000
_DAYS = 31


class Args(Described):
    """What a tool takes; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Paged(Args):
    """A page of a longer list."""

    offset: int = Field(default=0, ge=0, le=_FARTHEST)
    """How many to leave out; ``next_offset`` of the answer before."""
    limit: int = Field(default=20, ge=1, le=PAGE)
    """How many at most, 1 to 50."""


class IncidentsArgs(Paged):
    """Which incidents."""

    live: bool = True
    """Only those that are not over."""
    platform: str | None = Field(default=None, max_length=80)
    """The connector on which it began or that it touches."""
    days: int = Field(default=7, ge=1, le=365)
    """With live false: those that were live within so many days."""


class IncidentArgs(Args):
    """One incident."""

    incident: int = Field(ge=1)
    """Its number: 7 for INC-7."""


class EvidenceArgs(Paged):
    """Which facts of an incident."""

    incident: int = Field(ge=1)
    """Its number."""
    kinds: tuple[EvidenceKind, ...] = ()
    """run, log, metric, change, alert, lineage, runbook; left out: all."""
    ids: tuple[str, ...] = Field(default=(), max_length=PAGE)
    """Only these ids."""


class SimilarArgs(Args):
    """Whose like."""

    incident: int = Field(ge=1)
    """Number of the incident that others are compared with."""
    limit: int = Field(default=5, ge=1, le=20)
    """How many at most."""


class RunsArgs(Paged):
    """Which runs."""

    platform: str | None = Field(default=None, max_length=80)
    """The connector's kind or name."""
    job: str | None = Field(default=None, max_length=200)
    """A part of the job's name, or its whole id."""
    status: tuple[Status, ...] = ()
    """Left out: all."""
    hours: float = Field(default=24.0, gt=0, le=24 * _DAYS)
    """Runs that began within so many hours before now."""


class ScheduleArgs(Args):
    """Whose times."""

    job: str | None = Field(default=None, max_length=200)
    """A part of the job's name, its id or its subject; left out: those that are due next."""
    limit: int = Field(default=10, ge=1, le=PAGE)
    """Jobs at most."""


class FindingArgs(Args):
    """Which finding."""

    fingerprint: str = Field(min_length=4, max_length=64)
    """The fingerprint of a finding, or its beginning."""


class HealthArgs(Args):
    """Nothing to choose."""


class GraphArgs(Args):
    """Which part of the graph."""

    what: str | None = Field(default=None, max_length=200)
    """A pipeline or a job; left out: everything that is joined to something."""


class ChangesArgs(Paged):
    """Which changes."""

    hours: float = Field(default=72.0, gt=0, le=24 * _DAYS)
    """Changes that took effect within so many hours before now."""
    subject: str | None = Field(default=None, max_length=200)
    """A part of the subject that was changed."""


class ActionsArgs(Args):
    """Whose actions."""

    incident: int | None = Field(default=None, ge=1)
    """Of this incident only."""


class AuditArgs(Args):
    """Which part of the record."""

    subject: str | None = Field(default=None, max_length=200)
    """INC-7, an action's id; left out: everything."""
    after: int = Field(default=0, ge=0)
    """Events behind the one with this number; ``next_after`` of the answer before."""
    limit: int = Field(default=20, ge=1, le=PAGE)
    """How many at most."""


class ProposeArgs(Args):
    """One exact thing to do; a person decides."""

    incident: int = Field(ge=1)
    """The incident it is meant to mend."""
    verb: Literal["rerun", "repair", "cancel", "pause", "resume", "manual"]
    """What to do; manual is a step for a person."""
    target: str = Field(min_length=1, max_length=200)
    """Subject of the job: the incident's culprit or one that it hit."""
    reason: str = Field(min_length=1, max_length=400)
    """Why, in one sentence."""
    cites: tuple[str, ...] = Field(min_length=1, max_length=20)
    """Ids of the incident's evidence that it rests on."""


class AskArgs(Args):
    """A question to a person."""

    incident: int = Field(ge=1)
    """The incident it is about."""
    question: str = Field(min_length=1, max_length=400)
    """One sentence."""
