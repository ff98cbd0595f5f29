"""What happened in an incident, in order: facts, findings, decisions and notes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from dogwatch.incidents.lifecycle import PARTICULARS
from dogwatch.model import Action, ActionState, Event, Finding, Harm, Incident, Turn, TurnKind
from dogwatch.model.dossier import Happening
from dogwatch.model.text import one_line

NOTED = "incident.noted"
"""The kind of the event that a person's note is."""
LOOKED = "agent.finished"
"""The kind of the event that agents write when they are through with an incident."""
_HARM = {
    Harm.failed: "failed",
    Harm.skipped: "was skipped",
    Harm.late: "was late",
    Harm.missed: "did not start",
    Harm.stale: "ran on stale data",
    Harm.degraded: "worked worse than usual",
}
_VERB = {
    TurnKind.opened: "dogwatch opened the incident",
    TurnKind.changed: "changed",
    TurnKind.acknowledged: "acknowledged",
    TurnKind.mitigated: "mitigated",
    TurnKind.relapsed: "open again",
    TurnKind.resolved: "resolved",
    TurnKind.reopened: "reopened",
    TurnKind.merged: "merged",
    TurnKind.muted: "muted",
    TurnKind.unmuted: "no longer muted",
}


def timeline(
    incident: Incident,
    findings: Sequence[Finding],
    cleared: Mapping[str, datetime],
    turns: Iterable[Turn],
    events: Iterable[Event],
    actions: Iterable[Action] = (),
) -> tuple[Happening, ...]:
    """One line for each thing that happened. What happened at one time stands in the order of its making: the
    fact, what followed, what was decided."""
    found = {finding.subject for finding in findings}
    told: list[tuple[datetime, int, Happening]] = []
    for finding in findings:
        told.append((finding.at, 0, _happening(finding.at, one_line(finding.summary, 300), finding.evidence)))
        over = cleared.get(finding.fingerprint)
        if over is not None:
            said = f"no longer found: {finding.rule} of {_name(finding, incident)}"
            told.append((over, 2, _happening(over, said)))
    for hit in incident.affected:
        if hit.since is not None and hit.harm in _HARM and hit.subject not in found:
            said = f"{one_line(hit.name, 80)} {_HARM[hit.harm]}"
            told.append((hit.since, 1, _happening(hit.since, said, hit.cites)))
    for turn in turns:
        if turn.why != PARTICULARS:
            said = _VERB[turn.kind] + (f": {turn.why}" if turn.kind is not TurnKind.opened else "")
            told.append((turn.at, 3, Happening(at=turn.at, actor=turn.actor, said=one_line(said, 400))))
    for event in events:
        if not event.kind.startswith("incident.") or event.kind == NOTED:
            told.append((event.at, 4, Happening(at=event.at, actor=event.actor, said=_event(event))))
    told += [(one.at, 5, one) for action in actions for one in _deeds(action)]
    return tuple(item for _, _, item in sorted(told, key=lambda one: (one[0], one[1], one[2].said)))


def _deeds(action: Action) -> Iterator[Happening]:
    """What a person decided about an action, that it was done, and what came of it."""
    what = one_line(f"{action.verb} {action.target_name}", 200)
    if action.decided_at is not None and action.decided_by.startswith("user:"):
        word = "rejected" if action.state is ActionState.rejected else "approved"
        yield Happening(at=action.decided_at, actor=action.decided_by, said=f"{word}: {what}")
    if action.began_at is not None:
        yield Happening(at=action.began_at, said=f"dogwatch did it: {what}")
        if action.ended_at is not None:
            came = action.state.value.replace("_", " ")
            yield Happening(
                at=action.ended_at, said=one_line(f"{came}: {what}; {action.why}".rstrip("; "), 400)
            )


def _happening(at: datetime, said: str, cites: tuple[str, ...] = ()) -> Happening:
    return Happening(at=at, said=said, cites=cites)


def _name(finding: Finding, incident: Incident) -> str:
    if finding.subject == incident.culprit:
        return one_line(incident.culprit_name, 80)
    hit = next((hit for hit in incident.affected if hit.subject == finding.subject), None)
    return one_line(hit.name if hit else finding.subject, 80)


def _event(event: Event) -> str:
    text = event.detail.get("text")
    if event.kind == NOTED and isinstance(text, str):
        return f"note: {one_line(text, 1_000)}"
    if event.kind == LOOKED:
        issues, dropped = event.detail.get("issues"), event.detail.get("dropped")
        return one_line(f"agents looked at it: claims that stand {issues}, dropped {dropped}", 400)
    known = ((key, value) for key, value in event.detail.items() if isinstance(value, (str, int, float)))
    particulars = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in known)
    said = event.kind.replace(".", " ").replace("_", " ")
    return one_line(f"{said}: {particulars}" if particulars else said, 400)
