"""The graph to look at: nothing hostile gets through, everything is shown once, nothing overlaps."""

import re
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from dogwatch.pipelines.build import graph_of
from dogwatch.pipelines.draw import CULPRIT, HARMED, Picture, as_json, focused, mermaid, outline
from dogwatch.pipelines.graph import Edge, EdgeBasis, Graph, Node
from dogwatch.pipelines.layout import layout
from dogwatch.pipelines.lint import warnings
from dogwatch.pipelines.spec import Pipeline
from dogwatch.pipelines.svg import svg
from dogwatch.report.graph import drawing
from support.graphs import GRAPHS, edge, graph, job

HOSTILE = (
    '"]; click n0 "javascript:alert(1)" <script>alert(1)</script> </svg> \x1b[31m ]]> & #quot; `x` \u202e'
    " %%{init}%%"
)


def hostile() -> Picture:
    nodes = [Node(subject="p/a", name=HOSTILE, platform="<b>"), Node(subject="p/b", name="b" * 500)]
    edges = [Edge(upstream="p/a", downstream="p/b", basis=EdgeBasis.table, why=HOSTILE)]
    return Picture(Graph(nodes, edges), frozenset({"p/a"}), frozenset({"p/b"}))


def test_hostile_names_stay_text_in_the_svg() -> None:
    drawn = svg(hostile(), HOSTILE)
    root = ElementTree.fromstring(drawn)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "g", "path", "text", "tspan"}
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|javascript:alert\(1\)\"?>|\x1b|\u202e", drawn)


def test_hostile_names_stay_labels_in_mermaid() -> None:
    lines = mermaid(hostile()).splitlines()
    assert lines[0] == "flowchart LR"
    plain = r"""(?:[^"\[\](){}`|<>&;#%]|#\d+;)*"""
    shapes = [
        rf'  n\d+\["{plain}<br/>{plain}"\]',
        r"  n\d+ (?:-->|==>|-\.->) n\d+",
        r"  classDef \w+ [\w:#,-]+",
        r"  class [n\d,]+ \w+",
        r"  linkStyle [\d,]+ stroke:#\w+",
    ]
    for line in lines[1:]:
        assert any(re.fullmatch(shape, line) for shape in shapes), line


def test_the_terminal_is_never_wider_than_asked_for() -> None:
    for width in (60, 80, 110):
        text = drawing(hostile(), HOSTILE, [HOSTILE], width).plain
        assert "\x1b" not in text
        assert max(len(line) for line in text.splitlines()) <= width


@given(GRAPHS)
def test_an_outline_tells_every_node_in_full_once_and_every_edge(found: Graph) -> None:
    lines = outline(Picture(found))
    full = [line.name for line in lines if "see above" not in line.note]
    assert {node.name for node in found.nodes.values()} == set(full)
    indented = [line for line in lines if line.stem]
    assert len(indented) == len(found.edges)


@given(GRAPHS)
def test_nothing_stands_in_the_place_of_another_and_edges_run_to_the_right(found: Graph) -> None:
    placed = layout(found)
    columns: dict[int, list[float]] = {}
    for place in placed.places.values():
        columns.setdefault(place.layer, []).append(place.row)
    for way in placed.ways.values():
        for point in way:
            columns.setdefault(point.layer, []).append(point.row)
    for rows in columns.values():
        assert all(after - before >= 1 for before, after in pairwise(sorted(rows)))
    if not Graph(
        edges=[one.model_copy(update={"basis": EdgeBasis.declared, "confidence": 1.0}) for one in found.edges]
    ).cycles:
        for one in found.edges:
            assert placed.places[one.upstream].layer < placed.places[one.downstream].layer


@given(GRAPHS, st.sets(st.sampled_from([f"p/{letter}" for letter in "abcdefgh"])))
def test_every_drawing_of_whatever_graph_is_made(found: Graph, troubled: set[str]) -> None:
    picture = Picture(found, frozenset(sorted(troubled)[:1]), frozenset(sorted(troubled)[1:]))
    ElementTree.fromstring(svg(picture))
    assert len(mermaid(picture).splitlines()) >= 1 + len(found.nodes) + len(found.edges)
    told = as_json(picture)
    assert told["format"] == "dogwatch.graph/1"
    assert svg(picture) == svg(picture)


def test_a_large_graph_is_drawn_soon() -> None:
    large = graph(*(f"p/{a:04}>p/{b:04}" for a in range(400) for b in (a * 2 + 1, a * 2 + 2, a + 7)))
    assert len(svg(Picture(large))) > 100_000


def test_marks_and_the_way_of_harm() -> None:
    found = Graph(edges=[edge("a>b"), edge("b>c"), edge("d>c"), edge("a>c", EdgeBasis.habit)])
    picture = Picture(found, frozenset({"a"}), frozenset({"b", "c"}))
    assert [picture.mark(one) for one in "abcd"] == [CULPRIT, HARMED, HARMED, "○"]
    assert [(one.upstream, one.downstream) for one in found.edges if picture.harmful(one)] == [
        ("a", "b"),
        ("b", "c"),
    ]
    assert outline(Picture(focused(found, {"b"})))[0].name == "a"


def test_what_is_odd_is_told() -> None:
    jobs = [job("p/a", reads=["X.T"], writes=["Y.T"]), job("p/b", reads=["Y.T"], writes=["X.T"])]
    lines = [
        Pipeline(name="Sales", jobs=("p/a", "p/nobody")),
        Pipeline(name="sales ", jobs=("p/b",)),
        Pipeline(name="empty", jobs=("q/*",)),
    ]
    said = warnings(graph_of(jobs, lines))
    assert len(said) == 5
    assert sum("nearly the same name" in one for one in said) == 2
    assert any("'Sales'" in one and "'p/nobody'" in one for one in said)
    assert any("'empty': none of its jobs" in one for one in said)
    assert any("these depend on each other: a → b" in one for one in said)
    assert warnings(graph_of(jobs[:1], [Pipeline(name="x", jobs=("p/a",))])) == []
