"""What one root cause looks like in one round, before it is known which incident it is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dogwatch.model import Affected, Deadline, Severity


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything of an incident that follows from the facts alone."""

    key: str
    culprit: str
    culprit_name: str
    title: str
    severity: Severity
    """Of what is found now."""
    worst: Severity
    """Of everything that belongs to it."""
    findings: tuple[str, ...]
    active: tuple[str, ...]
    subjects: frozenset[str]
    """Whom its findings are about."""
    ill: bool
    """Whether the culprit itself is unwell now."""
    holds: bool
    """Whether anything of it keeps it from being over."""
    calm_since: datetime | None
    """Since when nothing of it is found; None while something is."""
    blind: bool
    began_at: datetime
    affected: tuple[Affected, ...]
    deadlines: tuple[Deadline, ...]
    pipelines: tuple[str, ...]
    owners: tuple[str, ...]
    muted: str
    """Why the configuration wants silence on all of it; empty if it does not."""
    rhythm: timedelta = timedelta(0)
    """How long the culprit has to be well before it is believed: one good run among many says little."""
