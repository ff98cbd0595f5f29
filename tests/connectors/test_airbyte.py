"""The Airbyte connector against its twin, and against what the twin would never say."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dogwatch.connectors.airbyte import STATUS, Airbyte, AirbyteSettings
from dogwatch.errors import UnexpectedAnswer
from dogwatch.lab.platforms.airbyte import AirbyteTwin
from dogwatch.lab.world import LabEdit, LabJob
from dogwatch.model import JobState, ScheduleKind, Status
from support.airbyte import (
    HOST,
    ORDERS,
    STOCK,
    UUID,
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
from support.clock import NOON, JumpingClock
from support.door import Script, doors, ok, status

# ── states and times ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pending", Status.pending),
        ("queued", Status.pending),
        ("running", Status.running),
        ("incomplete", Status.running),
        ("succeeded", Status.success),
        ("failed", Status.failed),
        ("cancelled", Status.cancelled),
        ("SUCCEEDED", Status.unknown),
        ("partially_succeeded", Status.unknown),
        ("", Status.unknown),
    ],
)
def test_every_word_of_airbyte_has_its_status_and_an_unknown_one_is_kept(word: str, expected: Status) -> None:
    airbyte, _ = scripted(page(record(status=word)))
    (run,), error = asyncio.run(read(airbyte, ask(details_since=NOON)))
    assert error is None
    assert (run.status, run.native_status) == (expected, word)
    assert (run.ended_at is None) is expected.open


def test_the_status_table_holds_exactly_the_words_of_the_vendor() -> None:
    assert set(STATUS) == {"pending", "queued", "running", "incomplete", "succeeded", "failed", "cancelled"}


def test_every_state_of_the_twin_is_read_as_it_is() -> None:
    runs = all_runs(connector(AirbyteTwin(world())))
    assert {number: (run.status, run.native_status) for number, run in runs.items()} == {
        "1": (Status.success, "succeeded"),
        "2": (Status.failed, "failed"),
        "3": (Status.timed_out, "failed"),
        "4": (Status.cancelled, "cancelled"),
        "5": (Status.running, "running"),
        "6": (Status.running, "incomplete"),
        "7": (Status.pending, "pending"),
        "8": (Status.unknown, "half_done"),
    }
    good = runs["1"]
    assert (good.queued_at, good.started_at, good.ended_at) == (at(9), at(9), at(8.5))
    assert good.metrics["rows"] == 1200
    assert good.metrics["bytes"] > 1200
    assert (good.job_id, good.attempt, good.kind) == (AirbyteTwin(world()).job_id(ORDERS), 1, "sync")
    assert runs["7"].metrics == {}
    assert runs["6"].updated_at == at(3.5)


@pytest.mark.parametrize("offset", [timedelta(0), timedelta(hours=5, minutes=45), timedelta(hours=-8)])
def test_times_are_the_same_instants_whatever_the_offset(offset: timedelta) -> None:
    runs = all_runs(connector(AirbyteTwin(world(offset=offset))))
    assert runs["1"].started_at == at(9)
    assert runs["1"].ended_at == at(8.5)
    assert runs["1"].started_at.tzinfo is UTC


def test_the_end_of_a_terminal_run_without_last_update_follows_from_its_duration() -> None:
    told = record(duration="PT26H3M4S")
    del told["lastUpdatedAt"]
    airbyte, _ = scripted(page(told))
    (run,), _ = asyncio.run(read(airbyte, ask()))
    assert run.ended_at == datetime(2026, 3, 4, 11, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize("duration", ["soon", "P999999999D", "PT-5", ""])
def test_a_duration_that_makes_no_sense_is_no_end(duration: str) -> None:
    told = record(duration=duration)
    del told["lastUpdatedAt"]
    airbyte, _ = scripted(page(told))
    (run,), error = asyncio.run(read(airbyte, ask()))
    assert (run.ended_at, error) == (None, None)


def test_a_run_bears_the_name_of_its_connection() -> None:
    twin = AirbyteTwin(world())
    runs = all_runs(connector(twin), ask(names={twin.job_id(ORDERS): "Orders PG → RAW"}))
    assert runs["1"].job_name == "Orders PG → RAW"
    assert runs["4"].job_name == twin.job_id(STOCK)


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────


def _many(count: int) -> list[Any]:
    return [
        ran(n, hours, tried(hours, hours - 0.01))
        for n, hours in zip(range(1, count + 1), _ages(count), strict=True)
    ]


def _ages(count: int) -> list[float]:
    return [1 + (count - n) * 0.02 for n in range(1, count + 1)]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 731])
def test_every_run_is_read_once_however_many_pages(count: int) -> None:
    airbyte = connector(AirbyteTwin(world(_many(count))))
    runs, error = asyncio.run(read(airbyte, ask()))
    assert error is None
    assert sorted(int(run.native_run_id) for run in runs) == [48_000_000 + n for n in range(1, count + 1)]


def test_a_page_that_grows_while_it_is_read_only_repeats_runs() -> None:
    clock = JumpingClock()
    later = [ran(n, -0.01 * (n - 300), tried(-0.01 * (n - 300), -9)) for n in range(301, 401)]
    twin = AirbyteTwin(world([*_many(300), *later], clock=clock))
    gate: Any = twin.app()
    gate.before = lambda request: clock.move(timedelta(minutes=3)) if "offset=" in str(request.url) else None
    runs, error = asyncio.run(read(connector(twin, gate), ask()))
    assert error is None
    assert {int(run.native_run_id) - 48_000_000 for run in runs} >= set(range(1, 301))
    assert len(runs) > len({run.uid for run in runs})


def test_a_platform_that_ignores_the_offset_ends_in_an_error_not_in_a_circle() -> None:
    airbyte, script = scripted(page(*(record(jobId=n) for n in range(100))))
    runs, error = asyncio.run(read(airbyte, ask()))
    assert isinstance(error, UnexpectedAnswer)
    assert "same page twice" in str(error)
    assert (len(runs), len(script.requests)) == (100, 2)


def test_the_platforms_own_next_link_is_never_followed() -> None:
    airbyte, script = scripted(page(*(record(jobId=n) for n in range(100))), page(record(jobId=200)))
    runs, error = asyncio.run(read(airbyte, ask()))
    assert error is None
    assert len(runs) == 101
    assert {request.url.host for request in script.requests} == {"airbyte.lab"}
    assert [request.url.params["offset"] for request in script.requests] == ["0", "100"]


def test_only_what_was_created_since_is_asked_for_newest_first() -> None:
    airbyte, script = scripted(page())
    asyncio.run(read(airbyte, ask(since=datetime(2026, 3, 1, 1, 2, 3, 999, UTC))))
    params = script.requests[0].url.params
    assert params["createdAtStart"] == "2026-03-01T01:02:03Z"
    assert params["orderBy"] == "createdAt|DESC"
    assert "%7C" in str(script.requests[0].url)


def test_chosen_workspaces_are_asked_for_and_give_runs_a_page() -> None:
    script = Script(page(record()))
    settings = AirbyteSettings.model_validate({"url": HOST, "workspace_ids": [UUID]})
    (run,), _ = asyncio.run(read(Airbyte("airbyte", settings, doors(script)), ask()))
    assert script.requests[0].url.params.get_list("workspaceIds") == [UUID]
    assert run.url == f"{HOST}/workspaces/{UUID}/connections/c-1"


# ── bad records ─────────────────────────────────────────────────────────────────────────────────────────────


def test_of_a_page_with_bad_records_the_good_ones_are_read_and_the_first_bad_one_is_named() -> None:
    airbyte, _ = scripted(
        page(record(jobId=1), record(jobId=2, startTime="yesterday"), "no record", record(jobId=4))
    )
    runs, error = asyncio.run(read(airbyte, ask()))
    assert [run.native_run_id for run in runs] == ["1", "4"]
    assert isinstance(error, UnexpectedAnswer)
    assert "data.1.startTime" in str(error)
    assert "yesterday" not in str(error)


def test_a_bad_record_does_not_hide_the_pages_behind_it() -> None:
    airbyte, _ = scripted(
        page(*(record(jobId=n) for n in range(99)), {**record(), "connectionId": None}),
        page(record(jobId=500)),
    )
    runs, error = asyncio.run(read(airbyte, ask()))
    assert (len(runs), runs[-1].native_run_id) == (100, "500")
    assert isinstance(error, UnexpectedAnswer)
    assert "data.99.connectionId" in str(error)


@pytest.mark.parametrize(
    "start", ["9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+14:00", "2026-03-03T09:00:00"]
)
def test_a_time_outside_the_calendar_or_without_zone_is_a_bad_record(start: str) -> None:
    airbyte, _ = scripted(page(record(startTime=start)))
    runs, error = asyncio.run(read(airbyte, ask()))
    assert runs == []
    assert isinstance(error, UnexpectedAnswer)


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": "unavailable"}, [], 0])
def test_a_body_of_another_shape_is_an_unexpected_answer(body: Any) -> None:
    airbyte, _ = scripted(ok(body if body != {} else {"next": ""}))
    runs, error = asyncio.run(read(airbyte, ask()))
    assert runs == []
    assert isinstance(error, UnexpectedAnswer)


# ── open runs ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_open_run_outside_the_window_is_asked_for_by_id() -> None:
    clock = JumpingClock(at(4))
    twin = AirbyteTwin(world(clock=clock))
    before = all_runs(connector(twin), ask(now=at(4)))
    clock.time = NOON
    known = {run.native_run_id: run for run in before.values() if run.status.open}
    assert sorted(before[number].native_run_id[-1] for number in ("5", "6")) == ["5", "6"]
    after = all_runs(connector(twin), ask(since=at(2.5), known=known))
    assert {number: run.native_status for number, run in after.items()} == {
        "5": "running",
        "6": "incomplete",
        "8": "half_done",
    }


@pytest.mark.parametrize("code", [403, 404])
def test_an_open_run_that_is_gone_is_left_out(code: int) -> None:
    runs, _ = asyncio.run(read(scripted(page(record(status="running")))[0], ask()))
    airbyte, script = scripted(page(), status(code))
    found, error = asyncio.run(read(airbyte, ask(known={run.native_run_id: run for run in runs})))
    assert (found, error) == ([], None)
    assert script.paths[-1] == "/api/public/v1/jobs/7"


def test_an_open_run_that_cannot_be_read_is_an_error_after_the_others() -> None:
    known = {}
    for n in (7, 8):
        (run,), _ = asyncio.run(read(scripted(page(record(jobId=n, status="running")))[0], ask()))
        known[run.native_run_id] = run
    airbyte, _ = scripted(page(), ok(record(jobId=7)), ok({"jobId": "?"}))
    found, error = asyncio.run(read(airbyte, ask(known=known)))
    assert [run.native_run_id for run in found] == ["7"]
    assert isinstance(error, UnexpectedAnswer)


# ── connections ─────────────────────────────────────────────────────────────────────────────────────────────


def _connection(**changes: Any) -> dict[str, Any]:
    base = {"connectionId": "c-1", "name": "Orders", "status": "active", "workspaceId": UUID}
    return {**base, "schedule": {"scheduleType": "manual"}, **changes}


def _jobs(*connections: dict[str, Any]) -> list[Any]:
    airbyte, _ = scripted(ok({"data": list(connections)}))
    return list(asyncio.run(airbyte.jobs(NOON)))


def test_connections_become_jobs_with_schedule_state_and_page() -> None:
    twin = AirbyteTwin(world())
    orders, stock = asyncio.run(connector(twin).jobs(NOON))
    assert (orders.job_id, orders.name, orders.state) == (
        twin.job_id(ORDERS),
        "Orders PG → RAW",
        JobState.active,
    )
    assert orders.schedule is not None
    assert orders.schedule.kind is ScheduleKind.quartz
    assert (orders.schedule.expression, orders.schedule.timezone) == ("0 0 2 ? * 2,3,4,5,6", "Europe/Berlin")
    assert orders.url == f"{HOST}/workspaces/{twin.workspace}/connections/{orders.job_id}"
    assert {"source_id", "destination_id", "workspace_id", "streams", "namespace"} <= set(orders.metadata)
    assert stock.state is JobState.paused
    assert stock.schedule is not None
    assert (stock.schedule.kind, stock.schedule.every_seconds) == (ScheduleKind.interval, 6 * 3600)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("active", JobState.active),
        ("inactive", JobState.paused),
        ("locked", JobState.suspended),
        ("frozen", JobState.unknown),
    ],
)
def test_connection_states(word: str, state: JobState) -> None:
    (job,) = _jobs(_connection(status=word, statusReason="invalid credentials"))
    assert (job.state, job.state_reason) == (state, "invalid credentials")


def test_a_deleted_connection_is_no_job() -> None:
    assert [
        job.job_id for job in _jobs(_connection(status="deprecated"), _connection(connectionId="c-2"))
    ] == ["c-2"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("0 0 2 * * ? UTC", ("0 0 2 * * ?", "UTC")),
        ("0 30 */4 ? * MON-FRI America/New_York", ("0 30 */4 ? * MON-FRI", "America/New_York")),
        ("0 0 2 * * ? 2027 Etc/GMT+5", ("0 0 2 * * ? 2027", "Etc/GMT+5")),
        ("0 0 2 ? * MON-FRI", ("0 0 2 ? * MON-FRI", "UTC")),
        ("0 0 2 L * ? 2027", ("0 0 2 L * ? 2027", "UTC")),
    ],
)
def test_a_cron_keeps_its_quartz_fields_and_gives_up_its_zone(told: str, expected: tuple[str, str]) -> None:
    (job,) = _jobs(_connection(schedule={"scheduleType": "cron", "cronExpression": told}))
    assert job.schedule.kind is ScheduleKind.quartz
    assert (job.schedule.expression, job.schedule.timezone) == expected


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("Every 24 HOURS", 86_400),
        ("Every 1 HOUR", 3_600),
        ("Every 30 MINUTES", 1_800),
        ("Every 2 DAYS", 172_800),
        ("Every 1 WEEKS", 604_800),
        ("Every 1 MONTHS", 2_592_000),
    ],
)
def test_a_basic_timing_is_an_interval(told: str, seconds: int) -> None:
    (job,) = _jobs(_connection(schedule={"scheduleType": "basic", "basicTiming": told}))
    assert (job.schedule.kind, job.schedule.every_seconds) == (ScheduleKind.interval, seconds)


@pytest.mark.parametrize(
    "schedule",
    [
        None,
        {"scheduleType": "basic"},
        {"scheduleType": "basic", "basicTiming": "Every 0 HOURS"},
        {"scheduleType": "basic", "basicTiming": "Every 9999999 HOURS"},
        {"scheduleType": "basic", "basicTiming": "Every 3 FORTNIGHTS"},
        {"scheduleType": "cron", "cronExpression": "0 0 2 * * ? Middle/Earth"},
        {"scheduleType": "cron", "cronExpression": "0 0 2 * * ? ../../etc/passwd"},
        {"scheduleType": "cron", "cronExpression": "often"},
        {"scheduleType": "cron"},
        {"scheduleType": "continuous"},
    ],
)
def test_a_schedule_that_is_not_understood_is_none_rather_than_invented(schedule: Any) -> None:
    assert _jobs(_connection(schedule=schedule))[0].schedule is None


def test_connections_are_read_over_all_pages_and_an_edit_shows() -> None:
    clock = JumpingClock()
    edits = (LabEdit(at=NOON + timedelta(hours=1), paused=True),)
    jobs = [LabJob(f"airbyte/j{n}", f"J{n}", schedule="5 * * * *", edits=edits) for n in range(203)]
    twin = AirbyteTwin(world((), clock=clock, jobs=jobs))
    found = asyncio.run(connector(twin).jobs(NOON))
    assert len({job.job_id for job in found}) == 203
    clock.move(timedelta(hours=2))
    assert {job.state for job in asyncio.run(connector(twin).jobs(NOON))} == {JobState.paused}
