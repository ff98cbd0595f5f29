"""The Databricks connector: why runs failed, what was repaired, and what is still open."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from dogwatch.errors import UnexpectedAnswer, Unreachable
from dogwatch.lab.databricks_records import chain_of
from dogwatch.lab.world import LabJob, Outcome
from dogwatch.model import Status
from dogwatch.store import open_store
from support.clock import NOON
from support.door import ok, status
from support.workspace import (
    ERROR,
    SILVER,
    START,
    WORKLOAD,
    Workspace,
    all_of,
    asking,
    at,
    ended,
    fail_on,
    mend,
    page,
    ran,
    read,
    record,
    scripted,
    told,
    tried,
)

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
    gets = fail_on(workspace, "jobs/runs/get")
    runs, error = asyncio.run(read(workspace.connector(), workspace.ask()))
    assert error is None
    assert len(runs) == 39
    assert {run.status for run in runs} == {Status.success, Status.failed}
    assert len(gets) <= 2 * 25  # after the first page nobody was asked any more
    known = [run for run in runs if run.status is Status.failed]
    mend(workspace)
    assert {run.error_message for run in all_of(workspace, known) if run.status.bad} == {ERROR}


def test_a_reason_that_could_not_be_read_is_asked_for_again_beyond_the_listing() -> None:
    workspace = Workspace(ran(1, tried(600, 590, Outcome.failed, error=ERROR)))
    fail_on(workspace, "jobs/runs/get-output")
    (known,) = all_of(workspace)
    assert known.error_message is not None
    assert WORKLOAD in known.error_message
    later: dict[str, Any] = {"since": at(60), "details_since": at(10_000)}
    (again,) = all_of(workspace, [known], **later, broken=frozenset())  # still no reason, and no blindness
    assert again == known
    mend(workspace)
    (explained,) = all_of(workspace, [known], **later, broken=frozenset())
    assert (explained.uid, explained.error_message) == (known.uid, ERROR)
    workspace.asked.clear()
    assert all_of(workspace, [explained], **later, broken=frozenset()) == []


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


def test_attempts_before_the_known_one_are_not_asked_for_again() -> None:
    tries = (
        tried(60, 50, Outcome.failed, error=ERROR),
        tried(40, 30, Outcome.failed, error=ERROR, repair=True),
    )
    workspace = Workspace(ran(1, *tries, tried(20, 10, repair=True)), now=at(25))
    first, second = all_of(workspace)
    workspace.asked.clear()
    workspace.clock.time = NOON
    assert [(run.attempt, run.status) for run in all_of(workspace, [second])] == [
        (2, Status.failed),
        (3, Status.success),
    ]
    assert "jobs/runs/get-output" not in workspace.paths
    assert first.attempt == 1


def test_a_repair_of_a_retry_belongs_to_the_retry() -> None:
    failed: dict[str, Any] = {"outcome": Outcome.failed, "error": ERROR}
    tries = (tried(60, 50, **failed), tried(45, 40, **failed), tried(30, 20, repair=True))
    original, retry, repair = all_of(Workspace(ran(1, *tries)))
    assert (retry.attempt, retry.parent_uid) == (1, original.uid)
    assert (repair.attempt, repair.parent_uid) == (2, retry.uid)
    assert repair.native_run_id == retry.native_run_id


def test_a_run_that_failed_and_was_repaired_since_it_was_seen_running_is_told_apart() -> None:
    tries = (tried(60, 50, Outcome.failed, error=ERROR), tried(48, 40, repair=True))
    workspace = Workspace(ran(1, *tries), now=at(55))
    known = all_of(workspace)
    workspace.clock.time = NOON
    assert [(run.attempt, run.status) for run in all_of(workspace, known)] == [
        (1, Status.failed),
        (2, Status.success),
    ]


def test_a_run_that_was_seen_running_and_ended_well_is_not_looked_up() -> None:
    workspace = Workspace(ran(1, tried(60, 40)), now=at(50))
    known = all_of(workspace)
    workspace.clock.time = NOON
    assert [(run.attempt, run.status) for run in all_of(workspace, known)] == [(1, Status.success)]
    assert "jobs/runs/get" not in workspace.paths


def test_of_many_broken_jobs_a_round_looks_up_some_and_the_next_one_goes_on() -> None:
    jobs = [LabJob(f"databricks/job-{number}", f"Job {number}") for number in range(20)]
    broke = tried(600, 590, Outcome.failed, error=ERROR)
    runs = [ran(number, broke, job=job.job) for number, job in enumerate(jobs)]
    workspace = Workspace(*runs, jobs=jobs)
    known = all_of(workspace)
    looked_up, resume = list[str](), ""
    for _ in range(3):
        databricks, before = workspace.connector(), len(workspace.asked)
        ask = workspace.ask(known, since=at(120), previous=at(15), resume=resume)
        assert asyncio.run(read(databricks, ask))[1] is None
        asked = [
            url.params.get("run_id") for url in workspace.asked[before:] if url.path.endswith("runs/get")
        ]
        assert len(asked) == 8
        looked_up, resume = [*looked_up, *asked], databricks.resume
    assert len(set(looked_up)) == 20


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
    assert all_of(workspace, [failure], **since, broken=frozenset()) == []  # it ran well since: who cares
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
    fail_on(workspace, "jobs/runs/get")
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


def test_an_open_run_is_asked_by_id_whatever_its_age_and_a_removed_one_is_asked_once() -> None:
    workspace = Workspace(ran(1, tried(6000, 300)), ran(2, tried(90_000, 89_000)), now=at(5990))
    (opened,) = all_of(workspace)
    gone = opened.model_copy(update={"native_run_id": workspace.twin.run_id(workspace.world.runs[0])})
    workspace.clock.time = NOON
    runs = all_of(workspace, [opened, gone], since=at(60))
    assert [(run.native_run_id, run.status, run.ended_at) for run in runs] == [
        (opened.native_run_id, Status.success, at(300)),
        (gone.native_run_id, Status.unknown, None),
    ]
    assert runs[1].native_status == "REMOVED"
    workspace.asked.clear()
    assert all_of(workspace, [runs[1]], since=at(60)) == []
    assert not any(path.endswith("runs/get") for path in workspace.paths)


def test_a_refusal_that_is_not_about_a_missing_run_is_an_error() -> None:
    (opened,) = told(record(status={"state": "RUNNING"}))
    databricks, _ = scripted(
        page(), page(), status(400, {"error_code": "BAD_REQUEST", "message": "odd proxy"})
    )
    runs, error = asyncio.run(read(databricks, asking([opened])))
    assert runs == []
    assert isinstance(error, UnexpectedAnswer)
