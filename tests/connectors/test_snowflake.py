"""What is peculiar to Snowflake: windows past the row limit, two histories, slow statements, ways in."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import SecretStr, ValidationError
from starlette.responses import JSONResponse

from dogwatch.connectors import snowflake
from dogwatch.connectors.snowflake import Snowflake, SnowflakeSettings
from dogwatch.errors import AuthError, SettingsError, UnexpectedAnswer, Unreachable
from dogwatch.lab.platforms.snowflake import Snowflake as Twin
from dogwatch.lab.world import LabAttempt, LabJob, LabRun, Outcome, Trigger
from dogwatch.model import Job, JobState, Run, Schedule, ScheduleKind, Status
from dogwatch.wire.http import Doors
from support.clock import NOON, JumpingClock
from support.stage import Call, Host, Stage, hosting
from support.worlds import job, run, runs_every, world

KIND = "snowflake"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
GIVEN = {"account": "SHOP-PROD", "user": "dogwatch", "warehouse": "MONITOR_WH", "database": "ANALYTICS"}


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with hosting() as hosted:
        yield hosted


def stage(host: Host, runs: Sequence[LabRun], *jobs: LabJob) -> Stage:
    clock = JumpingClock()
    return Stage(KIND, world(KIND, runs, clock=clock, jobs=jobs or None), clock, host)


def twin(staged: Stage) -> Twin:
    assert isinstance(staged.twin, Twin)
    return staged.twin


def statements(staged: Stage) -> list[str]:
    return [json.loads(call.body)["statement"] for call in staged.way.calls if call.method == "POST"]


def test_a_history_past_the_row_limit_is_read_on_from_the_oldest_row(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snowflake, "MOST_ROWS", 100)
    staged = stage(host, runs_every(KIND, timedelta(minutes=7), 700))
    told = staged.reads().sound()
    assert len(told.ids) == 700
    assert len(statements(staged)) >= 8


def test_what_is_older_than_seven_days_comes_from_account_usage(host: Host) -> None:
    staged = stage(host, runs_every(KIND, timedelta(hours=1), 24 * 20))
    told = staged.reads(staged.ask(since=NOON - timedelta(days=30))).sound()
    assert len(told.ids) == 24 * 20
    assert any("account_usage" in statement for statement in statements(staged))


def test_no_run_falls_between_the_two_histories(host: Host) -> None:
    edge = NOON - timedelta(days=7)
    runs = [run(KIND, number, edge + timedelta(seconds=10 * number - 300)) for number in range(1, 61)]
    staged = stage(host, runs)
    assert len(staged.reads(staged.ask(since=NOON - timedelta(days=8))).sound().ids) == 60


def test_without_account_usage_the_last_seven_days_are_told_and_the_rest_is_a_caveat(host: Host) -> None:
    staged = stage(host, runs_every(KIND, timedelta(hours=1), 24 * 20))
    twin(staged).usage_granted = False

    async def read_and_ask(connector: object) -> tuple[int, Sequence[str]]:
        assert isinstance(connector, Snowflake)
        ask = staged.ask(since=NOON - timedelta(days=30))
        count = sum([len(batch) async for batch in connector.runs(ask)])
        return count, await connector.caveats()

    count, caveats = staged.does(read_and_ask)
    assert count == 24 * 7
    assert "SNOWFLAKE.USAGE_VIEWER" in caveats[0]


def test_large_results_come_in_compressed_partitions(host: Host) -> None:
    staged = stage(host, runs_every(KIND, timedelta(minutes=1), 8_500))
    assert len(staged.reads().sound().ids) == 8_500
    assert [call.query for call in staged.way.calls if call.method == "GET"] == ["partition=1", "partition=2"]


def test_a_slow_statement_is_waited_for(host: Host) -> None:
    staged = stage(host, runs_every(KIND, timedelta(hours=1), 5))
    twin(staged).polls = 3
    assert len(staged.reads().sound().ids) == 5
    assert staged.clock.slept[:3] == [1.0, 2.0, 4.0]


def test_a_statement_that_never_ends_is_given_up(host: Host) -> None:
    staged = stage(host, [])
    twin(staged).polls = 10_000
    assert isinstance(staged.reads().error, Unreachable)


def test_a_repeated_request_is_not_run_twice(host: Host) -> None:
    """A 503 in between: the same requestId comes again."""
    staged = stage(host, runs_every(KIND, timedelta(hours=1), 5))
    refused: list[Call] = []

    def once(call: Call) -> JSONResponse | None:
        if refused:
            return None
        refused.append(call)
        return JSONResponse({"message": "Service Unavailable"}, 503)

    staged.way.answer = once
    assert len(staged.reads().sound().ids) == 5
    first, second = staged.way.calls[:2]
    assert "requestId=" in first.query
    assert first.query == second.query


def test_a_missing_grant_is_a_permission_error_in_snowflakes_words(host: Host) -> None:
    staged = stage(host, [])
    message = "SQL compilation error: Schema 'ANALYTICS.INFORMATION_SCHEMA' does not exist or not authorized."
    body = {"code": "002003", "sqlState": "02000", "message": message, "statementHandle": "1"}
    staged.way.answer = lambda call: JSONResponse(body, 422)
    error = staged.reads().error
    assert isinstance(error, AuthError)
    assert error.status == 403
    assert "not authorized" in error.message


def test_rows_that_do_not_match_their_columns_are_no_answer(host: Host) -> None:
    staged = stage(host, runs_every(KIND, timedelta(hours=1), 3))

    def shorten(call: Call, body: bytes) -> bytes:
        told = json.loads(body)
        told["data"] = [row[:-1] for row in told["data"]]
        return json.dumps(told).encode()

    staged.way.rewrite = shorten
    assert isinstance(staged.reads().error, UnexpectedAnswer)


def test_a_retry_of_a_task_is_a_further_attempt_of_the_same_run(host: Host) -> None:
    began = NOON - timedelta(hours=3)
    minute = timedelta(minutes=1)
    attempts = (
        LabAttempt(began, began + minute, Outcome.failed, error="Numeric value 'x' is not recognized"),
        LabAttempt(began + 2 * minute, began + 5 * minute, Outcome.success),
    )
    told = stage(host, [LabRun(f"{KIND}/orders", 1, Trigger.schedule, began, attempts)]).reads().sound()
    assert [(one.attempt, one.status) for one in sorted(told.runs, key=lambda one: one.attempt)] == [
        (1, Status.failed),
        (2, Status.success),
    ]
    assert len(told.ids) == 1


def test_a_task_that_ran_out_of_time_is_told_so(host: Host) -> None:
    late = run(KIND, 1, NOON - timedelta(hours=2), outcome=Outcome.timed_out)
    (one,) = stage(host, [late]).reads().sound().runs
    assert (one.status, one.native_status) == (Status.timed_out, "FAILED")


def test_an_open_run_is_asked_again_in_a_window_of_its_own(host: Host) -> None:
    long_ago = NOON - timedelta(days=3)
    staged = stage(
        host, [run(KIND, 1, long_ago, lasts=timedelta(days=2)), *runs_every(KIND, timedelta(hours=1), 3)]
    )
    ask = staged.ask(since=long_ago - timedelta(hours=1))
    known = staged.reads(ask).sound().by_id
    still: Run = known[twin(staged).run_id(staged.world.runs[0])].model_copy(
        update={"status": Status.running, "ended_at": None}
    )
    later = staged.ask(since=NOON - timedelta(hours=6), known={still.native_run_id: still})
    assert staged.reads(later).sound().by_id[still.native_run_id].status is Status.success


def test_schedules_and_predecessors_are_read(host: Host) -> None:
    jobs = (
        job(KIND, "root", schedule="30 2 * * 1-5", timezone="Europe/Berlin"),
        job(KIND, "child", schedule=None, after=(f"{KIND}/root",)),
        job(KIND, "often", schedule=None, every=timedelta(minutes=90)),
        job(KIND, "off", paused=True),
        job(KIND, "called", schedule=None),
    )
    staged = stage(host, [], *jobs)

    async def list_jobs(connector: object) -> dict[str, Job]:
        assert isinstance(connector, Snowflake)
        return {one.name: one for one in await connector.jobs(NOON)}

    told = staged.does(list_jobs)
    assert set(told) == {"ROOT", "CHILD", "OFTEN", "OFF", "CALLED"}
    assert told["ROOT"].schedule == Schedule(
        kind=ScheduleKind.cron, expression="30 2 * * 1-5", timezone="Europe/Berlin"
    )
    assert told["CHILD"].after == ("ANALYTICS.ETL.ROOT",)
    assert told["CHILD"].schedule == Schedule(kind=ScheduleKind.after)
    assert told["OFTEN"].schedule == Schedule(
        kind=ScheduleKind.interval, expression="90 MINUTE", every_seconds=5400
    )
    assert told["OFF"].state is JobState.paused
    assert told["CALLED"].schedule == Schedule(kind=ScheduleKind.event)


# ── ways in ─────────────────────────────────────────────────────────────────────────────────────────────────


def unsigned(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_key_pair_signs_a_token_that_the_public_key_confirms(host: Host) -> None:
    staged = stage(host, [], job(KIND))
    seen: list[tuple[str, str]] = []

    def accepts(kind: str, token: str) -> bool:
        seen.append((kind, token))
        head, claims, signature = token.split(".")
        KEY.public_key().verify(
            unsigned(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        told = json.loads(unsigned(claims))
        der = KEY.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        fingerprint = base64.b64encode(hashlib.sha256(der).digest()).decode()
        issued_by = told["iss"] == f"SHOP-PROD.DOGWATCH.SHA256:{fingerprint}"
        timely = 0 < told["exp"] - told["iat"] <= 3600
        return bool(issued_by and told["sub"] == "SHOP-PROD.DOGWATCH" and timely)

    twin(staged).accepts = accepts
    settings = SnowflakeSettings.model_validate({**GIVEN, "url": staged.url, "private_key": PEM})

    async def check() -> str:
        connector = Snowflake(KIND, settings, Doors(staged.clock))
        try:
            return await connector.check()
        finally:
            await connector.aclose()

    assert "1 task visible" in staged.does(lambda _: check())
    assert {kind for kind, _ in seen} == {"KEYPAIR_JWT"}
    assert len({token for _, token in seen}) == 1


def test_a_broken_key_is_a_settings_error_that_does_not_show_it() -> None:
    broken = PEM.replace("MII", "XXX")
    settings = SnowflakeSettings.model_validate({**GIVEN, "private_key": broken})
    with pytest.raises(SettingsError) as caught:
        Snowflake(KIND, settings, Doors(JumpingClock()))
    assert broken.splitlines()[1] not in str(caught.value) + repr(caught.value.__cause__)


def test_oauth_buys_a_token_with_the_refresh_token(host: Host) -> None:
    staged = stage(host, [], job(KIND))
    twin(staged).accepts = lambda kind, token: (kind, token) == ("OAUTH", "bought-access-token")

    def token_endpoint(call: Call) -> JSONResponse | None:
        if call.path != "/oauth/token-request":
            return None
        assert b"grant_type=refresh_token" in call.body
        assert call.headers["authorization"].startswith("Basic ")
        return JSONResponse({"access_token": "bought-access-token", "expires_in": 600})

    staged.way.answer = token_endpoint
    given = {
        "oauth_client_id": "client",
        "oauth_client_secret": "secret-of-client",
        "oauth_refresh_token": "refresh-me",
    }
    settings = SnowflakeSettings.model_validate({**GIVEN, **given, "url": staged.url})

    async def check() -> str:
        connector = Snowflake(KIND, settings, Doors(staged.clock))
        try:
            return await connector.check()
        finally:
            await connector.aclose()

    assert "1 task visible" in staged.does(lambda _: check())


@pytest.mark.parametrize(
    ("account", "base", "issuer"),
    [
        ("MYORG-MY_ACCOUNT", "https://myorg-my-account.snowflakecomputing.com", "MYORG-MY_ACCOUNT"),
        ("myorg-acct.snowflakecomputing.com", "https://myorg-acct.snowflakecomputing.com", "MYORG-ACCT"),
        ("xy12345.eu-central-1", "https://xy12345.eu-central-1.snowflakecomputing.com", "XY12345"),
    ],
)
def test_the_address_follows_from_the_account(account: str, base: str, issuer: str) -> None:
    settings = SnowflakeSettings.model_validate({**GIVEN, "account": account, "access_token": "t" * 20})
    assert (settings.base.lower(), settings.issuer) == (base, issuer)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no credentials"),
        ({"access_token": "t", "private_key": PEM}, "set exactly one"),
        ({"oauth_client_id": "c"}, "oauth_client_secret is missing"),
        ({"oauth_client_id": "c", "oauth_client_secret": "s"}, "oauth_refresh_token or oauth_token_url"),
        ({"access_token": "t", "database": "A; drop table x"}, "not a plain name"),
    ],
)
def test_half_a_way_in_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SnowflakeSettings.model_validate({**GIVEN, **given})


def test_no_secret_shows_in_the_settings() -> None:
    settings = SnowflakeSettings.model_validate({**GIVEN, "private_key": SecretStr(PEM)})
    assert PEM.splitlines()[1] not in repr(settings)
