"""What correlation knows beside the findings, and what comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from dogwatch.incidents.trouble import Past
from dogwatch.model import Affected, Cause, Deadline, Evidence, Incident, Job, Run, Turn, TurnKind

DeadlinesOf = Callable[[Sequence[str], Sequence[Affected]], Sequence[Deadline]]
"""From the culprits' subjects and who is hit to the promises that are broken or endangered."""


@dataclass(frozen=True, slots=True)
class Known:
    """Facts about the jobs in question. All of it may be empty; then less is said."""

    jobs: Mapping[str, Job] = field(default_factory=dict[str, Job])
    """By subject."""
    lives: Mapping[str, Sequence[Run]] = field(default_factory=dict[str, Sequence[Run]])
    """Runs, oldest first, of jobs in trouble and of all that depend on them."""
    good: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """When each job last ended well, lately."""
    past: Sequence[Past] = ()
    """Findings of live incidents that are over."""
    ended: Sequence[Incident] = ()
    """Incidents that were resolved lately and may come back."""
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])
    """The platform's kind by instance."""
    titles: Mapping[str, str] = field(default_factory=dict[str, str])
    """The platform's name for people, by instance."""
    next_number: int = 1
    """The number of the next incident."""
    deadlines: DeadlinesOf | None = None


@dataclass(frozen=True, slots=True)
class Correlation:
    """The incidents after a round."""

    incidents: tuple[Incident, ...] = ()
    """All that are live, worst first."""
    ended: tuple[Incident, ...] = ()
    """Those that this round resolved, or merged into others."""
    turns: tuple[Turn, ...] = ()
    """What happened to whom, one for each that is new or changed; the others have to be left as they are."""
    evidence: Mapping[str, Evidence] = field(default_factory=dict[str, Evidence])
    """Facts that incidents cite beyond what findings cite."""

    @property
    def changed(self) -> list[Incident]:
        """The incidents that have to be saved."""
        numbers = {turn.number for turn in self.turns}
        return [one for one in (*self.incidents, *self.ended) if one.number in numbers]

    def explained(self, causes: Mapping[int, Sequence[Cause]], now: datetime) -> "Correlation":
        """The same with the causes of some incidents, by number. A new cause is a change like any other."""
        turned = {turn.number: turn for turn in self.turns}
        incidents: list[Incident] = []
        for was in self.incidents:
            incident = was.model_copy(update={"causes": tuple(causes.get(was.number, was.causes))})
            if incident != was and was.number not in turned:
                incident = incident.model_copy(update={"version": was.version + 1, "updated_at": now})
                turned[was.number] = Turn(
                    number=was.number,
                    version=incident.version,
                    at=now,
                    actor="rules",
                    kind=TurnKind.changed,
                    was=was.state,
                    state=was.state,
                    why="more is known of its cause",
                )
            incidents.append(incident)
        turns = tuple(turned[number] for number in sorted(turned))
        return replace(self, incidents=tuple(incidents), turns=turns)
