"""Airbyte's addresses, tokens and limits."""

import asyncio
import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from dogwatch.connectors.airbyte import CLOUD_URL, Airbyte, AirbyteSettings
from dogwatch.errors import AuthError, RateLimited, Unreachable
from dogwatch.lab.platforms.airbyte import AirbyteTwin
from dogwatch.lab.world import PlatformFault
from dogwatch.model import Run
from support import airbyte as estate
from support.airbyte import (
    HOST,
    ask,
    at,
    connector,
    page,
    read,
    record,
    scripted,
    world,
)
from support.clock import NOON, JumpingClock
from support.door import Script, doors, ok, status, texts

CLOUD = ("https://api.airbyte.com/v1", "https://cloud.airbyte.com/api/v1")
OWN = ("https://ab.example/api/public/v1", "https://ab.example/api/v1")
INNER = ("https://in.example/ab/api/public/v1", "https://in.example/ab/api/v1")
GATEWAY = ("https://gw.example/ab/v1", None)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (CLOUD_URL, CLOUD),
        ("https://cloud.airbyte.com/", CLOUD),
        ("https://ab.example", OWN),
        ("https://ab.example/api/public/v1/", OWN),
        ("https://ab.example/api/v1", OWN),
        ("https://in.example/ab", INNER),
        ("https://gw.example/ab/v1", GATEWAY),
    ],
)
def test_the_addresses_follow_from_what_a_person_pastes(url: str, expected: tuple[str, str | None]) -> None:
    secret = SecretStr("secret-secret")
    assert AirbyteSettings(url=url, client_id=secret, client_secret=secret).bases[:2] == expected


def test_a_configuration_url_of_ones_own_wins() -> None:
    assert AirbyteSettings(url=HOST, config_url="http://inner/api/v1").bases[1] == "http://inner/api/v1"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "https://api.airbyte.com/v1"},
        {"url": HOST, "client_id": "only-this"},
        {"url": HOST, "client_secret": "only-that"},
        {"url": HOST, "workspace_ids": ["my workspace"]},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AirbyteSettings.model_validate(given)


def test_without_authentication_no_token_is_bought() -> None:
    airbyte, script = scripted(page())
    asyncio.run(read(airbyte, ask()))
    assert script.paths == ["/api/public/v1/jobs"]
    assert "authorization" not in script.requests[0].headers


def test_a_token_is_bought_once_and_again_when_it_has_ended_or_was_revoked() -> None:
    clock = JumpingClock()
    twin = AirbyteTwin(world(clock=clock))
    tokens = itertools.count(1)
    bought = 0
    gate: Any = twin.app()

    def watch(request: Any) -> None:
        nonlocal bought
        if request.url.path.endswith("/token"):
            bought = next(tokens)

    gate.before = watch
    airbyte = connector(twin, gate)

    async def story() -> list[int]:
        seen: list[int] = []
        for change in (None, lambda: clock.move(timedelta(minutes=20)), twin.revoke):
            if change is not None:
                change()
            await airbyte.jobs(NOON)
            await airbyte.jobs(NOON)
            seen.append(bought)
        await airbyte.aclose()
        return seen

    assert asyncio.run(story()) == [1, 2, 3]


def test_wrong_credentials_are_an_auth_error_that_tells_no_secret() -> None:
    twin = AirbyteTwin(world())
    airbyte = connector(twin, client_secret="planted-secret-value")
    with pytest.raises(AuthError) as caught:
        asyncio.run(airbyte.check())
    assert "planted" not in repr(caught.value) + str(caught.value) + repr(airbyte.settings)


def test_check_says_in_one_line_what_can_be_read() -> None:
    line = asyncio.run(connector(AirbyteTwin(world())).check())
    assert (
        line == "Airbyte at airbyte.lab · 2 connections in 1 workspace readable · failure reasons available"
    )
    empty = asyncio.run(connector(AirbyteTwin(world((), jobs=JOBS_OF_ONE))).check())
    assert empty.endswith("1 connection in 1 workspace readable · failure reasons not tried: no jobs yet")


JOBS_OF_ONE = estate.JOBS[:1]


def test_load_shedding_is_given_minutes_not_seconds() -> None:
    shedding = PlatformFault("airbyte", "rate_limited", at(1), None)
    clock = JumpingClock()
    runs, error = asyncio.run(read(connector(AirbyteTwin(world(clock=clock, faults=[shedding]))), ask()))
    assert runs == []
    assert isinstance(error, RateLimited)
    assert min(clock.slept) >= 60


def test_a_platform_that_is_down_is_unreachable() -> None:
    down = PlatformFault("airbyte", "platform_down", at(1), None)
    _, error = asyncio.run(read(connector(AirbyteTwin(world(faults=[down]))), ask()))
    assert isinstance(error, Unreachable)


def test_on_cloud_the_configuration_api_is_asked_at_its_own_host_with_the_same_token() -> None:
    token = ok({"access_token": "bought-token-1", "token_type": "Bearer", "expires_in": 900})
    script = Script(token, page(record(status="failed")), ok({"attempts": []}))
    secret = SecretStr("secret-secret")
    settings = AirbyteSettings(client_id=secret, client_secret=secret)
    runs, error = asyncio.run(read(Airbyte("airbyte", settings, doors(script)), ask()))
    assert (len(runs), error) == (1, None)
    assert [(request.url.host, request.url.path) for request in script.requests] == [
        ("api.airbyte.com", "/v1/applications/token"),
        ("api.airbyte.com", "/v1/jobs"),
        ("cloud.airbyte.com", "/api/v1/jobs/get_without_logs"),
    ]
    assert {request.headers["authorization"] for request in script.requests[1:]} == {"Bearer bought-token-1"}
    assert json.loads(script.requests[0].content)["grant_type"] == "client_credentials"


def test_a_platform_that_echoes_the_credentials_does_not_get_them_into_an_error_or_a_run() -> None:
    planted = "planted-secret-value"
    token = ok({"access_token": "bought-token-1", "expires_in": 900})
    told = {
        "externalMessage": f"cannot log in with {planted} and bought-token-1",
        "failureType": "config_error",
    }
    info = {"attempts": [{"attempt": {"id": 0, "failureSummary": {"failures": [told]}}}]}
    script = Script(token, page(record(status="failed")), ok(info), status(403, {"message": planted}))
    settings = AirbyteSettings(url=HOST, client_id=SecretStr(planted), client_secret=SecretStr(planted))
    airbyte = Airbyte("airbyte", settings, doors(script))

    async def story() -> tuple[list[Run], str]:
        batches = [batch async for batch in airbyte.runs(ask())]
        with pytest.raises(AuthError) as caught:
            await airbyte.jobs(NOON)
        await airbyte.aclose()
        return [run for batch in batches for run in batch], "".join(texts(caught.value))

    (run,), words = asyncio.run(story())
    assert run.error_message == "cannot log in with *** and ***"
    assert planted not in words + repr(run) + repr(settings)
