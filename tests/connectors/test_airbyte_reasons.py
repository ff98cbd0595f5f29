"""Why a sync failed: what the Configuration API tells, and what happens where it does not."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from dogwatch.lab.platforms.airbyte import AirbyteTwin
from dogwatch.lab.world import Outcome
from dogwatch.model import Status
from support.airbyte import (
    ERROR,
    Without,
    all_runs,
    ask,
    at,
    connector,
    page,
    ran,
    read,
    record,
    scripted,
    tried,
    world,
)
from support.clock import NOON
from support.door import ok


def test_a_failed_run_tells_why_how_often_it_was_tried_and_what_its_streams_lost() -> None:
    run = all_runs(connector(AirbyteTwin(world())))["2"]
    assert (run.status, run.error_message) == (Status.failed, ERROR)
    assert (run.metrics["retries"], run.metadata["attempts"]) == (1, 2)
    facts = {key: run.metadata[key] for key in ("failure_type", "failure_origin", "retryable")}
    assert facts == {"failure_type": "config_error", "failure_origin": "source", "retryable": False}
    streams: Any = run.metadata["streams"]
    assert sum(stream["committed"] for stream in streams) == 40
    assert all(stream["emitted"] >= stream["committed"] for stream in streams)


def test_a_timeout_is_told_apart_by_its_failure_type() -> None:
    run = all_runs(connector(AirbyteTwin(world())))["3"]
    assert (run.status, run.native_status) == (Status.timed_out, "failed")
    assert run.metadata["failure_type"] == "heartbeat_timeout"


@pytest.mark.parametrize("code", [401, 403, 404, 500, 503])
def test_without_the_configuration_api_failed_runs_have_no_reason_and_nothing_else_is_lost(code: int) -> None:
    twin = AirbyteTwin(world())
    app = Without(twin.app(), "/api/v1/jobs", code)
    runs = all_runs(connector(twin, app))
    assert len(runs) == 8
    assert {runs[number].status for number in ("2", "3")} == {Status.failed}
    assert {runs[number].error_message for number in ("2", "3")} == {None}
    assert app.refused <= 2, "one job is asked for, and that call is tried twice at most"


def test_without_the_configuration_api_the_board_is_told_so() -> None:
    twin = AirbyteTwin(world())
    blocked = connector(twin, Without(twin.app(), "/api/v1/jobs", 403))
    (caveat,) = asyncio.run(blocked.caveats())
    assert "403" in caveat
    assert asyncio.run(blocked.check()).endswith(
        "failure reasons not readable: POST /api/v1/jobs/get_without_logs answered 403"
    )
    assert asyncio.run(connector(twin).caveats()) == ()


def test_old_failures_are_not_asked_about() -> None:
    twin = AirbyteTwin(world())
    runs = all_runs(connector(twin), ask(details_since=at(6)))
    assert runs["2"].error_message is None
    assert runs["3"].status is Status.timed_out


def test_a_failure_that_is_known_and_unchanged_is_not_asked_about_again() -> None:
    twin = AirbyteTwin(world())
    known = {run.native_run_id: run for run in all_runs(connector(twin)).values()}
    app = Without(twin.app(), "/api/v1/jobs", 500)
    runs = all_runs(connector(twin, app), ask(known=known, now=NOON + timedelta(minutes=15)))
    assert app.refused == 0
    assert (runs["2"].error_message, runs["3"].status) == (ERROR, Status.timed_out)
    assert runs["2"].observed_at == NOON + timedelta(minutes=15)


def test_a_reason_that_could_not_be_read_is_asked_for_in_the_next_round_even_outside_the_window() -> None:
    twin = AirbyteTwin(world())
    blind = all_runs(connector(twin, Without(twin.app(), "/api/v1/jobs", 503)))
    known = {run.native_run_id: run for run in blind.values()}
    runs = all_runs(connector(twin), ask(since=at(1), known=known))
    assert (runs["2"].error_message, runs["3"].status) == (ERROR, Status.timed_out)


def test_a_failure_without_any_reason_is_asked_about_once() -> None:
    info = {"job": {}, "attempts": [{"attempt": {"id": 0, "status": "failed"}}]}
    airbyte, _ = scripted(page(record(status="failed")), ok(info))
    (run,), error = asyncio.run(read(airbyte, ask()))
    assert (error, run.error_message, run.metadata) == (None, None, {"attempts": 1})
    again, script = scripted(page(record(status="failed")))
    asyncio.run(read(again, ask(known={"7": run})))
    assert [path for path in script.paths if "without_logs" in path] == []


def test_the_last_attempt_decides_and_a_technical_message_is_kept_beside_the_public_one() -> None:
    def attempt(number: int, *failures: dict[str, Any]) -> dict[str, Any]:
        return {
            "attempt": {"id": number, "failureSummary": {"failures": list(failures)}, "streamStats": None}
        }

    first = attempt(0, {"externalMessage": "first try", "failureType": "transient_error"})
    last = attempt(
        1,
        {"externalMessage": "a consequence", "failureType": "system_error"},
        {
            "externalMessage": "no heartbeat",
            "internalMessage": "x" * 5000,
            "failureType": "destination_timeout",
            "stacktrace": "at …",
        },
    )
    airbyte, _ = scripted(page(record(status="failed")), ok({"attempts": [last, first]}))
    (run,), _ = asyncio.run(read(airbyte, ask()))
    assert (run.status, run.error_message, run.metrics["retries"]) == (Status.timed_out, "no heartbeat", 1)
    assert str(run.metadata["internal_message"]).endswith("(1,000 characters more)")
    assert "stacktrace" not in run.metadata


def test_reasons_are_asked_for_together_once_one_has_answered() -> None:
    failing = [ran(n, 9 - n / 100, tried(9 - n / 100, 1, Outcome.failed, f"no {n}")) for n in range(1, 31)]
    twin = AirbyteTwin(world(failing))
    under_way, most = 0, 0
    inner = twin.app()

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        await inner(scope, receive, send)
        under_way -= 1

    runs = all_runs(connector(twin, counting))
    assert [runs[str(n)].error_message for n in range(1, 31)] == [f"no {n}" for n in range(1, 31)]
    assert 1 < most <= 8


def test_one_job_that_makes_no_sense_does_not_cost_the_others_their_reason() -> None:
    why = {"externalMessage": "no", "failureType": "config_error"}
    good = ok({"attempts": [{"attempt": {"id": 0, "failureSummary": {"failures": [why]}}}]})
    failed = [record(jobId=n, status="failed") for n in (1, 2, 3)]
    airbyte, _ = scripted(page(*failed), good, ok({"attempts": "none"}), good)
    runs, error = asyncio.run(read(airbyte, ask()))
    assert error is None
    assert sorted(run.error_message or "" for run in runs) == ["", "no", "no"]
