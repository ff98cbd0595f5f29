"""The twin of Langfuse answers in the shapes of the vendor's own specification, and keeps what it is sent."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types
from starlette.testclient import TestClient

from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.estate import Component
from dogwatch.lab.faults import Fault, PerSecond
from dogwatch.lab.traces import Traces
from dogwatch.lab.twin import Twin, twin_class
from dogwatch.lab.world import World
from support.clock import NOON

SPEC = (
    Path(__file__).parents[2] / ".." / "shared" / "specs" / "langfuse" / "langfuse-server-subset.openapi.json"
)
API = "/api/public"
FROM, TO = "2026-03-03T10:00:00Z", "2026-03-03T12:00:00Z"


def client() -> TestClient:
    parts = {"component/agent": Component("component/agent", "langfuse", 1 / 60)}
    start = NOON - timedelta(days=2)
    told = World("shop", "UTC", {}, [], SimulatedClock(NOON), components=parts, start=start)
    of: Twin = twin_class("langfuse")(told)
    keys = (of.settings("http://lab")["public_key"], of.credentials()["secret_key"])
    found = TestClient(of.app())
    found.auth = keys
    return found


def spec(required: bool) -> dict[str, Any]:
    if not SPEC.exists():
        message = f"the vendor's specification is not here: {SPEC}"
        pytest.fail(message) if required else pytest.skip(message)
    loaded: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
    return loaded


def nullable(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema would have it."""
    if isinstance(schema, list):
        return [nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: nullable(value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable"):
        return {"anyOf": [changed, {"type": "null"}]}
    return changed


METRICS = {
    "view": "observations",
    "metrics": [{"measure": "latency", "aggregation": "p95"}, {"measure": "totalCost", "aggregation": "sum"}],
    "dimensions": [{"field": "traceName"}],
    "filters": [{"column": "level", "operator": "=", "value": "DEFAULT", "type": "string"}],
    "timeDimension": {"granularity": "hour"},
    "fromTimestamp": FROM,
    "toTimestamp": TO,
}


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("health", {}),
        ("projects", {}),
        ("v2/observations", {"fromStartTime": FROM, "toStartTime": TO, "limit": 3}),
        (
            "v2/observations",
            {"fromStartTime": FROM, "fields": "core,basic,time,model,usage,metrics,trace_context"},
        ),
        ("v2/metrics", {"query": json.dumps(METRICS)}),
        ("v3/scores", {"fromTimestamp": FROM, "toTimestamp": TO, "fields": "subject"}),
    ],
)
def test_langfuse_is_played_to_the_letter(path: str, params: dict[str, Any], require_real: bool) -> None:
    known = spec(require_real)
    answer = client().get(f"{API}/{path}", params=params)
    assert answer.status_code == 200, answer.text
    answers = known["paths"][f"{API}/{path}"]["get"]["responses"]["200"]
    schema = nullable(answers["content"]["application/json"]["schema"])
    validator = Draft202012Validator({**schema, "components": nullable(known["components"])})
    told = answer.json()
    assert [f"{list(error.path)}: {error.message}"[:300] for error in validator.iter_errors(told)] == []
    assert "data" not in told or told["data"]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("v2/observations", {"limit": 1001}),
        ("v2/observations", {"fields": "core,secrets"}),
        ("v3/scores", {"limit": 101}),
        ("v3/scores", {"fields": "everything"}),
        ("v2/metrics", {"query": "{}"}),
        ("v2/metrics", {"query": json.dumps({**METRICS, "dimensions": [{"field": "traceId"}]})}),
    ],
)
def test_what_the_real_server_refuses_is_refused(path: str, params: dict[str, Any]) -> None:
    assert client().get(f"{API}/{path}", params=params).status_code == 400


def test_pages_hold_everything_once() -> None:
    caller, seen, cursor = client(), [], None
    while True:
        where: dict[str, Any] = {
            "fromStartTime": FROM,
            "toStartTime": TO,
            "limit": 50,
            **({"cursor": cursor} if cursor else {}),
        }
        page = caller.get(f"{API}/v2/observations", params=where).json()
        seen += [one["id"] for one in page["data"]]
        cursor = page["meta"].get("cursor")
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) > 200


def test_beyond_the_plan_it_says_when_to_come_back() -> None:
    caller = client()
    answers = [caller.get(f"{API}/projects") for _ in range(31)]
    assert [one.status_code for one in answers] == [200] * 30 + [429]
    assert answers[-1].headers["retry-after"] == "60"


def test_scores_and_traces_that_are_sent_are_shown() -> None:
    caller = client()
    score = {"traceId": "a" * 32, "name": "taste", "value": 0.5, "timestamp": "2026-03-03T11:00:00.000Z"}
    assert caller.post(f"{API}/scores", json=score).status_code == 200
    assert caller.post(f"{API}/scores", json={"name": "no value"}).status_code == 400
    nanos = int(NOON.timestamp() - 60) * 10**9
    span = {
        "traceId": "a" * 32,
        "spanId": "b" * 16,
        "name": "chat",
        "startTimeUnixNano": str(nanos),
        "endTimeUnixNano": str(nanos + 2 * 10**9),
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
            {"key": "langfuse.observation.cost_details", "value": {"stringValue": '{"total": 0.25}'}},
        ],
        "status": {"code": 2, "message": "refused"},
    }
    traces = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    assert caller.post(f"{API}/otel/v1/traces", json=traces).status_code == 200
    where = {"traceId": "a" * 32, "fromStartTime": FROM, "fields": "core,basic,usage"}
    (row,) = caller.get(f"{API}/v2/observations", params=where).json()["data"]
    assert (row["type"], row["level"], row["statusMessage"]) == ("GENERATION", "ERROR", "refused")
    assert (row["totalCost"], row["usageDetails"]) == (0.25, {"input": 12})
    told = caller.get(f"{API}/v3/scores", params={"fromTimestamp": FROM, "name": "taste"}).json()["data"]
    assert [one["value"] for one in told] == [0.5]


def test_an_error_with_a_rate_of_its_own_makes_so_many_traces_fail() -> None:
    began, line = NOON - timedelta(hours=12), "Error code: 529 - overloaded_error"
    fields = {"line": line, "severity": "ERROR", "rate": PerSecond(0.5 / 60)}
    fault = Fault("log_new", "component/agent", began, None, fields)
    parts = {"component/agent": Component("component/agent", "langfuse", 1 / 60)}
    start = NOON - timedelta(days=2)
    world = World(
        "shop", "UTC", {}, [], SimulatedClock(NOON), other_faults=[fault], components=parts, start=start
    )
    said = [one.error for one in Traces(world).between(began, NOON)]
    assert 0.4 < said.count(line) / len(said) < 0.6
    before = [one.error for one in Traces(world).between(start, began)]
    assert line not in before
    assert len(before) - before.count(None) < 0.05 * len(before)
