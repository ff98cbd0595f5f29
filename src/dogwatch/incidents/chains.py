"""Which trouble explains which: what follows from a failure upstream is no incident of its own.

A trouble upstream explains one downstream if there is a way between them in the graph, if it was there when
the other began, and if the one is what the other brings about: a job that waits is skipped, a job that reads
finds too little or nothing. A job that fails for a reason of its own is not explained by its neighbours.

What a service does to its neighbours is told apart (``services``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dogwatch.incidents.services import Services
from dogwatch.incidents.trouble import FAILS, FOLLOWS, HARMFUL, OWN, SHORT, Trouble
from dogwatch.model import CauseClass, Evidence, Job, ScheduleKind
from dogwatch.pipelines.graph import Graph

_CLOCKS_APART = timedelta(minutes=5)
_CARRIES = timedelta(hours=36)
"""How long after the last sign of a trouble something may still follow from it: a day and a late morning."""
_AFTERWARDS = timedelta(hours=1)
"""The same after it was over."""
_NO_INPUT = frozenset({CauseClass.upstream_missing, CauseClass.schema_drift, CauseClass.bad_data})
"""What a job says that finds its input missing, changed or spoilt."""
_OWN_CLOCK = frozenset({ScheduleKind.cron, ScheduleKind.quartz, ScheduleKind.interval})
_LIKELY = 0.75
"""A habit at least so sure explains why a job did not start; nothing else follows from a habit."""


@dataclass(frozen=True, slots=True)
class Link:
    """That one trouble explains another."""

    upstream: str
    distance: int
    certain: bool


def parents(
    troubles: Mapping[str, Trouble], graph: Graph, evidence: Mapping[str, Evidence], jobs: Mapping[str, Job]
) -> dict[str, str]:
    """For each trouble that another explains, the subject of that one: the surest, nearest, earliest.

    Following it always ends at a trouble that nothing explains.
    """
    found: dict[str, str] = {}
    services = Services(troubles, graph, evidence)
    for subject, trouble in troubles.items():
        links = _links(trouble, troubles, graph, evidence, jobs, services)
        if links:
            best = min(
                links,
                key=lambda link: (
                    not link.certain,
                    link.distance,
                    troubles[link.upstream].since,
                    link.upstream,
                ),
            )
            found[subject] = best.upstream
    return _without_circles(found, troubles)


def _links(
    trouble: Trouble,
    troubles: Mapping[str, Trouble],
    graph: Graph,
    evidence: Mapping[str, Evidence],
    jobs: Mapping[str, Job],
    services: Services,
) -> list[Link]:
    if trouble.blind or any(finding.rule in OWN for finding in trouble.findings):
        return []
    links = [Link(subject, 1, certain=True) for subject in _named(trouble, evidence) if subject in troubles]
    for subject in services.behind(trouble):
        if _in_time(troubles[subject], trouble):
            links.append(Link(subject, 1, certain=True))
    certain = graph.ancestors(trouble.subject, suggested=False)
    above: dict[str, tuple[int, bool]] = {subject: (far, True) for subject, far in certain.items()}
    for edge in graph.upstream(trouble.subject):
        if not edge.certain and edge.confidence >= _LIKELY and trouble.lead.rule in FOLLOWS:
            above.setdefault(edge.upstream, (1, False))
    waits = _waits(trouble.subject, graph, jobs)
    for subject, (far, sure) in above.items():
        other = troubles.get(subject)
        if other is not None and _in_time(other, trouble) and _brings(other, trouble, waits or not sure):
            links.append(Link(subject, far, sure))
    return links


def _named(trouble: Trouble, evidence: Mapping[str, Evidence]) -> set[str]:
    """Subjects of others' runs that the findings themselves cite: a skip right after something went wrong."""
    if trouble.lead.rule not in FOLLOWS:
        return set()
    cited = (evidence.get(id_) for id_ in trouble.lead.evidence)
    return {item.subject for item in cited if item is not None and item.subject != trouble.subject}


def _waits(subject: str, graph: Graph, jobs: Mapping[str, Job]) -> bool:
    """Whether it does not start by itself: something upstream starts it, or it has no clock of its own."""
    if any(edge.triggers for edge in graph.upstream(subject, suggested=False)):
        return True
    job = jobs.get(subject)
    return job is None or job.schedule is None or job.schedule.kind not in _OWN_CLOCK


def _in_time(cause: Trouble, effect: Trouble) -> bool:
    """Whether one was there when the other began."""
    if effect.at < cause.since - _CLOCKS_APART:
        return False
    if cause.until is not None and effect.at > cause.until + _AFTERWARDS:
        return False
    return effect.at <= max(cause.latest, cause.at) + _CARRIES


def _brings(cause: Trouble, effect: Trouble, waits: bool) -> bool:
    """Whether the one is what the other brings about."""
    rules = {one.rule for one in cause.findings if not (one.muted and one.rule in SHORT)}
    rule = effect.lead.rule
    if rule in FOLLOWS:
        return waits and bool(rules & HARMFUL)
    if rule in SHORT:
        return bool(rules & HARMFUL)
    if rule == "slow" or rule.startswith("many_"):
        return any(known in {"slow", "late"} or known.startswith("many_") for known in rules)
    return rule in FAILS and bool(rules & HARMFUL) and _fails_of(cause, effect)


def _fails_of(cause: Trouble, effect: Trouble) -> bool:
    """Whether a failure says nothing of its own: that its input is not there, the same as upstream, or
    nothing that is known."""
    said = effect.reason.cause_class
    if said is None or said in _NO_INPUT:
        return True
    same_place = cause.instance == effect.instance
    return (same_place and said == cause.reason.cause_class and effect.reason.shared) or (
        bool(cause.reason.sentence) and cause.reason.sentence == effect.reason.sentence
    )


def _without_circles(found: dict[str, str], troubles: Mapping[str, Trouble]) -> dict[str, str]:
    """The same; of a circle the member that began first is explained by nothing."""

    def order(subject: str) -> tuple[datetime, str]:
        return troubles[subject].since, subject

    done: set[str] = set()
    for start in sorted(found):
        way: list[str] = []
        here = start
        while here in found and here not in done and here not in way:
            way.append(here)
            here = found[here]
        if here in way:
            del found[min(way[way.index(here) :], key=order)]
        done.update(way)
    return found


def root_of(subject: str, found: Mapping[str, str]) -> str:
    """The trouble with which it began, by the parents of ``parents``."""
    while subject in found:
        subject = found[subject]
    return subject
