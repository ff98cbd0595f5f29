"""The Databricks twin answers what the Jobs API 2.2 would answer."""

import asyncio
import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dogwatch.errors import LabError
from dogwatch.lab.databricks_records import chain_of, millis, page_token, position_of
from dogwatch.lab.databricks_tokens import ENTRA_SCOPE
from dogwatch.lab.platforms.databricks import Databricks
from dogwatch.lab.world import LabAttempt, LabJob, Outcome, PlatformFault, Skip, Trigger
from support.clock import NOON
from support.workspace import ERROR, GOLD, SILVER, URL, Workspace, at, ran, tried

SPEC = Path(__file__).parents[2].parent / "shared" / "specs" / "databricks" / "jobs-2.2.derived.json"
Told = dict[str, Any]


def calls(workspace: Workspace, *wanted: tuple[str, Told]) -> list[httpx2.Response]:
    """Answers of the Jobs API, with a good token."""

    async def all_of_them() -> list[httpx2.Response]:
        async with workspace.client() as client:
            return [await client.get(f"/api/2.2/{path}", params=params) for path, params in wanted]

    return asyncio.run(all_of_them())


def call(workspace: Workspace, path: str, **params: Any) -> Told:
    """One good answer."""
    (answer,) = calls(workspace, (path, params))
    assert answer.status_code == 200, answer.text
    body: Told = answer.json()
    return body


def refused(workspace: Workspace, path: str, **params: Any) -> str:
    """The message of a 400."""
    (answer,) = calls(workspace, (path, params))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    message: str = answer.json()["message"]
    return message


def post(workspace: Workspace, path: str, form: dict[str, str], **headers: str) -> httpx2.Response:
    """A form sent without any token."""

    async def once() -> httpx2.Response:
        transport = httpx2.ASGITransport(workspace.app)
        async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
            return await client.post(path, data=form, headers=headers)

    return asyncio.run(once())


def many(count: int) -> Workspace:
    return Workspace(
        *(ran(number, tried(count - number, count - number - 0.5)) for number in range(1, count + 1))
    )


def ids(answer: Told) -> list[int]:
    return [run["run_id"] for run in answer.get("runs", [])]


# ── listing runs ────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_are_listed_newest_first_in_pages_both_ways() -> None:
    workspace = many(60)
    first = call(workspace, "jobs/runs/list", limit=25)
    second = call(workspace, "jobs/runs/list", limit=25, page_token=first["next_page_token"])
    third = call(workspace, "jobs/runs/list", limit=25, page_token=second["next_page_token"])
    back = call(workspace, "jobs/runs/list", limit=25, page_token=third["prev_page_token"])
    starts = [run["start_time"] for page in (first, second, third) for run in page["runs"]]
    assert starts == sorted(starts, reverse=True)
    assert [len(page["runs"]) for page in (first, second, third)] == [25, 25, 10]
    assert len(set(ids(first) + ids(second) + ids(third))) == 60
    assert ids(back) == ids(second)
    assert (first["has_more"], third["has_more"]) == (True, False)
    assert "prev_page_token" not in first
    assert "next_page_token" not in third


def test_a_page_token_stays_where_it_is_when_newer_runs_come() -> None:
    workspace = Workspace(*(ran(n, tried(60 - n, 59.5 - n)) for n in range(120)), now=at(0))
    first = call(workspace, "jobs/runs/list")
    workspace.clock.move(timedelta(minutes=30))
    second = call(workspace, "jobs/runs/list", page_token=first["next_page_token"])
    assert not set(ids(first)) & set(ids(second))
    assert second["runs"][0]["start_time"] == first["runs"][-1]["start_time"] - 60_000


def test_page_tokens_are_encoded_as_the_service_encodes_them() -> None:
    seen = "CAEQ97q7kfwxIL7F6NfD-wQ="  # quoted from a debug log of the real service
    direction, moment, run_id = position_of(seen)
    assert (direction, page_token(direction, moment, run_id)) == (1, seen)
    assert 1_600_000_000_000 < moment < 1_800_000_000_000


@pytest.mark.parametrize(
    "token", ["nonsense", "Zm9v", "CAEQ97q7", "%", base64.b64encode(b"\x08\x01").decode()]
)
def test_a_page_token_that_is_none_is_refused(token: str) -> None:
    assert refused(many(3), "jobs/runs/list", page_token=token) == "Invalid page token."


def test_an_empty_listing_has_no_runs_key() -> None:
    assert call(Workspace(), "jobs/runs/list") == {"has_more": False}


def test_the_default_page_holds_20_runs_and_limit_0_means_25() -> None:
    workspace = many(60)
    assert len(call(workspace, "jobs/runs/list")["runs"]) == 20
    assert len(call(workspace, "jobs/runs/list", limit=0)["runs"]) == 25


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"limit": 26}, "no more than 25"),
        ({"limit": -1}, "no more than 25"),
        ({"limit": "many"}, "limit"),
        ({"active_only": "true", "completed_only": "true"}, "Cannot set both"),
        ({"active_only": "maybe"}, "active_only"),
        ({"offset": 20}, "page_token"),
        ({"start_time_from": "yesterday"}, "start_time_from"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: Told, complaint: str) -> None:
    assert complaint in refused(many(3), "jobs/runs/list", **params)


def test_runs_are_filtered_by_job_start_and_state() -> None:
    workspace = Workspace(
        ran(1, tried(60, 50)),
        ran(2, tried(40, 30), job=GOLD, trigger=Trigger.manual),
        ran(3, tried(20, None)),
        ran(4, tried(-5, -9), created=at(1)),
    )
    number = {n: int(workspace.twin.run_id(run)) for n, run in enumerate(workspace.world.runs, start=1)}
    gold = workspace.twin.job_id(GOLD)
    listed = {
        "all": call(workspace, "jobs/runs/list"),
        "gold": call(workspace, "jobs/runs/list", job_id=gold),
        "late": call(workspace, "jobs/runs/list", start_time_from=millis(at(40))),
        "early": call(workspace, "jobs/runs/list", start_time_to=millis(at(40))),
        "active": call(workspace, "jobs/runs/list", active_only="true"),
        "done": call(workspace, "jobs/runs/list", completed_only="True"),
        "submitted": call(workspace, "jobs/runs/list", run_type="SUBMIT_RUN"),
    }
    assert {name: ids(answer) for name, answer in listed.items()} == {
        "all": [number[4], number[3], number[2], number[1]],
        "gold": [number[2]],
        "late": [number[4], number[3], number[2]],
        "early": [number[2], number[1]],
        "active": [number[4], number[3]],
        "done": [number[2], number[1]],
        "submitted": [],
    }


def test_runs_older_than_sixty_days_are_gone() -> None:
    old, kept = ran(1, tried(86_401, 86_390)), ran(2, tried(86_399, 86_390))
    workspace = Workspace(old, kept)
    assert ids(call(workspace, "jobs/runs/list")) == [int(workspace.twin.run_id(kept))]
    assert "does not exist" in refused(workspace, "jobs/runs/get", run_id=workspace.twin.run_id(old))


def test_a_workspace_whose_clock_is_off_filters_and_tells_by_its_own_time() -> None:
    fault = PlatformFault("databricks", "clock_skew", at(600), None, {"by": timedelta(hours=1)})
    workspace = Workspace(ran(1, tried(60, 50)), faults=[fault])
    (run,) = call(workspace, "jobs/runs/list", start_time_from=millis(NOON))["runs"]
    assert (run["start_time"], run["end_time"]) == (millis(NOON), millis(at(-10)))
    assert ids(call(workspace, "jobs/runs/list", start_time_from=millis(NOON) + 1)) == []


# ── one run ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_that_waits_runs_and_ends_says_so_in_both_forms() -> None:
    workspace = Workspace(ran(1, tried(50, 40), created=at(60)))
    run_id = workspace.twin.run_id(workspace.world.runs[0])
    stories = []
    for minutes in (55, 45, 0):
        workspace.clock.time = at(minutes)
        run = call(workspace, "jobs/runs/get", run_id=run_id)
        stories.append((run["status"]["state"], run["state"]["life_cycle_state"], run["end_time"]))
    assert stories == [
        ("QUEUED", "QUEUED", 0),
        ("RUNNING", "RUNNING", 0),
        ("TERMINATED", "TERMINATED", millis(at(40))),
    ]
    assert (run["start_time"], run["queue_duration"], run["run_duration"]) == (
        millis(at(60)),
        600_000,
        1_200_000,
    )


@pytest.mark.parametrize(
    ("outcome", "code", "life_cycle", "result"),
    [
        (Outcome.success, "SUCCESS", "TERMINATED", "SUCCESS"),
        (Outcome.failed, "RUN_EXECUTION_ERROR", "TERMINATED", "FAILED"),
        (Outcome.cancelled, "USER_CANCELED", "TERMINATED", "CANCELED"),
        (Outcome.timed_out, "CANCELED", "TERMINATED", "TIMEDOUT"),
    ],
)
def test_each_outcome_is_told_by_code_and_by_result(
    outcome: Outcome, code: str, life_cycle: str, result: str
) -> None:
    workspace = Workspace(ran(1, tried(60, 50, outcome)))
    (run,) = call(workspace, "jobs/runs/list")["runs"]
    assert run["status"]["termination_details"]["code"] == code
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == (life_cycle, result)


@pytest.mark.parametrize(
    ("skip", "code"), [(Skip.overlap, "MAX_CONCURRENT_RUNS_EXCEEDED"), (Skip.upstream, "SKIPPED")]
)
def test_a_skipped_run_says_why(skip: Skip, code: str) -> None:
    attempt = LabAttempt(at(60), at(60), Outcome.skipped, skip=skip)
    (run,) = call(Workspace(ran(1, attempt)), "jobs/runs/list", expand_tasks="true")["runs"]
    assert run["status"]["termination_details"]["code"] == code
    assert run["state"]["life_cycle_state"] == "SKIPPED"
    assert run["tasks"] == []


def test_what_a_task_said_stands_in_its_output_and_nowhere_else() -> None:
    workspace = Workspace(ran(1, tried(60, 50, Outcome.failed, error=ERROR)))
    assert len(chain_of(SILVER)) == 3
    run = call(workspace, "jobs/runs/get", run_id=workspace.twin.run_id(workspace.world.runs[0]))
    assert ERROR not in json.dumps(run)
    assert run["status"]["termination_details"]["message"] == (
        "Task transform failed with message: Workload failed, see run output for details."
        " This caused all downstream tasks to get skipped."
    )
    done, wrong, never = run["tasks"]
    assert (done["state"]["result_state"], wrong["state"]["result_state"]) == ("SUCCESS", "FAILED")
    assert never["state"]["result_state"] == "UPSTREAM_FAILED"
    assert never["depends_on"] == [{"task_key": "transform"}]
    output = call(workspace, "jobs/runs/get-output", run_id=wrong["run_id"])
    assert output["error"] == ERROR
    assert output["metadata"]["parent_run_id"] == run["run_id"]
    assert "error" not in call(workspace, "jobs/runs/get-output", run_id=done["run_id"])


def test_the_output_of_a_whole_run_is_refused() -> None:
    workspace = Workspace(ran(1, tried(60, 50)))
    run_id = workspace.twin.run_id(workspace.world.runs[0])
    assert "each individual task run" in refused(workspace, "jobs/runs/get-output", run_id=run_id)
    assert refused(workspace, "jobs/runs/get-output", run_id=5) == "Run 5 does not exist."
    assert refused(workspace, "jobs/runs/get", run_id=5) == "Run 5 does not exist."
    assert refused(workspace, "jobs/get", job_id=5) == "Job 5 does not exist."


def test_tasks_of_a_running_run_come_one_after_the_other() -> None:
    workspace = Workspace(ran(1, tried(60, 30)))
    run_id = workspace.twin.run_id(workspace.world.runs[0])
    stories = []
    for minutes in (55, 45, 35):
        workspace.clock.time = at(minutes)
        tasks = call(workspace, "jobs/runs/get", run_id=run_id)["tasks"]
        stories.append([task["status"]["state"] for task in tasks])
    assert stories == [
        ["RUNNING", "BLOCKED", "BLOCKED"],
        ["TERMINATED", "RUNNING", "BLOCKED"],
        ["TERMINATED", "TERMINATED", "RUNNING"],
    ]


def test_an_error_of_the_cluster_has_its_own_code_and_stands_in_the_state() -> None:
    said = "Cluster 0303-020404-x was terminated. Reason: CLOUD_PROVIDER_LAUNCH_FAILURE"
    (run,) = call(Workspace(ran(1, tried(60, 50, Outcome.failed, error=said))), "jobs/runs/list")["runs"]
    details = run["status"]["termination_details"]
    assert (details["code"], details["type"]) == ("CLOUD_FAILURE", "CLOUD_FAILURE")
    assert said in details["message"]


def test_a_repair_is_the_same_run_with_a_history() -> None:
    tries = (tried(60, 50, Outcome.failed, error=ERROR), tried(40, 30, repair=True))
    workspace = Workspace(ran(1, *tries))
    run_id = workspace.twin.run_id(workspace.world.runs[0])
    run = call(workspace, "jobs/runs/get", run_id=run_id, include_history="true")
    assert (run["start_time"], run["end_time"]) == (millis(at(60)), millis(at(30)))
    assert run["run_duration"] == 20 * 60_000
    original, repair = run["repair_history"]
    assert (original["type"], repair["type"], "id" in original, "id" in repair) == (
        "ORIGINAL",
        "REPAIR",
        False,
        True,
    )
    assert (original["state"]["result_state"], repair["state"]["result_state"]) == ("FAILED", "SUCCESS")
    told = {task["run_id"]: task for task in run["tasks"]}
    assert [told[task]["task_key"] for task in original["task_run_ids"]] == ["ingest", "transform", "publish"]
    assert [told[task]["task_key"] for task in repair["task_run_ids"]] == ["transform", "publish"]
    assert "repair_history" not in call(workspace, "jobs/runs/get", run_id=run_id)


def test_the_platforms_own_retry_is_another_run() -> None:
    tries = (tried(60, 50, Outcome.failed, error=ERROR), tried(48, 40))
    workspace = Workspace(ran(1, *tries))
    retry, first = call(workspace, "jobs/runs/list")["runs"]
    assert (first["attempt_number"], retry["attempt_number"], retry["trigger"]) == (0, 1, "RETRY")
    assert retry["original_attempt_run_id"] == first["run_id"] == first["original_attempt_run_id"]
    workspace.clock.time = at(49)
    assert len(call(workspace, "jobs/runs/list")["runs"]) == 1


def test_a_word_that_nobody_documents_is_a_state_of_its_own_and_a_known_one_a_code() -> None:
    workspace = Workspace(
        ran(1, tried(60, 50), native_status="HALF_DONE"),
        ran(2, tried(40, 30), native_status="STORAGE_ACCESS_ERROR"),
    )
    known, strange = call(workspace, "jobs/runs/list")["runs"]
    assert known["status"]["termination_details"]["code"] == "STORAGE_ACCESS_ERROR"
    assert strange["status"] == {"state": "HALF_DONE"}


def test_every_field_and_word_told_exists_in_the_sdk(require_real: bool) -> None:
    if not SPEC.exists():
        assert not require_real
        pytest.skip("the derived specification is not here")
    spec = json.loads(SPEC.read_text())
    tries = (tried(60, 50, Outcome.failed, error=ERROR), tried(40, 30, Outcome.timed_out, repair=True))
    skipped = LabAttempt(at(20), at(20), Outcome.skipped, skip=Skip.overlap)
    workspace = Workspace(ran(1, *tries), ran(2, skipped), ran(3, tried(10, None)), ran(4, tried(9, 8)))
    listing = call(workspace, "jobs/runs/list", expand_tasks="true")
    runs = [call(workspace, "jobs/runs/get", run_id=run, include_history="true") for run in ids(listing)]
    jobs = call(workspace, "jobs/list", expand_tasks="true")
    output = call(workspace, "jobs/runs/get-output", run_id=runs[-1]["tasks"][1]["run_id"])
    extra = {"format"}  # told by the service, unknown to the SDK's model
    for told, model in (
        (listing, "ListRunsResponse"),
        *((run, "BaseRun") for run in listing["runs"]),
        *((run, "Run") for run in runs),
        *((task, "RunTask") for run in runs for task in run["tasks"]),
        *((item, "RepairHistoryItem") for run in runs for item in run["repair_history"]),
        *((run["state"], "RunState") for run in runs),
        *((run["status"], "RunStatus") for run in runs),
        (output, "RunOutput"),
        (jobs, "ListJobsResponse"),
        *((job, "BaseJob") for job in jobs["jobs"]),
    ):
        assert set(told) - extra <= set(spec["fields"][model]), model
    words = spec["enums"]
    for state in [*runs, *(task for run in runs for task in run["tasks"])]:
        assert state["status"]["state"] in words["RunLifecycleStateV2State"]
        assert state["state"]["life_cycle_state"] in words["RunLifeCycleState"]
        assert state["state"].get("result_state", "SUCCESS") in words["RunResultState"]
        details = state["status"].get("termination_details", {"code": "SUCCESS", "type": "SUCCESS"})
        assert details["code"] in words["TerminationCodeCode"]
        assert details["type"] in words["TerminationTypeType"]


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_jobs_are_listed_in_pages_with_their_schedules() -> None:
    workspace = Workspace()
    first = call(workspace, "jobs/list", limit=2)
    rest = call(workspace, "jobs/list", limit=2, page_token=first["next_page_token"])
    jobs = {job["settings"]["name"]: job["settings"] for job in first["jobs"] + rest["jobs"]}
    assert len(jobs) == 3
    assert jobs["silver_orders"]["schedule"] == {
        "quartz_cron_expression": "0 30 3 * * ?",
        "timezone_id": "Europe/Berlin",
        "pause_status": "UNPAUSED",
    }
    assert jobs["gold_sales"]["trigger"] == {
        "pause_status": "PAUSED",
        "periodic": {"interval": 2, "unit": "HOURS"},
    }
    assert "job_completion" in jobs["Report"]["trigger"]
    assert (first["has_more"], rest["has_more"]) == (True, False)


def test_jobs_are_found_by_exact_name_and_by_id() -> None:
    workspace = Workspace()
    (found,) = call(workspace, "jobs/list", name="GOLD_sales")["jobs"]
    assert found["job_id"] == int(workspace.twin.job_id(GOLD))
    assert "jobs" not in call(workspace, "jobs/list", name="gold")
    whole = call(workspace, "jobs/get", job_id=workspace.twin.job_id(SILVER))
    assert [task["task_key"] for task in whole["settings"]["tasks"]] == ["ingest", "transform", "publish"]
    assert "between 1 and 100" in refused(workspace, "jobs/list", limit=101)


@pytest.mark.parametrize(
    "job",
    [
        LabJob("databricks/odd", "odd", schedule="0 5 13 * 5"),
        LabJob("databricks/odd", "odd", every=timedelta(seconds=90)),
    ],
)
def test_a_schedule_that_databricks_cannot_express_is_said_at_once(job: LabJob) -> None:
    with pytest.raises(LabError):
        Workspace(jobs=[job])


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────


def _with_bearer(workspace: Workspace, token: str | None) -> tuple[int, Any]:
    async def once() -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx2.ASGITransport(workspace.app)
        async with httpx2.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
            return await client.get("/api/2.2/jobs/list")

    answer = asyncio.run(once())
    return answer.status_code, answer.json().get("message")


def _basic(twin: Databricks, secret: str | None = None) -> str:
    client = f"{twin.tokens.client_id}:{secret or twin.tokens.client_secret}"
    return base64.b64encode(client.encode()).decode()


M2M = {"grant_type": "client_credentials", "scope": "all-apis"}


def test_a_token_is_good_for_an_hour_and_until_it_is_revoked() -> None:
    workspace = Workspace()
    sold = post(workspace, "/oidc/v1/token", M2M, Authorization=f"Basic {_basic(workspace.twin)}").json()
    assert (sold["token_type"], sold["expires_in"]) == ("Bearer", 3600)
    assert _with_bearer(workspace, sold["access_token"])[0] == 200
    workspace.clock.move(timedelta(minutes=61))
    assert _with_bearer(workspace, sold["access_token"]) == (403, "Invalid access token.")
    personal = workspace.twin.tokens.personal
    assert _with_bearer(workspace, personal)[0] == 200
    workspace.twin.revoke()
    assert _with_bearer(workspace, personal)[0] == 403
    assert _with_bearer(workspace, workspace.twin.tokens.personal)[0] == 200


def test_without_a_token_nothing_is_told() -> None:
    status, message = _with_bearer(Workspace(), None)
    assert status == 401
    assert message.startswith("Credential was not sent")


@pytest.mark.parametrize(
    ("form", "secret", "status", "error"),
    [
        (M2M, "wrong", 401, "invalid_client"),
        ({**M2M, "scope": "admin"}, None, 400, "invalid_scope"),
        ({**M2M, "grant_type": "password"}, None, 400, "unsupported_grant_type"),
    ],
)
def test_the_token_endpoint_refuses_what_is_wrong(
    form: dict[str, str], secret: str | None, status: int, error: str
) -> None:
    workspace = Workspace()
    answer = post(workspace, "/oidc/v1/token", form, Authorization=f"Basic {_basic(workspace.twin, secret)}")
    assert (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({}, 200, ""),
        ({"client_secret": "wrong"}, 401, "AADSTS7000215"),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "AADSTS1002012"),
    ],
)
def test_entra_sells_tokens_for_databricks_alone(change: dict[str, str], status: int, code: str) -> None:
    workspace = Workspace()
    tokens = workspace.twin.tokens
    form = {
        "grant_type": "client_credentials",
        "client_id": tokens.client_id,
        "client_secret": tokens.client_secret,
        "scope": ENTRA_SCOPE,
        **change,
    }
    answer = post(workspace, f"/entra/{tokens.tenant}/oauth2/v2.0/token", form)
    assert answer.status_code == status
    assert code in answer.json().get("error_description", "")
    unknown = post(workspace, "/entra/elsewhere/oauth2/v2.0/token", form)
    assert "AADSTS90002" in unknown.json()["error_description"]


def test_the_same_world_tells_the_same_to_the_byte() -> None:
    def story() -> bytes:
        workspace = Workspace(ran(1, tried(60, 50, Outcome.failed, error=ERROR), tried(40, 30, repair=True)))
        run_id = workspace.twin.run_id(workspace.world.runs[0])
        lists: list[tuple[str, Told]] = [("jobs/list", {}), ("jobs/runs/list", {})]
        return b"".join(
            told.content for told in calls(workspace, *lists, ("jobs/runs/get", {"run_id": run_id}))
        )

    assert story() == story()
