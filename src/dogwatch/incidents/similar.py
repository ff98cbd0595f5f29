"""Which past incidents are like one of today: by what was found on which job, by cause, by the graph. Pure.

The weights say what a person on call would recognise first: the same job with the same trouble, then the same
sort of cause, then trouble in the same neighbourhood. They are judged by order only, never as a probability.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from dogwatch.model import Finding, Incident
from dogwatch.model.precedent import Precedent, Remedied

_CULPRIT, _RULE, _CLASS, _PHRASE, _NEIGHBOURS, _HARM = 0.35, 0.2, 0.2, 0.1, 0.05, 0.1
LEAST = 0.4
"""Less likeness is chance: a class alone, or a rule alone."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An incident with its findings."""

    incident: Incident
    findings: Sequence[Finding] = ()
    done: Sequence[Remedied] = ()

    @property
    def rules(self) -> frozenset[str]:
        """The rules that spoke of the culprit."""
        return frozenset(one.rule for one in self.findings if one.subject == self.incident.culprit)

    @property
    def subjects(self) -> frozenset[str]:
        """Everybody it touched."""
        hit = (one.subject for one in self.incident.affected if one.since is not None)
        return frozenset((self.incident.culprit, *hit))


def similar(one: Seen, past: Iterable[Seen], neighbours: AbstractSet[str], limit: int = 5) -> list[Precedent]:
    """Those of ``past`` that are like it, the likest and then the latest first.

    ``neighbours``: subjects that the culprit depends on or that depend on it.
    """
    found = [
        _compared(one, other, neighbours) for other in past if other.incident.number != one.incident.number
    ]
    like = [precedent for precedent in found if precedent.likeness >= LEAST]
    like.sort(key=lambda precedent: (-precedent.likeness, -precedent.number))
    return like[:limit]


def _compared(one: Seen, other: Seen, neighbours: AbstractSet[str]) -> Precedent:
    mine, theirs = one.incident, other.incident
    first, second = (incident.causes[0] if incident.causes else None for incident in (mine, theirs))
    why: list[str] = []
    likeness = 0.0
    if mine.culprit == theirs.culprit:
        likeness += _CULPRIT
        why.append(f"the same culprit, {mine.culprit}")
    elif theirs.culprit in neighbours:
        likeness += _NEIGHBOURS
        why.append("its culprit is joined to this one")
    if shared := sorted(one.rules & other.rules):
        likeness += _RULE
        why.append(f"the same finding, {', '.join(shared)}")
    if first and second and first.cause_class and first.cause_class == second.cause_class:
        likeness += _CLASS
        why.append(f"the same sort of cause, {first.cause_class}")
        if first.phrase and first.phrase.casefold() == second.phrase.casefold():
            likeness += _PHRASE
            why.append("the same words")
    both, either = one.subjects & other.subjects, one.subjects | other.subjects
    if len(both) > 1:
        likeness += _HARM * len(both) / len(either)
        why.append(f"{len(both)} jobs hit by both")
    return Precedent(
        incident=theirs.name,
        number=theirs.number,
        title=theirs.title,
        culprit=theirs.culprit,
        cause_class=second.cause_class if second else None,
        claim=second.claim if second else "",
        began_at=theirs.began_at,
        resolved_at=theirs.resolved_at,
        likeness=round(likeness, 3),
        why=tuple(why),
        done=tuple(other.done),
    )
