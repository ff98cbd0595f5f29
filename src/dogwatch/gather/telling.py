"""What a round tells people: what was told before, fetched from the store, and what is told now.

Everything here is sync and runs in the store's thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from dogwatch.detect import Detection
from dogwatch.detect.silent import FORGOTTEN, silent_watchers
from dogwatch.incidents import Correlation
from dogwatch.model import Evidence, Incident, Message, Occasion
from dogwatch.notify.decide import HOUR, KIND, Decision, decide
from dogwatch.notify.routing import Plan
from dogwatch.notify.unreachable import unreachable
from dogwatch.report.message import brief
from dogwatch.store import Store

_ENDED = timedelta(days=1)
"""What people resolved between rounds is looked for so far back."""


def current(plan: Plan, store: Store) -> Plan:
    """The plan with the channels that are switched off by now."""
    dead = {name for name, reach in store.reaches().items() if reach.dead_since is not None}
    return replace(plan, dead=frozenset(dead & set(plan.channels)))


def channel_findings(plan: Plan, store: Store, now: datetime) -> Detection:
    """What is wrong with the channels themselves."""
    found = Detection()
    findings, evidence = unreachable(store.reaches(), plan, now)
    found.cite(*evidence)
    found.add(findings)
    return found


def watcher_findings(store: Store, now: datetime) -> Detection:
    """What is wrong with those who keep the watch."""
    return silent_watchers(store.watchers(now - FORGOTTEN), now)


def telling(
    store: Store, after: Correlation, evidence: Mapping[str, Evidence], plan: Plan, now: datetime
) -> Decision:
    """What is told of the incidents after a round; ``evidence`` is what the round knows of already."""
    held = store.held(KIND)
    ended = {one.number: one for one in (*store.ended_incidents(now - _ENDED), *after.ended)}
    incidents = [*after.incidents, *(one for one in ended.values() if one.number not in _numbers(after))]
    if not incidents and not held:
        return Decision()
    known = {**evidence, **after.evidence}
    names = [incident.name for incident in incidents]

    def compose(incident: Incident, occasion: Occasion) -> Message:
        cited = {id_ for cause in incident.causes for id_ in cause.cites}
        cited |= {id_ for hit in incident.affected for id_ in hit.cites}
        missing = cited - known.keys()
        if missing:
            known.update({item.id: item for item in store.evidence(missing)})
        return brief(incident, incident.causes, known, occasion, incident.pipelines, plan.zone, now)

    return decide(
        incidents,
        past=store.deliveries(KIND, names),
        held=held,
        recent=store.delivered_since(KIND, now - HOUR),
        plan=current(plan, store),
        compose=compose,
        now=now,
    )


def _numbers(after: Correlation) -> Sequence[int]:
    return [incident.number for incident in after.incidents]
