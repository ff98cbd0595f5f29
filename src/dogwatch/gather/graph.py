"""The pipeline graph out of what is remembered. Sync: runs in the store's thread."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from dogwatch.model import Job, Run, Status
from dogwatch.model.ledger import JobKey
from dogwatch.pipelines.build import graph_of
from dogwatch.pipelines.discover import table_edges, unscheduled
from dogwatch.pipelines.graph import Graph
from dogwatch.pipelines.habits import CLOCKS_APART, LEAST_STARTS, WINDOW, Habit, habit_of
from dogwatch.pipelines.lineage import Step
from dogwatch.pipelines.spec import Pipeline
from dogwatch.store import Store

_STARTS = 12
"""The latest so many starts of a job tell after which other it begins."""
_LIFE = 60
"""Runs of a job that are looked at."""
_AGAIN = timedelta(days=1)
"""After this a job's habit is looked up anew."""
_AT_ONCE = 12
"""Jobs whose habits are looked up for one graph; each costs a look at what all jobs did at some moments."""
_LONGEST = timedelta(hours=6)
"""Of what runs longer it is not known whether something follows it."""
_CANDIDATES = 12


def pipeline_graph(
    store: Store,
    declared: Iterable[Pipeline] = (),
    lineage: Callable[[], Iterable[Step]] = tuple,
    now: datetime | None = None,
    listed: Mapping[str, Sequence[Job]] | None = None,
) -> Graph:
    """One graph of all remembered jobs, for everybody who asks what depends on what.

    ``declared`` are the pipelines of dogwatch.yaml, ``lineage`` reads the steps in the files it names. With
    ``now`` habits that were not looked up for a day are looked up anew, some jobs at a time; without it those
    that are known are used. ``listed`` are jobs that are at hand, by instance, just as they are remembered.
    Call it once a round. Raises StoreError.
    """
    jobs = store.jobs(but=listed or ())
    jobs += [job for some in (listed or {}).values() for job in some]
    jobs.sort(key=lambda job: (job.instance, job.job_id))
    known = store.habits()
    if now is not None:
        known |= _renewed(store, jobs, known, now)
    open_ended = {job.subject for job in jobs if unscheduled(job)}
    habits = [edge for subject, habit in known.items() if subject in open_ended for edge in habit.edges()]
    return graph_of(jobs, declared, lineage(), habits)


def _renewed(
    store: Store, jobs: Sequence[Job], known: Mapping[str, Habit], now: datetime
) -> dict[str, Habit]:
    """The habits of some jobs that were not looked at for long, remembered."""
    stale = [
        job
        for job in jobs
        if unscheduled(job)
        and ((habit := known.get(job.subject)) is None or not now - _AGAIN < habit.looked_at <= now)
    ]
    stale.sort(
        key=lambda job: (
            known[job.subject].looked_at if job.subject in known else now - 10 * _AGAIN,
            job.subject,
        )
    )
    feeders: dict[str, set[str]] = {}
    for edge in table_edges(jobs) if stale else ():
        if edge.certain:
            feeders.setdefault(edge.downstream, set()).add(edge.upstream)
    found = [_looked_up(store, job, feeders.get(job.subject, set()), now) for job in stale[:_AT_ONCE]]
    store.save_habits(found)
    return {habit.downstream: habit for habit in found}


def _looked_up(store: Store, job: Job, feeders: set[str], now: datetime) -> Habit:
    key: JobKey = (job.instance, job.job_id)
    starts = _starts(store.histories([key], _LIFE).get(key, ()))
    near: Counter[JobKey] = Counter()
    if len(starts) >= LEAST_STARTS:
        for start in starts[-3:]:  # what it follows ended well before at least two of these
            near.update(store.just_ended(start - WINDOW, start + CLOCKS_APART, _LONGEST) - {key})
    often = {other for other, times in near.most_common(_CANDIDATES) if times > 1}
    often |= {(instance, job_id) for instance, _, job_id in map(_cut, sorted(feeders)[:_CANDIDATES])}
    lives = store.histories(sorted(often), _LIFE) if len(starts) >= LEAST_STARTS else {}
    ends = {f"{other[0]}/{other[1]}": _ends(runs) for other, runs in lives.items()}
    return habit_of(job.subject, starts, ends, now, feeders)


def _cut(subject: str) -> tuple[str, str, str]:
    return subject.partition("/")


def _starts(runs: Sequence[Run]) -> list[datetime]:
    """When its latest runs began; one that was skipped never did."""
    began = [run.began_at for run in runs if run.parent_uid is None and run.status is not Status.skipped]
    return sorted(began)[-_STARTS:]


def _ends(runs: Sequence[Run]) -> list[datetime]:
    return sorted(run.ended_at for run in runs if run.status.good and run.ended_at is not None)
