"""A review: what dogwatch said of past incidents, judged by what happened later and by people."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from dogwatch.model.base import Noun, UtcTime


class Judged(StrEnum):
    """How right it was."""

    right = "right"
    wrong = "wrong"
    unknown = "unknown"


class Tally(Noun):
    """How often something was right."""

    right: int = 0
    wrong: int = 0
    unknown: int = 0

    @property
    def share(self) -> float | None:
        """Right of all that is known; None if nothing is."""
        known = self.right + self.wrong
        return self.right / known if known else None


class CaseReview(Noun):
    """One incident, judged."""

    incident: str
    title: str
    cause_class: str = ""
    alert: Judged
    alert_why: str
    cause: Judged
    cause_why: str
    actions: Tally = Tally()
    score: int | None = None
    """The mean of what people gave, 0 to 100."""


class Scores(Noun):
    """One review's figures, as they are kept."""

    at: UtcTime
    alerts: Tally
    causes: Tally
    actions: Tally
    feedback: float | None = None
    """The mean of what people gave, 0 to 100."""
    weights: dict[str, float] = Field(default_factory=dict[str, float])
    """By class of cause, how much its past answers count where they are only hints: 0.5 to 1."""


class Review(Noun):
    """The answer of ``dogwatch review``."""

    format: Literal["dogwatch.review/1"] = "dogwatch.review/1"
    at: UtcTime
    timezone: str
    since: UtcTime
    cases: tuple[CaseReview, ...] = ()
    """The latest first."""
    now: Scores
    trend: tuple[Scores, ...] = ()
    """Of earlier reviews, the oldest first."""
