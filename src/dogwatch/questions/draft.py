"""An answer in the making, and what in an incident a question is about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo

from dogwatch.model import Evidence, Incident
from dogwatch.model.answer import Statement
from dogwatch.model.dossier import Dossier
from dogwatch.model.text import one_line
from dogwatch.questions.intents import Window
from dogwatch.questions.names import Named
from dogwatch.report import words

_EVIDENCE = 12
_LATE = frozenset({"late", "missed", "slow", "hung", "skipped"})


@dataclass(slots=True)
class Draft:
    """An answer in the making."""

    now: datetime
    zone: ZoneInfo
    window: Window | None = None
    said: list[Statement] = field(default_factory=list[Statement])
    evidence: dict[str, Evidence] = field(default_factory=dict[str, Evidence])
    next: list[str] = field(default_factory=list[str])

    def say(self, sentence: str, cites: Iterable[Evidence] = ()) -> None:
        """Add a sentence with what shows it."""
        ids: list[str] = []
        for item in cites:
            if item.id in self.evidence or len(self.evidence) < _EVIDENCE:
                self.evidence[item.id] = item
                ids.append(item.id)
        self.said.append(Statement(said=one_line(sentence, 500), cites=tuple(ids)))

    def then(self, *commands: str) -> None:
        """Add what to do next, each once."""
        self.next += [one for one in commands if one and one not in self.next]

    def at(self, moment: datetime) -> str:
        """A time and its age."""
        return words.since(moment, self.now, self.zone)


def items(value: object) -> list[Mapping[str, object]]:
    """The objects in a JSON list."""
    listed = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Mapping[str, object]", one) for one in listed if isinstance(one, dict)]


def incidents_named(subjects: Sequence[str]) -> tuple[Named, ...]:
    """The incidents among some subjects."""
    return tuple(Named("incident", one, one) for one in subjects if one.startswith("INC-"))


def is_late(dossier: Dossier) -> bool:
    """Whether an incident is about time: something came late, not at all, or took too long."""
    rules = {one.rule for one in dossier.findings}
    harms = {one.harm.value for one in dossier.incident.affected}
    return bool(_LATE & (rules | harms)) or any(one.missed for one in dossier.incident.deadlines)


def has_part(incident: Incident, thing: Named) -> bool:
    """Whether an incident began at something, hit it, or lies on it."""
    if thing.kind == "incident":
        return incident.name == thing.subject
    if thing.kind == "pipeline":
        return thing.subject in incident.pipelines or any(
            one.pipeline == thing.subject for one in incident.deadlines
        )
    if thing.kind == "platform":
        return incident.culprit.partition("/")[0] == thing.subject
    return thing.subject == incident.culprit or any(one.subject == thing.subject for one in incident.affected)
