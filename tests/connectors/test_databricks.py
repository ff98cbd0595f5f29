"""The Databricks connector: states, fields, pages and jobs."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from dogwatch.connectors.databricks import (
    CODE,
    CONSEQUENCES,
    LIFE_CYCLE,
    RESULT,
    STATE,
    Databricks,
)
from dogwatch.errors import AuthError, ConnectorError, RateLimited, UnexpectedAnswer, Unreachable
from dogwatch.lab.world import LabEdit, LabJob, Outcome, PlatformFault
from dogwatch.model import Job, JobState, Run, ScheduleKind, Status, run_uid
from dogwatch.wire.connector import Ask, HasJobs, HasRuns
from support.clock import NOON
from support.door import ok
from support.workspace import (
    ERROR,
    SILVER,
    START,
    URL,
    Workspace,
    all_of,
    asking,
    at,
    ended,
    page,
    ran,
    read,
    record,
    scripted,
    told,
    tried,
)

SPEC = Path(__file__).parents[2].parent / "shared" / "specs" / "databricks" / "jobs-2.2.derived.json"


# ── states ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "kind", "expected"),
    [
        ("SUCCESS", "SUCCESS", Status.success),
        ("SUCCESS_WITH_FAILURES", "SUCCESS", Status.warned),
        ("USER_CANCELED", "SUCCESS", Status.cancelled),
        ("CANCELED", "CLIENT_ERROR", Status.cancelled),
        ("SKIPPED", "SUCCESS", Status.skipped),
        ("DISABLED", "SUCCESS", Status.skipped),
        ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR", Status.skipped),
        ("MAX_JOB_QUEUE_SIZE_EXCEEDED", "CLIENT_ERROR", Status.skipped),
        ("RUN_EXECUTION_ERROR", "CLIENT_ERROR", Status.failed),
        ("CLOUD_FAILURE", "CLOUD_FAILURE", Status.failed),
        ("CLUSTER_TERMINATED_BY_USER", "CLIENT_ERROR", Status.failed),
        ("SOMETHING_NEW", "SUCCESS", Status.success),
        ("SOMETHING_NEW", "INTERNAL_ERROR", Status.failed),
        ("SOMETHING_NEW", None, Status.failed),
    ],
)
def test_a_termination_code_decides_and_is_kept_as_it_is(code: str, kind: str, expected: Status) -> None:
    (run,) = told(record(status=ended(code, kind)))
    assert (run.status, run.native_status) == (expected, code)


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        ("BLOCKED", Status.pending),
        ("PENDING", Status.pending),
        ("QUEUED", Status.pending),
        ("WAITING", Status.pending),
        ("RUNNING", Status.running),
        ("TERMINATING", Status.running),
        ("HIBERNATING", Status.unknown),
    ],
)
def test_a_run_that_goes_on_has_no_end_and_an_unknown_state_stays_unknown(
    current: str, expected: Status
) -> None:
    (run,) = told(record(status={"state": current}, end_time=0, run_duration=0))
    assert (run.status, run.native_status, run.ended_at) == (expected, current, None)
    assert run.error_message is None


@pytest.mark.parametrize(
    ("state", "expected", "native"),
    [
        ({"life_cycle_state": "TERMINATED", "result_state": "TIMEDOUT"}, Status.timed_out, "TIMEDOUT"),
        ({"life_cycle_state": "TERMINATED", "result_state": "FAILED"}, Status.failed, "FAILED"),
        ({"life_cycle_state": "TERMINATED", "result_state": "CANCELED"}, Status.cancelled, "CANCELED"),
        (
            {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS_WITH_FAILURES"},
            Status.warned,
            "SUCCESS_WITH_FAILURES",
        ),
        ({"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"}, Status.failed, "FAILED"),
        ({"life_cycle_state": "SKIPPED"}, Status.skipped, "SKIPPED"),
        ({"life_cycle_state": "WAITING_FOR_RETRY"}, Status.pending, "WAITING_FOR_RETRY"),
        (
            {"life_cycle_state": "TERMINATED", "result_state": "SOMETHING_NEW"},
            Status.unknown,
            "SOMETHING_NEW",
        ),
        ({"life_cycle_state": "TERMINATED"}, Status.unknown, "TERMINATED"),
        ({}, Status.unknown, ""),
    ],
)
def test_without_a_status_the_deprecated_state_decides(
    state: dict[str, str], expected: Status, native: str
) -> None:
    (run,) = told(record(status=..., state={**state, "state_message": "because"}))
    assert (run.status, run.native_status) == (expected, native)
    if expected in {Status.failed, Status.timed_out}:
        assert run.error_message == "because"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"life_cycle_state": "TERMINATED", "result_state": "TIMEDOUT"}, ""),
        ({}, "Run timed out after 7200 seconds."),
        ({}, "Canceled: maximum run duration exceeded."),
    ],
)
def test_a_cancellation_for_its_duration_is_a_timeout(state: dict[str, str], message: str) -> None:
    (run,) = told(record(status=ended("CANCELED", message=message), state=state))
    assert run.status is Status.timed_out


def test_the_status_beats_a_deprecated_state_that_says_otherwise() -> None:
    (run,) = told(record(state={"life_cycle_state": "TERMINATED", "result_state": "FAILED"}))
    assert run.status is Status.success


def test_every_word_of_the_sdk_is_mapped(require_real: bool) -> None:
    if not SPEC.exists():
        assert not require_real
        pytest.skip("the derived specification is not here")
    enums = json.loads(SPEC.read_text())["enums"]
    assert set(enums["RunLifecycleStateV2State"]) == set(STATE) | {"TERMINATED"}
    assert set(enums["RunLifeCycleState"]) <= set(LIFE_CYCLE) | {"TERMINATED"}
    assert set(enums["RunResultState"]) == set(RESULT)
    assert set(RESULT) >= CONSEQUENCES
    assert set(CODE) <= set(enums["TerminationCodeCode"])
    for word in enums["TerminationCodeCode"]:
        (run,) = told(record(status=ended(word)))
        assert run.status is CODE.get(word, Status.failed), word
    for word in enums["TriggerType"]:
        assert told(record(trigger=word))[0].trigger == word


# ── fields ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_is_told_with_all_its_fields() -> None:
    (run,) = told(record(setup_duration=30_500, execution_duration=1_200_000))
    assert run == Run(
        uid=run_uid("databricks", "databricks", "11223344", "455644833", 1),
        platform="databricks",
        instance="databricks",
        job_id="11223344",
        job_name="silver_orders",
        kind="JOB_RUN",
        native_run_id="455644833",
        trigger="PERIODIC",
        status=Status.success,
        native_status="SUCCESS",
        started_at=NOON - timedelta(hours=2),
        ended_at=NOON - timedelta(hours=2) + timedelta(seconds=1230),
        updated_at=NOON - timedelta(hours=2) + timedelta(seconds=1230),
        metrics={
            "queue_seconds": 4.0,
            "duration_seconds": 1230.0,
            "setup_seconds": 30.5,
            "execution_seconds": 1200.0,
        },
        url="https://adb-1.2.azuredatabricks.net/?o=1#job/11223344/run/455644833",
        observed_at=NOON,
    )


def test_milliseconds_survive_and_what_may_be_missing_may_be_missing() -> None:
    (run,) = told({"run_id": 7, "start_time": START + 123, "status": None, "state": None})
    assert run.started_at == NOON - timedelta(hours=2) + timedelta(milliseconds=123)
    assert (run.job_id, run.job_name, run.status, run.metrics) == ("7", "7", Status.unknown, {})


def test_a_link_that_is_none_is_dropped_and_a_flood_of_text_is_cut() -> None:
    wild = record(run_page_url="javascript:alert(1)", status=ended("INTERNAL_ERROR", message="x" * 10**6))
    (run,) = told(wild)
    assert run.url is None
    assert run.error_message is not None
    assert len(run.error_message) < 5_000
    assert run.error_message.endswith("(996,000 characters more)")


def test_the_name_last_known_of_a_job_beats_the_name_of_the_run() -> None:
    ask = Ask(now=NOON, since=at(600), details_since=NOON, names={"11223344": "silver (renamed)"})
    runs, _ = asyncio.run(read(scripted(page(record()))[0], ask))
    assert runs[0].job_name == "silver (renamed)"


def test_a_retry_by_the_platform_is_a_run_of_its_own_that_names_the_first() -> None:
    tries = (tried(400, 390, Outcome.failed, error=ERROR), tried(380, 370))
    first, second = all_of(Workspace(ran(1, *tries)))
    assert (first.status, second.status) == (Status.failed, Status.success)
    assert (first.attempt, second.attempt, second.trigger) == (1, 1, "RETRY")
    assert second.native_run_id != first.native_run_id
    assert (first.parent_uid, second.parent_uid) == (None, first.uid)
    assert second.metadata["retry_of"] == first.native_run_id


def test_a_platform_whose_clock_is_wrong_is_told_by_its_own_times() -> None:
    fault = PlatformFault("databricks", "clock_skew", at(600), None, {"by": timedelta(minutes=-7)})
    (run,) = all_of(Workspace(ran(1, tried(60, 50)), faults=[fault]))
    assert (run.started_at, run.ended_at) == (at(67), at(57))


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_listing_that_grows_while_it_is_read_loses_nothing() -> None:
    runs = [ran(n, tried(200 - n, 199.5 - n)) for n in range(1, 200)]
    workspace = Workspace(*runs, now=at(100))
    workspace.gate.before = lambda request: workspace.clock.move(timedelta(minutes=3))
    found = {run.native_run_id for run in all_of(workspace, since=at(300))}
    there = {workspace.twin.run_id(run) for run in runs if run.created <= at(100)}
    assert there <= found


def test_a_page_token_that_comes_twice_is_an_error_and_not_a_loop() -> None:
    runs, error = asyncio.run(read(scripted(page(record(), next_page_token="round"))[0], asking()))
    assert len(runs) == 2
    assert isinstance(error, UnexpectedAnswer)
    assert "next page that was read before" in error.message


def test_of_a_page_with_bad_records_the_good_ones_are_told_and_the_rest_is_read() -> None:
    bad = [record(run_id=...), record(start_time="yesterday"), record(end_time=10**18), "nonsense"]
    first = page(record(run_id=1), *bad, record(run_id=2), next_page_token="more")
    databricks, script = scripted(first, page(record(run_id=3)))
    runs, error = asyncio.run(read(databricks, asking()))
    assert [run.native_run_id for run in runs] == ["1", "2", "3"]
    assert isinstance(error, UnexpectedAnswer)
    assert "runs.1.run_id: Field required" in error.message
    assert script.requests[1].url.params["page_token"] == "more"


@pytest.mark.parametrize(
    "answer",
    [
        page(record(run_id=...)),
        ok({"runs": "unavailable"}),
        ok({"runs": {"0": record()}}),
        ok([record()]),
        ok(0),
        ok({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "try later"}),
        httpx2.Response(200, content=b'{"runs": [{"run_id": 1'),
        httpx2.Response(200, content=b"<html>sign in</html>", headers={"content-type": "text/html"}),
        httpx2.Response(200, content=b""),
        httpx2.Response(200, content=b"[" * 100_000),
    ],
)
def test_an_answer_of_the_wrong_shape_is_an_error_and_never_an_empty_listing(answer: httpx2.Response) -> None:
    runs, error = asyncio.run(read(scripted(answer)[0], asking()))
    assert runs == []
    assert isinstance(error, UnexpectedAnswer)


def test_an_empty_listing_has_no_key_at_all() -> None:
    assert all_of(Workspace()) == []
    assert told() == []


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────


def _jobs(databricks: Databricks) -> dict[str, Job]:
    return {job.name: job for job in asyncio.run(databricks.jobs(NOON))}


def test_jobs_come_with_schedule_state_and_owner() -> None:
    workspace = Workspace()
    databricks = workspace.connector()
    assert isinstance(databricks, HasJobs)
    assert isinstance(databricks, HasRuns)
    jobs = _jobs(databricks)
    silver, gold, report = jobs["silver_orders"], jobs["gold_sales"], jobs["Report"]
    assert silver.schedule is not None
    assert (silver.schedule.kind, silver.schedule.expression) == (ScheduleKind.quartz, "0 30 3 * * ?")
    assert silver.schedule.timezone == "Europe/Berlin"
    assert (silver.state, silver.owner) == (JobState.active, "data@shop.example")
    assert silver.url == f"{URL}/jobs/{workspace.twin.job_id(SILVER)}"
    assert gold.schedule is not None
    assert (gold.schedule.kind, gold.schedule.every_seconds) == (ScheduleKind.interval, 7200.0)
    assert (gold.state, gold.state_reason) == (JobState.paused, "PAUSED")
    assert report.schedule is not None
    assert (report.schedule.kind, report.state) == (ScheduleKind.after, JobState.active)
    assert report.after == (gold.job_id,)


def test_a_job_that_is_paused_and_rescheduled_is_told_as_it_is_now() -> None:
    edits = (LabEdit(at(120), schedule="0 5 * * 1-5"), LabEdit(at(60), paused=True))
    workspace = Workspace(jobs=[LabJob(SILVER, "silver", schedule="30 3 * * *", edits=edits)], now=at(180))
    stories = []
    for minutes in (180, 90, 0):
        workspace.clock.time = at(minutes)
        job = _jobs(workspace.connector())["silver"]
        assert job.schedule is not None
        stories.append((job.schedule.expression, job.state.value))
    assert [state for _, state in stories] == ["active", "active", "paused"]
    assert stories[0][0] == "0 30 3 * * ?"
    assert stories[1][0] == stories[2][0] != stories[0][0]


@pytest.mark.parametrize(
    ("settings", "kind", "state"),
    [
        ({"continuous": {"pause_status": "UNPAUSED"}}, ScheduleKind.event, JobState.active),
        ({"continuous": {"pause_status": "PAUSED"}}, ScheduleKind.event, JobState.paused),
        ({"trigger": {"file_arrival": {"url": "s3://in"}}}, ScheduleKind.event, JobState.active),
        ({"trigger": {"periodic": {"interval": 3, "unit": "DAYS"}}}, ScheduleKind.interval, JobState.active),
        ({"trigger": {"periodic": {"interval": 3, "unit": "MOONS"}}}, None, JobState.active),
        ({}, ScheduleKind.manual, JobState.active),
        (
            {
                "triggers": [
                    {"pause_status": "PAUSED", "table_update": {}},
                    {"pause_status": "UNPAUSED", "schedule": {"quartz_cron_expression": "0 0 2 * * ?"}},
                ]
            },
            ScheduleKind.quartz,
            JobState.active,
        ),
    ],
)
def test_every_sort_of_trigger_is_understood(
    settings: dict[str, Any], kind: ScheduleKind | None, state: JobState
) -> None:
    databricks, _ = scripted(ok({"jobs": [{"job_id": 1, "settings": {"name": "j", **settings}}]}))
    job = _jobs(databricks)["j"]
    assert (job.schedule.kind if job.schedule else None, job.state) == (kind, state)


def test_what_a_job_waits_for_starts_reads_and_writes_is_told() -> None:
    tasks = [
        {
            "task_key": "load",
            "notebook_task": {
                "notebook_path": "/jobs/load.py",
                "base_parameters": {
                    "source_tables": "raw.web.orders, raw.web.items",
                    "target_table": "main.core.o",
                },
            },
        },
        {"task_key": "each", "for_each_task": {"task": {"task_key": "x", "run_job_task": {"job_id": 7}}}},
        {
            "task_key": "py",
            "spark_python_task": {"parameters": ["--input", "main.core.o", "--out=main.mart.s"]},
        },
    ]
    settings = {
        "name": "j",
        "tasks": tasks,
        "parameters": [{"name": "lookup", "default": "main.core.countries"}],
        "triggers": [
            {"table_update": {"table_names": ["main.core.rates"]}},
            {"job_completion": {"if_status": "SUCCESS", "jobs": [{"job_id": 5}]}},
        ],
    }
    databricks, _ = scripted(ok({"jobs": [{"job_id": 1, "settings": settings}]}))
    job = _jobs(databricks)["j"]
    assert job.after == ()  # it may also start for another reason
    assert job.metadata == {
        "reads": ["raw.web.orders", "raw.web.items", "main.core.countries"],
        "writes": ["main.core.o", "main.mart.s"],
        "awaits": ["main.core.rates"],
        "starts": ["7"],
        "follows": ["5"],
    }


@pytest.mark.parametrize("tasks", [7, "x", [], [7], [None], [{"run_job_task": 7}], [{"run_job_task": {}}]])
def test_tasks_that_make_no_sense_tell_nothing(tasks: Any) -> None:
    databricks, _ = scripted(ok({"jobs": [{"job_id": 1, "settings": {"name": "j", "tasks": tasks}}]}))
    assert _jobs(databricks)["j"].metadata == {}


def test_hundreds_of_jobs_are_read_page_by_page_and_counted_honestly() -> None:
    workspace = Workspace(jobs=[LabJob(f"databricks/j{n}", f"Job {n}") for n in range(250)])
    databricks = workspace.connector()
    assert len(_jobs(databricks)) == 250
    assert asyncio.run(databricks.check()).endswith("more than 100 jobs readable")
    nothing = asyncio.run(Workspace(jobs=[]).connector().check())
    assert nothing.endswith("0 jobs readable: give its identity CAN VIEW on them")


def test_jobs_in_the_wrong_shape_are_an_error() -> None:
    databricks, _ = scripted(ok({"jobs": [{"job_id": 1}, {"name": "no id"}]}))
    with pytest.raises(UnexpectedAnswer):
        asyncio.run(databricks.jobs(NOON))


# ── when nothing can be read ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("platform_down", {"status": 503}, Unreachable),
        ("auth_revoked", {"status": 401}, AuthError),
        ("auth_revoked", {"status": 403}, AuthError),
        ("rate_limited", {"retry_after": 3600}, RateLimited),
        ("bad_payload", {"shape": "truncated"}, UnexpectedAnswer),
        ("bad_payload", {"shape": "missing_field"}, UnexpectedAnswer),
    ],
)
def test_a_platform_fault_is_told_as_what_it_is(
    kind: str, fields: dict[str, object], expected: type[ConnectorError]
) -> None:
    fault = PlatformFault("databricks", kind, at(600), None, fields)
    workspace = Workspace(ran(1, tried(60, 50)), faults=[fault])
    settings = {"token": SecretStr(workspace.twin.tokens.personal)}
    runs, error = asyncio.run(read(workspace.connector(**settings), workspace.ask()))
    assert runs == []
    assert isinstance(error, expected)
