"""Places for the nodes of a graph, left to right, in layers (after Sugiyama, Tagawa and Toda 1981).

Edges that would close a circle are turned while placing; each node stands one layer after the last thing it
uses; an edge over several layers gets a waypoint in each, so that it passes between the nodes.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from dogwatch.pipelines.graph import Edge, Graph

_SWEEPS = 8
"""Passes over the layers that bring neighbours near each other."""
_STEPS = 4
"""Rows stand at quarters, so that what is nearly level is level; distances of one or more stay so."""
_MOST_WAYPOINTS = 20_000
"""Beyond so many, edges run straight."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: layer from the left, and row within it, both from 0."""

    layer: int
    row: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of all nodes, and the ways of all edges between them."""

    places: Mapping[str, Place]
    ways: Mapping[tuple[str, str], Sequence[Place]]
    """By (upstream, downstream): the waypoints between the two ends, often none."""

    @property
    def layers(self) -> int:
        """How many stand side by side."""
        return max((place.layer for place in self.places.values()), default=-1) + 1

    @property
    def bottom(self) -> float:
        """The last row in which anything stands; 0 if there is nothing."""
        points = [point for way in self.ways.values() for point in way]
        return max((place.row for place in (*self.places.values(), *points)), default=0.0)


def layout(graph: Graph) -> Layout:
    """Places for every node. What is not joined stands below each other, the largest part first.

    The same graph always gives the same places.
    """
    places: dict[str, Place] = {}
    ways: dict[tuple[str, str], Sequence[Place]] = {}
    below = 0.0
    for part in _parts(graph):
        placed = _placed(graph.part(part))
        places |= {subject: _lower(place, below) for subject, place in placed.places.items()}
        ways |= {pair: [_lower(point, below) for point in way] for pair, way in placed.ways.items()}
        below += placed.bottom + 1
    return Layout(places, ways)


def _lower(place: Place, by: float) -> Place:
    return Place(place.layer, place.row + by)


def _parts(graph: Graph) -> list[set[str]]:
    """The weakly connected parts, large ones first, then by name."""
    left = dict.fromkeys(graph.nodes)
    found: list[set[str]] = []
    while left:
        ahead = [next(iter(left))]
        part: set[str] = set()
        while ahead:
            here = ahead.pop()
            if here not in part:
                part.add(here)
                del left[here]
                ahead += [edge.downstream for edge in graph.downstream(here)]
                ahead += [edge.upstream for edge in graph.upstream(here)]
        found.append(part)
    return sorted(found, key=lambda part: (-len(part), min(part)))


def _placed(graph: Graph) -> Layout:
    turned = _against(graph)
    pairs = [_pair(edge, turned) for edge in graph.edges]
    layer = _layers(list(graph.nodes), pairs)
    long = sum(max(0, layer[second] - layer[first] - 1) for first, second in pairs) <= _MOST_WAYPOINTS
    chains: dict[tuple[str, str], list[str]] = {}
    columns: list[list[str]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for subject in graph.nodes:
        columns[layer[subject]].append(subject)
    links: list[tuple[str, str]] = []
    for edge, (first, second) in zip(graph.edges, pairs, strict=True):
        between = range(layer[first] + 1, layer[second]) if long else range(0)
        chain = [f"\x1f{edge.upstream}\x1f{edge.downstream}\x1f{at}" for at in between]
        for at, waypoint in zip(between, chain, strict=True):
            columns[at].append(waypoint)
        links += zip([first, *chain], [*chain, second], strict=True)
        chains[edge.upstream, edge.downstream] = chain if first == edge.upstream else chain[::-1]
    _untangle(columns, links)
    rows = _rows(columns, links)
    where = {name: Place(at, rows[name]) for at, column in enumerate(columns) for name in column}
    return Layout(
        places={subject: where[subject] for subject in graph.nodes},
        ways={pair: [where[name] for name in chain] for pair, chain in chains.items()},
    )


def _pair(edge: Edge, turned: AbstractSet[tuple[str, str]]) -> tuple[str, str]:
    first, second = edge.upstream, edge.downstream
    return (second, first) if (first, second) in turned else (first, second)


def _against(graph: Graph) -> set[tuple[str, str]]:
    """The edges that lead back to something on the way to them, by depth-first search without recursion."""
    state: dict[str, int] = {}
    back: set[tuple[str, str]] = set()
    for root in graph.nodes:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(graph.downstream(root)))]
        while stack:
            here, ahead = stack[-1]
            edge = next(ahead, None)
            if edge is None:
                state[here] = 2
                stack.pop()
            elif state.get(edge.downstream) == 1:
                back.add((edge.upstream, edge.downstream))
            elif edge.downstream not in state:
                state[edge.downstream] = 1
                stack.append((edge.downstream, iter(graph.downstream(edge.downstream))))
    return back


def _layers(nodes: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Longest path from the left (Kahn's order); what nothing feeds stands right before its first user."""
    down: dict[str, list[str]] = {}
    up: dict[str, list[str]] = {}
    for first, second in dict.fromkeys(pairs):
        down.setdefault(first, []).append(second)
        up.setdefault(second, []).append(first)
    waiting = {node: len(up.get(node, ())) for node in nodes}
    order = [node for node in nodes if not waiting[node]]
    layer = dict.fromkeys(nodes, 0)
    for node in order:
        for there in down.get(node, ()):
            layer[there] = max(layer[there], layer[node] + 1)
            waiting[there] -= 1
            if not waiting[there]:
                order.append(there)
    for node in nodes:
        if node not in up and node in down:
            layer[node] = min(layer[there] for there in down[node]) - 1
    return layer


def _untangle(columns: list[list[str]], links: Sequence[tuple[str, str]]) -> None:
    """Order each layer by the mean place of its neighbours in the layer before, then in the one after."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for first, second in links:
        before.setdefault(second, []).append(first)
        after.setdefault(first, []).append(second)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        sides = before if forward else after
        order = range(1, len(columns)) if forward else range(len(columns) - 2, -1, -1)
        for at in order:
            fixed = {name: row for row, name in enumerate(columns[at - 1 if forward else at + 1])}
            mean: dict[str, float] = {}
            for row, name in enumerate(columns[at]):
                rows = [fixed[other] for other in sides.get(name, ()) if other in fixed]
                mean[name] = sum(rows) / len(rows) if rows else float(row)
            columns[at] = sorted(columns[at], key=mean.__getitem__)


def _rows(columns: Sequence[Sequence[str]], links: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Rows at least one apart, each as near to its neighbours as its place in the order allows."""
    sides: dict[str, list[str]] = {}
    for first, second in links:
        sides.setdefault(first, []).append(second)
        sides.setdefault(second, []).append(first)
    rows = {name: float(row) for column in columns for row, name in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = [
                sum(rows[other] for other in near) / len(near) if (near := sides.get(name)) else rows[name]
                for name in column
            ]
            rows |= dict(zip(column, _spread(wanted), strict=True))
    least = min(rows.values(), default=0.0)
    return {name: round((row - least) * _STEPS) / _STEPS for name, row in rows.items()}


def _spread(wanted: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones (least squares) that are at least one apart and in this order:
    pooling of neighbours that want too little room (isotonic regression, Ayer et al. 1955)."""
    blocks: list[tuple[float, int]] = []
    for at, place in enumerate(wanted):
        total, size = place - at, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / size:
            more, count = blocks.pop()
            total, size = total + more, size + count
        blocks.append((total, size))
    found: list[float] = []
    for total, size in blocks:
        found += [total / size + len(found) + step for step in range(size)]
    return found
