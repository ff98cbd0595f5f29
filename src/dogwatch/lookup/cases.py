"""Incidents as a person asks for them, and what a person decides about them. Sync; asks no platform."""

from collections.abc import Callable
from datetime import datetime

from dogwatch.errors import IncidentError
from dogwatch.incidents.lifecycle import Step
from dogwatch.incidents.timeline import NOTED, timeline
from dogwatch.model import Incident
from dogwatch.model.dossier import Dossier, IncidentList
from dogwatch.store import Store
from dogwatch.store.incidents import Casebook, IncidentFilter, Outrun

_TRIES = 3
_EVENTS = 500


def incident_list(store: Store, wanted: IncidentFilter, timezone: str, now: datetime) -> IncidentList:
    """The incidents that are wanted: live ones first, worst first, then the latest of those that are over."""
    found = store.incidents(wanted)
    live = [one for one in found if one.state.live]
    over = [one for one in found if not one.state.live]
    live.sort(key=lambda one: (one.blind, -one.severity.rank, one.began_at, one.number))
    over.sort(key=lambda one: (one.resolved_at or one.updated_at, one.number), reverse=True)
    return IncidentList(at=now, timezone=timezone, incidents=(*live, *over))


def dossier(store: Store, number: int, timezone: str, now: datetime) -> Dossier:
    """Everything about one incident. Raises IncidentError if there is none with this number."""
    incident = _known(store, number)
    parts = {one.fingerprint: (one, over) for one, over in store.incident_findings([number]).get(number, [])}
    findings = [parts[key][0] for key in incident.findings if key in parts]
    cleared = {key: over for key, (_, over) in parts.items() if over is not None}
    turns = store.turns(number)
    events = store.events(incident.name, limit=_EVENTS)
    actions = store.actions(incident=number)
    return Dossier(
        at=now,
        timezone=timezone,
        incident=incident,
        findings=tuple(findings),
        cleared=cleared,
        evidence=tuple(store.incident_evidence(number)),
        turns=tuple(turns),
        timeline=timeline(incident, findings, cleared, turns, events, actions),
        actions=tuple(actions),
    )


def decide(store: Store, number: int, step: Callable[[Incident], Step]) -> Incident:
    """Do with an incident what a person decided; returns it as it is then.

    If a round has changed it meanwhile it is looked at again. Raises IncidentError or StoreError.
    """
    tries_left = _TRIES
    while True:
        incident, turn = step(_known(store, number))
        try:
            store.save_incidents(Casebook([incident], [turn]))
        except Outrun:
            tries_left -= 1
            if not tries_left:
                raise
        else:
            return incident


def note(store: Store, number: int, by: str, text: str, now: datetime) -> Incident:
    """Keep a person's words with an incident, whatever its state. Raises IncidentError."""
    incident = _known(store, number)
    if not text.strip():
        raise IncidentError("the note is empty", f'dogwatch incident note {incident.name} "what you know"')
    store.log(now, by, NOTED, incident.name, {"text": text.strip()[:4_000]})
    return incident


def _known(store: Store, number: int) -> Incident:
    incident = store.incident(number)
    if incident is None:
        raise IncidentError(f"there is no INC-{number}", "dogwatch incidents")
    return incident
