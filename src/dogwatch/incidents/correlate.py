"""Findings in, incidents out: one for each root cause, across platforms. Pure.

1. All that is found of one job or platform is one trouble (``trouble``).
2. A trouble that follows from another upstream belongs to that one (``chains``).
3. Of what is left, troubles with one reason are one (``alike``).
4. What comes of it is matched with the incidents that are known, which live on, grow, merge, split, end or
   come back (``match``, ``lifecycle``).

Steps 1 to 3 are made anew in every round from all that is found and all that live incidents remember, so
neither the order in which things were learned nor the number of rounds shows in the result.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from dogwatch.incidents.alike import alike, to_blame
from dogwatch.incidents.chains import parents, root_of
from dogwatch.incidents.draft import Draft
from dogwatch.incidents.harm import affected
from dogwatch.incidents.known import Correlation, Known
from dogwatch.incidents.lifecycle import worst
from dogwatch.incidents.match import matched
from dogwatch.incidents.trouble import FOLLOWS, Trouble, is_grave, troubles
from dogwatch.model import Affected, Evidence, Finding, Harm, Incident, Run, Severity, content_id
from dogwatch.model.text import one_line, plural
from dogwatch.pipelines.graph import Graph

_LATEST = 9
_SELDOM = timedelta(hours=2)
"""A job that runs more often has to do well for longer than one run before it is believed."""
_NOTES_HOLD = timedelta(hours=24)
"""So long after the culprit got well, a job that was skipped keeps an incident from being over."""


def correlate(
    findings: Sequence[Finding],
    evidence: Mapping[str, Evidence],
    live: Sequence[Incident],
    graph: Graph,
    known: Known,
    now: datetime,
) -> Correlation:
    """The incidents after a round in which ``findings`` were found.

    ``evidence`` resolves what the findings of now and of ``known.past`` cite; ``live`` are the incidents that
    were live before. Order and repetition of whatever is given make no difference.
    """
    ours = {fingerprint for incident in live for fingerprint in incident.findings}
    past = [old for old in known.past if old.finding.fingerprint in ours]
    found = troubles(findings, past, evidence, known.kinds)
    drafts, shown = _drafts(found, graph, evidence, known, now)
    return matched(drafts, live, known.ended, known.next_number, shown, now)


def _drafts(
    found: Mapping[str, Trouble],
    graph: Graph,
    evidence: Mapping[str, Evidence],
    known: Known,
    now: datetime,
) -> tuple[list[Draft], dict[str, Evidence]]:
    above = parents(found, graph, evidence, known.jobs)
    roots = [one for subject, one in found.items() if subject not in above and one.grave]
    members: dict[str, list[Trouble]] = {}
    for subject in sorted(above):
        members.setdefault(root_of(subject, above), []).append(found[subject])
    drafts: list[Draft] = []
    shown: dict[str, Evidence] = {}
    explained = {subject: found[subject] for subject in above}
    grave = {subject for subject, one in found.items() if one.grave}
    for group in alike(roots, known.good):
        followers = [one for root in group for one in members.get(root.subject, ())]
        own = {one.subject for one in (*group, *followers)}
        culprit, others = to_blame(group, known.good), grave - own
        hit, facts = affected(
            group, followers, explained, others, graph, known.lives, known.jobs, now, culprit
        )
        shown |= facts
        drafts.append(_draft(culprit, group, followers, hit, graph, known, now))
    return sorted(drafts, key=lambda draft: (draft.began_at, draft.key)), shown


def _draft(
    culprit: str,
    group: Sequence[Trouble],
    followers: Sequence[Trouble],
    hit: tuple[Affected, ...],
    graph: Graph,
    known: Known,
    now: datetime,
) -> Draft:
    everything = [*group, *followers]
    own = _by_time(finding for one in group for finding in one.findings)
    if len(group) == 1:
        own = list(group[0].findings)
    ordered = [*own, *_by_time(finding for one in followers for finding in one.findings)]
    active = {fingerprint for one in everything for fingerprint in one.active}
    ill = any(one.active for one in group)
    over = max((one.until for one in group if one.until is not None), default=now)
    holding = [
        finding
        for finding in ordered
        if finding.fingerprint in active and (is_grave(finding) or now - over < _NOTES_HOLD)
    ]
    ends = [
        _well_since(one.at, one.until, known.lives.get(one.subject, ()))
        for one in everything
        if one.until is not None
    ]
    name = _name(culprit, graph, known)
    return Draft(
        key=content_id([culprit, ordered[0].fingerprint, min(one.at for one in group).isoformat()]),
        culprit=culprit,
        culprit_name=name,
        title=_title(group, culprit, name),
        severity=worst([finding.severity for finding in holding]),
        worst=worst([finding.severity for finding in ordered]),
        findings=tuple(finding.fingerprint for finding in ordered),
        active=tuple(finding.fingerprint for finding in ordered if finding.fingerprint in active),
        subjects=frozenset(one.subject for one in everything),
        ill=ill,
        holds=bool(holding),
        calm_since=None if active else max(ends, default=now),
        blind=all(one.blind for one in group),
        began_at=min(one.at for one in group),
        affected=hit,
        deadlines=tuple(known.deadlines([one.subject for one in group], hit)) if known.deadlines else (),
        pipelines=_pipelines(group, hit, graph),
        owners=_owners(group, hit, graph, known),
        muted=_muted(holding),
        rhythm=max(_rhythm(known.lives.get(one.subject, ())) for one in group),
    )


def _well_since(began: datetime, until: datetime, life: Sequence[Run]) -> datetime:
    """When a trouble that began then was over: by the job's own first good run after its last bad one, if
    that was earlier than the round that noticed, so that a round that was blind makes no difference."""
    bad = max((at for at, run in enumerate(life) if run.status.bad), default=-1)
    good = (run.ended_at for run in life[bad + 1 :] if run.status.good and run.ended_at is not None)
    return min(until, next((ended for ended in good if ended >= began), until))


def _rhythm(life: Sequence[Run]) -> timedelta:
    """One and a half times what lies between the latest runs of a job that runs often; else nothing."""
    begun = [run.began_at for run in life if run.parent_uid is None][-_LATEST:]
    gaps = sorted(later - one for one, later in pairwise(begun))
    usual = gaps[len(gaps) // 2] if gaps else _SELDOM
    return 1.5 * usual if usual < _SELDOM else timedelta(0)


def _by_time(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.at, finding.rule in FOLLOWS, finding.fingerprint))


def _name(culprit: str, graph: Graph, known: Known) -> str:
    job = known.jobs.get(culprit)
    if job is not None:
        return job.name
    return known.titles.get(culprit, "") or graph.name(culprit)


def _title(group: Sequence[Trouble], culprit: str, name: str) -> str:
    """What the culprit did, in one sentence; of many, how many of them there are."""
    lead = group[0].lead
    said = one_line(lead.summary, 400)
    if len(group) == 1:
        return said
    jobs = plural(len(group), "job")
    where = f" of {one_line(name, 80)}" if culprit == group[0].instance else ""
    return f"{jobs}{where} {_share(group)}; the first: {said}"


def _share(group: Sequence[Trouble]) -> str:
    rules = {one.lead.rule for one in group}
    verb = {
        "failed": "failed for the same reason",
        "missed": "did not start",
        "late": "are late",
        "slow": "are slow",
        "paused": "were paused",
        "suspended": "were suspended",
        "cancelled": "were cancelled",
    }
    return verb.get(next(iter(rules)), "share one trouble") if len(rules) == 1 else "share one trouble"


def _pipelines(group: Sequence[Trouble], hit: Sequence[Affected], graph: Graph) -> tuple[str, ...]:
    touched = {one.subject for one in group} | {one.subject for one in hit}
    return tuple(
        sorted(name for name, members in graph.pipelines.items() if touched.intersection(members.subjects))
    )


def _owners(group: Sequence[Trouble], hit: Sequence[Affected], graph: Graph, known: Known) -> tuple[str, ...]:
    """The culprits' first, then those of who is hit already."""
    found: dict[str, str] = {}
    for one in group:
        job, node = known.jobs.get(one.subject), graph.nodes.get(one.subject)
        owner = (job.owner if job else None) or (node.owner if node else None)
        if owner:
            found.setdefault(owner.casefold(), owner)
    for each in hit:
        if each.owner and each.harm is not Harm.threatened:
            found.setdefault(each.owner.casefold(), each.owner)  # Snowflake tells names in capitals
    return tuple(found.values())


def _muted(holding: Sequence[Finding]) -> str:
    """Why the user wants silence, if on all that would be told."""
    reasons = [finding.muted for finding in holding if is_grave(finding)]
    if not reasons or not all(reasons) or any(f.severity is not Severity.INFO for f in holding):
        return ""
    return reasons[0]
