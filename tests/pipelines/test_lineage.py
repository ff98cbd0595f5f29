"""dbt manifests and OpenLineage events become edges between watched jobs."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from dogwatch.gather.lineage import read_lineage
from dogwatch.pipelines import dbt, openlineage
from dogwatch.pipelines.build import graph_of
from dogwatch.pipelines.graph import EdgeBasis
from dogwatch.pipelines.lineage import Step
from dogwatch.settings.pipelines import LineageSettings
from support.graphs import job

SPECS = Path(__file__).parents[2] / ".." / "shared" / "specs"
JOBS = [
    job("airbyte/orders", writes=["RAW.orders"]),
    job("databricks/nightly", "dbt nightly"),
    job("power_automate/report", reads=["ANALYTICS.MARTS.SALES"]),
]
MANIFEST: dict[str, Any] = {
    "metadata": {"adapter_type": "snowflake", "project_name": "shop"},
    "nodes": {
        "model.shop.stg": {
            "resource_type": "model",
            "config": {"materialized": "ephemeral"},
            "relation_name": None,
            "depends_on": {"nodes": ["source.shop.raw.orders"]},
        },
        "model.shop.sales": {
            "resource_type": "model",
            "relation_name": "ANALYTICS.MARTS.SALES",
            "depends_on": {"nodes": ["model.shop.stg", "seed.shop.gone"]},
        },
        "test.shop.unique": {"resource_type": "test", "depends_on": {"nodes": ["model.shop.sales"]}},
    },
    "sources": {
        "source.shop.raw.orders": {
            "resource_type": "source",
            "database": "ANALYTICS",
            "schema": "RAW",
            "name": "orders",
            "identifier": "ORDERS",
        }
    },
}


def event(kind: str, name: str, inputs: list[str], outputs: list[str], **more: Any) -> dict[str, Any]:
    def datasets(names: list[str]) -> list[dict[str, str]]:
        return [{"namespace": "snowflake://shop-prod", "name": one} for one in names]

    return {
        "eventType": kind,
        "eventTime": "2026-03-03T02:00:00Z",
        "producer": "https://example.com/p",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": "0193475e-0000-7b0e-9d5a-5a6d0b2e7c10", "facets": more},
        "job": {"namespace": "airflow-prod", "name": name},
        "inputs": datasets(inputs),
        "outputs": datasets(outputs),
    }


def edges(steps: list[Step]) -> dict[str, tuple[str, float, str]]:
    found = graph_of(JOBS, lineage=steps).edges
    return {f"{e.upstream}>{e.downstream}": (e.basis.value, e.confidence, e.why) for e in found}


def test_models_that_no_watched_job_runs_join_what_feeds_them_to_what_reads_them() -> None:
    found = edges(list(dbt.steps_of(MANIFEST, source="the dbt manifest m.json")))
    assert found == {
        "airbyte/orders>power_automate/report": (
            "lineage",
            0.85,
            "the dbt manifest m.json says that it uses what this one makes by way of 2 steps",
        )
    }


def test_the_job_that_runs_the_project_stands_between() -> None:
    found = edges(list(dbt.steps_of(MANIFEST, "databricks/dbt nightly")))
    assert {key: value[0] for key, value in found.items()} == {
        "airbyte/orders>databricks/nightly": "lineage",
        "databricks/nightly>power_automate/report": "lineage",
    }


def test_events_of_a_job_are_taken_together_in_any_order() -> None:
    parent = {"parent": {"run": {"runId": "x"}, "job": {"namespace": "a", "name": "dbt nightly"}}}
    events = [
        event("COMPLETE", "dag.load", [], ["ANALYTICS.MARTS.SALES"], **parent),
        event("START", "dag.load", ["ANALYTICS.RAW.ORDERS"], [], **parent),
    ]
    for order in (events, events[::-1], events * 2):
        steps, senseless = openlineage.steps_of(order)
        assert senseless == 0
        assert list(edges(steps)) == [
            "airbyte/orders>databricks/nightly",
            "databricks/nightly>power_automate/report",
        ]


def test_files_are_the_same_only_in_the_same_place() -> None:
    def told(bucket: str, outputs: bool) -> dict[str, Any]:
        where = {"namespace": f"s3://{bucket}", "name": "/in/orders.parquet"}
        base = event("COMPLETE", "airbyte orders" if outputs else "report", [], [])
        return {**base, "outputs" if outputs else "inputs": [where]}

    jobs = [job("a/1", "airbyte orders"), job("b/2", "report")]
    for bucket, joined in (("one", 1), ("other", 0)):
        steps, _ = openlineage.steps_of([told("one", True), told(bucket, False)])
        assert len(graph_of(jobs, lineage=steps).edges) == joined


@pytest.mark.parametrize(
    "value", [None, 7, "x", [], {}, {"job": 7}, {"job": {"namespace": "a"}}, {"run": {}}]
)
def test_events_that_make_no_sense_are_counted(value: Any) -> None:
    assert openlineage.steps_of([value]) == ([], 1)
    assert openlineage.steps_of([{"dataset": {"namespace": "a", "name": "b"}}]) == ([], 0)


@pytest.mark.parametrize("value", [None, [], {}, {"nodes": []}])
def test_what_is_no_manifest_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no dbt manifest"):
        list(dbt.steps_of(value))


def test_a_manifest_with_odd_nodes_tells_what_it_can() -> None:
    odd = {"nodes": {"model.a": {"resource_type": "model", "depends_on": 7, "name": "t"}, "model.b": 7}}
    assert [step.writes for step in dbt.steps_of(odd)] == [("t",)]


def test_files_are_read_and_what_is_wrong_with_one_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    folder = tmp_path / "events"
    folder.mkdir()
    one = event("COMPLETE", "a", ["X.Y.Z"], ["P.Q.R"])
    (folder / "one.json").write_text(json.dumps([one, 7]))
    (folder / "many.jsonl").write_text(
        f"{json.dumps(one)}\n\n{json.dumps({**one, 'job': {'namespace': 'n', 'name': 'b'}})}\n"
    )
    (folder / "notes.txt").write_text("no events")
    (tmp_path / "broken.json").write_text("{")
    named = LineageSettings(
        dbt={
            str(tmp_path / "manifest.json"): "",
            str(tmp_path / "gone.json"): "",
            str(tmp_path / "broken.json"): "",
        },
        openlineage=(str(folder),),
    )
    found = read_lineage(named)
    assert {step.name for step in found.steps} == {
        "model.shop.stg",
        "model.shop.sales",
        "airflow-prod/a",
        "n/b",
    }
    gone, broken, senseless = found.problems
    assert "lineage.dbt" in gone
    assert "gone.json cannot be read: No such file" in gone
    assert "broken.json is not JSON that can be read" in broken
    assert senseless == "lineage.openlineage: 1 event made no sense and tell nothing"


def test_lineage_is_never_a_habit_and_a_chain_of_any_length_ends() -> None:
    steps = [Step(f"s{n}", (f"D.S.T{n}",), (f"D.S.T{n + 1}",), source="x") for n in range(150)]
    steps.append(Step("back", ("D.S.T150",), ("D.S.T0",), source="x"))
    jobs = [job("a/w", writes=["D.S.T0"]), job("b/r", reads=["D.S.T149"])]
    (found,) = graph_of(jobs, lineage=steps).edges
    assert (found.upstream, found.downstream, found.basis) == ("a/w", "b/r", EdgeBasis.lineage)


@pytest.mark.skipif(not SPECS.exists(), reason="the vendors' specifications are not here")
def test_our_events_are_events_by_the_specification() -> None:
    schema = json.loads((SPECS / "openlineage" / "OpenLineage.json").read_text())
    whole = {**schema, "$ref": "#/$defs/RunEvent"}
    whole.pop("oneOf", None)
    jsonschema.Draft202012Validator(whole).validate(event("COMPLETE", "a", ["X.Y.Z"], ["P.Q.R"]))


@pytest.mark.skipif(not SPECS.exists(), reason="the vendors' specifications are not here")
def test_the_fields_that_are_read_of_a_manifest_are_in_the_specification() -> None:
    text = (SPECS / "dbt" / "manifest-v12.json").read_text()
    for field in (
        "relation_name",
        "depends_on",
        "resource_type",
        "materialized",
        "identifier",
        "adapter_type",
    ):
        assert f'"{field}"' in text
