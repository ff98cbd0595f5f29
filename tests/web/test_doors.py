"""Who gets in, what for, and what somebody might try."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from dogwatch.model import ActionState
from dogwatch.model.door import Scope
from dogwatch.web.api import OPERATIONS, ROOT
from dogwatch.web.app import FORMS, PAGES
from dogwatch.web.caller import ALL
from dogwatch.web.door import inward
from support.site import HOSTILE, Desk, fill

READ, APPROVE, ADMIN = Scope.read, Scope.approve, Scope.admin


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as opened:
        yield opened


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Desk]:
    """A site that is reached from elsewhere."""
    with Desk(tmp_path, beyond=True) as opened:
        yield opened


OPEN = {"/static/{name}", "/enter", "/sign-in", "/zone", "/healthz", "/api/v1/openapi.json"}
OWN_DOOR = {"/hooks/{hook}", "/hooks/{hook}/{key}"}


def test_beyond_this_machine_nothing_is_told_without_a_token(far: Desk) -> None:
    visitor = far.client(address="10.0.0.7", host="dog.example")
    local = far.client(host="127.0.0.1")
    app = far.asgi._app  # type: ignore[attr-defined]  # all routes there are
    told = []
    for route in app.routes:
        assert isinstance(route, Route)
        if route.path in OPEN | OWN_DOOR:
            continue
        path = re.sub(r"{\w+(:path)?}", "1", route.path)
        for method in route.methods or set():
            for somebody in (visitor, local):
                answer = somebody.ask(method, path)
                if not (
                    answer.status_code == 401 or answer.headers.get("location", "").startswith("/sign-in")
                ):
                    told.append((method, path, answer.status_code))
    assert told == []


def test_on_this_machine_anybody_may_look_and_nobody_may_change(desk: Desk) -> None:
    action = fill(desk)
    visitor = desk.client()
    assert visitor.get("/").status_code == 200
    assert "INC-1" in visitor.get("/").text
    assert "<button" not in visitor.get("/incidents/INC-1").text
    for path in (f"/actions/{action.id}/approve", "/incidents/INC-1/ack", "/halt"):
        assert visitor.submit(path, digest=action.digest).status_code == 403
    assert visitor.ask("POST", f"/api/v1/actions/{action.id}/approve", json={}).status_code == 403
    assert desk.client(address="10.0.0.7").get("/api/v1/incidents").status_code == 401
    forwarded = visitor.get("/api/v1/incidents", **{"x-forwarded-for": "10.0.0.7"})
    assert forwarded.status_code == 401


def test_another_name_does_not_lead_here(desk: Desk) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "x", "dog.example"):
        for path in (
            "/",
            "/api/v1/incidents",
            "/sign-in",
            "/static/dogwatch.css",
            "/enter?ticket=x",
            "/live",
        ):
            assert desk.client(host=host).get(path).status_code == 421


def test_a_token_opens_what_its_scopes_say_and_nothing_else(desk: Desk) -> None:
    action = fill(desk)
    tries: dict[Scope, tuple[str, str, dict[str, Any]]] = {
        READ: ("GET", "/api/v1/incidents", {}),
        APPROVE: ("POST", f"/api/v1/actions/{action.id}/reject", {"json": {}}),
        ADMIN: ("POST", "/api/v1/halt", {"json": {}}),
    }
    for scope in ALL:
        program = desk.bearer(scope)
        for needed, (method, path, more) in tries.items():
            expected = 200 if needed is scope else 403
            assert program.ask(method, path, **more).status_code == expected, (scope, needed)


def test_a_token_is_kept_as_a_hash_and_ends_when_it_is_revoked_or_over(desk: Desk) -> None:
    text = desk.token(READ, lasts=timedelta(days=1))
    bare = Path(desk.app.settings.store).read_bytes()
    wal = Path(desk.app.settings.store + "-wal")
    assert text.encode() not in bare + (wal.read_bytes() if wal.exists() else b"")
    assert text.rpartition("_")[2].encode() not in bare
    program = desk.client(authorization=f"Bearer {text}")
    assert program.get("/api/v1/incidents").status_code == 200
    desk.clock.move(timedelta(days=1))
    assert program.get("/api/v1/incidents").status_code == 401
    lasting = desk.client(authorization=f"Bearer {desk.token(READ)}")
    (id_,) = [one.id for one in desk.does(desk.app.doorkeeper().tokens()).tokens if one.expires_at is None]
    desk.does(desk.app.doorkeeper().revoke(id_, "user:bert"))
    assert lasting.get("/api/v1/incidents").status_code == 401


def test_what_is_no_token_opens_nothing_not_even_here(desk: Desk) -> None:
    forged = f"Bearer dw_00000000_{'a' * 43}"
    for said in ("Bearer", "Bearer x", "Basic YTpi", forged, "Bearer " + "x" * 9000):
        answer = desk.client(authorization=said).get("/api/v1/incidents")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_signing_in_gives_a_new_session_and_ends_the_one_that_was_brought(far: Desk) -> None:
    browser = far.client(address="10.0.0.7", host="dog.example")
    token = far.token(READ, APPROVE)
    browser.cookies["__Host-dogwatch"] = "planted-by-somebody-else"
    assert browser.submit("/sign-in", token=token).status_code == 303
    first = browser.cookies["__Host-dogwatch"]
    assert first != "planted-by-somebody-else"
    assert browser.submit("/sign-in", token=token).status_code == 303
    assert browser.cookies["__Host-dogwatch"] != first
    thief = far.client(address="10.0.0.8", host="dog.example")
    thief.cookies["__Host-dogwatch"] = first
    assert thief.get("/api/v1/incidents").status_code == 401
    (cookie,) = [one for one in browser.set if one.startswith("__Host-dogwatch=")]
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))


def test_a_session_ends_with_its_token_with_time_and_with_signing_out(far: Desk) -> None:
    for end in ("out", "revoked", "time"):
        browser = far.client(address="10.0.0.7", host="dog.example")
        browser.submit("/sign-in", token=far.token(*ALL))
        cookie = browser.cookies["__Host-dogwatch"]
        if end == "out":
            assert browser.submit("/sign-out", csrf=browser.csrf()).status_code == 303
        elif end == "revoked":
            newest = far.does(far.app.doorkeeper().tokens()).tokens
            for token in newest:
                if token.revoked_at is None:
                    far.does(far.app.doorkeeper().revoke(token.id, "user:bert"))
        else:
            far.clock.move(timedelta(hours=12))
        browser.cookies = {"__Host-dogwatch": cookie}
        assert browser.get("/api/v1/incidents").status_code == 401, end


def test_the_link_opens_one_session_once_and_soon(desk: Desk) -> None:
    assert desk.site.ticket is not None
    link = f"/enter?ticket={desk.site.ticket.text}"
    assert desk.client().get("/enter?ticket=guess").status_code == 403
    assert desk.client().get(link).status_code == 303
    assert desk.client().get(link).status_code == 403
    late = desk.browser()
    assert late.get("/settings").text.count("Sign out") == 1
    desk.site.ticket = type(desk.site.ticket)(desk.clock.now())
    desk.clock.move(timedelta(minutes=15))
    assert desk.client().get(f"/enter?ticket={desk.site.ticket.text}").status_code == 403


@pytest.mark.parametrize("verb", ["approve", "ack", "halt"])
def test_no_change_without_the_forms_own_token_or_from_elsewhere(desk: Desk, verb: str) -> None:
    action = fill(desk)
    paths = {"approve": f"/actions/{action.id}/reject", "ack": "/incidents/INC-1/ack", "halt": "/halt"}
    path, browser, fields = paths[verb], desk.browser(), {"digest": action.digest}
    good, own = browser.csrf(), {"origin": "http://127.0.0.1"}
    for answer in (
        browser.submit(path, **fields),
        browser.submit(path, csrf="0" * 64, **fields),
        browser.submit(path, csrf=desk.browser().csrf(), **fields),
        browser.submit(path, csrf=good, origin="http://evil.example", **fields),
        browser.submit(path, csrf=good, origin="null", **fields),
        browser.ask("POST", path, data={"csrf": good, **fields}, headers={"sec-fetch-site": "cross-site"}),
        browser.ask("POST", path, data={"csrf": good, **fields}),
        browser.ask("POST", path, json={"csrf": good, **fields}, headers=own),
    ):
        assert answer.status_code == 403
    assert browser.ask("GET", path).status_code in (404, 405)
    assert desk.does(desk.app.actions(everything=True)).actions[0].state is ActionState.waiting
    assert desk.does(desk.app.incident(1)).incident.acknowledged_by is None
    assert browser.submit(path, csrf=good, **fields).status_code == 303


def test_a_decision_by_the_page_is_bound_to_what_was_seen_and_on_record(desk: Desk) -> None:
    action = fill(desk)
    browser = desk.browser()
    csrf = browser.csrf()
    other = "0" * 16
    assert browser.submit(f"/actions/{action.id}/reject", csrf=csrf).status_code == 400
    assert browser.submit(f"/actions/{action.id}/reject", csrf=csrf, digest=other).status_code == 409
    done = browser.submit(f"/actions/{action.id}/reject", csrf=csrf, digest=action.digest)
    assert done.headers["location"] == f"/incidents/INC-1#action-{action.id}"
    assert browser.submit(f"/actions/{action.id}/reject", csrf=csrf, digest=action.digest).status_code == 409
    trail = desk.does(desk.app.audit(action.id)).events
    decided = [(one.kind, one.actor, one.detail.get("via")) for one in trail if "via" in one.detail]
    assert decided == [
        ("consent.refused", "user:anna", "the page"),
        ("action.rejected", "user:anna", "the page"),
        ("consent.refused", "user:anna", "the page"),
    ]


def test_the_policy_files_people_hold_for_the_page_too(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("people: {bert: {}}\n", encoding="utf-8")
    with Desk(tmp_path) as desk:
        action = fill(desk)
        browser = desk.browser()
        answer = browser.submit(f"/actions/{action.id}/approve", csrf=browser.csrf(), digest=action.digest)
        assert answer.status_code == 409
        assert "is not named under people" in answer.text


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/incidents/INC-1", "/incidents/INC-1"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/%0d%0aset-cookie:x=1", "/%0d%0aset-cookie:x=1"),
        ("/\r\nx: y", "/"),
    ],
)
def test_nobody_is_led_elsewhere(desk: Desk, asked: str, led: str) -> None:
    assert inward(asked) == led
    answer = desk.client().submit("/sign-in", token=desk.token(READ), next=asked)
    assert (answer.status_code, answer.headers["location"]) == (303, led)


OUTWARD = (
    "/static/../app.py",
    "/static/..%2f..%2fapp.py",
    "/static/%2e%2e/settings/model.py",
    "/static//etc/passwd",
    "/static/dogwatch.css/../../x",
    "/static/icon.svg%00.css",
    "/incidents/..%2f..%2fetc%2fpasswd",
    "/jobs/..%2f..%2f/etc/passwd",
    "/findings/..%2fx",
    "/jobs/a%00b/c",
)


def test_no_path_leads_out(desk: Desk) -> None:
    for path in OUTWARD:
        answer = desk.client().get(path)
        assert answer.status_code == 404, path
        assert "root:" not in answer.text


def test_guessing_tells_nothing(far: Desk) -> None:
    """Who is nobody hears the same of what is there and of what is not; what is random is long."""
    fill(far)
    nobody = far.client(address="10.0.0.7", host="dog.example")
    there, absent = (nobody.get(f"/api/v1/incidents/{number}") for number in (1, 2))
    assert (there.status_code, there.text) == (absent.status_code, absent.text)
    tokens = {far.token(READ) for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token.rpartition("_")[2]) >= 40 or len(token) >= 50 for token in tokens)


def test_every_call_and_page_needs_its_own_scope_and_no_other_opens_it(desk: Desk) -> None:
    """What is there and what is not sounds the same to a token that may not ask."""
    fill(desk)
    told = []
    wanted = [(one.method, ROOT + one.path, one.scope) for one in OPERATIONS]
    wanted += [("GET", path, READ) for path in PAGES]
    wanted += [("POST", path, scope) for path, (scope, _) in FORMS.items()]
    for scope in ALL:
        others = desk.bearer(*(one for one in ALL if one is not scope))
        for method, path, needed in wanted:
            if needed is not scope:
                continue
            for name in ("1", "99"):
                answer = others.ask(method, re.sub(r"{\w+(:path)?}", name, path))
                if answer.status_code != 403 or f"the scope {scope.value}" not in answer.text:
                    told.append((method, path, answer.status_code))
    assert told == []


def test_who_changes_too_much_is_stopped_and_may_still_look(tmp_path: Path) -> None:
    with Desk(tmp_path, loose=False) as desk:
        fill(desk)
        browser = desk.browser()
        csrf, path = browser.csrf(), "/incidents/INC-1/note"
        answers = [browser.submit(path, csrf=csrf, text="x").status_code for _ in range(22)]
        assert answers == [303] * 20 + [429] * 2
        assert browser.get("/incidents/INC-1").status_code == 200


def test_too_many_requests_are_told_when_to_come_again(tmp_path: Path) -> None:
    with Desk(tmp_path, loose=False) as desk:
        visitor = desk.client()
        answers = [visitor.submit("/sign-in", token="dw_nothing").status_code for _ in range(12)]
        assert answers == [403] * 10 + [429] * 2
        desk.clock.move(timedelta(minutes=1))
        assert visitor.submit("/sign-in", token="dw_nothing").status_code == 403
        program = desk.bearer(READ)
        answers = [program.get("/api/v1/audit/verify").status_code for _ in range(242)]
        assert answers[-1] == 429
        assert int(program.get("/api/v1/audit/verify").headers["retry-after"]) >= 1


def test_every_answer_has_its_headers_and_every_page_is_without_script_of_its_own(desk: Desk) -> None:
    fill(desk, HOSTILE)
    visitor = desk.browser()
    paths = [
        re.sub("{(.+):path}", r"{\1}", path).format(
            incident="INC-1", instance="airbyte", job_id="orders", fingerprint="0", chapter="web.md"
        )
        for path in PAGES
        if path != "/live"
    ]
    for path in [
        *paths,
        "/search?q=script",
        "/sign-in",
        "/nothing",
        "/api/v1/incidents",
        "/static/dogwatch.js",
    ]:
        answer = visitor.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        if answer.headers["content-type"].startswith("text/html"):
            assert not re.search(
                r"<script(?! src=\"/static/dogwatch\.js)|\son\w+=\"|\sstyle=|<style", answer.text
            )
            for shown in ("<script>alert", "<img src=x", "<svg/onload", "\u202e", 'href="javascript:'):
                assert shown not in answer.text, (path, shown)
            assert answer.headers["cache-control"] in ("private, no-cache", "no-store")


def test_a_body_that_is_too_large_is_not_read(desk: Desk) -> None:
    program = desk.bearer(APPROVE, READ)
    assert program.ask("POST", "/api/v1/incidents/1/note", content=b"x" * 70_000).status_code == 413


def test_settings_show_no_secret_and_no_login_in_an_address(tmp_path: Path) -> None:
    config = (
        "timezone: UTC\nconnectors:\n  airbyte:\n    url: http://127.0.0.1:9/api\n"
        "  snowflake:\n    account: A-B\n    user: DOG\n    warehouse: W\n    database: D\n"
    )
    (tmp_path / ".env").write_text("DOGWATCH_SNOWFLAKE_ACCESS_TOKEN=hush-hush\n", encoding="utf-8")
    with Desk(tmp_path, config=config) as desk:
        text = desk.browser().get("/settings").text
    assert "hush-hush" not in text
    assert "access_token" in text
    assert "http://127.0.0.1:9/api" in text
