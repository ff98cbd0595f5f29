"""What an incident did to others: which jobs failed, were skipped, late or missed, or ran on stale data,
and which components work worse.

Harm travels along the certain edges of the graph, from the culprit on, for as long as what is upstream has
not been made anew. A job that is next in the way but has not run yet is threatened.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dogwatch.detect.facts import run_evidence
from dogwatch.incidents.trouble import FAILS, HARMFUL, SHORT, SIGNALS, Trouble, is_grave
from dogwatch.model import Affected, Evidence, Harm, Job, Run, Status
from dogwatch.pipelines.graph import Edge, Graph

_ORDER = tuple(Harm)
_LATEST = 7
_ENOUGH = 0.5
_LEEWAY = timedelta(minutes=10)
_SHARED = frozenset({*FAILS, *SIGNALS, "skipped", "missed", "late", "slow"})
"""Of the jobs of a culprit platform: what is a harm to each."""
_BY_RULE = {"skipped": Harm.skipped, "missed": Harm.missed, "late": Harm.late, "slow": Harm.late}


@dataclass(frozen=True, slots=True)
class _Hit:
    """Harm in [since, until); until None it is not mended."""

    harm: Harm | None
    """None for the culprit."""
    since: datetime
    until: datetime | None
    cites: tuple[str, ...] = ()
    begun: datetime | None = None
    """When the run that is to blame began, or should have, if that is not ``since``."""


def affected(
    roots: Sequence[Trouble],
    members: Sequence[Trouble],
    explained: Mapping[str, Trouble],
    others: Collection[str],
    graph: Graph,
    lives: Mapping[str, Sequence[Run]],
    jobs: Mapping[str, Job],
    now: datetime,
    culprit: str,
) -> tuple[tuple[Affected, ...], dict[str, Evidence]]:
    """Everybody who is hit but the culprit, the worst harm first, with the evidence that shows it.

    ``roots`` are the culprit's trouble and those that share its reason, or those that make up a platform's,
    which are hit themselves.
    ``members`` are the troubles that follow from ``roots``; ``explained`` all that follow from anything, by
    subject: what lies behind two causes is hit by both. ``others`` are subjects whose trouble is an incident
    of its own. ``lives`` holds the runs of the jobs downstream, oldest first.
    """
    evidence: dict[str, Evidence] = {}
    hits = {one.subject: _root_hit(one, lives) for one in roots if _harms(one)}
    own = {one.subject: one for one in members}
    beside = sorted(own)
    ahead = deque(sorted(hits))
    while ahead or beside:
        if not ahead:  # those that follow by other ways than certain edges, and what lies behind them
            other = beside.pop(0)
            if other not in hits:
                hits[other] = _by_finding(own[other])
                ahead.append(other)
            continue
        here = ahead.popleft()
        if here in own and own[here].works:
            continue
        for edge in graph.downstream(here, suggested=False):
            trouble = own.get(edge.downstream) or explained.get(edge.downstream)
            if edge.downstream in hits or (edge.downstream in others and trouble is None):
                continue
            if trouble is not None and edge.downstream not in own and trouble.at < hits[here].since:
                continue
            hit = _by_finding(trouble) if trouble else _by_runs(edge, hits[here], lives, evidence, now)
            if hit is not None:
                hits[edge.downstream] = hit
                ahead.append(edge.downstream)
    platform = all(one.subject != culprit for one in roots)
    jobs_of_it = {one.subject: _by_finding(one) for one in roots if platform and one.lead.rule in _SHARED}
    hits |= jobs_of_it
    culprits = {one.subject for one in roots} - jobs_of_it.keys()
    told = [
        _told(subject, hit, hit.harm, graph, jobs)
        for subject, hit in hits.items()
        if hit.harm is not None and subject not in culprits
    ]
    return tuple(sorted(told, key=lambda one: (_ORDER.index(one.harm), one.name, one.subject))), evidence


def _harms(root: Trouble) -> bool:
    """Whether others do without something; an edited schedule harms them if it brings fewer runs."""
    return not root.works and any(
        one.rule in HARMFUL or (one.rule == "schedule_changed" and is_grave(one)) for one in root.findings
    )


def _root_hit(root: Trouble, lives: Mapping[str, Sequence[Run]]) -> _Hit:
    """The culprit: its output is not what others expect from the first sign until a run that ended well. What
    is slow is missed from the moment at which it is usually done."""
    life = lives.get(root.subject, ())
    good = [run for run in life if run.status.good]
    if root.lead.rule in SHORT:
        good = _full(good)
    ends = (run.ended_at for run in good if run.ended_at is not None and run.began_at >= root.since)
    until = next((end for end in sorted(ends) if end >= root.latest), None)
    since = root.at
    if root.lead.rule == "slow":
        took = sorted(run.duration for run in life if run.status.good and run.duration is not None)
        since = root.since + (took[len(took) // 2] if took else timedelta(0))
    return _Hit(None, since, until or root.until, begun=root.since)


def _full(good: Sequence[Run]) -> list[Run]:
    """Those that moved at least half of what is usual."""
    moved = [(run, run.metrics.get("rows", run.metrics.get("bytes"))) for run in good]
    known = sorted(amount for _, amount in moved if amount is not None)
    usual = known[len(known) // 2] if known else 0.0
    return [run for run, amount in moved if amount is not None and amount >= _ENOUGH * usual and amount > 0]


def _by_finding(trouble: Trouble) -> _Hit:
    """Harm that a rule has found."""
    rule = trouble.lead.rule
    otherwise = Harm.failed if rule in FAILS else Harm.degraded if rule in SIGNALS else Harm.stale
    harm = _BY_RULE.get(rule, otherwise)
    return _Hit(harm, trouble.at, trouble.until, trouble.lead.evidence)


def _by_runs(
    edge: Edge,
    above: _Hit,
    lives: Mapping[str, Sequence[Run]],
    evidence: dict[str, Evidence],
    now: datetime,
) -> _Hit | None:
    """Harm that no rule tells of; None if the job was not touched."""
    whole = [run for run in lives.get(edge.downstream, ()) if run.parent_uid is None]
    if above.harm is Harm.threatened:
        return _Hit(Harm.threatened, above.since, above.until)
    during = [run for run in whole if _within(run.began_at, above)]
    if any(run.status.bad for run in during):
        return None  # its own trouble, which is told elsewhere
    if not during:
        return _not_run(edge, above, whole, lives.get(edge.upstream, ()), evidence, now)
    first = during[0]
    mended = next(
        (run.began_at for run in whole if above.until and run.began_at >= above.until and run.status.good),
        None,
    )
    skipped = [run for run in during if run.status is Status.skipped]
    shown = skipped[0] if skipped else first
    if not skipped and edge.triggers and not shown.status.good:
        return None
    item = run_evidence(shown)
    evidence[item.id] = item
    return _Hit(Harm.skipped if skipped else Harm.stale, shown.began_at, mended, (item.id,))


def _not_run(
    edge: Edge,
    above: _Hit,
    whole: Sequence[Run],
    upstream: Sequence[Run],
    evidence: dict[str, Evidence],
    now: datetime,
) -> _Hit | None:
    """Of a job that did not run meanwhile: what another starts has missed its run once the usual time has
    passed between the one's and its own; else it is threatened for as long as nothing is mended."""
    begun = above.begun or above.since
    before = [run for run in whole if run.began_at < begun]
    lags = _lags(before, upstream) if edge.triggers else []
    if lags and (above.until or now) > begun + min(lags[-1] + _LEEWAY, 2 * lags[-1]):
        after = [run for run in whole if above.until is not None and run.began_at >= above.until]
        item = run_evidence(after[0] if after else whole[-1])
        evidence[item.id] = item
        harm = Harm.late if after else Harm.missed
        mended = after[0].ended_at if after else above.until
        return _Hit(harm, begun + lags[len(lags) // 2], mended, (item.id,))
    return _Hit(Harm.threatened, above.since, None) if above.until is None else None


def _lags(whole: Sequence[Run], upstream: Sequence[Run]) -> list[timedelta]:
    """How long after a run above began each of this job's latest runs began, ascending."""
    lags: list[timedelta] = []
    for run in whole[-_LATEST:]:
        before = max((one.began_at for one in upstream if one.began_at <= run.began_at), default=None)
        if before is not None:
            lags.append(run.began_at - before)
    return sorted(lags)


def _within(moment: datetime, hit: _Hit) -> bool:
    return hit.since <= moment and (hit.until is None or moment < hit.until)


def _told(subject: str, hit: _Hit, harm: Harm, graph: Graph, jobs: Mapping[str, Job]) -> Affected:
    job, node = jobs.get(subject), graph.nodes.get(subject)
    return Affected(
        subject=subject,
        name=job.name if job else node.name if node else subject,
        harm=harm,
        since=None if harm is Harm.threatened else hit.since,
        owner=(job.owner if job else None) or (node.owner if node else None),
        cites=hit.cites,
    )
