"""What correlation needs to know, fetched from the store: of jobs in trouble and of what depends on them.

Everything here is sync and runs in the store's thread.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dogwatch.incidents import Correlation, Known, Past
from dogwatch.incidents.lifecycle import COMES_BACK
from dogwatch.incidents.trouble import FOLLOWS, is_grave
from dogwatch.model import Evidence, Finding, Incident, Job
from dogwatch.model.ledger import JobKey
from dogwatch.pipelines.graph import Graph
from dogwatch.store import Store
from dogwatch.store.incidents import Casebook

_LIFE = 100
"""Runs of a job that tell what an incident did to it."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cases:
    """What is known of the incidents before a round has thought about them."""

    live: Sequence[Incident] = ()
    known: Known = field(default_factory=Known)
    evidence: Mapping[str, Evidence] = field(default_factory=dict[str, Evidence])
    """What findings of live incidents cite that are over."""


def cases(
    store: Store,
    findings: Sequence[Finding],
    graph: Graph,
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
    now: datetime,
) -> Cases:
    """Live incidents, those that may come back, and the facts about everybody who may be concerned."""
    live = store.live_incidents()
    found = {finding.fingerprint for finding in findings}
    kept = store.incident_findings(incident.number for incident in live)
    past = [
        Past(finding, cleared or now)
        for parts in kept.values()
        for finding, cleared in parts
        if finding.fingerprint not in found
    ]
    concerned = [finding.subject for finding in findings if is_grave(finding) or finding.rule in FOLLOWS]
    subjects = {*concerned, *(old.finding.subject for old in past)}
    reach = _downstream(subjects, graph)
    keys = sorted(key for subject in reach if (key := job_key(subject)) is not None)
    known = Known(
        jobs=_jobs(store, keys),
        lives={f"{key[0]}/{key[1]}": runs for key, runs in store.histories(keys, _LIFE).items()},
        good=store.last_good({key[0] for key in keys}, now - _DAY),
        past=past,
        ended=store.ended_incidents(now - COMES_BACK),
        kinds=kinds,
        titles=titles,
        next_number=store.next_incident(),
    )
    cited = store.evidence(id_ for old in past for id_ in old.finding.evidence)
    return Cases(live, known, {item.id: item for item in cited})


def _downstream(subjects: Iterable[str], graph: Graph) -> set[str]:
    """The subjects and everything that certainly depends on one of them."""
    reach = set(subjects)
    ahead = list(reach)
    while ahead:
        for edge in graph.downstream(ahead.pop(), suggested=False):
            if edge.downstream not in reach:
                reach.add(edge.downstream)
                ahead.append(edge.downstream)
    return reach


def _jobs(store: Store, keys: Sequence[JobKey]) -> dict[str, Job]:
    return {known[-1][0].subject: known[-1][0] for known in store.versions(keys).values()}


def job_key(subject: str) -> JobKey | None:
    """(instance, job id) of a job's subject; None for a platform or a component."""
    instance, slash, job_id = subject.partition("/")
    return (instance, job_id) if slash and instance != "component" else None


def casebook(after: Correlation, before: Cases, findings: Iterable[Finding], now: datetime) -> Casebook:
    """What a round writes down of incidents. What is no longer found is cleared at ``now``."""
    bodies: dict[str, tuple[Finding, datetime | None]] = {
        old.finding.fingerprint: (old.finding, old.cleared_at) for old in before.known.past
    }
    bodies |= {finding.fingerprint: (finding, None) for finding in findings}
    changed = after.changed
    rests = {incident.number: incident for incident in (*after.incidents, *changed)}
    parts = {
        number: [bodies[key] for key in incident.findings if key in bodies]
        for number, incident in rests.items()
    }
    return Casebook(changed, after.turns, parts, tuple(after.evidence.values()))
