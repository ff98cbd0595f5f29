"""Incidents as a person asks for them: a list, and one with everything that is known of it."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from dogwatch.model.action import Action
from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.evidence import Evidence
from dogwatch.model.finding import Finding
from dogwatch.model.incident import Incident, Turn


class Happening(Noun):
    """One line of a timeline."""

    at: UtcTime
    actor: str = ""
    """Who decided or did it, as in events; empty for what happened by itself."""
    said: str
    """One sentence."""
    cites: tuple[str, ...] = ()
    """Evidence ids that show it."""


class IncidentList(Noun):
    """The answer of ``dogwatch incidents``."""

    format: Literal["dogwatch.incidents/1"] = "dogwatch.incidents/1"
    at: UtcTime
    timezone: str
    incidents: tuple[Incident, ...] = ()
    """The live ones first, worst first; then those that are over, the latest first."""
    more: int = 0
    """How many at least were left out."""


class Dossier(Noun):
    """The answer of ``dogwatch incident show``: one incident with all that it rests on."""

    format: Literal["dogwatch.incident/1"] = "dogwatch.incident/1"
    at: UtcTime
    timezone: str
    incident: Incident
    findings: tuple[Finding, ...] = ()
    """As they were last seen, in the incident's order."""
    cleared: Mapping[str, UtcTime] = Field(default_factory=dict[str, UtcTime])
    """By fingerprint, the round that no longer found it."""
    evidence: tuple[Evidence, ...] = ()
    """Every fact that it cites or ever cited, the oldest first."""
    turns: tuple[Turn, ...] = ()
    timeline: tuple[Happening, ...] = ()
    """What happened, what was found and what was decided, in order."""
    actions: tuple[Action, ...] = ()
    """What was proposed to mend it and what came of that, the newest first."""
