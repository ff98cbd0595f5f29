"""What is told about actions and about the record of everything that was decided or done."""

from typing import Literal

from dogwatch.model.action import Action
from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.event import Event


class ActionList(Noun):
    """The answer of ``dogwatch actions``."""

    format: Literal["dogwatch.actions/1"] = "dogwatch.actions/1"
    at: UtcTime
    timezone: str
    halted_by: str = ""
    """Who stopped everything; empty if nobody did."""
    halted_at: UtcTime | None = None
    policy_problem: str = ""
    """What is wrong with the policy file, so that everything is refused; empty if nothing is."""
    actions: tuple[Action, ...] = ()
    """What waits for a person first, then the newest."""
    labels: tuple[str, ...] = ()
    """For each action, what it would do, in words."""
    digests: tuple[str, ...] = ()
    """For each action, what consent to it is bound to."""


class AuditTrail(Noun):
    """The answer of ``dogwatch audit``."""

    format: Literal["dogwatch.audit/1"] = "dogwatch.audit/1"
    at: UtcTime
    timezone: str
    events: tuple[Event, ...] = ()
    """In order."""


class AuditVerdict(Noun):
    """The answer of ``dogwatch audit verify``."""

    format: Literal["dogwatch.audit.verify/1"] = "dogwatch.audit.verify/1"
    at: UtcTime
    whole: bool
    broken_at: int | None = None
    """Number of the first event that does not fit the one before it."""
    events: int = 0
    last_hash: str = ""
    """Kept elsewhere, it shows later whether the last events were cut off."""
