"""The Airbyte twin keeps the vendor's habits and answers in the vendor's shapes."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from dogwatch.errors import LabError
from dogwatch.lab.platforms.airbyte import AirbyteTwin
from dogwatch.lab.world import LabJob, Outcome, PlatformFault
from support.airbyte import ERROR, HOST, STOCK, at, call, ran, tried, world
from support.clock import JumpingClock

SPECS = Path(__file__).parents[2] / ".." / "shared" / "specs" / "airbyte"
JOBS = "/api/public/v1/jobs"
INFO = "/api/v1/jobs/get_without_logs"


@pytest.fixture
def twin() -> AirbyteTwin:
    return AirbyteTwin(world())


def numbers(answer: httpx2.Response) -> list[int]:
    """The twin's run numbers in the order of the page."""
    assert answer.status_code == 200, answer.text
    return [job["jobId"] - 48_000_000 for job in answer.json()["data"]]


def by_number(twin: AirbyteTwin) -> dict[int, dict[str, Any]]:
    """Every job by the twin's run number."""
    return {job["jobId"] - 48_000_000: job for job in call(twin, JOBS, limit=100).json()["data"]}


# ── the listing ─────────────────────────────────────────────────────────────────────────────────────────────


def test_jobs_come_oldest_first_unless_asked_otherwise(twin: AirbyteTwin) -> None:
    assert numbers(call(twin, JOBS)) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert numbers(call(twin, JOBS, orderBy="createdAt|DESC")) == [8, 7, 6, 5, 4, 3, 2, 1]
    assert numbers(call(twin, JOBS, orderBy="updatedAt|ASC")) == [1, 2, 4, 3, 5, 6, 7, 8]


def test_a_page_holds_twenty_unless_asked_otherwise_and_a_hundred_at_most() -> None:
    many = AirbyteTwin(world([ran(n, 9 - n / 50, tried(9 - n / 50, 1)) for n in range(1, 131)]))
    assert len(numbers(call(many, JOBS))) == 20
    assert len(numbers(call(many, JOBS, limit=100))) == 100
    assert numbers(call(many, JOBS, limit=100, offset=100)) == list(range(101, 131))
    assert numbers(call(many, JOBS, limit=3, offset=5, orderBy="createdAt|DESC")) == [125, 124, 123]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "all"},
        {"offset": -1},
        {"orderBy": "createdAt"},
        {"orderBy": "status|ASC"},
        {"orderBy": "createdAt|asc"},
        {"status": "done"},
        {"jobType": "discover"},
        {"createdAtStart": "yesterday"},
        {"createdAtStart": "2026-03-03T01:00:00"},
        {"connectionId": "orders"},
        {"workspaceIds": "mine"},
    ],
)
def test_what_the_vendor_refuses_is_a_problem_of_rfc_9457(twin: AirbyteTwin, params: dict[str, Any]) -> None:
    answer = call(twin, JOBS, **params)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"status", "type", "title", "detail"} <= set(answer.json())


def test_next_is_filled_as_long_as_the_page_holds_anything(twin: AirbyteTwin) -> None:
    last = call(twin, JOBS, limit=5, offset=5).json()
    assert len(last["data"]) == 3
    assert last["next"] == "http://airbyte-server-svc:8001/v1/jobs?limit=5&offset=10"
    assert last["previous"] == "http://airbyte-server-svc:8001/v1/jobs?limit=5&offset=0"
    beyond = call(twin, JOBS, limit=5, offset=10).json()
    assert (beyond["data"], beyond["next"]) == ([], "")


def test_filters_narrow_the_listing(twin: AirbyteTwin) -> None:
    assert numbers(call(twin, JOBS, connectionId=twin.job_id(STOCK))) == [4, 7]
    assert numbers(call(twin, JOBS, status="failed")) == [2, 3]
    assert numbers(call(twin, JOBS, status="incomplete")) == [6]
    assert numbers(call(twin, JOBS, jobType="sync", status="cancelled")) == [4]
    assert numbers(call(twin, JOBS, jobType="reset")) == []
    assert numbers(call(twin, JOBS, createdAtStart=at(4).isoformat())) == [6, 7, 8]
    assert numbers(call(twin, JOBS, createdAtStart=at(8).isoformat(), createdAtEnd=at(6).isoformat())) == [
        2,
        3,
        4,
    ]
    assert numbers(call(twin, JOBS, updatedAtStart=at(3.6).isoformat(), updatedAtEnd=at(3).isoformat())) == [
        6,
        7,
    ]


def test_workspaces_may_be_joined_by_commas_or_repeated_and_a_foreign_one_is_forbidden(
    twin: AirbyteTwin,
) -> None:
    own, foreign = twin.workspace, "11111111-2222-4333-8444-555555555555"
    assert len(numbers(call(twin, JOBS, workspaceIds=own))) == 8
    assert len(numbers(call(twin, JOBS, workspaceIds=f"{own},{own}"))) == 8
    assert call(twin, JOBS, workspaceIds=[own, foreign]).status_code == 403
    assert call(twin, "/v1/connections", workspaceIds=foreign).status_code == 403


def test_a_job_that_does_not_exist_yet_is_not_found() -> None:
    twin = AirbyteTwin(world([ran(1, 2, tried(2, 1)), ran(2, -1, tried(-1, -2))]))
    assert numbers(call(twin, JOBS)) == [1]
    assert call(twin, f"{JOBS}/48000001").json()["jobId"] == 48_000_001
    for unknown in ("48000002", "1", "99999999999999999999", "x"):
        answer = call(twin, f"{JOBS}/{unknown}")
        assert (answer.status_code, answer.json()["title"]) == (404, "resource-not-found")


# ── what a job tells ────────────────────────────────────────────────────────────────────────────────────────


def test_the_last_change_is_told_of_terminal_jobs_alone(twin: AirbyteTwin) -> None:
    jobs = by_number(twin)
    assert {number for number, job in jobs.items() if "lastUpdatedAt" in job} == {1, 2, 3, 4}
    assert {number for number, job in jobs.items() if "duration" not in job} == {7}
    assert (jobs[1]["duration"], jobs[3]["duration"]) == ("PT30M", "PT2H")


def test_rows_are_absent_until_an_attempt_has_ended(twin: AirbyteTwin) -> None:
    jobs = by_number(twin)
    assert jobs[1]["rowsSynced"] == 1200
    assert jobs[2]["rowsSynced"] == 40
    assert {number for number, job in jobs.items() if "rowsSynced" not in job} == {5, 7}
    assert all(("bytesSynced" in job) == ("rowsSynced" in job) for job in jobs.values())


def test_a_job_tells_neither_its_name_nor_its_workspace_nor_why_it_failed(twin: AirbyteTwin) -> None:
    known = {"jobId", "status", "jobType", "startTime", "connectionId"}
    known |= {"lastUpdatedAt", "duration", "bytesSynced", "rowsSynced"}
    assert all(set(job) <= known for job in by_number(twin).values())


def test_a_time_on_the_full_minute_has_no_seconds_and_offsets_are_written_out() -> None:
    runs = [ran(1, 2, tried(2, 1)), ran(2, 1.995, tried(1, 0.5))]
    assert [job["startTime"] for job in by_number(AirbyteTwin(world(runs))).values()] == [
        "2026-03-03T10:00Z",
        "2026-03-03T10:00:18Z",
    ]
    away = AirbyteTwin(world(runs, offset=timedelta(hours=-3, minutes=-30)))
    assert by_number(away)[1]["startTime"] == "2026-03-03T06:30-03:30"


def test_a_word_no_vendor_documents_is_told_once_the_run_has_ended() -> None:
    clock = JumpingClock(at(1.7))
    twin = AirbyteTwin(world(clock=clock))
    assert by_number(twin)[8]["status"] == "running"
    clock.time = at(1)
    assert by_number(twin)[8]["status"] == "half_done"


def test_a_platform_whose_clock_is_ahead_tells_later_times_and_filters_by_them() -> None:
    ahead = PlatformFault("airbyte", "clock_skew", at(9), None, {"by": timedelta(hours=2)})
    twin = AirbyteTwin(world(faults=[ahead]))
    job = by_number(twin)[1]
    assert (job["startTime"], job["duration"]) == ("2026-03-03T05:00Z", "PT30M")
    assert numbers(call(twin, JOBS, createdAtStart=at(3).isoformat())) == [5, 6, 7, 8]
    info = call(twin, INFO, body={"id": 48_000_001}).json()
    assert info["job"]["createdAt"] == int(at(7).timestamp())


def test_a_sync_that_was_never_started_has_no_record() -> None:
    assert numbers(call(AirbyteTwin(world([ran(1, 2, tried(2, 2, Outcome.skipped))])), JOBS)) == []


# ── connections ─────────────────────────────────────────────────────────────────────────────────────────────


def test_connections_tell_schedules_as_airbyte_writes_them(twin: AirbyteTwin) -> None:
    orders, stock = call(twin, "/v1/connections").json()["data"]
    assert orders["schedule"] == {
        "scheduleType": "cron",
        "cronExpression": "0 0 2 ? * 2,3,4,5,6 Europe/Berlin",
    }
    assert stock["schedule"] == {"scheduleType": "basic", "basicTiming": "Every 6 HOURS"}
    assert (orders["status"], stock["status"]) == ("active", "inactive")


def test_a_connection_without_schedule_is_manual_and_odd_intervals_are_minutes() -> None:
    jobs = [LabJob("airbyte/a", "A"), LabJob("airbyte/b", "B", every=timedelta(minutes=90))]
    told = call(AirbyteTwin(world((), jobs=jobs)), "/v1/connections").json()["data"]
    assert [item["schedule"] for item in told] == [
        {"scheduleType": "manual"},
        {"scheduleType": "basic", "basicTiming": "Every 90 MINUTES"},
    ]


@pytest.mark.parametrize(
    "job",
    [
        LabJob("airbyte/a", "A", schedule="0 2 1 * 1"),
        LabJob("airbyte/a", "A", every=timedelta(seconds=90)),
    ],
)
def test_a_schedule_that_airbyte_cannot_keep_is_refused_at_once(job: LabJob) -> None:
    with pytest.raises(LabError):
        AirbyteTwin(world((), jobs=[job]))


# ── the way in ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path", [JOBS, "/v1/jobs", "/v1/connections", f"{JOBS}/48000001", INFO, "/api/v1/jobs/list"]
)
def test_nothing_is_told_without_a_good_token(twin: AirbyteTwin, path: str) -> None:
    body = {"id": 48_000_001} if path.startswith("/api/v1") else None
    answer = call(twin, path, body=body, token="made-up")
    assert (answer.status_code, answer.json()["title"]) == (401, "invalid-api-key")


@pytest.mark.parametrize("base", ["/v1", "/api/public/v1", "/api/v1"])
@pytest.mark.parametrize("kind", ["json", "form"])
def test_a_token_is_bought_at_every_address_and_ends_after_fifteen_minutes(base: str, kind: str) -> None:
    clock = JumpingClock()
    twin = AirbyteTwin(world(clock=clock))

    async def buy() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=twin.app())
        async with httpx2.AsyncClient(transport=transport, base_url=HOST) as client:
            if kind == "json":
                return await client.post(f"{base}/applications/token", json=twin.credentials())
            form = urlencode(twin.credentials())
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return await client.post(f"{base}/applications/token", content=form, headers=headers)

    bought = asyncio.run(buy()).json()
    assert (bought["token_type"], bought["expires_in"]) == ("Bearer", 900)
    assert call(twin, JOBS, token=bought["access_token"]).status_code == 200
    clock.move(timedelta(seconds=900))
    assert call(twin, JOBS, token=bought["access_token"]).status_code == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"client_id": "x", "client_secret": "y"}'])
def test_wrong_credentials_buy_nothing(twin: AirbyteTwin, body: bytes) -> None:
    async def buy() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=twin.app())
        async with httpx2.AsyncClient(transport=transport, base_url=HOST) as client:
            headers = {"Content-Type": "application/json"}
            return await client.post("/v1/applications/token", content=body, headers=headers)

    assert asyncio.run(buy()).status_code in {400, 401}


def test_a_revoked_token_is_worthless(twin: AirbyteTwin) -> None:
    assert call(twin, JOBS).status_code == 200
    (token,) = twin._tokens
    twin.revoke()
    assert call(twin, JOBS, token=token).status_code == 401


# ── the Configuration API ───────────────────────────────────────────────────────────────────────────────────


def test_the_configuration_api_tells_attempts_and_why_they_failed(twin: AirbyteTwin) -> None:
    info = call(twin, INFO, body={"id": 48_000_002}).json()
    first, last = (entry["attempt"] for entry in info["attempts"])
    assert (first["id"], last["id"]) == (0, 1)
    (failure,) = last["failureSummary"]["failures"]
    assert failure["externalMessage"] == ERROR
    assert (failure["failureType"], failure["retryable"]) == ("config_error", False)
    assert last["failureSummary"]["partialSuccess"] is True
    assert sum(stream["stats"]["recordsCommitted"] for stream in last["streamStats"]) == 40


def test_a_job_between_two_attempts_tells_the_failed_one_alone(twin: AirbyteTwin) -> None:
    info = call(twin, INFO, body={"id": 48_000_006}).json()
    assert info["job"]["status"] == "incomplete"
    (entry,) = info["attempts"]
    assert entry["attempt"]["failureSummary"]["failures"][0]["failureType"] == "transient_error"


def test_a_running_job_has_an_attempt_without_an_end(twin: AirbyteTwin) -> None:
    (entry,) = call(twin, INFO, body={"id": 48_000_005}).json()["attempts"]
    assert entry["attempt"]["status"] == "running"
    assert "endedAt" not in entry["attempt"]


@pytest.mark.parametrize(("body", "code"), [({"id": 1}, 404), ({}, 422), ({"id": "2"}, 422), ([], 422)])
def test_the_configuration_api_refuses_what_it_cannot_find_or_read(
    twin: AirbyteTwin, body: Any, code: int
) -> None:
    assert call(twin, INFO, body=body).status_code == code


def test_the_configuration_api_lists_the_jobs_of_a_connection_newest_first(twin: AirbyteTwin) -> None:
    body = {
        "configTypes": ["sync"],
        "configId": twin.job_id(STOCK),
        "pagination": {"pageSize": 5, "rowOffset": 0},
    }
    listed = call(twin, "/api/v1/jobs/list", body=body).json()
    assert [entry["job"]["id"] - 48_000_000 for entry in listed["jobs"]] == [7, 4]
    assert call(twin, "/api/v1/jobs/list", body={}).status_code == 422


@pytest.mark.parametrize(
    ("error", "kind", "origin"),
    [
        ("Insufficient privileges to operate on schema 'RAW'", "config_error", "destination"),
        ("FATAL: password authentication failed for user", "config_error", "source"),
        ("Connection to db.shop.example refused", "transient_error", "source"),
        ("column total of relation orders does not exist", "system_error", "source"),
        (None, "system_error", "source"),
    ],
)
def test_failures_are_sorted_by_their_words(error: str | None, kind: str, origin: str) -> None:
    twin = AirbyteTwin(world([ran(1, 3, tried(3, 2, Outcome.failed, error))]))
    (entry,) = call(twin, INFO, body={"id": 48_000_001}).json()["attempts"]
    (failure,) = entry["attempt"]["failureSummary"]["failures"]
    assert (failure["failureType"], failure["failureOrigin"]) == (kind, origin)


# ── the vendor's own specification ──────────────────────────────────────────────────────────────────────────


def _spec(name: str, required: bool) -> dict[str, Any]:
    path = SPECS / name
    if not path.exists():
        message = f"the vendor's specification is not here: {path}"
        pytest.fail(message) if required else pytest.skip(message)
    spec: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return spec


def _check(spec: dict[str, Any], schema: str, told: Any) -> None:
    validator = Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": spec["components"]}
    )
    assert [error.message for error in validator.iter_errors(told)] == []
    assert list(_unheard_of(spec, {"$ref": f"#/components/schemas/{schema}"}, told, schema)) == []


def _unheard_of(spec: dict[str, Any], schema: dict[str, Any], told: Any, where: str) -> Iterator[str]:
    """Fields that the vendor's schema does not know."""
    if "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if isinstance(told, list):
        for item in told:
            yield from _unheard_of(spec, schema.get("items", {}), item, where)
    elif isinstance(told, dict) and "properties" in schema:
        for key, value in told.items():
            if key in schema["properties"]:
                yield from _unheard_of(spec, schema["properties"][key], value, f"{where}.{key}")
            else:
                yield f"{where}.{key}"


def test_the_public_api_answers_in_the_shapes_of_the_vendors_specification(require_real: bool) -> None:
    spec = _spec("airbyte-public-api.openapi.json", require_real)
    known_words = AirbyteTwin(world([run for run in world().runs if run.native_status is None]))
    _check(spec, "JobsResponse", call(known_words, JOBS).json())
    _check(spec, "JobResponse", call(known_words, f"{JOBS}/48000002").json())
    _check(spec, "ConnectionsResponse", call(known_words, "/v1/connections").json())


def test_the_configuration_api_answers_in_the_shapes_of_the_vendors_specification(require_real: bool) -> None:
    spec = _spec("airbyte-config-api.openapi.json", require_real)
    twin = AirbyteTwin(world([run for run in world().runs if run.native_status is None]))
    for number in range(1, 8):
        _check(spec, "JobInfoRead", call(twin, INFO, body={"id": 48_000_000 + number}).json())
    _check(spec, "JobReadList", call(twin, "/api/v1/jobs/list", body={"configTypes": ["sync"]}).json())
    _check(spec, "NotFoundKnownExceptionInfo", call(twin, INFO, body={"id": 1}).json())
    _check(spec, "InvalidInputExceptionInfo", call(twin, INFO, body={}).json())
