"""The Databricks connector against its twin, and against what the twin would never say."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from dogwatch.connectors.databricks import (
    CODE,
    CONSEQUENCES,
    LIFE_CYCLE,
    RESULT,
    STATE,
    Databricks,
    DatabricksSettings,
)
from dogwatch.errors import AuthError, ConnectorError, RateLimited, UnexpectedAnswer, Unreachable
from dogwatch.lab.databricks_records import chain_of
from dogwatch.lab.world import LabEdit, LabJob, Outcome, PlatformFault
from dogwatch.model import Job, JobState, Run, ScheduleKind, Status, run_uid
from dogwatch.store import open_store
from dogwatch.wire.connector import Ask, HasJobs, HasRuns
from support.clock import NOON
from support.door import Script, doors, ok, status, texts
from support.workspace import ERROR, SILVER, URL, Workspace, at, ran, read, tried

SPEC = Path(__file__).parents[2].parent / "shared" / "specs" / "databricks" / "jobs-2.2.derived.json"
START = 1_772_532_000_000  # 10:00 UTC, two hours before noon
WORKLOAD = "failed with message: Workload failed, see run output for details."

LISTED: dict[str, Any] = {
    "job_id": 11223344,
    "run_id": 455644833,
    "run_name": "silver_orders",
    "run_type": "JOB_RUN",
    "trigger": "PERIODIC",
    "run_page_url": "https://adb-1.2.azuredatabricks.net/?o=1#job/11223344/run/455644833",
    "start_time": START,
    "end_time": START + 1_230_000,
    "run_duration": 1_230_000,
    "queue_duration": 4_000,
    "setup_duration": 0,
    "original_attempt_run_id": 455644833,
}


def ended(code: str | None, kind: str | None = "CLIENT_ERROR", message: str = "") -> dict[str, Any]:
    """A ``status`` that has come to its end."""
    return {"state": "TERMINATED", "termination_details": {"code": code, "type": kind, "message": message}}


def record(**changes: Any) -> dict[str, Any]:
    """A run as the listing tells it; a change to ... leaves the key out."""
    told = {**LISTED, "status": ended("SUCCESS", "SUCCESS"), **changes}
    return {key: value for key, value in told.items() if value is not ...}


def page(*records: Any, **more: Any) -> httpx2.Response:
    """One page of runs."""
    return ok({**({"runs": list(records)} if records else {}), **more})


def scripted(*answers: httpx2.Response) -> tuple[Databricks, Script]:
    """A connector with a personal token whose workspace answers from a list."""
    script = Script(*answers)
    settings = DatabricksSettings(url=URL, token=SecretStr("dapi0123456789"))
    return Databricks("databricks", settings, doors(script)), script


def asking(known: Sequence[Run] = (), *, details: bool = False) -> Ask:
    """Runs of the last day; without details unless wanted."""
    since = NOON - timedelta(days=1)
    told = {run.native_run_id: run for run in known}
    return Ask(now=NOON, since=since, details_since=since if details else NOON, known=told)


def told(*records: Any) -> list[Run]:
    """What becomes of one page of runs."""
    runs, error = asyncio.run(read(scripted(page(*records))[0], asking()))
    assert error is None
    return runs


def all_of(workspace: Workspace, known: Sequence[Run] = (), **changes: Any) -> list[Run]:
    """One whole reading that has to succeed, oldest attempt first."""
    runs, error = asyncio.run(read(workspace.connector(), workspace.ask(known, **changes)))
    assert error is None
    return sorted(runs, key=lambda run: (run.began_at, run.attempt))


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
    assert run.error_message.endswith("(996000 characters more)")


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


# ── why it failed ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_run_tells_what_its_task_said_and_consequences_are_no_cause() -> None:
    assert len(chain_of(SILVER)) == 3
    (run,) = all_of(Workspace(ran(1, tried(60, 50, Outcome.failed, error=ERROR))))
    assert (run.status, run.error_message) == (Status.failed, ERROR)
    assert run.metadata["termination_type"] == "CLIENT_ERROR"
    tasks = run.metadata["tasks"]
    assert isinstance(tasks, list)
    assert [
        (task["task_key"], task["status"], task["native"]) for task in tasks if isinstance(task, dict)
    ] == [
        ("ingest", "success", "SUCCESS"),
        ("transform", "failed", "RUN_EXECUTION_ERROR"),
        ("publish", "skipped", "UPSTREAM_FAILED"),
    ]


def test_what_befell_the_cluster_is_told_by_the_state_itself() -> None:
    said = "Unexpected failure while waiting for the cluster (0303-0001) to be ready: bootstrap timeout"
    (run,) = all_of(Workspace(ran(1, tried(60, 50, Outcome.failed, error=said))))
    assert (run.status, run.native_status, run.error_message) == (Status.failed, "CLUSTER_ERROR", said)


def test_an_old_failure_costs_no_extra_request() -> None:
    workspace = Workspace(ran(1, tried(600, 590, Outcome.failed, error=ERROR)))
    (run,) = all_of(workspace, details_since=at(120))
    assert run.error_message is not None
    assert WORKLOAD in run.error_message
    assert "jobs/runs/get" not in workspace.paths


def test_a_failure_that_did_not_change_is_not_looked_up_twice_and_keeps_its_reason() -> None:
    workspace = Workspace(ran(1, tried(60, 50, Outcome.failed, error=ERROR)))
    (known,) = all_of(workspace)
    workspace.asked.clear()
    workspace.clock.move(timedelta(minutes=15))
    again = {run.uid: run for run in all_of(workspace, [known])}
    assert "jobs/runs/get" not in workspace.paths
    assert again[known.uid] == known.model_copy(update={"observed_at": workspace.clock.now()})


def test_of_several_failed_tasks_each_speaks_under_its_name_and_only_three_are_asked() -> None:
    tasks = [
        {"task_key": f"t{number}", "run_id": number, "status": ended("RUN_EXECUTION_ERROR")}
        for number in range(5)
    ]
    outputs = [ok({"error": "first"}), status(400, {"message": "too old"}), ok({"error": "third"})]
    failed = record(status=ended("RUN_EXECUTION_ERROR", message="Tasks failed."))
    databricks, script = scripted(page(failed), ok({**failed, "tasks": tasks}), *outputs)
    (run,), error = asyncio.run(read(databricks, asking(details=True)))
    assert error is None
    assert run.error_message == "t0: first\nt2: third"
    assert run.metadata["task_count"] == 5
    assert script.paths.count("/api/2.2/jobs/runs/get-output") == 3


def test_a_task_that_succeeded_on_its_second_try_is_not_to_blame() -> None:
    tasks = [
        {
            "task_key": "load",
            "run_id": 1,
            "attempt_number": 0,
            "status": ended("DRIVER_ERROR", message="oom"),
        },
        {"task_key": "load", "run_id": 2, "attempt_number": 1, "status": ended("SUCCESS", "SUCCESS")},
        {"task_key": "publish", "run_id": 3, "status": ended("RUN_EXECUTION_ERROR", message="denied")},
    ]
    failed = record(status=ended("RUN_EXECUTION_ERROR"))
    databricks, _ = scripted(
        page(failed), ok({**failed, "tasks": tasks}), status(403, {"message": "no output"})
    )
    (run,), error = asyncio.run(read(databricks, asking(details=True)))
    assert (run.error_message, error) == ("denied", None)


def test_tasks_beyond_a_hundred_are_read_page_by_page() -> None:
    failed = record(status=ended("RUN_EXECUTION_ERROR"))
    many = [{"task_key": f"t{n}", "run_id": n, "status": ended("SUCCESS", "SUCCESS")} for n in range(100)]
    last = [{"task_key": "last", "run_id": 100, "status": ended("RUN_EXECUTION_ERROR")}]
    databricks, script = scripted(
        page(failed),
        ok({**failed, "tasks": many, "next_page_token": "more"}),
        ok({**failed, "tasks": last}),
        ok({"error": "at last"}),
    )
    (run,), _ = asyncio.run(read(databricks, asking(details=True)))
    assert (run.error_message, run.metadata["task_count"]) == ("at last", 101)
    assert script.requests[2].url.params["page_token"] == "more"
    tasks = run.metadata["tasks"]
    assert isinstance(tasks, list)
    assert len(tasks) == 50
    assert isinstance(tasks[0], dict)
    assert tasks[0]["task_key"] == "last"


def test_a_platform_that_cannot_give_reasons_still_gives_its_runs() -> None:
    workspace = Workspace(
        ran(1, tried(90, 80)),
        *(ran(n, tried(60 - n, 50 - n, Outcome.failed, error=ERROR)) for n in range(2, 40)),
    )
    gets = _fail_on(workspace, "jobs/runs/get")
    runs, error = asyncio.run(read(workspace.connector(), workspace.ask()))
    assert error is None
    assert len(runs) == 39
    assert {run.status for run in runs} == {Status.success, Status.failed}
    assert len(gets) <= 2 * 25  # after the first page nobody was asked any more
    known = [run for run in runs if run.status is Status.failed]
    _mend(workspace)
    assert {run.error_message for run in all_of(workspace, known) if run.status.bad} == {ERROR}


# ── repairs ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_repair_is_a_new_attempt_and_never_hides_the_first_failure(tmp_path: Path) -> None:
    run = ran(1, tried(60, 50, Outcome.failed, error=ERROR), tried(40, 20, repair=True))
    workspace = Workspace(run, now=at(45))
    store = open_store(tmp_path / "dogwatch.db")

    def round_at(minutes: float) -> list[tuple[int, Status, str | None]]:
        workspace.clock.time = at(minutes)
        known = store.known("databricks", at(10_000))
        store.record(all_of(workspace, list(known.values())))
        history = store.histories([("databricks", workspace.twin.job_id(SILVER))], 10)
        return [(run.attempt, run.status, run.error_message) for run in next(iter(history.values()))]

    failure = (1, Status.failed, ERROR)
    assert round_at(55) == [(1, Status.running, None)]
    assert round_at(45) == [failure]
    assert round_at(30) == [failure, (2, Status.running, None)]
    assert round_at(25) == [failure, (2, Status.running, None)]
    assert round_at(15) == [failure, (2, Status.success, None)]
    assert round_at(0) == [failure, (2, Status.success, None)]
    first, second = next(iter(store.histories([("databricks", workspace.twin.job_id(SILVER))], 10).values()))
    assert (second.native_run_id, second.parent_uid) == (first.native_run_id, first.uid)
    assert (first.started_at, first.ended_at) == (at(60), at(50))
    assert (second.started_at, second.ended_at) == (at(40), at(20))
    store.close()


def test_a_repaired_run_that_was_never_seen_before_is_told_with_both_attempts() -> None:
    tries = (
        tried(60, 50, Outcome.failed, error=ERROR),
        tried(40, 20, Outcome.failed, error="again", repair=True),
    )
    workspace = Workspace(ran(1, *tries, tried(15, 5, repair=True)), ran(2, tried(100, 90)))
    assert [(run.attempt, run.status, run.error_message) for run in all_of(workspace)] == [
        (1, Status.success, None),
        (1, Status.failed, ERROR),
        (2, Status.failed, "again"),
        (3, Status.success, None),
    ]
    assert workspace.paths.count("jobs/runs/get") == 1  # the ordinary success raises no suspicion


def test_a_run_that_failed_and_was_repaired_since_it_was_seen_running_is_told_apart() -> None:
    tries = (tried(60, 50, Outcome.failed, error=ERROR), tried(48, 40, repair=True))
    workspace = Workspace(ran(1, *tries), now=at(55))
    known = all_of(workspace)
    workspace.clock.time = NOON
    assert [(run.attempt, run.status) for run in all_of(workspace, known)] == [
        (1, Status.failed),
        (2, Status.success),
    ]


def test_a_repair_of_a_run_from_before_the_window_is_found_while_it_goes_on_and_after() -> None:
    tries = (tried(600, 590, Outcome.failed, error=ERROR), tried(30, 10, repair=True))
    workspace = Workspace(ran(1, *tries), now=at(580))
    (failure,) = all_of(workspace)
    since = {"since": at(120)}
    workspace.clock.time = at(20)
    assert [(run.attempt, run.status) for run in all_of(workspace, [failure], **since)] == [
        (1, Status.failed),
        (2, Status.running),
    ]
    workspace.clock.time = NOON
    kept, repaired = all_of(workspace, [failure], **since)
    assert kept == failure.model_copy(update={"observed_at": NOON})
    assert (repaired.attempt, repaired.status, repaired.parent_uid) == (2, Status.success, failure.uid)


def test_an_old_run_that_is_active_again_is_looked_up_even_if_it_had_gone_well() -> None:
    tries = (tried(600, 590, Outcome.failed, error=ERROR), tried(30, None, repair=True))
    other = all_of(Workspace(ran(9, tried(20, 10, Outcome.cancelled))))
    runs = all_of(Workspace(ran(1, *tries)), other, since=at(120))
    assert [(run.attempt, run.status) for run in runs if run.native_run_id != other[0].native_run_id] == [
        (1, Status.failed),
        (2, Status.running),
    ]


def test_a_repair_whose_history_cannot_be_read_is_held_back_and_said() -> None:
    tries = (tried(60, 50, Outcome.failed, error=ERROR), tried(40, 20, repair=True))
    workspace = Workspace(ran(1, *tries), ran(2, tried(70, 65)), now=at(45))
    known = [run for run in all_of(workspace) if run.status is Status.failed]
    workspace.clock.time = NOON
    _fail_on(workspace, "jobs/runs/get")
    runs, error = asyncio.run(read(workspace.connector(), workspace.ask(known)))
    assert isinstance(error, Unreachable)
    assert {run.native_run_id for run in runs}.isdisjoint({known[0].native_run_id})
    assert len(runs) == 1


def test_an_attempt_whose_tasks_are_no_longer_told_is_asked_for_by_the_ids_in_the_history() -> None:
    repaired = record(run_duration=60_000)
    history = [
        {
            "type": "REPAIR",
            "id": 9,
            "start_time": START + 900_000,
            "end_time": START + 1_230_000,
            "task_run_ids": [3],
        },
        {
            "type": "ORIGINAL",
            "start_time": START,
            "end_time": START + 300_000,
            "task_run_ids": [1],
            "state": {
                "life_cycle_state": "TERMINATED",
                "result_state": "FAILED",
                "state_message": "Task failed.",
            },
        },
    ]
    detail = {**repaired, "tasks": [{"task_key": "load", "run_id": 3}], "repair_history": history}
    databricks, script = scripted(page(repaired), ok(detail), ok({"error": "disk full"}))
    (first, second), error = asyncio.run(read(databricks, asking(details=True)))
    assert error is None
    assert (first.status, first.error_message) == (Status.failed, "disk full")
    assert (second.status, second.ended_at) == (Status.success, NOON - timedelta(seconds=7200 - 1230))
    assert script.requests[-1].url.params["run_id"] == "1"


# ── open runs ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_open_run_is_asked_by_id_whatever_its_age_and_a_removed_one_is_no_error() -> None:
    workspace = Workspace(ran(1, tried(6000, 300)), ran(2, tried(90_000, 89_000)), now=at(5990))
    (opened,) = all_of(workspace)
    gone = opened.model_copy(update={"native_run_id": workspace.twin.run_id(workspace.world.runs[0])})
    workspace.clock.time = NOON
    runs = all_of(workspace, [opened, gone], since=at(60))
    assert [(run.native_run_id, run.status, run.ended_at) for run in runs] == [
        (opened.native_run_id, Status.success, at(300))
    ]


def test_a_refusal_that_is_not_about_a_missing_run_is_an_error() -> None:
    (opened,) = told(record(status={"state": "RUNNING"}))
    databricks, _ = scripted(
        page(), page(), status(400, {"error_code": "BAD_REQUEST", "message": "odd proxy"})
    )
    runs, error = asyncio.run(read(databricks, asking([opened])))
    assert runs == []
    assert isinstance(error, UnexpectedAnswer)


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_ten_thousand_runs_are_read_without_loss_or_repeat() -> None:
    runs = [ran(n, tried(n + 1, n + 0.5)) for n in range(1, 10_001)]
    workspace = Workspace(*runs)
    read_runs = all_of(workspace, since=at(20_000), details_since=NOON)
    assert len(read_runs) == 10_000
    assert {run.native_run_id for run in read_runs} == {workspace.twin.run_id(run) for run in runs}


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
    assert "same next page twice" in error.message


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


# ── ways in ─────────────────────────────────────────────────────────────────────────────────────────────────


def _ways(workspace: Workspace) -> dict[str, dict[str, Any]]:
    tokens = workspace.twin.tokens
    app = {"client_id": tokens.client_id, "client_secret": SecretStr(tokens.client_secret)}
    return {
        "token": {"token": SecretStr(tokens.personal)},
        "oauth": app,
        "entra": {**app, "azure_tenant_id": tokens.tenant, "entra_url": f"{URL}/entra"},
        "github": {
            "client_id": tokens.client_id,
            "id_token_request_url": f"{URL}/actions/id-token?api-version=2.0",
            "id_token_request_token": SecretStr(tokens.id_token_request_token),
        },
    }


@pytest.mark.parametrize("way", ["token", "oauth", "entra", "github"])
def test_each_way_in_reads_and_buys_a_token_once(way: str) -> None:
    workspace = Workspace(ran(1, tried(60, 50)))
    databricks = workspace.connector(**_ways(workspace)[way])
    assert databricks.settings.auth == way
    assert asyncio.run(databricks.check()) == "Databricks workspace databricks.lab · 3 jobs readable"
    runs, error = asyncio.run(read(databricks, workspace.ask()))
    assert (len(runs), error) == (1, None)
    assert sum(path.endswith("token") and "id-token" not in path for path in workspace.paths) == (
        way != "token"
    )


@pytest.mark.parametrize("way", ["oauth", "entra", "github"])
def test_an_ended_or_revoked_token_is_bought_anew(way: str) -> None:
    workspace = Workspace(ran(1, tried(60, 50)))
    databricks = workspace.connector(**_ways(workspace)[way])

    async def all_day() -> None:
        await databricks.check()
        workspace.clock.move(timedelta(hours=2))
        await databricks.check()
        workspace.twin.revoke()  # answered 403, not 401
        await databricks.check()

    asyncio.run(all_day())
    assert sum(path.endswith("token") and "id-token" not in path for path in workspace.paths) == 3


def test_a_revoked_personal_token_says_what_to_do_and_not_that_a_permission_is_missing() -> None:
    workspace = Workspace()
    databricks = workspace.connector(**_ways(workspace)["token"])
    workspace.twin.revoke()
    with pytest.raises(AuthError) as caught:
        asyncio.run(databricks.check())
    assert caught.value.status == 403
    assert "make a new one" in caught.value.hint


@pytest.mark.parametrize("way", ["oauth", "entra", "github"])
def test_refused_credentials_are_an_auth_error_that_tells_no_secret(way: str) -> None:
    workspace = Workspace()
    settings = _ways(workspace)[way]
    wrong = "wrong-secret-4711"
    settings["client_secret" if way != "github" else "id_token_request_token"] = SecretStr(wrong)
    databricks = workspace.connector(**settings)
    with pytest.raises(AuthError) as caught:
        asyncio.run(databricks.check())
    shown = " ".join(texts(caught.value)) + repr(databricks.settings) + repr(databricks.doors)
    assert wrong not in shown


def test_a_token_endpoint_on_another_host_gets_no_secret() -> None:
    script = Script(ok({"token_endpoint": "https://evil.example/oidc/v1/token"}))
    settings = DatabricksSettings(url=URL, client_id="app", client_secret=SecretStr("dose-secret-1"))
    databricks = Databricks("databricks", settings, doors(script))
    with pytest.raises(UnexpectedAnswer, match="another host"):
        asyncio.run(databricks.check())
    assert len(script.requests) == 1


def test_a_missing_permission_stays_a_missing_permission() -> None:
    databricks, script = scripted(
        status(403, {"error_code": "PERMISSION_DENIED", "message": "no access to jobs"})
    )
    with pytest.raises(AuthError) as caught:
        asyncio.run(databricks.check())
    assert "permission" in caught.value.hint
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "no credentials"),
        ({"token": "dapi1234567", "client_id": "app"}, "two ways in"),
        ({"token": "dapi1234567", "client_secret": "dose1234567"}, "two ways in"),
        ({"client_secret": "dose1234567"}, "client_id is missing"),
        ({"azure_tenant_id": "t"}, "client_id is missing"),
        ({"client_id": "app"}, "client_secret is missing"),
        ({"client_id": "app", "azure_tenant_id": "t"}, "client_secret is missing"),
        (
            {
                "client_id": "app",
                "azure_tenant_id": "t",
                "id_token_request_url": "https://x",
                "id_token_request_token": "y",
            },
            "not with azure_tenant_id",
        ),
    ],
)
def test_settings_that_name_no_or_two_ways_in_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        DatabricksSettings(url=URL, **settings)


def test_a_token_in_a_github_job_is_not_ambiguous_and_a_copied_address_is_understood() -> None:
    settings = DatabricksSettings(
        url=" https://adb-1.2.azuredatabricks.net/?o=123#job/7 ",
        token=SecretStr("dapi1234567"),
        id_token_request_url="https://actions.example",
        id_token_request_token=SecretStr("runner"),
    )
    assert (settings.auth, settings.url) == ("token", "https://adb-1.2.azuredatabricks.net")


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
    assert (report.schedule.kind, report.state) == (ScheduleKind.manual, JobState.active)


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


# ── helpers ─────────────────────────────────────────────────────────────────────────────────────────────────


def _fail_on(workspace: Workspace, path: str) -> list[str]:
    """From now on the platform answers 503 to calls of that path; returns those calls."""
    whole: Any = workspace.app
    calls: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith(path):
            calls.append(scope["path"])
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
        else:
            await whole(scope, receive, send)

    workspace.app = app
    return calls


def _mend(workspace: Workspace) -> None:
    workspace.app = workspace.gate
