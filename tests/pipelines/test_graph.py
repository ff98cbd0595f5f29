"""The graph: walks end, directions agree, and nothing uncertain counts as certain."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dogwatch.pipelines.graph import EdgeBasis, Graph, merged
from support.graphs import EDGES, GRAPHS, edge, graph


@given(GRAPHS)
def test_what_is_upstream_of_one_has_it_downstream(found: Graph) -> None:
    for suggested in (True, False):
        for subject in found.nodes:
            for other, distance in found.ancestors(subject, suggested=suggested).items():
                assert found.descendants(other, suggested=suggested)[subject] == distance
                assert other != subject


@given(GRAPHS)
def test_the_nearest_come_first_and_by_a_way_of_that_length(found: Graph) -> None:
    for subject in found.nodes:
        reach = found.descendants(subject)
        assert list(reach.values()) == sorted(reach.values())
        for other, distance in reach.items():
            way = found.way(subject, other)
            assert len(way) == distance
            assert way[0].upstream == subject
            assert way[-1].downstream == other
            assert all(first.downstream == second.upstream for first, second in pairwise(way))


@given(GRAPHS, st.integers(1, 20))
def test_paths_are_simple_shortest_first_and_no_more_than_asked_for(found: Graph, limit: int) -> None:
    for start in found.nodes:
        for goal in found.nodes:
            paths = found.paths(start, goal, limit=limit)
            assert len(paths) <= limit
            assert [len(path) for path in paths] == sorted(len(path) for path in paths)
            assert bool(paths) == (goal in found.descendants(start))
            for path in paths:
                visited = [start, *(one.downstream for one in path)]
                assert len(set(visited)) == len(visited)


@given(st.lists(EDGES, max_size=20), st.randoms(use_true_random=False))
def test_order_and_repetition_of_edges_make_no_difference(edges: list[object], random: object) -> None:
    once = Graph(edges=edges)  # type: ignore[arg-type]  # hypothesis types its lists loosely
    shuffled = [*edges, *edges]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random
    again = Graph(edges=shuffled)  # type: ignore[arg-type]  # as above
    assert [(one.upstream, one.downstream, one.triggers) for one in once.edges] == [
        (one.upstream, one.downstream, one.triggers) for one in again.edges
    ]
    assert once.cycles == again.cycles


@given(GRAPHS)
def test_a_habit_is_never_certain_and_edges_to_oneself_are_none(found: Graph) -> None:
    assert not [one for one in found.certain if one.basis is EdgeBasis.habit]
    assert not [one for one in found.edges if one.upstream == one.downstream]
    assert len({(one.upstream, one.downstream) for one in found.edges}) == len(found.edges)
    assert len(found.certain) + len(found.suggested) == len(found.edges)


@given(GRAPHS)
def test_circles_are_what_reaches_itself(found: Graph) -> None:
    in_circles = {subject for circle in found.cycles for subject in circle}
    certain = Graph(edges=found.certain)
    for subject in certain.nodes:
        back = any(subject in certain.descendants(one.downstream) for one in certain.downstream(subject))
        assert (subject in in_circles) == back


def test_a_long_chain_is_no_trouble() -> None:
    long = graph(*(f"p/{number}>p/{number + 1}" for number in range(3000)))
    assert long.descendants("p/0")["p/3000"] == 3000
    assert long.cycles == ()


def test_a_dense_graph_tells_some_paths_and_stops() -> None:
    dense = graph(*(f"p/{a:02}>p/{b:02}" for a in range(24) for b in range(a + 1, 24)))
    assert len(dense.paths("p/00", "p/23", limit=50)) == 50


def test_a_table_seen_and_a_habit_together_are_a_certain_trigger() -> None:
    one = merged(
        [
            edge("a>b", EdgeBasis.habit, confidence=0.6, triggers=True, why="8 of 8"),
            edge("a>b", EdgeBasis.table, confidence=0.85, why="reads table X"),
        ]
    )
    assert (one.basis, one.certain, one.triggers) == (EdgeBasis.table, True, True)
    assert one.why == "reads table X; 8 of 8"


def test_a_name_that_may_mean_something_else_stays_a_suggestion() -> None:
    one = merged([edge("a>b", EdgeBasis.table, confidence=0.6), edge("a>b", EdgeBasis.habit, confidence=0.7)])
    assert not one.certain


def test_a_part_keeps_what_is_between_its_nodes() -> None:
    part = graph("p/a>p/b", "p/b>p/c", "p/a>p/c").part({"p/a", "p/c"})
    assert [(one.upstream, one.downstream) for one in part.edges] == [("p/a", "p/c")]


def test_who_is_unknown_has_no_neighbours() -> None:
    found = graph("p/a>p/b")
    assert (found.ancestors("x"), found.paths("x", "p/b"), found.name("x")) == ({}, (), "x")
