"""A planted secret must not be found in anything that is written, whatever the platform does with it."""

import asyncio
import base64
import html
import json
import logging
import random
import re
import traceback
from collections.abc import Awaitable, Callable
from urllib.parse import quote, quote_plus

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, TypeAdapter

from dogwatch.errors import AuthError, DogwatchError, SettingsError, UnexpectedAnswer
from dogwatch.wire.answer import Answer
from dogwatch.wire.http import Doors, Http, Pace
from dogwatch.wire.login import FixedToken, TokenAnswer, TokenLogin
from dogwatch.wire.secrets import MASK, Secrets
from support.clock import JumpingClock
from support.door import BASE, Script, door, doors, ok, status, texts
from support.rawserver import raw_server, read_request

TOKEN = "dapi-7Hq/x+Z==q9'<&>\"é\\~tok"
"""Letters that every writer spells in its own way; only the header forbids the é."""
PLAIN = "dapi7HqxZq9tok0123456789"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda value: value,
    "json": lambda value: json.dumps(value),
    "json without escapes": lambda value: json.dumps(value, ensure_ascii=False),
    "json within json": lambda value: json.dumps(json.dumps({"echo": value})),
    "json with escaped slashes": lambda value: json.dumps(value).replace("/", "\\/"),
    "json of Go": lambda value: (
        json.dumps(value, ensure_ascii=False)
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
    ),
    "json all escaped": lambda value: "".join(f"\\u{ord(char):04x}" for char in value),
    "percent": lambda value: quote(value, safe=""),
    "percent with slashes": lambda value: quote(value),
    "percent lower case": lambda value: re.sub("%..", lambda hit: hit[0].lower(), quote(value)),
    "form": lambda value: quote_plus(value),
    "html": lambda value: html.escape(value),
    "repr": lambda value: repr(value),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for urls": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "base64 of basic": lambda value: base64.b64encode(b"client:" + value.encode()).decode(),
    "base64 inside 1": lambda value: base64.b64encode(b"x" + value.encode() + b"yz").decode(),
    "base64 inside 2": lambda value: base64.b64encode(b"xx" + value.encode() + b"y").decode(),
}


def traces(value: str) -> list[str]:
    """What must not be found: the secret, and any half of its plain and Base64 spellings."""
    half = len(value) // 2
    packed = base64.b64encode(value.encode()).decode()
    return [value[:half], value[half:], packed[4:20], quote(value[: half + 2], safe="")]


def found(value: str, text: str) -> list[str]:
    return [trace for trace in traces(value) if trace in text]


@pytest.mark.parametrize("value", [PLAIN, TOKEN])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_secret_is_masked(spelling: str, value: str) -> None:
    secrets = Secrets()
    secrets.add(value)
    echoed = f"you sent {SPELLINGS[spelling](value)} today"
    for text in (secrets.scrub(echoed), secrets.scrub_bytes(echoed.encode()).decode()):
        assert found(value, text) == []
        assert MASK in text
        assert text.startswith("you sent ")
        assert text.endswith(" today")
    assert secrets.tell(echoed)


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=12, max_size=60),
    st.binary(max_size=9),
)
def test_base64_of_a_secret_is_masked_wherever_it_stands(value: str, before: bytes) -> None:
    secrets = Secrets()
    secrets.add(value)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert MASK in secrets.scrub(encode(before + value.strip().encode() + b"!").decode())


@given(st.text(min_size=0, max_size=80))
def test_any_text_can_be_a_secret_and_any_text_can_be_scrubbed(value: str) -> None:
    secrets = Secrets()
    secrets.add(value)
    assert secrets.scrub(value) != value or not value.strip()
    assert secrets.scrub_bytes(value.encode("utf-8", "replace")) is not None


def test_short_values_are_masked_where_they_stand_alone_and_only_in_what_we_say() -> None:
    secrets = Secrets()
    for value in ("", "   ", "sync", "123", "12345", "p@ss"):
        secrets.add(value)
    said = "resync of 12345, not 123456: user=sync:p@ss refused; async 0123"
    assert secrets.scrub(said) == "resync of ***, not 123456: user=***:*** refused; async 0123"
    assert secrets.tell("refused: sync")
    assert not secrets.tell("resync of   jobs")
    assert secrets.scrub_bytes(said.encode()) == said.encode()


def test_pasted_white_space_does_not_hide_a_secret_from_us() -> None:
    secrets = Secrets()
    secrets.add(f"  {PLAIN}\n")
    assert found(PLAIN, secrets.scrub(f"token {PLAIN}")) == []


def test_each_line_of_a_private_key_is_masked() -> None:
    lines = ["MIIEvQIBADANBgkqhkiG9w0B", "AQEFAASCBKcwggSjAgEAAoIB"]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])
    secrets = Secrets()
    secrets.add(key)
    assert [secrets.scrub(f"bad line: {line}") for line in lines] == [f"bad line: {MASK}"] * 2
    assert MASK in secrets.scrub(json.dumps(key))


def test_bought_tokens_are_forgotten_in_time_and_lasting_secrets_never() -> None:
    secrets = Secrets()
    secrets.add(PLAIN)
    for number in range(500):
        secrets.add(f"bought-token-{number:06}", passing=True)
    assert secrets.scrub(PLAIN) == MASK
    assert secrets.scrub("bought-token-000499") == MASK
    assert secrets.scrub("bought-token-000000") == "bought-token-000000"


def test_the_longest_spelling_is_masked_first() -> None:
    secrets = Secrets()
    secrets.add("secret-one")
    secrets.add("secret-one-and-more")
    assert secrets.scrub("secret-one-and-more") == MASK


def test_nothing_that_holds_a_secret_shows_it() -> None:
    secrets = Secrets()
    login = FixedToken(SecretStr(PLAIN), secrets)
    way = doors(Script(ok()), secrets=secrets)
    holders = [secrets, login, way, way.open(BASE, login=login, pace=Pace()), TokenAnswer(access_token=PLAIN)]
    assert not any(found(PLAIN, f"{holder!r} {holder}") for holder in holders)


# ── through the door ────────────────────────────────────────────────────────────────────────────────────────


class _Shape(BaseModel):
    jobs: list[int]


SHAPE = TypeAdapter(_Shape)


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All loggers of this process at DEBUG, those of the HTTP library named one by one."""
    for name in (
        "",
        "httpx2",
        "httpcore2",
        "httpcore2.http11",
        "httpcore2.connection",
        "asyncio",
        "dogwatch",
    ):
        caplog.set_level(logging.DEBUG, logger=name or None)
    return caplog


def words_of(error: BaseException) -> str:
    return "\n".join([*texts(error), *traceback.format_exception(error)])


def caught(work: Callable[[], Awaitable[Answer]]) -> DogwatchError:
    async def attempt() -> Answer:
        return await work()

    with pytest.raises(DogwatchError) as raised:
        asyncio.run(attempt())
    return raised.value


@pytest.mark.parametrize("code", [400, 401, 403, 404, 429, 500, 302, 418])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_error_that_echoes_the_token_does_not_tell_it(
    spelling: str, code: int, everything_logged: pytest.LogCaptureFixture
) -> None:
    echo = SPELLINGS[spelling](PLAIN)
    answer = httpx2.Response(
        code,
        content=json.dumps({"message": f"{'x' * 225} {echo}"}).encode(),
        headers={"retry-after": echo, "location": f"https://x.example/?t={PLAIN}", "www-authenticate": echo},
    )
    secrets = Secrets()
    http = door(Script(answer), login=FixedToken(SecretStr(PLAIN), secrets), secrets=secrets)
    error = caught(lambda: http.get("jobs"))
    assert found(PLAIN, words_of(error)) == []
    assert found(PLAIN, everything_logged.text) == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_good_answer_that_echoes_the_token_is_scrubbed(spelling: str) -> None:
    echo = SPELLINGS[spelling](PLAIN)
    body = json.dumps({"jobs": echo, echo: [1]})
    answer = httpx2.Response(200, content=body.encode(), headers={"x-echo": echo, "x-other": "kept"})
    secrets = Secrets()
    http = door(Script(answer), login=FixedToken(SecretStr(PLAIN), secrets), secrets=secrets)

    async def call() -> Answer:
        return await http.get("jobs")

    got = asyncio.run(call())
    assert found(PLAIN, got.content.decode()) == []
    assert found(PLAIN, str(got.headers) + repr(got) + got.headers["x-echo"]) == []
    assert got.headers["X-Other"] == "kept"
    with pytest.raises(UnexpectedAnswer) as raised:
        got.parse(SHAPE)
    assert found(PLAIN, words_of(raised.value)) == []


@pytest.mark.parametrize(
    "error",
    [
        httpx2.LocalProtocolError(f"Illegal header value b'Bearer {PLAIN}'"),
        httpx2.InvalidURL(f"bad https://x/{PLAIN}"),
        httpx2.ReadError(f"while sending {PLAIN}"),
        httpx2.ConnectError(PLAIN),
        httpx2.ReadTimeout(quote(PLAIN)),
        UnicodeEncodeError("ascii", f"Bearer {PLAIN}", 7, 8, "no"),
        OSError(5, PLAIN),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_foreign_error_that_tells_the_token_is_not_chained(error: Exception) -> None:
    secrets = Secrets()
    http = door(Script(error), login=FixedToken(SecretStr(PLAIN), secrets), secrets=secrets)
    failure = caught(lambda: http.get("jobs"))
    assert found(PLAIN, words_of(failure)) == []
    assert failure.__cause__ is None
    assert failure.__context__ is None


def test_a_foreign_error_whose_cause_tells_the_token_is_not_chained() -> None:
    def respond(request: httpx2.Request) -> httpx2.Response:
        try:
            raise ValueError(request.headers["authorization"])
        except ValueError as cause:
            raise httpx2.ReadError("harmless itself") from cause

    secrets = Secrets()
    http = door(respond, login=FixedToken(SecretStr(PLAIN), secrets), secrets=secrets)
    assert found(PLAIN, words_of(caught(lambda: http.get("jobs")))) == []


@pytest.mark.parametrize("flaw", ["\n", "\r\nX-Evil: 1", "\x00", "é", " and more", "\ud800", "\u2028"])
def test_a_token_that_no_header_can_carry_is_the_users_to_fix(flaw: str) -> None:
    value = PLAIN[:12] + flaw + PLAIN[12:]
    with pytest.raises(SettingsError) as raised:
        FixedToken(SecretStr(value), Secrets())
    assert "copy it again" in raised.value.hint
    assert found(PLAIN, words_of(raised.value)) == []


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_an_empty_token_is_the_users_to_fix(value: str) -> None:
    with pytest.raises(SettingsError):
        FixedToken(SecretStr(value), Secrets())


def test_a_pasted_line_break_after_the_token_is_forgiven() -> None:
    script, secrets = Script(ok()), Secrets()
    http = door(script, login=FixedToken(SecretStr(f" {PLAIN}\n"), secrets), secrets=secrets)

    async def call() -> None:
        await http.get("jobs")

    asyncio.run(call())
    assert script.requests[0].headers["authorization"] == f"Bearer {PLAIN}"


class _RudeLogin:
    """A login of somebody else's making, whose header cannot be sent."""

    async def headers(self, http: Http) -> dict[str, str]:
        return {"Authorization": f"Bearer {PLAIN}é\n"}

    def forget(self, used: object) -> bool:
        return False


def test_a_header_that_cannot_be_sent_is_told_without_it() -> None:
    error = caught(lambda: door(Script(ok()), login=_RudeLogin()).get("jobs"))
    assert isinstance(error, AuthError)
    assert found(PLAIN, words_of(error)) == []


SECRET = "client-secret-Zq8+w/41=="


def shop(answer: httpx2.Response | Exception, secrets: Secrets, kind: str = "form") -> tuple[Http, Script]:
    """A door whose login buys a token, nothing told to ``secrets`` beforehand."""
    script = Script(answer)

    async def buy(http: Http) -> Answer:
        if kind == "basic":
            return await http.exchange("token", form={"grant_type": "x"}, basic=("id", SECRET))
        if kind == "json":
            return await http.exchange("token", json={"client_id": "id", "client_secret": SECRET})
        if kind == "bearer":
            return await http.exchange("token", method="GET", headers={"Authorization": f"Bearer {SECRET}"})
        if kind == "assertion":
            return await http.exchange("token", form={"subject_token": SECRET, "client_assertion": "z" * 30})
        return await http.exchange("token", form={"client_id": "id", "client_secret": SECRET})

    login = TokenLogin(buy, clock=JumpingClock(), secrets=secrets)
    return door(script, login=login, secrets=secrets), script


@pytest.mark.parametrize("kind", ["form", "json", "basic", "bearer", "assertion"])
@pytest.mark.parametrize("code", [200, 302, 400, 401, 403, 404, 429, 500])
def test_a_token_endpoint_that_echoes_the_credentials_does_not_tell_them(
    code: int, kind: str, everything_logged: pytest.LogCaptureFixture
) -> None:
    basic = base64.b64encode(f"id:{SECRET}".encode()).decode()
    said = f"{'x' * 215} {SECRET} {quote(SECRET, safe='')} {basic}"
    answer = httpx2.Response(
        code, content=json.dumps({"error_description": said, "access_token": {"a": SECRET}})
    )
    http, _ = shop(answer, Secrets(), kind)
    error = caught(lambda: http.get("jobs"))
    assert found(SECRET, words_of(error)) == []
    assert found(SECRET, everything_logged.text) == []


@pytest.mark.parametrize(
    "body", [{"access_token": f"{PLAIN}\r\nX: 1"}, {"access_token": PLAIN + "é"}, {"token": PLAIN}]
)
def test_a_bought_token_that_no_header_can_carry_is_not_told(body: dict[str, str]) -> None:
    http, script = shop(ok(body), Secrets())
    error = caught(lambda: http.get("jobs"))
    assert isinstance(error, UnexpectedAnswer)
    assert found(PLAIN, words_of(error)) == []
    assert len(script.requests) == 1


def test_a_bought_token_is_hidden_from_then_on() -> None:
    answers = [ok({"access_token": PLAIN, "expires_in": 900}), status(400, {"message": f"bad {PLAIN}"})]
    secrets = Secrets()
    script = Script(*answers)

    async def buy(http: Http) -> Answer:
        return await http.exchange("token", form={"client_secret": SECRET})

    http = door(script, login=TokenLogin(buy, clock=JumpingClock(), secrets=secrets), secrets=secrets)
    assert str(caught(lambda: http.get("jobs"))) == f"GET /api/jobs answered 400: bad {MASK}"


def test_the_token_endpoint_must_be_as_safe_as_the_platform() -> None:
    async def buy(http: Http) -> Answer:
        return await http.exchange("http://login.example/token", form={"client_secret": SECRET})

    secrets, script = Secrets(), Script(ok())
    http = door(script, login=TokenLogin(buy, clock=JumpingClock(), secrets=secrets), secrets=secrets)
    assert isinstance(caught(lambda: http.get("jobs")), SettingsError)
    assert not script.requests


def test_nothing_of_a_real_exchange_is_logged(everything_logged: pytest.LogCaptureFixture) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        assert PLAIN.encode() in request
        echo = b"X-Echo: %s\r\nSet-Cookie: t=%s\r\n" % (PLAIN.encode(), PLAIN.encode())
        writer.write(b"HTTP/1.1 200 OK\r\n" + echo + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()

    async def both() -> None:
        async with raw_server(handle) as base:
            way = Doors(JumpingClock(), rng=random.Random(7))
            http = way.open(base, login=FixedToken(SecretStr(PLAIN), way.secrets), pace=Pace())
            await http.get("jobs", {"cursor": PLAIN})
            await http.aclose()

    asyncio.run(both())
    assert found(PLAIN, everything_logged.text) == []
