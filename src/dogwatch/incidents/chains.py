"""Which trouble explains which: what follows from a failure upstream is no incident of its own.

A trouble upstream explains one downstream if there is a way between them in the graph, if it was there when
the other began, and if the one is what the other brings about: a job that waits is skipped, a job that reads
finds too little or nothing. A job that fails for a reason of its own is not explained by its neighbours.

Of components nobody may have told who calls whom. One whose own log says by name that another one does not
answer has told it: it waits for that one. And who hands over to one that is ill of itself (its disk is full,
its log says why) is slow or complains without being ill.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dogwatch.causes.testimony import class_of, words
from dogwatch.incidents.reason import reason_of
from dogwatch.incidents.trouble import FAILS, FOLLOWS, HARMFUL, OWN, SHORT, Trouble
from dogwatch.model import CauseClass, Evidence, EvidenceKind, Job, ScheduleKind
from dogwatch.model.signal import COMPONENT
from dogwatch.pipelines.graph import Graph

_CLOCKS_APART = timedelta(minutes=5)
_CARRIES = timedelta(hours=36)
"""How long after the last sign of a trouble something may still follow from it: a day and a late morning."""
_AFTERWARDS = timedelta(hours=1)
"""The same after it was over."""
_NO_INPUT = frozenset({CauseClass.upstream_missing, CauseClass.schema_drift, CauseClass.bad_data})
"""What a job says that finds its input missing, changed or spoilt."""
_NO_ANSWER = frozenset({CauseClass.network_timeout, CauseClass.dependency_outage})
"""What a component says of another one that it waits for in vain."""
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
    for subject, trouble in troubles.items():
        links = _links(trouble, troubles, graph, evidence, jobs)
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
) -> list[Link]:
    if trouble.blind or any(finding.rule in OWN for finding in trouble.findings):
        return []
    links = [Link(subject, 1, certain=True) for subject in _named(trouble, evidence) if subject in troubles]
    for subject in _unanswering(trouble, troubles, evidence):
        if _in_time(troubles[subject], trouble):
            links.append(Link(subject, 1, certain=True))
    for subject in _receiving(trouble, troubles, graph, evidence):
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


def _unanswering(
    trouble: Trouble, troubles: Mapping[str, Trouble], evidence: Mapping[str, Evidence]
) -> set[str]:
    """The components in trouble that a component's own log lines name as what does not answer."""
    if not trouble.subject.startswith(COMPONENT):
        return set()
    others = {name for name in troubles if name.startswith(COMPONENT)} - {trouble.subject}
    found: set[str] = set()
    for line in _lines(trouble, evidence):
        named = {name for name in others if _speaks_of(line, name.removeprefix(COMPONENT))}
        if named and reason_of(line, "").cause_class in _NO_ANSWER:
            found |= named
    return found


def _receiving(
    trouble: Trouble, troubles: Mapping[str, Trouble], graph: Graph, evidence: Mapping[str, Evidence]
) -> set[str]:
    """Components ill of themselves that this one, which names no cause of its own, hands over to."""
    if not trouble.subject.startswith(COMPONENT) or _causes(trouble, evidence) - _NO_ANSWER:
        return set()
    below = {edge.downstream for edge in graph.downstream(trouble.subject, suggested=False)}
    return {name for name in below & troubles.keys() if _causes(troubles[name], evidence) - _NO_ANSWER}


def _causes(trouble: Trouble, evidence: Mapping[str, Evidence]) -> set[CauseClass]:
    """The classes that the findings of a component name, by words or by what is measured."""
    if not trouble.subject.startswith(COMPONENT):
        return set()
    named = (class_of(finding, words(finding, evidence), evidence) for finding in trouble.findings)
    return {one for one in named if one is not None}


def _speaks_of(line: str, name: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", line) is not None


def _lines(trouble: Trouble, evidence: Mapping[str, Evidence]) -> Iterator[str]:
    """The templates of log lines that its findings cite."""
    for finding in trouble.findings:
        for id_ in finding.evidence:
            item = evidence.get(id_)
            said = item.content.get("template") if item and item.kind is EvidenceKind.log else None
            if isinstance(said, str):
                yield said


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
