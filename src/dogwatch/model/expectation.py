"""An expectation: a run that should exist. What nothing met is the only way a missing run can be told."""

from enum import StrEnum

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.evidence import content_id
from dogwatch.model.run import job_subject


class Basis(StrEnum):
    """Why the run is expected."""

    schedule = "schedule"
    """The platform's own schedule."""
    declared = "declared"
    """The schedule that dogwatch.yaml declares."""
    upstream = "upstream"
    """What it waits for has succeeded."""
    learned = "learned"
    """It has always run at such times."""


class ExpectationState(StrEnum):
    """What became of it."""

    waiting = "waiting"
    """Its time has not run out."""
    unseen = "unseen"
    """Its time has run out, but the platform has not been read since: nothing is claimed."""
    met = "met"
    late = "late"
    """A run began, but after ``start_by``."""
    missed = "missed"
    """The platform was read past ``start_by`` and has no run for it."""
    skipped = "skipped"
    """The platform says that it skipped the run."""
    excused = "excused"
    """No run is needed; ``reason`` says why."""


class Expectation(Noun):
    """One slot of one job."""

    platform: str
    instance: str
    job_id: str
    job_name: str
    basis: Basis
    confidence: float = 1.0
    """Below 1 only where it is learned: the share of such slots that were met, as far as one can be sure."""
    scheduled_for: UtcTime
    """The nominal time."""
    not_before: UtcTime
    """A run that is due earlier cannot be the one."""
    start_by: UtcTime
    """When it counts as late, or as missed."""
    finish_by: UtcTime | None = None
    """When it should have ended, if enough runs are known to say."""
    state: ExpectationState = ExpectationState.waiting
    run_uid: str | None = None
    """The run that met it, in time or late, or that was skipped."""
    reason: str = ""
    """Why no run is needed."""

    @property
    def subject(self) -> str:
        """How findings name the job."""
        return job_subject(self.instance, self.job_id)

    @property
    def id(self) -> str:
        """The same slot of the same job has the same id, whatever becomes of it."""
        return content_id([self.subject, self.scheduled_for.isoformat()])
