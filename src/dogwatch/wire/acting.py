"""What a connector that can act offers: its verbs, what each risks, and how its success is verified.

``heal`` alone calls ``act``. A connector knows nothing of consent; it does exactly what an order says, once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from dogwatch.model import Job, Risk, Run


class Proof(StrEnum):
    """By what fresh data one sees that an action did what it was meant to do."""

    new_run = "new_run"
    """A run that began after it succeeds."""
    new_attempt = "new_attempt"
    """A further attempt of the same run succeeds."""
    run_over = "run_over"
    """The run is no longer open."""
    job_paused = "job_paused"
    job_active = "job_active"
    told = "told"
    """Nothing shows it; a person or another system says so."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that a platform really lets us do."""

    risk: Risk
    says: str
    """What it does, with ``{job}`` for the job's name: ``Rerun {job} once``."""
    proof: Proof
    repeatable: bool = False
    """Whether a second try with the same key does nothing twice, because the platform sees to it."""
    about_run: bool = False
    """Whether it is about one run rather than the job."""
    roots_only: bool = False
    """Whether the platform does it only for jobs that follow no other job."""


@dataclass(frozen=True, slots=True)
class Order:
    """One exact thing to do, consented to."""

    verb: str
    job: Job
    run: Run | None
    """The run that it is about, for verbs that are about one."""
    key: str
    """The same for every try of the same consent, for platforms that know idempotency keys; at most 64
    characters."""
    args: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the platform said when it took the order."""

    said: str
    """One sentence."""
    native_run_id: str | None = None
    """The run that came of it, if the platform told."""


@runtime_checkable
class CanAct(Protocol):
    """Can change things on its platform, by supported calls only."""

    def verbs(self) -> Mapping[str, Verb]:
        """What it offers, by name: rerun, cancel, repair, pause, resume."""
        ...

    async def act(self, order: Order) -> Receipt:
        """Do it, once. Raises a ConnectorError; ``Unreachable.asked`` tells whether it may have been done."""
        ...
