"""A delivery: something that has to leave the house, written down before it goes."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field, JsonValue

from dogwatch.model.base import Noun, UtcTime

FEEDS = frozenset({"hub", "lineage"})
"""Kinds that copy what the store holds, in every round: that one arrived is no entry for the record."""
NOWHERE = "none"
"""The destination of what was decided although there is nobody to send it to."""


class DeliveryState(StrEnum):
    """Where it stands."""

    held = "held"
    """Decided, and kept back: it is told later by itself, or gathered into a digest."""
    gathered = "gathered"
    """A digest tells it."""
    waiting = "waiting"
    """To be sent at ``next_at``."""
    sending = "sending"
    """An attempt was begun; if that process died, nobody knows whether it arrived."""
    sent = "sent"
    moved = "moved"
    """It could not be delivered here; another destination got it."""
    failed = "failed"
    """It could not be delivered, and there was no other destination."""
    noted = "noted"
    """Decided while there was nobody to send it to."""

    @property
    def pending(self) -> bool:
        """True while a worker has something to do with it."""
        return self in (DeliveryState.waiting, DeliveryState.sending)


class Delivery(Noun):
    """One thing for one destination. Whoever makes it chooses ``key``: the same key is never stored twice."""

    id: int = 0
    """Given by the store, in the order of writing; 0 before."""
    kind: str
    """What sort of thing: ``message``, or a word of another room that has things to send."""
    destination: str
    """The channel's (or warehouse's) name in dogwatch.yaml, or ``none``."""
    key: str
    """Unique for ever, and the idempotency key where the destination knows such a thing."""
    thread: str
    """Things of one thread reach one destination in order, one after the other."""
    tag: str = ""
    """A word by which the kind's own room finds it again."""
    mark: str = ""
    """What state of its thread it tells, in the kind's own words."""
    payload: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    state: DeliveryState = DeliveryState.waiting
    attempts: int = 0
    """How many were begun."""
    doubtful: bool = False
    """True if an attempt was begun of which nobody knows how it ended."""
    doubled: bool = False
    """True if it may have arrived twice: after a doubtful attempt it was sent again, and the destination
    has no way to tell whether it had the first."""
    next_at: UtcTime
    """When it may be sent."""
    created_at: UtcTime
    finished_at: UtcTime | None = None
    landed: str = ""
    """Where it is, in the destination's words."""
    error: str = ""
    """Why the last attempt failed."""


class Reach(Noun):
    """How well a destination can be reached."""

    destination: str
    dead_since: UtcTime | None = None
    """Switched off since then: no attempt could succeed until somebody does something."""
    failing_since: UtcTime | None = None
    """Out of reach since then; every further delivery tries once more."""
    reason: str = ""
    hint: str = ""
    last_sent_at: UtcTime | None = None
