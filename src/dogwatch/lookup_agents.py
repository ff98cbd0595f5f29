"""What agents ask for that people had no verb for yet: precedents, changes, the last round's health. Sync."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from dogwatch.errors import IncidentError
from dogwatch.gather_graph import pipeline_graph
from dogwatch.incidents.similar import Seen, similar
from dogwatch.model import Change, IncidentState
from dogwatch.model.precedent import Precedent, Remedied
from dogwatch.pipelines.lineage import Step as LineageStep
from dogwatch.pipelines.spec import Pipeline
from dogwatch.store import Store
from dogwatch.store.incidents import IncidentFilter

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
    incident = store.incident(number)
    if incident is None:
        raise IncidentError(f"there is no INC-{number}", "dogwatch incidents")
    over = store.incidents(IncidentFilter(states=(IncidentState.resolved,), limit=_PAST))
    over = [one for one in over if one.number != number and not one.blind]
    found = store.incident_findings([number, *(one.number for one in over)])
    seen = {key: [finding for finding, _ in findings] for key, findings in found.items()}
    graph = pipeline_graph(store, declared, lineage, now)
    near = graph.ancestors(incident.culprit).keys() | graph.descendants(incident.culprit).keys()
    past = [Seen(one, seen.get(one.number, ())) for one in over]
    like = similar(Seen(incident, seen.get(number, ())), past, near, limit)
    return [one.model_copy(update={"done": _done(store, one.number)}) for one in like]


def _done(store: Store, number: int) -> tuple[Remedied, ...]:
    begun = [one for one in store.actions(incident=number) if one.began_at is not None]
    return tuple(Remedied(verb=one.verb, target=one.target, state=one.state.value) for one in begun[::-1])


def changes_since(store: Store, since: datetime, now: datetime) -> list[Change]:
    """What was changed since then, in order of time."""
    return store.changes(since, now + timedelta(minutes=5))
