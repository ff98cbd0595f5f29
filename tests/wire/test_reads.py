"""The door on a scripted platform: what is retried, what is not, and what comes out in the end."""

import asyncio
import json
from datetime import UTC, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from pydantic import BaseModel, TypeAdapter

from dogwatch import __version__
from dogwatch.errors import (
    AuthError,
    ConnectorError,
    RateLimited,
    SettingsError,
    UnexpectedAnswer,
    Unreachable,
)
from dogwatch.wire.http import RETRIED, Pace
from support.clock import NOON, JumpingClock
from support.door import BASE, Script, door, doors, ok, status, texts


class _Count(BaseModel):
    count: int


COUNT = TypeAdapter(_Count)


run = asyncio.run


def test_a_good_answer_is_read_once() -> None:
    script = Script(ok({"count": 3}))
    http = door(script)
    assert run(http.get("jobs", {"limit": 100, "ids": ["a", "b"]})).parse(COUNT).count == 3
    (request,) = script.requests
    assert str(request.url) == f"{BASE}/jobs?limit=100&ids=a&ids=b"
    assert request.headers["user-agent"] == f"dogwatch/{__version__}"
    assert http.requests == 1


@pytest.mark.parametrize("code", sorted(RETRIED))
def test_passing_trouble_is_retried_until_it_has_passed(code: int) -> None:
    script, clock = Script(status(code), status(code), ok({"count": 1})), JumpingClock()
    assert run(door(script, clock=clock).get("jobs")).status == 200
    assert len(script.requests) == 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize("code", sorted(RETRIED - {429}))
def test_lasting_trouble_of_the_platform_is_unreachable(code: int) -> None:
    script = Script(status(code, {"message": "down for repairs"}))
    with pytest.raises(Unreachable, match=f"GET /api/jobs answered {code}: down for repairs") as caught:
        run(door(script).get("jobs"))
    assert caught.value.status == code
    assert caught.value.transient
    assert len(script.requests) == 5


@pytest.mark.parametrize("code", [501, 505, 520, 599])
def test_other_server_errors_are_unreachable_at_once(code: int) -> None:
    script = Script(status(code))
    with pytest.raises(Unreachable):
        run(door(script).get("jobs"))
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [(400, UnexpectedAnswer, ""), (401, AuthError, "revoked"), (403, AuthError, "permission")]
    + [(code, UnexpectedAnswer, "") for code in (402, 404, 405, 409, 410, 415, 418, 422, 451)],
)
def test_a_refusal_is_told_at_once(code: int, kind: type[ConnectorError], word: str) -> None:
    script = Script(status(code, {"message": "no"}))
    with pytest.raises(kind, match=f"answered {code}: no") as caught:
        run(door(script).get("jobs"))
    assert caught.value.status == code
    assert word in caught.value.hint
    assert len(script.requests) == 1


@pytest.mark.parametrize("code", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    script = Script(status(code, location="https://elsewhere.example/login"))
    with pytest.raises(UnexpectedAnswer) as caught:
        run(door(script).get("jobs"))
    assert "redirects" in caught.value.hint
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "location",
    ["http://[::1", "https://a:b:c/", "//", "\x01", "http://" + "a" * 70_000, "%", "mailto:x", "é"],
)
def test_a_redirect_to_nonsense_is_still_our_error(location: str) -> None:
    answer = httpx2.Response(302, headers=[(b"location", location.encode("latin-1"))])
    with pytest.raises(ConnectorError):
        run(door(Script(answer), pace=Pace(per_second=0, tries=1)).get("jobs"))


def test_a_read_by_post_is_retried_with_its_body() -> None:
    script = Script(status(503), ok({"count": 1}))
    run(door(script).ask("jobs/list", {"page": 2}, {"v": "1"}))
    assert [json.loads(request.content) for request in script.requests] == [{"page": 2}] * 2
    assert {request.method for request in script.requests} == {"POST"}
    assert {request.url.query for request in script.requests} == {b"v=1"}


@pytest.mark.parametrize(
    "trouble", [status(503), status(429), httpx2.ReadTimeout("x"), httpx2.RemoteProtocolError("x")]
)
def test_a_write_is_never_repeated(trouble: httpx2.Response | Exception) -> None:
    script = Script(trouble)
    with pytest.raises(ConnectorError):
        run(door(script).send("jobs/run", {"id": 1}))
    assert len(script.requests) == 1


def test_a_write_goes_out_with_its_key_and_body() -> None:
    script = Script(ok({"count": 1}))
    run(door(script).send("jobs/run", {"id": 1}, headers={"Idempotency-Key": "k-1"}))
    assert script.requests[0].headers["idempotency-key"] == "k-1"
    assert json.loads(script.requests[0].content) == {"id": 1}


def test_retries_back_off_exponentially_with_full_jitter() -> None:
    clock = JumpingClock()
    with pytest.raises(Unreachable):
        run(door(Script(status(500)), clock=clock).get("jobs"))
    assert all(0 <= wait <= 0.5 * 2**number for number, wait in enumerate(clock.slept))
    assert len(set(clock.slept)) == 4


def test_retry_after_in_seconds_is_honoured() -> None:
    clock = JumpingClock()
    run(door(Script(status(429, retry_after="17"), ok()), clock=clock).get("jobs"))
    assert clock.slept[0] == pytest.approx(17.1, abs=0.2)


def test_retry_after_as_a_date_is_honoured() -> None:
    clock = JumpingClock()
    until = format_datetime(NOON + timedelta(seconds=23), usegmt=True)
    run(door(Script(status(503, retry_after=until), ok()), clock=clock).get("jobs"))
    assert clock.slept[0] == pytest.approx(23.1, abs=0.2)


def test_retry_after_as_a_date_is_read_by_the_platforms_own_clock() -> None:
    clock, platform = JumpingClock(), NOON + timedelta(hours=5)
    answer = status(
        429,
        retry_after=format_datetime(platform + timedelta(seconds=9), usegmt=True),
        date=format_datetime(platform, usegmt=True),
    )
    run(door(Script(answer, ok()), clock=clock).get("jobs"))
    assert clock.slept[0] == pytest.approx(9.1, abs=0.2)


def test_the_longest_wait_may_be_asked_for_exactly() -> None:
    clock = JumpingClock()
    run(door(Script(status(429, retry_after="60"), ok()), clock=clock).get("jobs"))
    assert clock.slept[0] == 60.0


def test_a_platform_that_asks_for_more_than_we_wait_gets_its_wish_at_once() -> None:
    script, clock = Script(status(429, {"message": "slow down"}, retry_after="3600")), JumpingClock()
    with pytest.raises(RateLimited, match="429: slow down") as caught:
        run(door(script, clock=clock).get("jobs"))
    assert caught.value.retry_after == 3600
    assert not clock.slept
    assert len(script.requests) == 1


def test_an_unexplained_429_waits_longer_each_time() -> None:
    clock = JumpingClock()
    with pytest.raises(RateLimited) as caught:
        run(door(Script(status(429)), clock=clock, pace=Pace(per_second=0, unhinted_429=10)).get("jobs"))
    assert caught.value.retry_after is None
    waits = [wait for wait in clock.slept if wait]
    assert waits == sorted(waits)
    assert 10 <= waits[0] <= 12.5
    assert max(waits) <= 60
    assert sum(waits) <= 120


@pytest.mark.parametrize("value", ["soon", "-5", "²", "1e9", "", "99999999999999999999", "\xff\xfe", "1, 2"])
def test_a_senseless_retry_after_is_no_reason_to_fail(value: str) -> None:
    answer = httpx2.Response(429, headers=[(b"retry-after", value.encode("latin-1"))])
    assert run(door(Script(answer, ok())).get("jobs")).status == 200


def test_one_call_has_one_patience() -> None:
    script, clock = Script(status(503, retry_after="50")), JumpingClock()
    with pytest.raises(Unreachable):
        run(door(script, clock=clock).get("jobs"))
    assert sum(clock.slept) <= 120
    assert len(script.requests) == 3


def test_a_429_quiets_the_whole_door() -> None:
    clock = JumpingClock()
    starts: list[float] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        starts.append((clock.now() - NOON).total_seconds())
        return status(429, retry_after="20") if len(starts) == 1 else ok()

    async def two_calls() -> None:
        http = door(respond, clock=clock, pace=Pace(per_second=0, concurrency=1))
        await asyncio.gather(http.get("a"), http.get("b"))

    run(two_calls())
    assert starts[0] == 0
    assert all(start >= 20 for start in starts[1:])


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx2.ConnectError("x"), Unreachable, "cannot connect to platform.example"),
        (httpx2.ConnectTimeout("x"), Unreachable, "cannot connect to platform.example"),
        (httpx2.ReadTimeout("x"), Unreachable, "GET /api/jobs: no answer within 30 s"),
        (httpx2.WriteTimeout("x"), Unreachable, "no answer"),
        (httpx2.PoolTimeout("x"), Unreachable, "no answer"),
        (httpx2.ReadError("x"), Unreachable, "cut off"),
        (httpx2.WriteError("x"), Unreachable, "cut off"),
        (httpx2.CloseError("x"), Unreachable, "cut off"),
        (httpx2.LocalProtocolError("x"), Unreachable, "cut off"),
        (httpx2.RemoteProtocolError("x"), Unreachable, "cut off"),
        (httpx2.ProtocolError("x"), Unreachable, "cut off"),
        (httpx2.ProxyError("x"), Unreachable, "proxy"),
        (httpx2.UnsupportedProtocol("x"), Unreachable, "cut off"),
        (httpx2.TooManyRedirects("x"), Unreachable, "cut off"),
        (httpx2.DecodingError("x"), UnexpectedAnswer, "cannot be decompressed"),
        (httpx2.InvalidURL("x"), Unreachable, "cut off"),
        (httpx2.StreamError("x"), Unreachable, "cut off"),
        (ConnectionResetError("x"), Unreachable, "cut off"),
        (TimeoutError("x"), Unreachable, "not done within 120 s"),
        (UnicodeError("x"), Unreachable, "cut off"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_foreign_error_becomes_ours(error: Exception, kind: type[ConnectorError], words: str) -> None:
    script = Script(error)
    with pytest.raises(kind, match=words) as caught:
        run(door(script).get("jobs"))
    assert len(script.requests) == (5 if kind is Unreachable else 1)
    assert caught.value.hint or kind is UnexpectedAnswer
    assert caught.value.__cause__ is error


def test_no_exception_class_of_the_library_is_forgotten() -> None:
    library = {
        value
        for name in httpx2.__all__
        if isinstance(value := getattr(httpx2, name), type) and issubclass(value, Exception)
    }
    ours = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)
    others = {kind.__name__ for kind in library if not issubclass(kind, ours)}
    # Cookies are never looked up by name; the rest are warnings and errors of features not used.
    assert others <= {"CookieConflict", "HTTPXDeprecationWarning", "SSEError"}


def test_trouble_that_passes_in_between_is_forgotten() -> None:
    script = Script(
        httpx2.ReadError("x"), status(502), httpx2.ReadTimeout("x"), status(429), ok({"count": 2})
    )
    assert run(door(script).get("jobs")).parse(COUNT).count == 2


@pytest.mark.parametrize(
    ("body", "words", "hint"),
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "a web page instead of JSON", "login page"),
        (b"  <html>", "a web page instead of JSON", "proxy"),
        (b"<?xml version='1.0'?><error/>", "a web page instead of JSON", "URL"),
        (b"", "an empty body", "try again"),
        (b" \n ", "an empty body", "try again"),
        (b'{"count": 1', "Invalid JSON", "API"),
        (b'{"count": "many"}', "count: Input should be a valid integer", "API"),
        (b'{"size": 1}', "count: Field required", "API"),
        (b"[]", "Input should be an object", "API"),
        (b"null", "Input should be an object", "API"),
        (b"\xff\xfe", "Invalid JSON", "API"),
        (b"[" * 100_000, "Invalid JSON", "API"),
        (b'{"count": ' + b"9" * 5_000 + b"}", "number out of range", "API"),
    ],
)
def test_an_answer_of_the_wrong_shape_is_told_without_its_content(body: bytes, words: str, hint: str) -> None:
    answer = run(door(Script(httpx2.Response(200, content=body))).get("jobs"))
    with pytest.raises(UnexpectedAnswer, match=words) as caught:
        answer.parse(COUNT)
    assert caught.value.message.startswith("GET /api/jobs answered")
    assert hint in caught.value.hint
    assert not any("many" in text for text in texts(caught.value))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "path",
    [
        "https://elsewhere.example/api/jobs",
        "http://platform.example/api/jobs",
        "https://platform.example:8443/api/jobs",
        "https://platform.example.evil.example/api/jobs",
        "https://user:pass@platform.example/api/jobs",
        "https://@elsewhere.example/",
        "https://platform.example@elsewhere.example/api/jobs",
        "https://[::1/api",
        "https://" + "a" * 70_000,
        "ftp://platform.example/api/jobs",
        "https:///jobs",
        "javascript://platform.example/%0a",
        "\x00://platform.example/",
        "jobs/../../../admin",
        "jobs/%2e%2e/%2e%2e/admin",
        "jobs/\x07\n",
        "jobs/" + "a" * 70_000,
    ],
)
def test_a_link_that_leads_elsewhere_is_not_followed(path: str) -> None:
    script = Script(ok())
    with pytest.raises(UnexpectedAnswer):
        run(door(script).get(path))
    assert not script.requests


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("jobs", "/api/jobs"),
        ("/jobs", "/api/jobs"),
        ("//elsewhere.example/jobs", "/api/elsewhere.example/jobs"),
        ("https://platform.example/api/jobs?page=2", "/api/jobs?page=2"),
        ("https://PLATFORM.example:443/other", "/other"),
        ("jobs/a%2Fb", "/api/jobs/a%2Fb"),
        ("jobs?cursor=https://x/..", "/api/jobs?cursor=https://x/.."),
        ("", "/api/"),
    ],
)
def test_a_link_on_the_same_host_is_followed(path: str, asked: str) -> None:
    script = Script(ok())
    run(door(script).get(path))
    assert script.requests[0].url.raw_path.decode() == asked
    assert script.requests[0].url.host == "platform.example"


@pytest.mark.parametrize(
    "base",
    [
        "",
        "platform.example",
        "ftp://platform.example",
        "https://",
        "https://user:hunter22@platform.example",
        "https://user:hunt/er22@platform.example",
        "https://platform.example/?token=hunter22",
        "https://platform.example/#hunter22",
        "https://[::1",
        "https://a..b",
        "https://" + "a" * 64 + ".example",
        "https://platform.example:99999999",
        "https://pla\ntform.example",
    ],
)
def test_an_unusable_url_is_the_users_to_fix_and_tells_no_password(base: str) -> None:
    with pytest.raises(SettingsError) as caught:
        door(Script(ok()), base=base)
    assert "https://host" in caught.value.hint
    assert not any("hunt" in text or "er22" in text for text in texts(caught.value))


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTPS_PROXY", "http://user:hunter22@[::1"), ("ALL_PROXY", "gopher://user:hunter22@proxy.example")],
)
def test_an_unusable_proxy_is_the_users_to_fix(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    way = doors(Script(ok()))
    way.transport = None
    with pytest.raises(SettingsError, match="way out") as caught:
        way.open(BASE, login=None, pace=Pace())
    assert "HTTPS_PROXY" in caught.value.hint
    assert not any("hunter22" in text for text in texts(caught.value))


def test_an_unusable_certificate_file_is_the_users_to_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    way = doors(Script(ok()))
    way.transport = None
    with pytest.raises(SettingsError, match="way out") as caught:
        way.open(BASE, login=None, pace=Pace())
    assert "SSL_CERT_FILE" in caught.value.hint


def test_cookies_are_neither_kept_nor_sent() -> None:
    answers = [
        httpx2.Response(200, headers=[(b"set-cookie", value)])
        for value in (
            b"sid=1; Domain=platform.example",
            b"a=b; expires=nonsense; \x80",
            b"=;;;=",
            b"x" * 9_000,
        )
    ]
    script = Script(*answers)

    async def calls() -> None:
        http = door(script)
        for _ in range(6):
            await http.get("jobs")

    run(calls())
    assert not any("cookie" in request.headers for request in script.requests)


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Tue, 99 Foo 2026 99:99:99 GMT", "\xff", "Mon, 1 Jan 0000"]
)
def test_a_senseless_date_header_tells_no_skew(date: str) -> None:
    answer = httpx2.Response(200, headers=[(b"date", date.encode("latin-1"))])

    async def call() -> timedelta | None:
        http = door(Script(answer))
        await http.get("jobs")
        return http.skew

    assert run(call()) is None


def test_the_skew_of_the_platforms_clock_is_noted() -> None:
    ahead = format_datetime((NOON + timedelta(hours=2)).astimezone(UTC), usegmt=True)

    async def call() -> timedelta | None:
        http = door(Script(ok(None, date=ahead)))
        await http.get("jobs")
        return http.skew

    assert run(call()) == timedelta(hours=2)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "the first"}, "message": "second"}', ": the first"),
        (b'{"detail": "no such job"}', ": no such job"),
        (b'{"error_description": "bad client"}', ": bad client"),
        (b'{"title": "state-conflict"}', ": state-conflict"),
        (b'{"error": "invalid_client"}', ": invalid_client"),
        (b'{"message": {"deep": 1}}', ""),
        (b'{"message": ""}', ""),
        (b"[1, 2]", ""),
        (b"plain words\nover lines", ": plain words over lines"),
        (b"<html>sorry</html>", ""),
        (b"", ""),
        (b"[" * 100_000, ": " + "[" * 239 + "…"),
        (b'{"message": "' + b"x" * 300_000 + b'"}', ""),
        (b'{"message": "\\u001b[31mred\\u202e\\u0007 \\ud800"}', ": [31mred"),
    ],
)
def test_what_the_platform_complains_of_is_told_in_one_safe_line(body: bytes, said: str) -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        run(door(Script(httpx2.Response(400, content=body))).get("jobs"))
    assert caught.value.message == f"GET /api/jobs answered 400{said}"
    caught.value.message.encode("utf-8")


def test_a_path_made_of_hostile_ids_is_told_in_one_safe_line() -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        run(door(Script(status(400))).get("jobs/%1b%5b31m%0a%e2%80%ae" + "x" * 900))
    assert "\n" not in caught.value.message
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 300


def test_a_closed_door_leaves_a_borrowed_way_out_open() -> None:
    closed: list[bool] = []

    class Way(httpx2.MockTransport):
        async def aclose(self) -> None:
            closed.append(True)

    async def life() -> None:
        way = doors(Script(ok()))
        way.transport = Way(Script(ok()))
        first, second = (way.open(BASE, login=None, pace=Pace()) for _ in range(2))
        await first.get("jobs")
        await first.aclose()
        await second.get("jobs")

    run(life())
    assert not closed
