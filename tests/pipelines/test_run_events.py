"""Runs as OpenLineage events: valid by the published schema, and the same whenever they are made."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from dogwatch.model import Job, Run, Status
from dogwatch.model.run import run_uid
from dogwatch.pipelines import openlineage
from dogwatch.pipelines.run_events import events_of

SPEC = Path(__file__).parents[2] / ".." / "shared" / "specs" / "openlineage" / "OpenLineage.json"
BEGAN = datetime(2026, 11, 20, 2, 0, 4, tzinfo=UTC)
ENDED = BEGAN + timedelta(minutes=4)
JOB = Job(
    platform="snowflake",
    instance="warehouse",
    job_id="PROD.MARTS.DAILY",
    name="PROD.MARTS.DAILY",
    owner="sales@shop.example",
    metadata={"reads": ["PROD.RAW.ORDERS"], "writes": ["PROD.MARTS.SALES"]},
    observed_at=ENDED,
)


def a_run(status: Status, **more: Any) -> Run:
    facts = {"platform": "snowflake", "instance": "warehouse", "job_id": JOB.job_id, "native_run_id": "r-1"}
    times = {} if status.open else {"ended_at": ENDED}
    told = {"started_at": BEGAN, "scheduled_for": BEGAN - timedelta(seconds=4), **times, **more}
    return Run.model_validate(
        {
            "uid": run_uid(**facts, attempt=1),
            **facts,
            "job_name": "daily <script>alert(1)</script>\u202e \ud800",
            "kind": "task",
            "status": status,
            "native_status": status.value.upper(),
            "observed_at": ENDED,
            **told,
        }
    )


EVERY = [
    *(a_run(status) for status in Status),
    a_run(Status.pending, started_at=None),
    a_run(Status.failed, error_message="relation raw.orders does not exist\n" + "x" * 10_000),
    a_run(Status.success, metrics={"rows": 12.0, "bytes": 4096.0, "odd": float("nan")}),
    a_run(Status.success, started_at=None, ended_at=None, scheduled_for=None),
]


@pytest.mark.parametrize("run", EVERY, ids=lambda run: run.status.value)
def test_every_event_is_valid_by_the_schema(run: Run) -> None:
    if not SPEC.exists():
        pytest.skip("OpenLineage's schema is not beside this checkout")
    judge = Draft202012Validator(
        json.loads(SPEC.read_text(encoding="utf-8")), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    for event in events_of(run, JOB, EVERY[0], "dogwatch"):
        on_the_wire = json.loads(json.dumps(event, allow_nan=False).encode())
        judge.validate(on_the_wire)
        assert on_the_wire["eventType"] in {"START", "COMPLETE", "FAIL", "ABORT", "OTHER"}


def test_a_run_has_one_start_and_one_end() -> None:
    said = {
        status: [event["eventType"] for event in events_of(a_run(status), JOB, None, "d")]
        for status in (Status.running, Status.success, Status.warned, Status.failed, Status.cancelled)
    }
    assert said == {
        Status.running: ["START"],
        Status.success: ["START", "COMPLETE"],
        Status.warned: ["START", "COMPLETE"],
        Status.failed: ["START", "FAIL"],
        Status.cancelled: ["START", "ABORT"],
    }
    assert events_of(a_run(Status.pending, started_at=None), JOB, None, "d") == []


def test_the_same_run_makes_the_same_events_whenever_it_is_observed() -> None:
    run = a_run(Status.failed, error_message="no")
    later = run.model_copy(update={"observed_at": ENDED + timedelta(days=1)})
    assert events_of(run, JOB, None, "d") == events_of(later, JOB, None, "d")
    begun = events_of(a_run(Status.running), JOB, None, "d")
    assert events_of(run, JOB, None, "d")[0] == begun[0]  # the start is told alike before and after the end


def test_an_end_tells_what_became_of_it() -> None:
    run = a_run(Status.timed_out, error_message="took too long", url="https://there.example/r-1")
    event = events_of(run, JOB, a_run(Status.running), "dogwatch")[-1]
    facets = event["run"]["facets"]
    assert facets["errorMessage"]["message"] == "took too long"
    assert facets["errorMessage"]["programmingLanguage"] == "SQL"
    assert facets["dogwatch"]["status"] == "timed_out"
    assert facets["parent"]["job"] == {"namespace": "dogwatch/warehouse", "name": JOB.job_id}
    assert facets["nominalTime"]["nominalStartTime"] == "2026-11-20T02:00:00.000000Z"
    assert event["eventTime"] == "2026-11-20T02:04:04.000000Z"
    assert event["job"]["facets"]["ownership"]["owners"] == [{"name": "sales@shop.example"}]
    assert [one["name"] for one in event["inputs"]] == ["PROD.RAW.ORDERS"]


def test_rows_are_told_of_the_one_table_that_got_them() -> None:
    run = a_run(Status.success, metrics={"rows": 12.0, "bytes": 4096.0})
    (output,) = events_of(run, JOB, None, "d")[-1]["outputs"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 12
    assert output["outputFacets"]["outputStatistics"]["size"] == 4096
    two = JOB.model_copy(update={"metadata": {"writes": ["A.B.C", "A.B.D"]}})
    assert all("outputFacets" not in one for one in events_of(run, two, None, "d")[-1]["outputs"])


def test_what_dogwatch_tells_it_can_read_again() -> None:
    steps, senseless = openlineage.steps_of(events_of(a_run(Status.success), JOB, None, "dogwatch"))
    assert senseless == 0
    (step,) = steps
    assert step.reads == ("PROD.RAW.ORDERS",)
    assert step.writes == ("PROD.MARTS.SALES",)
    assert JOB.job_id in step.jobs
