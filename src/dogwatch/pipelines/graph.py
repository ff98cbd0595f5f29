"""The graph: which job or component feeds which, how that is known, and how sure it is. Immutable.

Nodes are subjects: ``<instance>/<job id>`` for jobs, ``component/<name>`` for components. An edge runs from
what makes something to what uses it. Two things may be known of it beyond its ends: whether the downstream
run *starts because of* the upstream one (``triggers``) or runs anyway, on stale data; and whether it is
certain or only suggested (by habit, or by a name that may mean something else).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from functools import cached_property

from pydantic import Field

from dogwatch.model import Noun
from dogwatch.pipelines.spec import Pipeline

COMPONENT = "component/"
"""What the subject of a component begins with."""
SURE = 0.75
"""An inferred edge at or above this confidence counts as certain; a habit never does."""
MOST_PATHS = 100
"""How many paths between two nodes are told at most; a dense graph has exponentially many."""


class EdgeBasis(StrEnum):
    """How an edge is known, the strongest first."""

    declared = "declared"
    """The user says so in dogwatch.yaml."""
    platform = "platform"
    """The platform itself starts one after the other."""
    lineage = "lineage"
    """A lineage event or a manifest says so."""
    table = "table"
    """One writes a table that the other reads, by their configuration."""
    habit = "habit"
    """The one always starts soon after the other ends; never certain."""


_RANK = {basis: rank for rank, basis in enumerate(EdgeBasis)}


class Edge(Noun):
    """One dependency."""

    upstream: str
    """Subject of what makes something."""
    downstream: str
    """Subject of what uses it."""
    basis: EdgeBasis
    confidence: float = Field(default=1.0, ge=0.0, le=1.0)
    triggers: bool = False
    """True: the downstream run starts because of the upstream one, so without it there is none (or it is
    skipped). False: it reads; it runs anyway, on stale data."""
    why: str = ""
    """One sentence for people; names the table, the setting or the count it rests on."""

    @property
    def certain(self) -> bool:
        """Whether one may conclude from it; a suggestion may only be shown and asked about."""
        return self.basis is not EdgeBasis.habit and self.confidence >= SURE


class Node(Noun):
    """A job or a component as the graph shows it."""

    subject: str
    name: str
    """For people."""
    platform: str = ""
    """The connector's kind; empty for what no connector lists."""
    owner: str | None = None
    schedule: str = ""
    """When it runs, in the platform's words; empty if nobody says."""

    @property
    def component(self) -> bool:
        """True for what is not a job."""
        return self.subject.startswith(COMPONENT)

    @property
    def watched(self) -> bool:
        """Whether more may be known of it than its name."""
        return bool(self.platform) or self.component


class Graph:
    """Nodes, at most one edge for each ordered pair of them, and the declared pipelines over them.

    Cycles are allowed (``cycles`` tells them); every walk ends. Order is by subject throughout, so the same
    facts always give the same answers. An unknown subject has no neighbours. ``suggested=False`` in any walk
    leaves out edges that are not certain.
    """

    def __init__(
        self,
        nodes: Iterable[Node] = (),
        edges: Iterable[Edge] = (),
        pipelines: Mapping[str, "Members"] | None = None,
    ) -> None:
        """Edges that join the same pair are merged (see ``merged``); an edge to itself is left out.

        An end that is no node becomes one, named by its subject.
        """
        known = {node.subject: node for node in nodes}
        groups: dict[tuple[str, str], list[Edge]] = {}
        for edge in edges:
            if edge.upstream != edge.downstream:
                groups.setdefault((edge.upstream, edge.downstream), []).append(edge)
        self._edges = tuple(merged(group) for _, group in sorted(groups.items()))
        for subject in {end for pair in groups for end in pair} - known.keys():
            known[subject] = Node(subject=subject, name=subject.partition("/")[2] or subject)
        self._nodes = dict(sorted(known.items()))
        self._down: dict[str, list[Edge]] = {}
        self._up: dict[str, list[Edge]] = {}
        for edge in self._edges:
            self._down.setdefault(edge.upstream, []).append(edge)
            self._up.setdefault(edge.downstream, []).append(edge)
        self._pipelines = dict(pipelines or {})

    @property
    def nodes(self) -> Mapping[str, Node]:
        """By subject, in order."""
        return self._nodes

    @property
    def edges(self) -> Sequence[Edge]:
        """In order of (upstream, downstream)."""
        return self._edges

    @property
    def pipelines(self) -> Mapping[str, "Members"]:
        """The declared pipelines by name, each with the subjects that belong to it."""
        return self._pipelines

    @cached_property
    def certain(self) -> Sequence[Edge]:
        """The edges one may conclude from."""
        return tuple(edge for edge in self._edges if edge.certain)

    @cached_property
    def suggested(self) -> Sequence[Edge]:
        """The edges one may only show and ask about."""
        return tuple(edge for edge in self._edges if not edge.certain)

    def name(self, subject: str) -> str:
        """For people; an unknown subject is its own name."""
        node = self._nodes.get(subject)
        return node.name if node else subject

    def edge(self, upstream: str, downstream: str) -> Edge | None:
        """The edge between two nodes in this direction."""
        return next((edge for edge in self._down.get(upstream, ()) if edge.downstream == downstream), None)

    def upstream(self, subject: str, *, suggested: bool = True) -> Sequence[Edge]:
        """The edges that end here."""
        return _wanted(self._up.get(subject, ()), suggested)

    def downstream(self, subject: str, *, suggested: bool = True) -> Sequence[Edge]:
        """The edges that begin here."""
        return _wanted(self._down.get(subject, ()), suggested)

    def ancestors(self, subject: str, *, suggested: bool = True) -> Mapping[str, int]:
        """Everything it depends on, with the least number of edges between; nearest first, without itself."""
        return self._reach(self._up, subject, suggested, lambda edge: edge.upstream)

    def descendants(self, subject: str, *, suggested: bool = True) -> Mapping[str, int]:
        """Everything that depends on it, with the least number of edges between; nearest first."""
        return self._reach(self._down, subject, suggested, lambda edge: edge.downstream)

    def _reach(
        self, sides: Mapping[str, Sequence[Edge]], start: str, suggested: bool, end: Callable[[Edge], str]
    ) -> dict[str, int]:
        found = {start: 0}
        ahead = deque([start])
        while ahead:
            here = ahead.popleft()
            for edge in _wanted(sides.get(here, ()), suggested):
                there = end(edge)
                if there not in found:
                    found[there] = found[here] + 1
                    ahead.append(there)
        del found[start]
        return found

    def paths(
        self, start: str, goal: str, *, suggested: bool = True, limit: int = MOST_PATHS
    ) -> Sequence[tuple[Edge, ...]]:
        """The ways from one node to another that visit no node twice, shortest first, at most ``limit``."""
        useful = {goal: 0, **self.ancestors(goal, suggested=suggested)}
        if start not in useful or start == goal:
            return ()
        found: list[tuple[Edge, ...]] = []
        ahead: deque[tuple[str, tuple[Edge, ...]]] = deque([(start, ())])
        while ahead and len(found) < limit:
            here, way = ahead.popleft()
            seen = {start, *(edge.downstream for edge in way)}
            for edge in _wanted(self._down.get(here, ()), suggested):
                if edge.downstream == goal:
                    found.append((*way, edge))
                elif edge.downstream in useful and edge.downstream not in seen and len(ahead) < 50 * limit:
                    ahead.append((edge.downstream, (*way, edge)))
        return found[:limit]

    def way(self, start: str, goal: str, *, suggested: bool = True) -> tuple[Edge, ...]:
        """The shortest way from one node to another; empty if there is none."""
        back: dict[str, Edge] = {}
        ahead = deque([start])
        while ahead and goal not in back:
            here = ahead.popleft()
            for edge in _wanted(self._down.get(here, ()), suggested):
                if edge.downstream != start and edge.downstream not in back:
                    back[edge.downstream] = edge
                    ahead.append(edge.downstream)
        way: list[Edge] = []
        while goal in back:
            way.append(back[goal])
            goal = back[goal].upstream
        return tuple(reversed(way))

    def pipelines_of(self, subject: str) -> tuple[str, ...]:
        """The names of the declared pipelines that it belongs to."""
        return tuple(name for name, found in self._pipelines.items() if subject in found.subjects)

    def part(self, subjects: AbstractSet[str], only: Sequence[str] | None = None) -> "Graph":
        """The graph of these nodes alone and the edges between them, with the pipelines that they touch, or
        ``only`` those of these names."""
        kept = {
            name: members
            for name, members in self._pipelines.items()
            if (not subjects.isdisjoint(members.subjects) if only is None else name in only)
        }
        return Graph(
            (node for subject, node in self._nodes.items() if subject in subjects),
            (edge for edge in self._edges if edge.upstream in subjects and edge.downstream in subjects),
            kept,
        )

    @cached_property
    def cycles(self) -> Sequence[tuple[str, ...]]:
        """Groups of nodes that depend on each other by certain edges (strongly connected components of at
        least two nodes), each in order, by Tarjan's algorithm (1972) without recursion."""
        return tuple(sorted(tuple(sorted(group)) for group in _strong(self.certain) if len(group) > 1))


class Members(Noun):
    """A declared pipeline and what it came to once the jobs were known."""

    pipeline: Pipeline
    subjects: tuple[str, ...]
    """In the order in which its patterns name them."""
    unmatched: tuple[str, ...] = ()
    """Patterns that match no known job."""


def merged(edges: Sequence[Edge]) -> Edge:
    """One edge out of all that join the same pair: the strongest basis leads, each other reason is told
    behind it. It triggers if any certain one does, or if one that leads by certainty is joined by a habit."""
    first, *rest = sorted(edges, key=lambda edge: (not edge.certain, _RANK[edge.basis], -edge.confidence))
    if not rest:
        return first
    reasons = dict.fromkeys(edge.why for edge in (first, *rest) if edge.why)
    return first.model_copy(
        update={
            "confidence": max(edge.confidence for edge in (first, *rest)),
            "triggers": any(edge.triggers for edge in (first, *rest)),
            "why": "; ".join(reasons),
        }
    )


def _wanted(edges: Sequence[Edge], suggested: bool) -> Sequence[Edge]:
    return edges if suggested else [edge for edge in edges if edge.certain]


def _strong(edges: Sequence[Edge]) -> Iterator[list[str]]:
    down: dict[str, list[str]] = {}
    for edge in edges:
        down.setdefault(edge.upstream, []).append(edge.downstream)
        down.setdefault(edge.downstream, [])
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    held: dict[str, None] = {}
    for root in down:
        if root in index:
            continue
        work = [(root, iter(down[root]))]
        index[root] = low[root] = len(index)
        held[root] = None
        while work:
            here, ahead = work[-1]
            for there in ahead:
                if there not in index:
                    index[there] = low[there] = len(index)
                    held[there] = None
                    work.append((there, iter(down[there])))
                    break
                if there in held:
                    low[here] = min(low[here], index[there])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    low[above] = min(low[above], low[here])
                if low[here] == index[here]:
                    yield _released(held, here)


def _released(held: dict[str, None], last: str) -> list[str]:
    group: list[str] = []
    while True:
        subject, _ = held.popitem()
        group.append(subject)
        if subject == last:
            return group
