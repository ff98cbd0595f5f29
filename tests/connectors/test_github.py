"""What is peculiar to GitHub: limits that look like refusals, re-runs, deployments, schedules in files."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from dogwatch.connectors.github import GitHub, GitHubSettings, _schedule
from dogwatch.errors import RateLimited, SettingsError
from dogwatch.lab.faults import Fault
from dogwatch.lab.world import LabAttempt, LabRun, Outcome, Trigger, World
from dogwatch.model import Change, ChangeKind, ScheduleKind, Status
from dogwatch.wire.github import github_login
from dogwatch.wire.http import Doors
from support.clock import NOON, JumpingClock
from support.stage import Call, Host, Stage, hosting
from support.worlds import ERROR, job, run, world

KIND = "github"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with hosting() as hosted:
        yield hosted


def stage(host: Host, *runs: LabRun, faults: Sequence[Fault] = ()) -> Stage:
    clock = JumpingClock()
    told: World = world(KIND, runs, clock=clock)
    told.other_faults = faults
    return Stage(KIND, told, clock, host)


async def changed(connector: Any) -> list[Change]:
    assert isinstance(connector, GitHub)
    return [one async for batch in connector.changes(NOON - timedelta(days=2), NOON) for one in batch]


@pytest.mark.parametrize("code", [403, 429])
def test_a_used_up_limit_is_waited_out_until_it_is_reset(host: Host, code: int) -> None:
    staged = stage(host, run(KIND, 1, NOON - HOUR))
    limited: list[Call] = []

    def limit(call: Call) -> Response | None:
        if limited:
            return None
        limited.append(call)
        ends = str(int(staged.clock.now().timestamp()) + 21)
        return JSONResponse(
            {"message": "API rate limit exceeded for user ID 1."},
            code,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": ends},
        )

    staged.way.answer = limit
    assert len(staged.reads().sound().runs) == 1
    assert any(20 <= wait <= 22 for wait in staged.clock.slept)


def test_a_limit_that_lasts_an_hour_is_told_and_not_waited_out(host: Host) -> None:
    staged = stage(host, run(KIND, 1, NOON - HOUR))
    ends = str(int(NOON.timestamp()) + 3000)
    told = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": ends, "x-ratelimit-limit": "5000"}
    staged.way.answer = lambda call: JSONResponse({"message": "API rate limit exceeded"}, 403, told)
    error = staged.reads().error
    assert isinstance(error, RateLimited)
    assert error.retry_after is not None
    assert 2990 < error.retry_after < 3010


def test_a_second_limit_tells_how_long_in_a_403(host: Host) -> None:
    staged = stage(host, run(KIND, 1, NOON - HOUR))
    said = {"message": "You have exceeded a secondary rate limit."}

    def once(call: Call) -> Response | None:
        return JSONResponse(said, 403, {"Retry-After": "12"}) if len(staged.way.calls) == 1 else None

    staged.way.answer = once
    assert len(staged.reads().sound().runs) == 1
    assert any(12 <= wait < 13 for wait in staged.clock.slept)


def rerun() -> LabRun:
    """It failed five hours ago, and somebody ran it again an hour ago."""
    begun = NOON - 5 * HOUR
    tries = (
        LabAttempt(begun, begun + 4 * MINUTE, Outcome.failed, ERROR),
        LabAttempt(NOON - HOUR, NOON - HOUR + 4 * MINUTE, Outcome.success, repair=True),
    )
    return LabRun(f"{KIND}/orders", 9, Trigger.schedule, begun, tries, begun)


def test_a_rerun_is_another_attempt_of_the_same_run(host: Host) -> None:
    staged = stage(host, rerun())
    (one,) = staged.reads().sound().runs
    assert (one.attempt, one.status) == (2, Status.success)
    assert one.started_at == NOON - HOUR


def test_a_failed_run_of_a_broken_job_is_asked_again_however_old(host: Host) -> None:
    staged = stage(host, rerun())
    staged.clock.time = NOON - 4 * HOUR
    known = {one.native_run_id: one for one in staged.reads().sound().runs}
    staged.clock.time = NOON
    job_id = staged.twin.job_id(f"{KIND}/orders")
    ask = staged.ask(now=NOON, since=NOON - HOUR, known=known, broken=frozenset({job_id}))
    assert [one.attempt for one in staged.reads(ask).sound().runs] == [2]
    assert staged.reads(staged.ask(now=NOON, since=NOON - HOUR, known=known)).sound().runs == []


def test_the_reason_names_the_step_and_quotes_the_annotation(host: Host) -> None:
    staged = stage(host, run(KIND, 1, NOON - HOUR, outcome=Outcome.failed))
    (one,) = staged.reads().sound().runs
    assert one.error_message == f"main: Run: {ERROR}\nProcess completed with exit code 1."


def test_deployments_are_changes_of_what_is_deployed_from_there(host: Host) -> None:
    made = Fault("deploy", f"{KIND}/orders", NOON - 3 * HOUR, None, {"version": "v2.4.1"})
    staged = stage(host, faults=[made])
    staged.twin.settings(staged.url)
    (change,) = staged.does(changed)
    assert change.kind is ChangeKind.deployment
    assert (change.version, change.state) == ("v2.4.1", "success")
    assert change.subject == "github/shop/github-orders"
    assert timedelta() < change.at - (NOON - 3 * HOUR) < 5 * MINUTE
    assert change.summary == "v2.4.1 of shop/github-orders was deployed: Deploy v2.4.1 to production"


def test_a_deployment_that_is_under_way_is_told_as_such(host: Host) -> None:
    made = Fault("deploy", "", NOON - timedelta(seconds=30), None, {"version": "v9"})
    (change,) = stage(host, faults=[made]).does(changed)
    assert change.state == "in_progress"
    assert change.at == NOON - timedelta(seconds=30)


@pytest.mark.parametrize(
    ("on", "kind", "expression", "zone"),
    [
        ("schedule: [{cron: '5 4 * * *'}]", ScheduleKind.cron, "5 4 * * *", "UTC"),
        (
            "{push: {}, schedule: [{cron: '5 4 * * *', timezone: Asia/Tokyo}]}",
            ScheduleKind.cron,
            "5 4 * * *",
            "Asia/Tokyo",
        ),
        ("workflow_dispatch", ScheduleKind.manual, "", "UTC"),
        ("[push, workflow_dispatch]", ScheduleKind.event, "", "UTC"),
        ("{workflow_dispatch: {inputs: {x: {type: string}}}}", ScheduleKind.manual, "", "UTC"),
    ],
)
def test_when_a_workflow_runs_stands_in_its_file(
    on: str, kind: ScheduleKind, expression: str, zone: str
) -> None:
    text = f"name: x\non: {on}\n" if not on.startswith("schedule") else f"on:\n  {on}\n"
    found = _schedule(text)
    assert found is not None
    assert (found.kind, found.expression, found.timezone) == (kind, expression, zone)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "on: [",
        "on: {schedule: [{cron: '1 * * * *'}, {cron: '2 * * * *'}]}",
        "on: {schedule: [{}]}",
        "on: 7",
        "- a\n- b",
        "\x00",
        "x" * 200_000,
    ],
)
def test_a_file_that_cannot_be_read_expects_nothing(text: str) -> None:
    assert _schedule(text) is None


def test_files_that_may_not_be_read_leave_the_workflows(host: Host) -> None:
    staged = stage(host)
    staged.way.answer = lambda call: (
        JSONResponse({"message": "Resource not accessible by personal access token"}, 403)
        if call.path == "/graphql"
        else None
    )

    async def listed(connector: Any) -> list[str]:
        assert isinstance(connector, GitHub)
        return [one.name for one in await connector.jobs(NOON)]

    assert staged.does(listed) == [job(KIND).name]


def test_an_app_buys_a_token_for_its_installation(host: Host) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    staged = stage(host, run(KIND, 1, NOON - HOUR))
    token = staged.twin.credentials()["token"]
    bought: list[Call] = []

    def sell(call: Call) -> Response | None:
        if call.path != "/app/installations/77/access_tokens":
            return None
        bought.append(call)
        return JSONResponse({"token": token, "expires_at": "2026-03-03T13:00:00Z"}, 201)

    staged.way.answer = sell
    settings = GitHubSettings(
        url=staged.url,
        repositories=("shop/pipelines",),
        app_id="Iv23liLAB",
        installation_id=77,
        private_key=SecretStr(pem.replace("\n", "\\n")),
    )

    async def asked(_: object) -> str:
        connector = GitHub(KIND, settings, Doors(staged.clock))
        try:
            return await connector.check()
        finally:
            await connector.aclose()

    assert staged.does(asked).startswith("GitHub · 1 repository, 1 workflow")
    assert len(bought) == 1
    head, claims, _ = bought[0].headers["authorization"].removeprefix("Bearer ").split(".")
    assert "Iv23liLAB" in json.dumps(_decoded(claims))
    assert _decoded(head)["alg"] == "RS256"


def _decoded(part: str) -> dict[str, Any]:
    import base64

    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_an_app_told_in_part_is_the_users_to_complete() -> None:
    with pytest.raises(SettingsError, match="installation_id"):
        github_login(None, SecretStr("-----BEGIN"), "Iv23", None, Doors(JumpingClock()))


@pytest.mark.parametrize("name", ["shop", "shop/", "/pipelines", "shop/a/b", "shop/ a"])
def test_a_repository_is_owner_and_name(name: str) -> None:
    with pytest.raises(ValueError, match="owner/name"):
        GitHubSettings(repositories=(name,))
