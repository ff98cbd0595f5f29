"""A stream, minute by minute: what raises an incident, what does not, and nothing from the future."""

import random
from collections.abc import Callable, Mapping

import pytest

from dogwatch.causes.exported import BadRow, read_head, read_minute
from dogwatch.causes.replay import WARM_UP, Incident, Minute, Watch, replay

NODES = ("db", "idle", "web")
EDGES = (("web", "db"),)
FIGURES = dict.fromkeys(NODES, ("latency_p90", "cpu_millicores", "requests"))

Change = Callable[[int, str], tuple[float, float, float]]
"""Minute and node -> factors of latency, CPU and requests."""


def stream(length: int, change: Change) -> list[Minute]:
    """Minutes of a steady little system, with changes."""
    dice = random.Random(7)

    def values(i: int, node: str) -> list[float]:
        usual = (0.2, 50.0, 30.0)
        return [u * factor * dice.uniform(0.9, 1.1) for u, factor in zip(usual, change(i, node), strict=True)]

    return [Minute(60.0 * i, {node: values(i, node) for node in NODES}) for i in range(length)]


def incidents(minutes: list[Minute]) -> list[Incident]:
    """What a watch raises on them."""
    return list(replay(Watch(NODES, EDGES, FIGURES), minutes))


def burning(*minutes: int, node: str = "db", by: float = 20.0) -> Change:
    """One node is slow and burns CPU in the minutes named; its caller is slow with it."""

    def change(i: int, name: str) -> tuple[float, float, float]:
        if i not in minutes:
            return 1, 1, 1
        return (by, by, 1) if name == node else (by / 2, 1, 1) if name == "web" else (1, 1, 1)

    return change


def test_a_steady_stream_raises_nothing() -> None:
    assert incidents(stream(400, burning())) == []


def test_trouble_that_lasts_is_one_incident_with_its_culprit() -> None:
    (incident,) = incidents(stream(120, burning(*range(60, 66))))
    assert incident.start in (3600.0, 3660.0)
    assert 60.0 * 64 <= incident.end <= 60.0 * 65
    assert incident.suspects[0].node == "db"
    assert incident.nodes == ("db",)
    assert any("cpu_millicores" in reason for reason in incident.suspects[0].reasons)


def test_two_troubles_apart_are_two_incidents() -> None:
    change = burning(60, 61, 62, 80, 81, 82)
    assert [i.start // 60 for i in incidents(stream(120, change))] == [60, 80]


def test_a_single_record_minute_is_told_once_it_is_the_worst_ever_seen() -> None:
    (incident,) = incidents(stream(200, burning(150)))
    assert (incident.start, incident.lasting) == (9000.0, False)


def test_what_happens_every_hour_becomes_old_news() -> None:
    raised = incidents(stream(60 * 20, burning(*range(60, 60 * 20, 60), node="idle")))
    early = sum(i.start < 3600 * 10 for i in raised)
    assert early > 2 * (len(raised) - early)


def test_more_traffic_alone_is_a_working_day() -> None:
    def busy(i: int, node: str) -> tuple[float, float, float]:
        return 1, 1, 30 if 60 <= i < 90 else 1

    assert incidents(stream(120, busy)) == []


def test_nothing_is_raised_while_warming_up() -> None:
    raised = incidents(stream(60, burning(*range(WARM_UP))))
    assert all(i.start >= 60 * WARM_UP for i in raised)


@pytest.mark.parametrize("cut", [62, 64, 100, 131])
def test_nothing_later_than_the_minute_is_used(cut: int) -> None:
    minutes = stream(160, burning(60, 61, 62, 120, 130, 131, 132))
    known = {(i.start, i.suspects) for i in incidents(minutes[:cut])}
    assert known == {(i.start, i.suspects) for i in incidents(minutes) if i.start < 60 * cut}


def test_gaps_and_missing_nodes_are_gaps() -> None:
    holes = [
        Minute(m.at, {n: [None, *list(v)[1:]] for n, v in m.values.items() if n != "idle" or int(m.at) % 120})
        for m in stream(120, burning(*range(60, 66)))
    ]
    assert [i.suspects[0].node for i in incidents(holes)] == ["db"]
    assert incidents([Minute(60.0 * i, {}) for i in range(100)]) == []


def test_order_of_nodes_and_edges_changes_nothing() -> None:
    minutes = stream(120, burning(*range(60, 66)))
    there = list(replay(Watch(NODES, EDGES, FIGURES), minutes))
    turned: Mapping[str, tuple[str, ...]] = dict(reversed(FIGURES.items()))
    back = list(replay(Watch(NODES[::-1], EDGES[::-1], turned), minutes))
    assert there == back


def test_heads_and_minutes_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(BadRow, match="'nodes' is empty"):
        read_head({"metrics": {}})
    with pytest.raises(BadRow, match="'t' must be"):
        read_minute({"t": None, "values": {}})
    with pytest.raises(BadRow, match="'web' must be a list"):
        read_minute({"t": 1, "values": {"web": 3}})
    assert read_minute({"t": 60, "values": {"web": [1, None, float("nan"), "x"]}}).values == {
        "web": [1.0, None, None, None]
    }
