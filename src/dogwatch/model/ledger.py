"""What a round writes down of the runs that should exist, and when it has to look for them again."""

from dataclasses import dataclass, field
from datetime import datetime

from dogwatch.model.expectation import Expectation

JobKey = tuple[str, str]
"""(instance, job_id)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A slot as an earlier round wrote it down."""

    slot: Expectation
    told: bool
    """Whether a round has told of it."""


@dataclass(frozen=True, slots=True)
class Look:
    """When a job has to be looked at again although nothing was heard of it."""

    at: datetime
    slot: datetime | None = None
    """The next slot, if it is known."""


@dataclass(slots=True)
class Ledger:
    """What a round writes down."""

    slots: list[Kept] = field(default_factory=list[Kept])
    """New or changed."""
    dropped: list[tuple[JobKey, datetime]] = field(default_factory=list[tuple[JobKey, datetime]])
    """(job, scheduled_for) of slots that turned out not to exist."""
    looks: dict[JobKey, Look | None] = field(default_factory=dict[JobKey, Look | None])
    """Of each job that was looked at; None: only news of it are a reason to do so again."""

    def merge(self, other: "Ledger") -> None:
        """Add what another part of the round writes down."""
        self.slots += other.slots
        self.dropped += other.dropped
        self.looks |= other.looks
