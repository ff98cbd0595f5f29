"""A precedent: a past incident that is like one of today, and what helped then."""

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.cause_class import CauseClass


class Remedied(Noun):
    """Something that was done about a past incident."""

    verb: str
    target: str
    """Subject of the job."""
    state: str
    """What came of it: helped, did_not_help, made_worse …"""


class Precedent(Noun):
    """A past incident that is like another."""

    incident: str
    """INC-3: how it is cited."""
    number: int
    title: str
    culprit: str
    cause_class: CauseClass | None = None
    """Of its likeliest cause."""
    claim: str = ""
    """Its likeliest cause, in the words of the rules."""
    began_at: UtcTime
    resolved_at: UtcTime | None = None
    likeness: float
    """0 to 1; by what ``why`` names."""
    why: tuple[str, ...]
    """What the two have in common."""
    done: tuple[Remedied, ...] = ()
    """What was done, the oldest first."""
