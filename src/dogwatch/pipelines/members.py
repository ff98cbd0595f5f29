"""Which jobs a declared pipeline means."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from dogwatch.model import Job
from dogwatch.pipelines.graph import COMPONENT, Edge, EdgeBasis, Members
from dogwatch.pipelines.spec import Pipeline


def matching(pattern: str, jobs: Iterable[Job]) -> list[str]:
    """The subjects of the jobs that a pattern means: ``<instance>/<id or name>``, an id or a name, with ``*``
    and ``?`` as in file names; letter case counts only if nothing fits otherwise. A component is itself."""
    if pattern.startswith(COMPONENT):
        return [pattern]
    known = list(jobs)
    exact = [job.subject for job in known if pattern in _words(job)]
    if exact:
        return exact
    small = pattern.lower()
    return [job.subject for job in known if any(fnmatchcase(word.lower(), small) for word in _words(job))]


def _words(job: Job) -> tuple[str, ...]:
    return (job.subject, f"{job.instance}/{job.name}", job.name, job.job_id)


def members_of(pipeline: Pipeline, jobs: Sequence[Job]) -> Members:
    """The subjects that belong to a pipeline, and the patterns that mean nobody."""
    subjects: dict[str, None] = {}
    unmatched: dict[str, None] = {}
    ends = [end for pair in pipeline.edges or () for end in pair]
    for pattern in (*pipeline.jobs, *ends):
        found = matching(pattern, jobs)
        subjects |= dict.fromkeys(found)
        if not found:
            unmatched[pattern] = None
    return Members(pipeline=pipeline, subjects=tuple(subjects), unmatched=tuple(unmatched))


def declared_edges(pipeline: Pipeline, jobs: Sequence[Job]) -> list[Edge]:
    """The edges that a pipeline lists, from each job that the first of a pair means to each of the second."""
    return [
        Edge(
            upstream=first,
            downstream=second,
            basis=EdgeBasis.declared,
            why=f"declared in pipeline {pipeline.name}",
        )
        for upstream, downstream in pipeline.edges or ()
        for first in matching(upstream, jobs)
        for second in matching(downstream, jobs)
        if first != second
    ]
