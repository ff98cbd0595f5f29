"""Who may have brought the columns that a job does not know: the jobs that it reads from.

A job that fails of columns or types that are not what it expects was changed itself, or is fed otherwise than
before. What feeds it has ended well, so nothing is found of it; but if it delivered anew between the last run
that went well and the one that failed, it is where to look next.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from dogwatch.detect.facts import run_evidence
from dogwatch.model import Cause, CauseClass, Confidence, Evidence, Run
from dogwatch.pipelines.graph import Graph

_MOST = 2
_CLOCKS_APART = timedelta(minutes=5)


def deliveries(
    first: Cause, graph: Graph, lives: Mapping[str, Sequence[Run]], names: Mapping[str, str]
) -> tuple[list[Cause], list[Evidence]]:
    """Who delivered anew before a job failed of its columns, the latest first, with the runs that show it.

    ``first`` is the cause that is named; of any other class nobody is. ``lives`` are runs by subject, oldest
    first.
    """
    failed = _latest_failure(lives.get(first.subject, ()))
    if first.cause_class is not CauseClass.schema_drift or failed is None:
        return [], []
    good, begun = failed
    found = [
        run
        for edge in graph.upstream(first.subject, suggested=False)
        if (run := _delivery(lives.get(edge.upstream, ()), good, begun)) is not None
    ]
    found = sorted(found, key=lambda run: (run.ended_at or begun, run.uid), reverse=True)[:_MOST]
    proofs = [run_evidence(run) for run in found]
    return [_cause(proof, first, names) for proof in proofs], proofs


def _latest_failure(life: Sequence[Run]) -> tuple[datetime, datetime] | None:
    """Of the latest failures in a row: when the run before them began that went well, and the first of them;
    None if there is no such run."""
    good: datetime | None = None
    failed: tuple[datetime, datetime] | None = None
    following = False
    for run in life:
        if run.status.good:
            good, following = run.began_at, True
        elif run.status.bad and run.parent_uid is None and good is not None and following:
            failed, following = (good, run.began_at), False
    return failed


def _delivery(life: Iterable[Run], after: datetime, before: datetime) -> Run | None:
    """The last run that ended well between two moments."""
    ended = [run for run in life if run.status.good and run.parent_uid is None and run.ended_at is not None]
    between = [run for run in ended if run.ended_at and after < run.ended_at <= before + _CLOCKS_APART]
    return between[-1] if between else None


def _cause(proof: Evidence, first: Cause, names: Mapping[str, str]) -> Cause:
    fed, feeds = names.get(first.subject, first.subject), names.get(proof.subject, proof.subject)
    return Cause(
        claim=f"{feeds} delivered anew before {fed} failed; whether its columns changed was not read",
        cause_class=first.cause_class,
        subject=proof.subject,
        confidence=Confidence.inconclusive,
        cites=(proof.id, *first.cites[:1]),
        settle=f"compare the columns that {feeds} delivers with those that {fed} reads",
    )
