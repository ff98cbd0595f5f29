"""Culprits: each kind of evidence finds its own, symptoms are explained away, and order never matters."""

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dogwatch.causes.exported import BadRow, read_case
from dogwatch.causes.figures import Meaning, meaning
from dogwatch.causes.rank import Background, rank

NODES = ["web", "cart", "stock", "db"]
EDGES = [["web", "cart"], ["web", "stock"], ["cart", "db"], ["stock", "db"]]
WOBBLE = [0.9, 1.0, 1.1, 1.0, 0.95, 1.05] * 10


def figure(usual: float, after: float, recent: float | None = None) -> dict[str, list[float]]:
    """A series that is around ``usual`` and then ``after``."""
    level = usual if recent is None else recent
    return {
        "history": [usual * w for w in WOBBLE],
        "recent": [level * w for w in WOBBLE[:5]],
        "after": [after] * 4,
    }


def case(**more: Any) -> dict[str, Any]:
    """A case with four services behind a front door."""
    return {
        "case": "c1",
        "nodes": NODES,
        "edges": EDGES,
        "alarm": {"node": "web", "metric": "latency"},
        **more,
    }


def names(row: dict[str, Any], others: list[dict[str, Any]] | None = None) -> list[str]:
    """The ranking of a row, with others as its background."""
    cases = [read_case(row), *(read_case(other) for other in others or [])]
    return [suspect.node for suspect in rank(cases[0], Background(cases))]


def test_latency_is_blamed_on_the_deepest_slow_callee() -> None:
    slow = {"web": 0.9, "cart": 0.8, "db": 0.7}
    metrics = {n: {"latency": figure(0.1, slow.get(n, 0.1)), "requests": figure(100, 100)} for n in NODES}
    assert names(case(metrics=metrics))[0] == "db"


def test_errors_are_blamed_on_the_deepest_failing_callee() -> None:
    metrics = {n: {"availability": figure(100, 100)} for n in NODES}
    for node in ("web", "stock"):
        metrics[node]["availability"] = {"history": [100.0] * 60, "recent": [100.0] * 5, "after": [92.0] * 4}
    assert names(case(metrics=metrics))[0] == "stock"


def test_an_own_resource_counts_for_itself() -> None:
    metrics = {n: {"latency": figure(0.1, 0.4), "cpu_millicores": figure(100, 100)} for n in NODES}
    metrics["cart"]["cpu_millicores"] = figure(100, 900)
    assert names(case(metrics=metrics))[0] == "cart"


def test_two_references_must_agree() -> None:
    """What was high already in the last minutes before onset is not what changed."""
    metrics = {n: {"latency": figure(0.1, 0.1)} for n in NODES}
    metrics["stock"]["latency"] = figure(0.1, 0.5, recent=0.5)
    metrics["cart"]["latency"] = figure(0.1, 0.4)
    assert names(case(metrics=metrics))[0] == "cart"


def test_an_improvement_is_no_evidence() -> None:
    metrics = {n: {"latency": figure(0.1, 0.1)} for n in NODES}
    metrics["db"]["latency"] = figure(0.5, 0.01)
    assert names(case(metrics=metrics))[0] == "web"


def test_a_symptom_that_few_requests_show_says_less() -> None:
    metrics = {n: {"latency": figure(0.1, 0.1), "requests": figure(100, 100)} for n in NODES}
    metrics["cart"] = {"latency": figure(0.1, 0.5), "requests": figure(100, 100)}
    metrics["stock"] = {"latency": figure(0.1, 0.6), "requests": figure(2, 2)}
    assert names(case(metrics=metrics))[0] == "cart"


def test_a_slow_edge_is_blamed_on_the_callee() -> None:
    calls = {
        "history": [{"caller": "cart", "callee": "db", "n": 50, "callee_ms": [2, 3], "between_ms": [1, 2]}],
        "after": [{"caller": "cart", "callee": "db", "n": 50, "callee_ms": [2, 3], "between_ms": [80, 90]}],
    }
    assert names(case(calls=calls))[0] == "db"


def test_without_evidence_the_front_door_is_asked_first() -> None:
    assert names(case())[0] == "web"


def test_a_rare_alert_beats_many_common_ones() -> None:
    def alerts(*rare: str) -> list[dict[str, str]]:
        common = [{"kind": "metric", "node": "web", "name": f"qps_{i}", "what": "down"} for i in range(5)]
        return common + [{"kind": "log", "node": node, "name": "7"} for node in rare]

    others = [case(case=f"o{i}", alerts=alerts()) for i in range(30)]
    assert names(case(alerts=alerts("stock")), others)[0] == "stock"


def test_a_step_that_stopped_is_found_in_any_traffic() -> None:
    """Half the traffic halves all counts; the fault is where the proportions changed."""

    def window(scale: float, *, broken: bool) -> dict[str, Any]:
        steps = {"INFO begin": 100, "INFO price": 100, "INFO done": 100}
        counts = {n: {t: int(c * scale) for t, c in steps.items()} for n in ("cart", "stock")}
        if broken:
            counts["stock"] |= {"INFO done": 0, "ERROR NullPointerException in Price": int(40 * scale)}
        return {"requests": int(100 * scale), "templates": counts}

    others = [
        case(
            case=f"o{i}",
            logs={"history": window(1, broken=False), "after": window(0.5 + i / 20, broken=False)},
        )
        for i in range(8)
    ]
    row = case(logs={"history": window(1, broken=False), "after": window(0.5, broken=True)})
    assert names(row, others)[0] == "stock"
    assert names(row)[0] == "stock"  # its own quiet window is enough for so plain a fault
    reasons = rank(read_case(row)).pop(0).reasons
    assert any("vanished" in reason or "appeared" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CpuLimitShare(%)", Meaning("cpu", outgoing=False)),
        ("MemoryUsage(Mi)", Meaning("memory", outgoing=False)),
        ("request_duration_seconds", Meaning("latency", outgoing=False)),
        ("ClientWaitP95(s)", Meaning("latency", outgoing=True)),
        ("src_p90", Meaning("latency", outgoing=True)),
        ("SuccessShare(%)", Meaning("success", outgoing=False)),
        ("http_requests_total", Meaning("traffic", outgoing=False)),
        ("fs_usage", Meaning("disk", outgoing=False)),
        ("net_receive", Meaning("network", outgoing=False)),
        ("http_5xx", Meaning("errors", outgoing=False)),
        ("dimensions", Meaning("other", outgoing=False)),
    ],
)
def test_a_metric_is_known_by_the_words_of_its_name(name: str, expected: Meaning) -> None:
    assert meaning(name) == expected


ODD = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(10**400), 10**400),
    st.booleans(),
    st.text(max_size=3),
)
SERIES = st.fixed_dictionaries(
    {key: st.lists(ODD, max_size=8) for key in ("history", "recent", "after")}
)  # fmt: skip
FIGURES = st.dictionaries(
    st.sampled_from(["latency", "cpu", "requests", "availability", "x"]), SERIES, max_size=3
)
ALERTS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["metric", "trace", "log", "?"]),
            "node": st.sampled_from([*NODES, "elsewhere"]),
            "name": st.sampled_from(["cpu_usage", "/pay", "3"]),
            "what": st.sampled_from(["up", "down", "PD", "500", None]),
        }
    ),
    max_size=6,
)
WINDOWS = st.fixed_dictionaries(
    {
        "templates": st.dictionaries(
            st.sampled_from(NODES), st.dictionaries(st.text(max_size=5), ODD, max_size=4)
        )
    }
)
CASES = st.fixed_dictionaries(
    {
        "nodes": st.permutations(NODES),
        "edges": st.permutations([*EDGES, ["db", "db"], ["elsewhere", "db"]]),
        "metrics": st.dictionaries(st.sampled_from(NODES), FIGURES),
        "alerts": ALERTS,
        "logs": st.fixed_dictionaries({"history": WINDOWS, "after": WINDOWS}),
    }
)


@pytest.mark.slow
@given(st.lists(CASES, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_odd_numbers_crash_nothing_and_order_changes_nothing(
    rows: list[dict[str, Any]], dice: random.Random
) -> None:
    named = [{**row, "case": str(i)} for i, row in enumerate(rows)]
    shuffled = [shaken(row, dice) for row in dice.sample(named, len(named))]
    assert answers(named) == answers(shuffled)


def answers(rows: list[dict[str, Any]]) -> dict[str, list[tuple[str, float]]]:
    """Each case's nodes with their scores."""
    cases = [read_case(row) for row in rows]
    background = Background(cases)
    found = {c.case: [(s.node, s.score) for s in rank(c, background)] for c in cases}
    for ranking in found.values():
        assert sorted(node for node, _ in ranking) == sorted(NODES)
        assert all(math.isfinite(score) and score >= 0 for _, score in ranking)
    return found


def shaken(value: Any, dice: random.Random) -> Any:
    """The same case in another order: nodes, edges, alerts, and the keys of every object."""
    if isinstance(value, dict):
        items = [
            (k, v if k in ("history", "recent", "after") and isinstance(v, list) else shaken(v, dice))
            for k, v in value.items()
        ]
        return dict(dice.sample(items, len(items)))
    if isinstance(value, list) and not (len(value) == 2 and all(isinstance(x, str) for x in value)):
        return [shaken(item, dice) for item in dice.sample(value, len(value))]
    return value


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"nodes": []}, "'nodes' is empty"),
        ({"nodes": "web"}, "'nodes' must be a list"),
        ({"nodes": ["web", 7]}, "'nodes' must be a list of names"),
        ({"nodes": ["web"], "edges": [["web"]]}, "'edges' must be pairs"),
        ({"nodes": ["web"], "metrics": {"web": 3}}, "'metrics' of 'web'"),
        ({"nodes": ["web"], "metrics": {"web": {"cpu": [1]}}}, "metric 'cpu'"),
        ({"nodes": ["web"], "metrics": {"web": {"cpu": {"after": 1}}}}, "'after' must be a list"),
        ({"nodes": ["web"], "alerts": ["x"]}, "'alerts' must be objects"),
        ({"nodes": ["web"], "logs": []}, "'logs' must be an object"),
        ({"nodes": ["web"], "logs": {"after": {"templates": {"web": 1}}}}, "'templates' must hold counts"),
        ({"nodes": ["web"], "calls": {"after": [1]}}, "'calls' must be objects"),
    ],
)
def test_a_row_of_the_wrong_shape_is_refused_with_the_field(row: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRow) as refused:
        read_case(json.loads(json.dumps(row)))
    assert said in str(refused.value)
