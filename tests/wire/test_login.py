"""Tokens: bought once, kept while they are good, and bought anew once when they are refused."""

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from dogwatch.errors import AuthError, ConnectorError, RateLimited, UnexpectedAnswer, Unreachable
from dogwatch.wire.answer import Answer
from dogwatch.wire.http import Http, Pace
from dogwatch.wire.login import FixedToken, TokenLogin
from dogwatch.wire.secrets import Secrets
from support.clock import NOON, JumpingClock
from support.door import BASE, FREE, Script, doors, ok, status


class Platform:
    """Sells numbered tokens and opens to those it has not revoked."""

    def __init__(self, **token: Any) -> None:
        self.token: Mapping[str, Any] = token
        self.sold = 0
        self.revoked: set[str] = set()
        self.seen: list[str] = []
        self.refusal = status(401, {"message": "invalid"})
        self.shop: list[httpx2.Response | Exception] = []
        self.date: str | None = None

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)  # others get their turn, as on a network
        if request.url.path.endswith("/token"):
            if self.shop:
                trouble = self.shop.pop(0)
                if isinstance(trouble, Exception):
                    raise trouble
                return trouble
            self.sold += 1
            dated = {} if self.date is None else {"date": self.date}
            return ok({"access_token": f"bought-{self.sold:04}", **self.token}, **dated)
        held = request.headers["authorization"].removeprefix("Bearer ")
        self.seen.append(held)
        return self.refusal if held in self.revoked else ok({"fine": True})


def let_in(platform: Platform, clock: JumpingClock | None = None, pace: Pace = FREE) -> Http:
    clock, secrets = clock or JumpingClock(), Secrets()

    async def buy(http: Http) -> Answer:
        return await http.exchange("token", form={"client_id": "id", "client_secret": "hush-hush"})

    login = TokenLogin(buy, clock=clock, secrets=secrets, extra={"X-Tenant": "t"})
    return doors(platform, clock=clock, secrets=secrets).open(BASE, login=login, pace=pace)


async def gets(http: Http, count: int) -> list[Answer]:
    return [await http.get("jobs") for _ in range(count)]


async def gets_at_once(http: Http, count: int) -> list[Answer | BaseException]:
    return await asyncio.gather(*(http.get("jobs") for _ in range(count)), return_exceptions=True)


def test_one_token_serves_many_requests() -> None:
    platform = Platform(expires_in=900)
    asyncio.run(gets(let_in(platform), 5))
    assert platform.sold == 1
    assert platform.seen == ["bought-0001"] * 5


def test_many_requests_at_once_buy_one_token() -> None:
    platform = Platform(expires_in=900)
    asyncio.run(gets_at_once(let_in(platform), 20))
    assert platform.sold == 1


def jwt(**claims: Any) -> str:
    packed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{packed}.c2ln"


@pytest.mark.parametrize(
    ("token", "good_for"),
    [
        ({"expires_in": 900}, 840),
        ({"expires_in": "900"}, 840),
        ({"expires_in": 900.5}, 840.5),
        ({"expires_in": 100}, 50),  # too short for the whole margin
        ({"expires_in": 0}, 10),  # a 401 would renew it anyway
        ({"expires_in": -5}, 10),
        ({"expires_in": 1e300}, 86400 * 30 - 60),
        ({}, 240),
        ({"access_token": jwt(exp=NOON.timestamp() + 600)}, 540),
        ({"access_token": jwt(exp=NOON.timestamp() + 9600, iat=NOON.timestamp() + 9000)}, 540),
        ({"access_token": jwt(exp=1e400)}, 240),
        ({"access_token": jwt(exp="soon")}, 240),
        ({"access_token": jwt(sub="nobody")}, 240),
        ({"access_token": "a.b.c"}, 240),
        ({"access_token": "e30.W10.c2ln"}, 240),
        ({"access_token": "e30." + base64.b64encode(b"[" * 30_000).decode() + ".c2ln"}, 240),
    ],
)
def test_a_token_is_renewed_shortly_before_it_ends(token: dict[str, Any], good_for: float) -> None:
    async def life() -> tuple[int, int]:
        platform, clock = Platform(**token), JumpingClock()
        http = let_in(platform, clock)
        await http.get("jobs")
        clock.move(timedelta(seconds=good_for - 0.01))
        await http.get("jobs")
        before = platform.sold
        clock.move(timedelta(seconds=0.02))
        await http.get("jobs")
        return before, platform.sold

    assert asyncio.run(life()) == (1, 2)


@pytest.mark.parametrize("raw", ["NaN", "Infinity", "-Infinity", "null"])
def test_a_senseless_lifetime_is_no_reason_to_fail(raw: str) -> None:
    script = Script(
        httpx2.Response(200, content=f'{{"access_token": "bought-1", "expires_in": {raw}}}'), ok()
    )

    async def call() -> None:
        clock, secrets = JumpingClock(), Secrets()
        login = TokenLogin(lambda http: http.exchange("token"), clock=clock, secrets=secrets)
        await doors(script, clock=clock, secrets=secrets).open(BASE, login=login, pace=FREE).get("jobs")

    asyncio.run(call())
    assert script.paths == ["/api/token", "/api/jobs"]


def test_the_end_of_a_jwt_is_read_by_the_platforms_clock() -> None:
    async def life() -> int:
        behind = NOON - timedelta(hours=3)
        platform, clock = Platform(access_token=jwt(exp=behind.timestamp() + 900)), JumpingClock()
        platform.date = format_datetime(behind, usegmt=True)
        http = let_in(platform, clock)
        await http.get("jobs")
        clock.move(timedelta(seconds=800))
        await http.get("jobs")
        return platform.sold

    assert asyncio.run(life()) == 1


def test_a_refused_token_is_renewed_once_and_the_request_made_again() -> None:
    platform = Platform(expires_in=900)
    platform.revoked = {"bought-0001"}
    (answer,) = asyncio.run(gets(let_in(platform), 1))
    assert json.loads(answer.content) == {"fine": True}
    assert platform.seen == ["bought-0001", "bought-0002"]


def test_a_write_is_made_with_a_renewed_token_too() -> None:
    platform = Platform(expires_in=900)
    platform.revoked = {"bought-0001"}
    asyncio.run(let_in(platform).send("jobs/run", {"id": 1}))
    assert platform.seen == ["bought-0001", "bought-0002"]


def test_a_login_revoked_for_good_is_an_auth_error_after_one_new_token() -> None:
    platform = Platform(expires_in=900)
    platform.revoked = {f"bought-{number:04}" for number in range(100)}
    with pytest.raises(AuthError, match="401: invalid") as caught:
        asyncio.run(let_in(platform).get("jobs"))
    assert caught.value.status == 401
    assert platform.sold == 2


def test_many_refusals_at_once_buy_one_new_token() -> None:
    async def life() -> None:
        http = let_in(platform)
        await http.get("jobs")
        platform.revoked = {"bought-0001"}
        answers = await gets_at_once(http, 8)
        assert not [answer for answer in answers if isinstance(answer, BaseException)]

    platform = Platform(expires_in=900)
    asyncio.run(life())
    assert platform.sold == 2


def test_a_platform_may_tell_an_ended_token_in_its_own_way() -> None:
    platform, clock, secrets = Platform(expires_in=900), JumpingClock(), Secrets()
    platform.revoked = {"bought-0001"}
    platform.refusal = status(403, {"message": "Invalid access token."})
    login = TokenLogin(lambda http: http.exchange("token"), clock=clock, secrets=secrets)
    http = doors(platform, clock=clock, secrets=secrets).open(
        BASE, login=login, pace=FREE, ended=lambda answer: b"access token" in answer.content
    )
    asyncio.run(http.get("jobs"))
    assert platform.sold == 2


def test_a_403_is_no_reason_for_a_new_token() -> None:
    platform = Platform(expires_in=900)
    platform.revoked, platform.refusal = {"bought-0001"}, status(403, {"message": "not yours"})
    with pytest.raises(AuthError, match="403: not yours") as caught:
        asyncio.run(let_in(platform).get("jobs"))
    assert "permission" in caught.value.hint
    assert platform.sold == 1


def test_a_fixed_token_is_not_sent_twice() -> None:
    script, secrets = Script(status(401)), Secrets()
    way = doors(script, secrets=secrets)
    login = FixedToken(SecretStr("dapi-1234567890"), secrets, {"X-Tenant": "t"})
    with pytest.raises(AuthError):
        asyncio.run(way.open(BASE, login=login, pace=FREE).get("jobs"))
    assert len(script.requests) == 1
    assert script.requests[0].headers["x-tenant"] == "t"


@pytest.mark.parametrize(
    ("trouble", "kind", "hint"),
    [
        (status(400, {"error": "invalid_client"}), AuthError, "client id"),
        (status(401, {"error": "invalid_client"}), AuthError, "wrong"),
        (status(403), AuthError, "permission"),
        (status(404), AuthError, "URL"),
        (status(302, location="/sso"), UnexpectedAnswer, "redirects"),
        (httpx2.Response(200, content=b"<html>"), UnexpectedAnswer, "login page"),
        (ok({}), UnexpectedAnswer, "API"),
        (ok({"access_token": ""}), UnexpectedAnswer, "API"),
    ],
)
def test_a_refused_login_is_told_at_once(
    trouble: httpx2.Response, kind: type[ConnectorError], hint: str
) -> None:
    platform = Platform()
    platform.shop = [trouble] * 9
    with pytest.raises(kind) as caught:
        asyncio.run(let_in(platform).get("jobs"))
    assert hint in caught.value.hint
    assert len(platform.shop) == 8
    assert not platform.seen


def test_a_login_that_has_trouble_for_a_while_is_asked_again() -> None:
    platform = Platform(expires_in=900)
    platform.shop = [status(503), httpx2.ReadError("cut"), status(429, retry_after="3")]
    asyncio.run(let_in(platform).get("jobs"))
    assert platform.sold == 1


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [(status(503), Unreachable), (httpx2.ReadTimeout("x"), Unreachable), (status(429), RateLimited)],
)
def test_lasting_trouble_with_the_login_is_not_multiplied_by_the_retries_of_the_call(
    trouble: httpx2.Response | Exception, kind: type[ConnectorError]
) -> None:
    platform = Platform()
    platform.shop = [trouble] * 100
    with pytest.raises(kind):
        asyncio.run(let_in(platform).get("jobs"))
    assert len(platform.shop) == 95


def test_those_who_waited_for_a_login_that_failed_share_its_failure() -> None:
    platform = Platform()
    platform.shop = [status(400, {"error": "invalid_client"})] * 100
    answers = asyncio.run(gets_at_once(let_in(platform), 8))
    assert all(isinstance(answer, AuthError) for answer in answers)
    assert len(platform.shop) == 99


def test_a_login_that_failed_is_tried_again_by_the_next_call() -> None:
    async def life() -> bytes:
        platform = Platform(expires_in=900)
        platform.shop = [status(400)]
        http = let_in(platform)
        with pytest.raises(AuthError):
            await http.get("jobs")
        return (await http.get("jobs")).content

    assert json.loads(asyncio.run(life())) == {"fine": True}


def test_a_purchase_that_was_cancelled_leaves_the_login_usable() -> None:
    async def life() -> int:
        platform = Platform(expires_in=900)
        http = let_in(platform)
        first = asyncio.ensure_future(http.get("jobs"))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await http.get("jobs")
        return len(platform.seen)

    assert asyncio.run(life()) == 1


def test_the_token_request_carries_no_authorization_of_ours() -> None:
    script = Script(ok({"access_token": "bought-1"}), ok())

    async def buy(http: Http) -> Answer:
        return await http.exchange(
            "https://login.example/token?v=2", form={"grant_type": "client_credentials"}
        )

    async def call() -> None:
        clock, secrets = JumpingClock(), Secrets()
        login = TokenLogin(buy, clock=clock, secrets=secrets)
        await doors(script, clock=clock, secrets=secrets).open(BASE, login=login, pace=FREE).get("jobs")

    asyncio.run(call())
    token, read = script.requests
    assert "authorization" not in token.headers
    assert str(token.url) == "https://login.example/token?v=2"
    assert token.content == b"grant_type=client_credentials"
    assert read.headers["authorization"] == "Bearer bought-1"
