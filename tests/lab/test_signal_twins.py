"""The twins of Prometheus and GitHub answer in the shapes of the vendors' own specifications."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types
from ruamel.yaml import YAML
from starlette.testclient import TestClient

from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.estate import Component
from dogwatch.lab.faults import Fault
from dogwatch.lab.twin import Twin, twin_class
from dogwatch.lab.world import Outcome, World
from support.clock import NOON
from support.worlds import job, run

SPECS = Path(__file__).parents[2] / ".." / "shared" / "specs"
MINUTE = timedelta(minutes=1)
AT = "2026-03-03T11:30:00Z"


def twin(platform: str) -> Twin:
    faults = [
        Fault(
            "metric_shift",
            "component/api",
            NOON - 20 * MINUTE,
            None,
            {"metric": "error_rate", "factor": 300.0},
        ),
        Fault("deploy", "", NOON - 30 * MINUTE, None, {"version": "v2"}),
    ]
    runs = [
        run("github", number, NOON - number * 20 * MINUTE, outcome=outcome)
        for number, outcome in enumerate(Outcome, start=1)
    ]
    told = World(
        "shop",
        "UTC",
        {"github/orders": job("github")},
        sorted(runs, key=lambda one: one.created),
        SimulatedClock(NOON),
        other_faults=faults,
        components={"component/api": Component("component/api")},
        start=NOON - timedelta(days=10),
        end=NOON,
    )
    found: Twin = twin_class(platform)(told)
    found.settings("http://lab")
    return found


def call(of: Twin, path: str) -> Any:
    token = of.credentials()["token"]
    client = TestClient(of.app(), headers={"Authorization": f"Bearer {token}"})
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def spec(name: str, required: bool) -> dict[str, Any]:
    path = SPECS / name
    if not path.exists():
        message = f"the vendor's specification is not here: {path}"
        pytest.fail(message) if required else pytest.skip(message)
    if path.suffix == ".json":
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    else:
        parser: Any = YAML(typ="safe", pure=True)
        loaded = json.loads(json.dumps(parser.load(path.read_text(encoding="utf-8")), default=str))
    return loaded


def check(known: dict[str, Any], schema: dict[str, Any], told: Any) -> None:
    validator = Draft202012Validator({**schema, "components": _nullable(known["components"])})
    assert [f"{list(error.path)}: {error.message}"[:300] for error in validator.iter_errors(told)] == []


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/api/v1/rules", "RulesOutputBody"),
        ("/api/v1/rules?type=record", "RulesOutputBody"),
        ("/api/v1/alerts", "AlertsOutputBody"),
        (
            f"/api/v1/query_range?query=component:cpu_usage:ratio&end={AT}&start={AT}&step=60",
            "QueryRangeOutputBody",
        ),
        ("/api/v1/query?query=component:cpu_usage:ratio", "QueryOutputBody"),
    ],
)
def test_prometheus_is_played_to_the_letter(path: str, schema: str, require_real: bool) -> None:
    known = spec("prometheus/prometheus-3.14.openapi-3.1.yaml", require_real)
    check(known, {"$ref": f"#/components/schemas/{schema}"}, call(twin("prometheus"), path))


@pytest.mark.parametrize(
    ("path", "documented"),
    [
        ("actions/runs", "actions/runs"),
        ("actions/runs/{run}", "actions/runs/{run_id}"),
        ("actions/workflows", "actions/workflows"),
        ("deployments", "deployments"),
        ("deployments/{deployment}/statuses", "deployments/{deployment_id}/statuses"),
    ],
)
def test_github_is_played_to_the_letter(path: str, documented: str, require_real: bool) -> None:
    known = spec("github/github-rest-subset.openapi.json", require_real)
    of, repo = twin("github"), "/repos/shop/pipelines"
    runs = call(of, f"{repo}/actions/runs")["workflow_runs"]
    deployment = call(of, f"{repo}/deployments")[0]["id"]
    told = call(of, f"{repo}/{path.format(run=runs[0]['id'], deployment=deployment)}")
    answers = known["paths"][f"/repos/{{owner}}/{{repo}}/{documented}"]["get"]["responses"]["200"]
    check(known, _nullable(answers["content"]["application/json"]["schema"]), told)


def _nullable(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema would have it; references stay as they are."""
    if isinstance(schema, list):
        return [_nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _nullable(value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable") and isinstance(schema.get("type"), str):
        changed["type"] = [schema["type"], "null"]
    return changed
