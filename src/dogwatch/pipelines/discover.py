"""Edges that follow from what platforms tell of their jobs.

What connectors put into ``Job.metadata`` for it (all lists of text): ``reads`` and ``writes``, tables; and of
the same instance ``awaits``, tables whose update starts the job; ``starts``, job ids that it starts;
``follows``, job ids after which it may start.
"""

from collections.abc import Iterable, Iterator, Sequence

from dogwatch.model import Job, ScheduleKind, job_subject
from dogwatch.model.text import one_line
from dogwatch.pipelines.graph import Edge, EdgeBasis
from dogwatch.pipelines.tables import Meeting, Meetings, User

_NAMED = 3
"""Tables that a reason names."""
_READS = frozenset({"reads", "awaits"})


def platform_edges(jobs: Iterable[Job]) -> Iterator[Edge]:
    """What a platform starts after, or by, what."""
    for job in jobs:
        for before in dict.fromkeys((*job.after, *listed(job, "follows"))):
            yield _trigger(job, before, job.job_id, f"{job.platform} starts it when this one is done")
        for started in listed(job, "starts"):
            yield _trigger(job, job.job_id, started, "it runs this one")


def _trigger(job: Job, upstream: str, downstream: str, why: str) -> Edge:
    return Edge(
        upstream=job_subject(job.instance, upstream),
        downstream=job_subject(job.instance, downstream),
        basis=EdgeBasis.platform,
        triggers=True,
        why=why,
    )


def table_edges(jobs: Sequence[Job]) -> Iterator[Edge]:
    """From each job that writes a table to each that reads it, or waits for its update."""
    readers = [(job, user_of(job)) for job in jobs if not _READS.isdisjoint(job.metadata)]
    asked = {table for _, user in readers for table in user.reads}
    writers = Meetings.of((user_of(job) for job in jobs if "writes" in job.metadata), asked)
    for job, user in readers:
        awaits = listed(job, "awaits")
        found: dict[str, list[Meeting]] = {}
        for meeting in writers.writers(user):
            found.setdefault(meeting.writer.name, []).append(meeting)
        for upstream, meetings in found.items():
            waits = [meeting for meeting in meetings if meeting.table in awaits]
            yield Edge(
                upstream=upstream,
                downstream=job.subject,
                basis=EdgeBasis.table,
                confidence=max(meeting.confidence for meeting in meetings),
                triggers=bool(waits),
                why=f"{'is started by changes of' if waits else 'reads'} {_tables(waits or meetings)}",
            )


def _tables(meetings: Sequence[Meeting]) -> str:
    names = [one_line(meeting.table, 120) for meeting in meetings]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"table{'s' if len(names) > 1 else ''} {', '.join(names[:_NAMED])}{more}"


def user_of(job: Job) -> User:
    """A job as a user of tables."""
    reads = tuple(dict.fromkeys((*listed(job, "reads"), *listed(job, "awaits"))))
    return User(job.subject, job.platform, reads, listed(job, "writes"))


def listed(job: Job, key: str) -> tuple[str, ...]:
    """A list of texts in the job's metadata; whatever else stands there is nothing."""
    value = job.metadata.get(key)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def unscheduled(job: Job) -> bool:
    """Whether nothing that is known starts the job: no clock and no other job."""
    clocked = {ScheduleKind.cron, ScheduleKind.quartz, ScheduleKind.interval, ScheduleKind.after}
    return not job.after and (job.schedule is None or job.schedule.kind not in clocked)
