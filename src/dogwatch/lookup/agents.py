"""What agents ask for that people had no verb for yet: precedents, changes, the last round's health. Sync."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from dogwatch.errors import IncidentError
from dogwatch.gather.graph import pipeline_graph
from dogwatch.incidents.review import KEPT, REVIEW, scores_of, weighed
from dogwatch.incidents.similar import Seen, similar
from dogwatch.model import Change, IncidentState
from dogwatch.model.investigation import Investigation
from dogwatch.model.precedent import Precedent, Remedied
from dogwatch.model.review import Scores
from dogwatch.pipelines.graph import Graph
from dogwatch.pipelines.lineage import Step as LineageStep
from dogwatch.pipelines.spec import Pipeline
from dogwatch.store import Store
from dogwatch.store.incidents import IncidentFilter

REPORTED = "agent.reported"
"""The kind of the event that an investigation is kept as."""
_PAST = 300
"""Past incidents that are looked at."""


def precedents(
    store: Store,
    number: int,
    declared: Sequence[Pipeline],
    lineage: Callable[[], Iterable[LineageStep]],
    limit: int,
    now: datetime,
) -> list[Precedent]:
    """Past incidents that are like this one, with what was done about them. Raises IncidentError."""
    return alike(store, number, pipeline_graph(store, declared, lineage, now), limit)


def alike(store: Store, number: int, graph: Graph, limit: int, past: int = _PAST) -> list[Precedent]:
    """The same for a graph that is at hand; so many past incidents are looked at, the newest."""
    incident = store.incident(number)
    if incident is None:
        raise IncidentError(f"there is no INC-{number}", "dogwatch incidents")
    over = store.incidents(IncidentFilter(states=(IncidentState.resolved,), limit=past))
    over = [one for one in over if one.number != number and not one.blind]
    found = store.incident_findings([number, *(one.number for one in over)])
    seen = {key: [finding for finding, _ in findings] for key, findings in found.items()}
    near = graph.ancestors(incident.culprit).keys() | graph.descendants(incident.culprit).keys()
    others = [Seen(one, seen.get(one.number, ())) for one in over]
    like = similar(Seen(incident, seen.get(number, ())), others, near, 3 * limit)
    weights = kept_weights(store)
    told = [_weighed(store, one, weights) for one in like]
    told.sort(key=lambda one: (-one.likeness, -one.number))
    return [one.model_copy(update={"done": _done(store, one.number)}) for one in told[:limit]]


def _weighed(store: Store, one: Precedent, weights: Mapping[str, float]) -> Precedent:
    """Less like where people called its cause wrong, or where causes of its class often were."""
    scores = scores_of(store.events(one.incident))
    weight = weighed(weights, one.cause_class.value if one.cause_class else "", scores)
    return one if weight == 1 else one.model_copy(update={"likeness": round(one.likeness * weight, 3)})


def kept_weights(store: Store) -> Mapping[str, float]:
    """By class of cause, from the last review; nothing if there was none."""
    kept = [one for one in store.events(REVIEW, limit=10_000) if one.kind == KEPT]
    return Scores.model_validate(dict(kept[-1].detail)).weights if kept else {}


def _done(store: Store, number: int) -> tuple[Remedied, ...]:
    begun = [one for one in store.actions(incident=number) if one.began_at is not None]
    return tuple(Remedied(verb=one.verb, target=one.target, state=one.state.value) for one in begun[::-1])


def changes_since(store: Store, since: datetime, now: datetime) -> list[Change]:
    """What was changed since then, in order of time."""
    return store.changes(since, now + timedelta(minutes=5))


def keep_investigation(store: Store, found: Investigation) -> None:
    """Write down what agents said, beside the incident's own events, which it must not drown."""
    body = found.model_dump(mode="json")
    store.log(found.at, "agent:crew", REPORTED, f"{found.incident}/report", {"investigation": body})


def kept_investigation(store: Store, number: int) -> Investigation:
    """What agents said of an incident last. Raises IncidentError if there is no such thing."""
    name = f"INC-{number}"
    if store.incident(number) is None:
        raise IncidentError(f"there is no {name}", "dogwatch incidents")
    kept = [one for one in store.events(f"{name}/report") if one.kind == REPORTED]
    if not kept:
        raise IncidentError(f"no agent has said anything of {name}", f"dogwatch investigate {name}")
    return Investigation.model_validate_json(json.dumps(kept[-1].detail["investigation"]))
