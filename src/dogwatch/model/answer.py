"""The answer to a question that somebody typed: sentences, what they rest on, what to do."""

from typing import Literal

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.evidence import Evidence


class Statement(Noun):
    """One sentence."""

    said: str
    cites: tuple[str, ...] = ()
    """Ids of the evidence that shows it; empty for what the store itself is the witness of."""


class Answer(Noun):
    """The answer of ``dogwatch ask``."""

    format: Literal["dogwatch.answer/1"] = "dogwatch.answer/1"
    at: UtcTime
    timezone: str
    question: str
    understood: str = ""
    """What was taken to be asked: broken, why, hit, when …; empty if it was not understood."""
    about: tuple[str, ...] = ()
    """Subjects of what was taken to be meant."""
    statements: tuple[Statement, ...] = ()
    added: tuple[Statement, ...] = ()
    """What agents add, each sentence on evidence that holds it; empty without a model."""
    note: str = ""
    """Why agents added nothing or stopped early, if they were asked."""
    evidence: tuple[Evidence, ...] = ()
    """What the statements cite."""
    next: tuple[str, ...] = ()
    """Commands that show or do more."""
    suggestions: tuple[str, ...] = ()
    """Questions that can be answered; told if this one was not understood."""
    seen_at: UtcTime | None = None
    """When the platforms were looked at last; None if never."""
    by: Literal["rules", "agent"] = "rules"
