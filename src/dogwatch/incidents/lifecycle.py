"""The life of an incident: open → acknowledged → mitigated → resolved, and perhaps open again.

What the evidence decides is decided by ``advance`` in every round; what people decide by the other functions
here. All of them return the incident with its next version and the turn that led to it; nothing is stored.
"""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from dogwatch.errors import IncidentError
from dogwatch.incidents.draft import Draft
from dogwatch.model import Incident, IncidentState, Severity, Turn, TurnKind
from dogwatch.model.text import plural

COMES_BACK = timedelta(hours=24)
"""What returns within this is the same incident, open again."""
_CALM = timedelta(hours=1)
"""How long one that came back has to stay away before it is resolved; twice as long each further time."""
_CALMEST = timedelta(hours=8)
PARTICULARS = "its particulars changed"
"""Why an incident has a new version that nobody needs to read about."""
RULES = "rules"
"""The actor of everything that nobody decided."""

Step = tuple[Incident, Turn]


def opened(draft: Draft, number: int, now: datetime, why: str = "") -> Step:
    """A new incident."""
    incident = _filled(
        Incident(
            number=number,
            key=draft.key,
            state=IncidentState.open,
            severity=draft.severity,
            title=draft.title,
            culprit=draft.culprit,
            culprit_name=draft.culprit_name,
            findings=(),
            opened_at=now,
            began_at=draft.began_at,
            updated_at=now,
            version=1,
        ),
        draft,
    )
    return incident, _turn(incident, TurnKind.opened, None, now, RULES, why or draft.title)


def reopened(was: Incident, draft: Draft, now: datetime) -> Step:
    """One that was resolved and has come back."""
    incident = _filled(was, draft).model_copy(
        update={
            "state": IncidentState.open,
            "resolved_at": None,
            "acknowledged_by": None,
            "reopened": was.reopened + 1,
        }
    )
    return _next(was, incident, TurnKind.reopened, now, RULES, f"it came back: {draft.title}")


def advance(was: Incident, draft: Draft, now: datetime) -> Step | None:
    """What a round makes of a live incident; None if nothing about it has changed."""
    incident = _filled(was, draft)
    if incident.muted_until is not None and incident.muted_until <= now:
        incident = incident.model_copy(update={"muted": draft.muted, "muted_by": None, "muted_until": None})
    if draft.ill:
        if was.state is IncidentState.mitigated:
            state = IncidentState.acknowledged if was.acknowledged_by else IncidentState.open
            return _moved(was, incident, state, TurnKind.relapsed, now, "the culprit is unwell again")
    elif draft.holds or now < _calm_until(was, draft):
        if was.state is not IncidentState.mitigated:
            rest = "what it broke is not all mended yet" if draft.holds else "it has to stay so for a while"
            why = f"{draft.culprit_name} is well again; {rest}"
            return _moved(was, incident, IncidentState.mitigated, TurnKind.mitigated, now, why)
    else:
        worst = incident.model_copy(update={"resolved_at": now, "severity": draft.worst})
        why = f"nothing of it is found any more ({plural(len(draft.findings), 'finding')} cleared)"
        return _moved(was, worst, IncidentState.resolved, TurnKind.resolved, now, why)
    if _same(was, incident):
        return None
    if bool(was.muted) != bool(incident.muted):
        kind = TurnKind.muted if incident.muted else TurnKind.unmuted
        return _next(was, incident, kind, now, RULES, incident.muted or "nobody is silent about it any more")
    return _next(was, incident, TurnKind.changed, now, RULES, _difference(was, incident))


def quieter(was: Incident, found: AbstractSet[str], now: datetime) -> Step:
    """One that a person resolved, of which less is found than then: what comes again from now on is news."""
    left = tuple(key for key in was.active if key in found)
    incident = was.model_copy(update={"active": left})
    return _next(was, incident, TurnKind.changed, now, RULES, PARTICULARS)


def faded(was: Incident, now: datetime) -> Step:
    """One of which nothing is left, not even a trouble that is over: what it was made of is a note now."""
    incident = was.model_copy(update={"state": IncidentState.resolved, "resolved_at": now, "active": ()})
    return _next(was, incident, TurnKind.resolved, now, RULES, "what is left of it is worth a note only")


def merged(was: Incident, into: Incident, now: datetime) -> Step:
    """One that turned out to be a part of another."""
    incident = was.model_copy(
        update={"state": IncidentState.merged, "merged_into": into.number, "resolved_at": now, "active": ()}
    )
    return _next(was, incident, TurnKind.merged, now, RULES, f"it is a part of {into.name}: {into.title}")


# ── what people decide; ``by`` is an actor, as ``user:<name>`` ─────────────────────────────────────────────


def acknowledge(was: Incident, by: str, now: datetime) -> Step:
    """Somebody takes it on. Raises IncidentError if it is over."""
    _live(was, "acknowledge")
    state = IncidentState.acknowledged if was.state is IncidentState.open else was.state
    incident = was.model_copy(update={"state": state, "acknowledged_by": _person(by)})
    return _next(was, incident, TurnKind.acknowledged, now, by, f"{_person(by)} has taken it on")


def mute(was: Incident, by: str, until: datetime | None, now: datetime, why: str = "") -> Step:
    """Nobody is told of it any more, until a moment or until it is over. Raises IncidentError if it is."""
    _live(was, "mute")
    end = "" if until is None else f" until {until:%Y-%m-%d %H:%M} UTC"
    said = f"muted by {_person(by)}{end}{f': {why}' if why else ''}"
    incident = was.model_copy(update={"muted": said, "muted_by": _person(by), "muted_until": until})
    return _next(was, incident, TurnKind.muted, now, by, said)


def unmute(was: Incident, by: str, now: datetime) -> Step:
    """People are told of it again. Raises IncidentError if nobody had muted it."""
    if was.muted_by is None:
        raise IncidentError(f"{was.name} is not muted by anybody", f"dogwatch incident show {was.name}")
    incident = was.model_copy(update={"muted": "", "muted_by": None, "muted_until": None})
    return _next(was, incident, TurnKind.unmuted, now, by, f"{_person(by)} wants to hear of it again")


def resolve(was: Incident, by: str, now: datetime, why: str = "") -> Step:
    """Somebody says that it is over; what is still found does not open it again by itself for as long as it
    stays as it is. Raises IncidentError if it is over already."""
    _live(was, "resolve")
    incident = was.model_copy(update={"state": IncidentState.resolved, "resolved_at": now})
    said = f"{_person(by)} says it is over{f': {why}' if why else ''}"
    return _next(was, incident, TurnKind.resolved, now, by, said)


def reopen(was: Incident, by: str, now: datetime, why: str = "") -> Step:
    """Somebody says that it is not over. Raises IncidentError if it is live, or a part of another one."""
    if was.state is not IncidentState.resolved:
        if was.merged_into is not None:
            raise IncidentError(
                f"{was.name} is a part of INC-{was.merged_into}",
                f"dogwatch incident show INC-{was.merged_into}",
            )
        raise IncidentError(f"{was.name} is {was.state.value}, not resolved")
    update = {"state": IncidentState.open, "resolved_at": None, "reopened": was.reopened + 1}
    said = f"{_person(by)} says it is not over{f': {why}' if why else ''}"
    return _next(was, was.model_copy(update=update), TurnKind.reopened, now, by, said)


# ── how it is done ────────────────────────────────────────────────────────────────────────────────────────


def _live(incident: Incident, verb: str) -> None:
    if not incident.state.live:
        where = f"a part of INC-{incident.merged_into}" if incident.merged_into else incident.state.value
        raise IncidentError(
            f"cannot {verb} {incident.name}: it is {where}", f"dogwatch incident reopen {incident.name}"
        )


def _person(actor: str) -> str:
    return actor.removeprefix("user:")


def _filled(incident: Incident, draft: Draft) -> Incident:
    """The incident with what this round found out. Whoever muted it, it stays so until the end."""
    keeps = incident.muted_by is not None or not draft.active
    return incident.model_copy(
        update={
            "key": draft.key,
            "severity": draft.severity,
            "title": draft.title,
            "culprit": draft.culprit,
            "culprit_name": draft.culprit_name,
            "findings": draft.findings,
            "active": draft.active,
            "affected": draft.affected,
            "deadlines": draft.deadlines,
            "pipelines": draft.pipelines,
            "owners": draft.owners,
            "blind": draft.blind,
            "began_at": draft.began_at,
            "muted": incident.muted if keeps else draft.muted,
        }
    )


def _calm_until(was: Incident, draft: Draft) -> datetime:
    """Until when one that keeps coming back is not taken for over, however well it looks."""
    if draft.calm_since is None:
        return draft.began_at
    again = min(_CALMEST, _CALM * (1 << min(8, was.reopened - 1))) if was.reopened else timedelta(0)
    return draft.calm_since + max(again, draft.rhythm)


def _moved(
    was: Incident, incident: Incident, state: IncidentState, kind: TurnKind, now: datetime, why: str
) -> Step:
    return _next(was, incident.model_copy(update={"state": state}), kind, now, RULES, why)


def _next(was: Incident, incident: Incident, kind: TurnKind, now: datetime, actor: str, why: str) -> Step:
    """The next version, and the turn that led to it."""
    moved = incident.model_copy(update={"version": was.version + 1, "updated_at": now})
    return moved, _turn(moved, kind, was.state, now, actor, why)


def _turn(
    incident: Incident, kind: TurnKind, was: IncidentState | None, now: datetime, actor: str, why: str
) -> Turn:
    return Turn(
        number=incident.number,
        version=incident.version,
        at=now,
        actor=actor,
        kind=kind,
        was=was,
        state=incident.state,
        why=why,
    )


def _same(was: Incident, incident: Incident) -> bool:
    return was == incident


def _difference(was: Incident, incident: Incident) -> str:
    """What is new, in a few words."""
    said: list[str] = []
    if was.culprit != incident.culprit:
        said.append(f"it began with {incident.culprit_name}, not with {was.culprit_name}")
    if was.severity is not incident.severity:
        worse = incident.severity.rank > was.severity.rank
        said.append(f"{'worse' if worse else 'less grave'}: {incident.severity.value}")
    for word, before, after in (
        ("found", was.findings, incident.findings),
        ("hit", tuple(one.subject for one in was.affected), tuple(one.subject for one in incident.affected)),
    ):
        more, fewer = len(set(after) - set(before)), len(set(before) - set(after))
        if more:
            said.append(f"{more} more {word}")
        if fewer:
            said.append(f"{fewer} fewer {word}")
    over = len(set(was.active) - set(incident.active))
    if over:
        said.append(f"{plural(over, 'finding')} cleared")
    return "; ".join(said) or PARTICULARS


def worst(severities: list[Severity]) -> Severity:
    """The worst of them, INFO if there are none."""
    return max(severities, key=lambda severity: severity.rank, default=Severity.INFO)
