"""Dependencies that other tools tell: dbt's manifest and OpenLineage's events.

Both speak of steps that read and write tables. A step is either the work of a watched job, or something that
nobody watches: then what writes its inputs feeds what reads its outputs, however many such steps lie between.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dogwatch.model import Job
from dogwatch.model.text import one_line
from dogwatch.pipelines.discover import user_of
from dogwatch.pipelines.graph import Edge, EdgeBasis
from dogwatch.pipelines.members import Roster
from dogwatch.pipelines.tables import Meetings, User

_LONGEST_CHAIN = 200
"""Steps between two jobs that are followed."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that reads tables and writes others, as a manifest or an event tells it."""

    name: str
    """Unique among the steps of one source, such as ``model.shop.orders``."""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    """Names or patterns for the watched job whose work it is; the first that means exactly one counts."""
    platform: str = ""
    """Where its tables live, if that is told; the names of catalogs differ between platforms."""
    source: str = ""
    """Where this is told, for people."""


def lineage_edges(jobs: Sequence[Job], steps: Iterable[Step], roster: Roster) -> Iterator[Edge]:
    """From each job to each that uses what it made by way of steps; what tables alone tell is left out."""
    known = list(steps)
    if not known:
        return
    users: dict[str, User] = {}
    told: dict[str, Step] = {}
    for step in known:
        owner = _owner(step, roster)
        name = owner or f"{step.source}\x1f{step.name}"
        before = users.get(name)
        reads, writes = (before.reads, before.writes) if before else ((), ())
        users[name] = User(name, step.platform, (*reads, *step.reads), (*writes, *step.writes))
        told[name] = step
    everyone = [*(user_of(job) for job in jobs), *users.values()]
    meetings = Meetings.of(everyone)
    feeds: dict[str, dict[str, float]] = {}
    for user in everyone:
        for meeting in meetings.writers(user):
            sides = feeds.setdefault(meeting.writer.name, {})
            sides[user.name] = max(sides.get(user.name, 0.0), meeting.confidence)
    watched = {job.subject for job in jobs}
    for job in jobs:
        yield from _reached(job.subject, feeds, watched, told)


def _owner(step: Step, roster: Roster) -> str:
    """The watched job whose work a step is; empty if none, or not one alone, is meant."""
    for word in step.jobs:
        found = roster.matching(word)
        if len(found) == 1 and found[0] in roster.jobs:
            return found[0]
    return ""


def _reached(
    start: str, feeds: Mapping[str, Mapping[str, float]], watched: set[str], told: Mapping[str, Step]
) -> Iterator[Edge]:
    """The watched jobs that use what one makes, with steps that nobody watches in between."""
    seen = {start}
    ahead = deque([(start, 1.0, 0, "")])
    while ahead:
        here, sure, length, source = ahead.popleft()
        for there, confidence in sorted(feeds.get(here, {}).items()):
            if there in seen or length > _LONGEST_CHAIN:
                continue
            seen.add(there)
            step = told.get(there) or told.get(here)
            said = source or (step.source if step else "")
            if there not in watched:
                ahead.append((there, min(sure, confidence), length + 1, said))
            elif said:
                by = f" by way of {length} step{'s' if length > 1 else ''}" if length else ""
                yield Edge(
                    upstream=start,
                    downstream=there,
                    basis=EdgeBasis.lineage,
                    confidence=min(sure, confidence),
                    why=f"{one_line(said, 80)} says that it uses what this one makes{by}",
                )
