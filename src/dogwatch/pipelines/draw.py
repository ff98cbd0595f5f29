"""A graph to look at: an indented outline, Mermaid, JSON. Names from platforms are made harmless."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from dogwatch.model.text import one_line
from dogwatch.pipelines.graph import Edge, EdgeBasis, Graph, Members, Node
from dogwatch.pipelines.spec import Pipeline

CULPRIT, HARMED, FINE = "●", "◐", "○"
"""Marks, each with its word in ``WORDS``."""
WORDS: Mapping[str, str] = {CULPRIT: "began here", HARMED: "hit by it", FINE: "not touched"}
_LABEL = 120
_DEEPEST = 60


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be drawn."""

    graph: Graph
    """The part that is shown."""
    culprits: AbstractSet[str] = field(default_factory=frozenset[str])
    """Where trouble began."""
    harmed: AbstractSet[str] = field(default_factory=frozenset[str])
    """Who is hit by it."""

    def mark(self, subject: str) -> str:
        """One of the marks."""
        return CULPRIT if subject in self.culprits else HARMED if subject in self.harmed else FINE

    def harmful(self, edge: Edge) -> bool:
        """Whether harm went this way."""
        return (
            edge.certain
            and edge.downstream in self.harmed
            and (edge.upstream in self.harmed or edge.upstream in self.culprits)
        )

    @property
    def troubled(self) -> bool:
        """Whether there is any harm in what is shown."""
        return any(subject in self.graph.nodes for subject in (*self.culprits, *self.harmed))


def focused(graph: Graph, subjects: AbstractSet[str]) -> Graph:
    """The part of a graph that concerns these nodes: they, what they depend on and what depends on them."""
    wanted = set(subjects)
    for subject in subjects:
        wanted |= graph.ancestors(subject).keys() | graph.descendants(subject).keys()
    return graph.part(wanted)


# ── as an outline ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the outline."""

    stem: str
    """What stands before the mark: blanks and branches."""
    mark: str
    name: str
    note: str
    """The platform, and what is special about the edge."""
    subject: str = ""
    """Of what more is known; empty for what nobody watches."""


def outline(picture: Picture) -> list[Line]:
    """The graph as a tree: what nothing feeds stands on the left, what uses it indented below.

    A node that several feed is told in full where it stands first, and named again elsewhere.
    """
    graph = picture.graph
    lines: list[Line] = []
    told: set[str] = set()
    for subject in _beginnings(graph):
        if subject in told:
            continue
        lines.append(_line(picture, "", graph.nodes[subject], None, again=False))
        told.add(subject)
        lines += _below(picture, subject, "", told, 1)
    return lines


def _beginnings(graph: Graph) -> Iterator[str]:
    """What nothing feeds; then, of circles that nothing feeds either, some node; what stands alone last."""
    alone = [
        subject for subject in graph.nodes if not graph.upstream(subject) and not graph.downstream(subject)
    ]
    roots = [subject for subject in graph.nodes if not graph.upstream(subject) and graph.downstream(subject)]
    key = {subject: (graph.name(subject).casefold(), subject) for subject in graph.nodes}
    yield from sorted(roots, key=key.__getitem__)
    yield from sorted(graph.nodes.keys() - {*roots, *alone}, key=key.__getitem__)
    yield from sorted(alone, key=key.__getitem__)


def _below(picture: Picture, subject: str, stem: str, told: set[str], depth: int) -> Iterator[Line]:
    edges = sorted(
        picture.graph.downstream(subject),
        key=lambda edge: (not edge.certain, picture.graph.name(edge.downstream).casefold(), edge.downstream),
    )
    for number, edge in enumerate(edges, 1):
        last = number == len(edges)
        arrow = "▶" if edge.triggers else "─" if edge.certain else "╌"
        again = edge.downstream in told
        node = picture.graph.nodes[edge.downstream]
        yield _line(picture, f"{stem}{'└' if last else '├'}{arrow} ", node, edge, again=again)
        if not again and depth < _DEEPEST:
            told.add(edge.downstream)
            yield from _below(picture, edge.downstream, f"{stem}{'   ' if last else '│  '}", told, depth + 1)


def _line(picture: Picture, stem: str, node: Node, edge: Edge | None, *, again: bool) -> Line:
    notes = (
        [node.platform.replace("_", " ")]
        if node.platform
        else ["component" if node.component else "not watched"]
    )
    if edge is not None and not edge.certain:
        notes.append("suggested" if edge.basis is EdgeBasis.habit else f"perhaps ({edge.basis.value})")
    if again and picture.graph.downstream(node.subject):
        notes.append("see above")
    subject = node.subject if node.watched else ""
    return Line(stem, picture.mark(node.subject), one_line(node.name, _LABEL), ", ".join(notes), subject)


# ── as Mermaid ──────────────────────────────────────────────────────────────────────────────────────────────

_CODES = {ord(char): f"#{ord(char)};" for char in "#&<>\"'`\\|[](){};%"}
"""Mermaid reads ``#35;`` as the character; as itself each of these could end a label or begin markup."""


def mermaid(picture: Picture) -> str:
    """A Mermaid flowchart, left to right: thick arrows start what they point to, thin ones are read, dotted
    ones are suggestions."""
    graph = picture.graph
    ids = {subject: f"n{number}" for number, subject in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for subject, node in graph.nodes.items():
        name, home = one_line(node.name, _LABEL), one_line(node.platform or "component", 40)
        label = f"{name.translate(_CODES)}<br/>{home.translate(_CODES)}"
        box = f'(["{label}"])' if node.component else f'["{label}"]'
        lines.append(f"  {ids[subject]}{box}")
    hot: list[int] = []
    for number, edge in enumerate(graph.edges):
        arrow = "-.->" if not edge.certain else "==>" if edge.triggers else "-->"
        lines.append(f"  {ids[edge.upstream]} {arrow} {ids[edge.downstream]}")
        if picture.harmful(edge):
            hot.append(number)
    lines += _classes(picture, ids)
    if hot:
        lines.append(f"  linkStyle {','.join(map(str, hot))} stroke:#c2410c")
    return "\n".join(lines)


def _classes(picture: Picture, ids: Mapping[str, str]) -> Iterator[str]:
    looks = {
        CULPRIT: ("culprit", "stroke:#c2410c,stroke-width:3px"),
        HARMED: ("harmed", "stroke:#c2410c"),
    }
    for mark, (name, look) in looks.items():
        chosen = [short for subject, short in ids.items() if picture.mark(subject) == mark]
        if chosen:
            yield f"  classDef {name} {look}"
            yield f"  class {','.join(chosen)} {name}"


# ── as JSON ─────────────────────────────────────────────────────────────────────────────────────────────────


_STATES: Mapping[str, str] = {CULPRIT: "culprit", HARMED: "harmed", FINE: "fine"}


def as_json(picture: Picture, warnings: Sequence[str] = (), heading: str = "") -> dict[str, JsonValue]:
    """The graph for programs, ``dogwatch.graph/1``; ``heading`` is what it shows, in words."""
    graph = picture.graph
    return {
        "format": "dogwatch.graph/1",
        "heading": heading,
        "nodes": [
            {**node.model_dump(mode="json"), "state": _STATES[picture.mark(subject)]}
            for subject, node in graph.nodes.items()
        ],
        "edges": [{**edge.model_dump(mode="json"), "certain": edge.certain} for edge in graph.edges],
        "pipelines": [
            {**members.pipeline.model_dump(mode="json"), "subjects": [*members.subjects]}
            for members in graph.pipelines.values()
        ],
        "cycles": [[*circle] for circle in graph.cycles],
        "warnings": [*warnings],
    }


def from_json(told: Mapping[str, Any]) -> Picture:
    """The picture that ``as_json`` told; patterns of pipelines that match nothing are not in it.

    Raises KeyError, TypeError or pydantic.ValidationError for what is none."""
    nodes = [dict(one) for one in told["nodes"]]
    states = {str(one["subject"]): one.pop("state") for one in nodes}
    edges = [{key: value for key, value in one.items() if key != "certain"} for one in told["edges"]]
    members: dict[str, Members] = {}
    for one in told["pipelines"]:
        declared = {key: value for key, value in one.items() if key != "subjects"}
        pipeline = Pipeline.model_validate(declared)
        members[pipeline.name] = Members(pipeline=pipeline, subjects=tuple(one["subjects"]))
    graph = Graph(map(Node.model_validate, nodes), map(Edge.model_validate, edges), members)
    marked = {
        state: frozenset(subject for subject, one in states.items() if one == _STATES[state])
        for state in (CULPRIT, HARMED)
    }
    return Picture(graph, marked[CULPRIT], marked[HARMED])


def titles(graph: Graph, subjects: Iterable[str]) -> str:
    """Names of nodes in a sentence."""
    return ", ".join(one_line(graph.name(subject), 60) for subject in subjects)
