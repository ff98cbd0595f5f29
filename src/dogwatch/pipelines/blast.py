"""Blast radius: what stands in the way of harm from one place, who owns it, which promises it breaks by when.

Only certain edges carry harm. What already happened to a job is for ``incidents`` to say; this says what the
graph, the slots to come and the declared deadlines make of it.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from dogwatch.model import Affected, Deadline, Noun, UtcTime
from dogwatch.pipelines.graph import Graph, Members

SOON = timedelta(hours=12)
"""A deadline so near is told even if the job runs again before: what broke may not mend itself."""


class Hit(Noun):
    """One job in the way of harm."""

    subject: str
    name: str
    """For people."""
    owner: str | None = None
    distance: int
    """Edges from the culprit; 1 for its own consumers."""
    via: tuple[str, ...] = ()
    """The subjects between the culprit and it."""
    stopped: bool
    """True: it will not start, or be skipped. False: it will run, on stale data."""
    at: UtcTime | None = None
    """When the harm reaches it: its next slot, or that of what starts it; None if nobody knows."""


class Blast(Noun):
    """Everything that one culprit can harm."""

    culprit: str
    hits: tuple[Hit, ...] = ()
    """Nearest first."""
    pipelines: tuple[str, ...] = ()
    """Declared ones that the culprit or a hit belongs to."""
    owners: tuple[str, ...] = ()
    """Of jobs and pipelines, each once."""
    deadlines: tuple[Deadline, ...] = ()
    """By time."""


def blast(
    graph: Graph,
    culprit: str,
    began: datetime,
    now: datetime,
    *,
    coming: Mapping[str, datetime] | None = None,
) -> Blast:
    """What a culprit that went wrong at ``began`` can harm, as things stand at ``now``.

    ``coming`` is the next slot of each job of which it is known.
    """
    coming = coming or {}
    hits = _hits(graph, culprit, coming)
    subjects = [culprit, *(hit.subject for hit in hits)]
    pipelines = touched(graph, subjects)
    owned = [node.owner for one in subjects if (node := graph.nodes.get(one))]
    owned += [members.pipeline.owner for members in pipelines]
    since = dict.fromkeys(subjects, began)
    return Blast(
        culprit=culprit,
        hits=tuple(hits),
        pipelines=tuple(members.pipeline.name for members in pipelines),
        owners=tuple(dict.fromkeys(owner for owner in owned if owner)),
        deadlines=tuple(_deadlines(pipelines, since, now, coming)),
    )


def _hits(graph: Graph, culprit: str, coming: Mapping[str, datetime]) -> list[Hit]:
    found: dict[str, Hit] = {}
    ahead: deque[tuple[str, tuple[str, ...], datetime | None, bool]] = deque()
    ahead.append((culprit, (), coming.get(culprit), True))
    while ahead:
        here, way, reached, stopped = ahead.popleft()
        for edge in graph.downstream(here, suggested=False):
            there = edge.downstream
            if there == culprit or there in found:
                continue
            node = graph.nodes[there]
            started = edge.triggers and stopped
            at = coming.get(there) or (reached if edge.triggers else None)
            found[there] = Hit(
                subject=there,
                name=node.name,
                owner=node.owner,
                distance=len(way) + 1,
                via=way,
                stopped=started,
                at=at,
            )
            ahead.append((there, (*way, there), at, started))
    return list(found.values())


def touched(graph: Graph, subjects: Collection[str]) -> list[Members]:
    """The declared pipelines to which any of these belongs, in the order in which they are declared."""
    wanted = set(subjects)
    return [members for members in graph.pipelines.values() if wanted.intersection(members.subjects)]


def deadlines(
    graph: Graph,
    culprits: Sequence[str],
    affected: Iterable[Affected],
    began: Mapping[str, datetime],
    now: datetime,
    *,
    coming: Mapping[str, datetime] | None = None,
) -> list[Deadline]:
    """The promises that an incident breaks or endangers, by time.

    ``began`` says since when each culprit is wrong; one that it does not name counts from ``now`` on. Of each
    pipeline that is touched the first deadline after that is told, and once it is missed the next one too,
    if it is near.
    """
    since = {culprit: began.get(culprit, now) for culprit in culprits}
    since |= {hit.subject: hit.since or now for hit in affected}
    return list(_deadlines(touched(graph, since), since, now, coming or {}))


def _deadlines(
    pipelines: Iterable[Members], since: Mapping[str, datetime], now: datetime, coming: Mapping[str, datetime]
) -> Iterator[Deadline]:
    found: list[Deadline] = []
    for members in pipelines:
        fresh, name = members.pipeline.fresh_by, members.pipeline.name
        hit = [subject for subject in members.subjects if subject in since]
        if fresh is None or not hit:
            continue
        due = fresh.following(min(since[subject] for subject in hit))
        if due <= now:
            found.append(Deadline(pipeline=name, due=due, missed=True))
            due = fresh.following(now + timedelta(microseconds=1))
            if due - now <= SOON:
                found.append(Deadline(pipeline=name, due=due, missed=False))
        elif due - now <= SOON or not all(subject in coming and coming[subject] < due for subject in hit):
            found.append(Deadline(pipeline=name, due=due, missed=False))
    yield from sorted(found, key=lambda one: (one.due, one.pipeline))
