"""A finding: something that is wrong with one job or one platform, and the evidence for it."""

from enum import StrEnum

from pydantic import Field

from dogwatch.model.base import Noun, UtcTime


class Severity(StrEnum):
    """How bad it is. Ordered by ``rank``."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """0 for INFO up to 3 for CRITICAL."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Finding(Noun):
    """One rule's verdict on one subject."""

    rule: str
    """The rule that spoke, e.g. ``failed``, ``slow``, ``blind``."""
    subject: str
    """``<instance>/<job id>`` for a job, ``<instance>`` for a platform."""
    severity: Severity
    summary: str
    """One sentence: the subject, the verb, the number with its unit and what it is compared with."""
    evidence: tuple[str, ...] = Field(min_length=1)
    """Evidence ids; a finding without evidence cannot be made."""
    fingerprint: str
    """The same trouble seen again has the same fingerprint; a new occurrence has a new one."""
    at: UtcTime
    """When it began, as far as the evidence shows."""
    url: str | None = None
    """Where a person can look at it."""
    muted: str = ""
    """Why the user wants silence on it (a mute, maintenance, a holiday); then it is a note."""
    next_step: str = ""
    """What to do: a command, a link or a person."""
