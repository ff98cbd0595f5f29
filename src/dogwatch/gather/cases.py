"""From findings to incidents: what correlation needs to know, fetched from the store, and what comes of it.

Only of jobs in trouble and of what depends on them anything is fetched. Everything here is sync and runs in
the store's thread.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dogwatch.causes.advice import About, Runbook, choose, runbook_evidence
from dogwatch.causes.explain import MOST, Case, Link, explain
from dogwatch.detect.changes import change_evidence, in_time_order, job_changes
from dogwatch.incidents import Correlation, Known, Past, correlate
from dogwatch.incidents.delivered import deliveries
from dogwatch.incidents.known import DeadlinesOf
from dogwatch.incidents.lifecycle import COMES_BACK
from dogwatch.incidents.trouble import counts
from dogwatch.model import Affected, Cause, Deadline, Evidence, Finding, Incident
from dogwatch.model.ledger import JobKey
from dogwatch.pipelines.blast import deadlines
from dogwatch.pipelines.graph import Graph
from dogwatch.store import Store
from dogwatch.store.incidents import Casebook

_LIFE = 100
"""Runs of a job that tell what an incident did to it."""
_DAY = timedelta(days=1)
_NEWS = timedelta(days=7)
"""Changes of so long ago are looked at."""


@dataclass(frozen=True, slots=True)
class Cases:
    """What is known of the incidents before a round has thought about them."""

    live: Sequence[Incident] = ()
    known: Known = field(default_factory=Known)
    evidence: Mapping[str, Evidence] = field(default_factory=dict[str, Evidence])
    """What findings of live incidents cite that are over."""
    besides: Sequence[Evidence] = ()
    """Changes of that time."""
    kept: AbstractSet[tuple[int, str]] = frozenset()
    """(number, fingerprint) of findings of live incidents that are stored just as they are found now."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a round has found, and where."""

    findings: Sequence[Finding]
    evidence: Mapping[str, Evidence]
    graph: Graph
    titles: Mapping[str, str]
    """The platforms' names for people, by instance."""
    kinds: Mapping[str, str]
    """The platforms' kinds, by instance."""
    runbooks: Sequence[Runbook] = ()
    """The user's own."""


def conclude(store: Store, scene: Scene, now: datetime) -> tuple[Correlation, Casebook]:
    """The incidents after a round, and what has to be written down of them."""
    before = cases(store, scene, now)
    evidence = {**before.evidence, **scene.evidence}
    after = correlate(scene.findings, evidence, before.live, scene.graph, before.known, now)
    evidence |= after.evidence
    after = after.explained(_causes(after, before, scene, evidence), now)
    cited = {id_ for incident in (*after.incidents, *after.ended) for id_ in incident.cites}
    facts = {**{item.id: item for item in before.besides}, **evidence}
    after = replace(after, evidence={id_: facts[id_] for id_ in sorted(cited) if id_ in facts})
    return after, _casebook(after, before, scene.findings, now)


def _causes(
    after: Correlation, before: Cases, scene: Scene, evidence: dict[str, Evidence]
) -> dict[int, Sequence[Cause]]:
    """What the rules say of each live incident of which anything is new; the runbooks that fit are added to
    the evidence."""
    fresh = {turn.number for turn in after.turns}
    latest = max((item.at for item in before.besides), default=None)
    bodies = {old.finding.fingerprint: old.finding for old in before.known.past}
    bodies |= {finding.fingerprint: finding for finding in scene.findings}
    names = {subject: job.name for subject, job in before.known.jobs.items()}
    found: dict[int, Sequence[Cause]] = {}
    for incident in after.incidents:
        seen = all((incident.number, key) in before.kept for key in incident.active)
        if seen and incident.number not in fresh and (latest is None or latest < incident.updated_at - _DAY):
            continue  # the same facts say the same
        members = [bodies[key] for key in incident.findings if key in bodies]
        case = Case(
            members,
            evidence,
            _links(members, before.besides, scene.graph),
            before.besides,
            {**scene.titles, **names},
            incident.culprit,
            [one.subject for one in members if one.subject.startswith(f"{incident.culprit}/")],
            before.known.good,
        )
        causes = _with_deliveries(explain(case), before.known, scene, names, evidence)
        found[incident.number] = _with_runbook(causes, incident, members, scene, evidence)
    return found


def _with_deliveries(
    causes: Sequence[Cause],
    known: Known,
    scene: Scene,
    names: Mapping[str, str],
    evidence: dict[str, Evidence],
) -> Sequence[Cause]:
    """The same, followed by who may have brought the columns that the first did not know."""
    if not causes:
        return causes
    first, *others = causes
    more, proofs = deliveries(first, scene.graph, known.lives, names)
    evidence |= {proof.id: proof for proof in proofs}
    told = {cause.subject for cause in causes}
    return [first, *(cause for cause in more if cause.subject not in told), *others][:MOST]


def _with_runbook(
    causes: Sequence[Cause],
    incident: Incident,
    members: Sequence[Finding],
    scene: Scene,
    evidence: dict[str, Evidence],
) -> Sequence[Cause]:
    """The same; the first also cites the user's own runbook for it, if there is one."""
    if not causes or not scene.runbooks:
        return causes
    first, *others = causes
    rules = [finding.rule for finding in members if finding.subject == incident.culprit]
    about = About(
        incident.culprit,
        name=incident.culprit_name,
        platform=scene.kinds.get(incident.culprit.partition("/")[0], ""),
        cause_class=first.cause_class,
        labels=(*incident.pipelines, *incident.owners, *rules),
    )
    book = choose(scene.runbooks, about)
    if book is None or not book.own:
        return causes
    proof = runbook_evidence(book, incident.culprit, incident.opened_at)
    evidence[proof.id] = proof
    return [first.model_copy(update={"cites": (*first.cites, proof.id)}), *others]


def _links(members: Iterable[Finding], besides: Iterable[Evidence], graph: Graph) -> list[Link]:
    """Which members of an incident depend on which, or on what was changed, by whatever way."""
    subjects = {finding.subject for finding in members}
    others = subjects | {item.subject for item in besides}
    return [
        Link(above, subject)
        for subject in sorted(subjects)
        for above in sorted(graph.ancestors(subject).keys() & others)
    ]


def cases(store: Store, scene: Scene, now: datetime) -> Cases:
    """Live incidents, those that may come back, and the facts about everybody who may be concerned."""
    live = store.live_incidents()
    findings, graph = scene.findings, scene.graph
    found = {finding.fingerprint: finding for finding in findings if counts(finding)}
    kept, over = store.kept_findings([incident.number for incident in live], found)
    past = [Past(finding, cleared or now) for finding, cleared in over]
    subjects = {finding.subject for finding in (*found.values(), *(old.finding for old in past))}
    reach = _downstream(subjects, graph) | _feeding(subjects, graph)
    coming: dict[str, datetime] = {}
    if graph.pipelines:  # deadlines are theirs
        coming = {f"{key[0]}/{key[1]}": look.slot for key, look in store.looks().items() if look.slot}
    keys = sorted(key for subject in reach if (key := job_key(subject)) is not None)
    versions = store.versions(keys)
    known = Known(
        jobs={told[-1][0].subject: told[-1][0] for told in versions.values()},
        lives={f"{key[0]}/{key[1]}": runs for key, runs in store.histories(keys, _LIFE).items()},
        good=store.last_good({key[0] for key in keys}, now - _DAY),
        past=past,
        ended=store.ended_incidents(now - COMES_BACK),
        kinds=scene.kinds,
        titles=scene.titles,
        next_number=store.next_incident(),
        deadlines=_promises(findings, past, graph, coming, now),
    )
    cited = store.evidence(id_ for old in past for id_ in old.finding.evidence)
    began = min([now, *(finding.at for finding in findings if finding.subject in subjects)])
    changes = [*store.changes(max(began, now - _NEWS) - _DAY, now)] if subjects else []
    changes += [change for told in versions.values() for change in job_changes(told)]
    besides = [change_evidence(change) for change in in_time_order(changes)]
    return Cases(live, known, {item.id: item for item in cited}, besides, kept)


def _promises(
    findings: Iterable[Finding],
    past: Iterable[Past],
    graph: Graph,
    coming: Mapping[str, datetime],
    now: datetime,
) -> DeadlinesOf:
    """Which deadlines an incident breaks, by its culprits and who is hit."""
    began: dict[str, datetime] = {}
    for finding in (*findings, *(old.finding for old in past)):
        began[finding.subject] = min(finding.at, began.get(finding.subject, finding.at))

    def promises(culprits: Sequence[str], hit: Sequence[Affected]) -> Sequence[Deadline]:
        return deadlines(graph, culprits, hit, began, now, coming=coming)

    return promises


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


def _feeding(subjects: Iterable[str], graph: Graph) -> set[str]:
    """What the subjects certainly depend on, one step up."""
    return {edge.upstream for subject in subjects for edge in graph.upstream(subject, suggested=False)}


def job_key(subject: str) -> JobKey | None:
    """(instance, job id) of a job's subject; None for a platform or a component."""
    instance, slash, job_id = subject.partition("/")
    return (instance, job_id) if slash and instance != "component" else None


def _casebook(after: Correlation, before: Cases, findings: Iterable[Finding], now: datetime) -> Casebook:
    """What a round writes down of incidents. What is no longer found is cleared at ``now``."""
    bodies: dict[str, tuple[Finding, datetime | None]] = {
        old.finding.fingerprint: (old.finding, old.cleared_at) for old in before.known.past
    }
    bodies |= {finding.fingerprint: (finding, None) for finding in findings}
    changed = after.changed
    rests = {incident.number: incident for incident in (*after.incidents, *changed)}
    parts = {
        number: [
            bodies[key] for key in incident.findings if key in bodies and (number, key) not in before.kept
        ]
        for number, incident in rests.items()
    }
    return Casebook(changed, after.turns, parts, tuple(after.evidence.values()))
