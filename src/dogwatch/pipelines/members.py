"""Which jobs a declared pipeline means."""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cached_property

from dogwatch.model import Job
from dogwatch.pipelines.discover import unscheduled
from dogwatch.pipelines.graph import COMPONENT, Edge, EdgeBasis, Members
from dogwatch.pipelines.spec import Pipeline


class Roster:
    """The known jobs, to be found by what people call them."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.jobs = {job.subject: job for job in jobs}
        """By subject."""

    @cached_property
    def _words(self) -> dict[str, list[str]]:
        """Subjects by all that a job may be called; not made where nothing is asked for by name."""
        words: dict[str, list[str]] = {}
        for subject, job in self.jobs.items():
            for word in {subject, f"{job.instance}/{job.name}", job.name, job.job_id}:
                words.setdefault(word, []).append(subject)
        return words

    @cached_property
    def _folded(self) -> dict[str, list[str]]:
        """The same by words in small letters."""
        folded: dict[str, dict[str, None]] = {}
        for word, subjects in self._words.items():
            folded.setdefault(word.lower(), {}).update(dict.fromkeys(subjects))
        order = {subject: place for place, subject in enumerate(self.jobs)}
        return {word: sorted(subjects, key=order.__getitem__) for word, subjects in folded.items()}

    def matching(self, pattern: str) -> list[str]:
        """The subjects of the jobs that a pattern means, in their order.

        ``<instance>/<id or name>``, an id or a name, with ``*`` and ``?`` as in file names; letter case
        counts only where it tells two apart. A component is itself.
        """
        if pattern.startswith(COMPONENT):
            return [pattern]
        found = self._words.get(pattern) or self._folded.get(pattern.lower())
        if found is not None:
            return list(found)
        if not {"*", "?", "["}.intersection(pattern):
            return []
        fits = re.compile(translate(pattern.lower())).match
        matched = {subject for word, subjects in self._folded.items() if fits(word) for subject in subjects}
        return [subject for subject in self.jobs if subject in matched]


def members_of(pipeline: Pipeline, jobs: Iterable[Job] | Roster) -> Members:
    """The subjects that belong to a pipeline, and the patterns that mean nobody."""
    roster = jobs if isinstance(jobs, Roster) else Roster(jobs)
    subjects: dict[str, None] = {}
    unmatched: dict[str, None] = {}
    ends = [end for pair in pipeline.edges or () for end in pair]
    for pattern in dict.fromkeys((*pipeline.jobs, *ends)):
        found = roster.matching(pattern)
        subjects |= dict.fromkeys(found)
        if not found:
            unmatched[pattern] = None
    return Members(pipeline=pipeline, subjects=tuple(subjects), unmatched=tuple(unmatched))


def declared_edges(pipeline: Pipeline, roster: Roster) -> list[Edge]:
    """The edges that a pipeline lists, from each job that the first of a pair means to each of the second.

    What no clock and no other job starts is started by what the user puts before it.
    """
    return [
        Edge(
            upstream=first,
            downstream=second,
            basis=EdgeBasis.declared,
            triggers=second in roster.jobs and unscheduled(roster.jobs[second]),
            why=f"declared in pipeline {pipeline.name}",
        )
        for upstream, downstream in pipeline.edges or ()
        for first in roster.matching(upstream)
        for second in roster.matching(downstream)
        if first != second
    ]
