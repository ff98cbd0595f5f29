"""A cause: a claim about why, bound to the evidence that supports it."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from dogwatch.model.base import Noun
from dogwatch.model.cause_class import CauseClass


class Confidence(StrEnum):
    """How sure the evidence makes us; always computed, never taken from whoever makes the claim."""

    confirmed = "confirmed"
    likely = "likely"
    inconclusive = "inconclusive"


class Cause(Noun):
    """Why something happened, as far as the evidence goes."""

    claim: str
    """One sentence in our words, in which what platforms say is quoted."""
    cause_class: CauseClass | None = None
    """What sort of cause; None if nothing says."""
    subject: str
    """The job, component or platform where it began (see ``model.run.job_subject``)."""
    confidence: Confidence
    cites: tuple[str, ...] = Field(min_length=1)
    """Evidence ids that support the claim; a cause that cites nothing cannot be made."""
    phrase: str = ""
    """The words of the evidence that decided the class."""
    settle: str = ""
    """What would settle it, if it is not confirmed."""
    by: Literal["rules", "agent"] = "rules"
