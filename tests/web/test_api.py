"""The API: one shape of errors, cursors, entity tags, the document."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from openapi_spec_validator import validate

from dogwatch.model import IncidentState, Turn, TurnKind
from dogwatch.model.door import Scope
from dogwatch.store.incidents import Casebook
from dogwatch.web.api import OPERATIONS
from dogwatch.web.openapi import document
from support.clock import NOON
from support.letters import incident
from support.site import Desk, Visitor, a_job, a_run, fill

ROOT = "/api/v1"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as opened:
        yield opened


def test_the_document_is_valid_and_names_every_operation_once() -> None:
    validate(document())
    names = [operation.name for operation in OPERATIONS]
    assert len(names) == len(set(names))
    for path in document()["paths"].values():
        for told in path.values():
            assert told["summary"]
            assert {"400", "401", "403", "429"} <= told["responses"].keys()


def pages(visitor: Visitor, path: str) -> list[dict[str, Any]]:
    """All pages, by their Link headers."""
    found, most = [], 50
    while path and most:
        answer = visitor.get(path)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        link = answer.headers.get("link", "")
        path, most = link.partition("<")[2].partition(">")[0], most - 1
    return found


def test_cursors_give_everything_once(desk: Desk) -> None:
    fill(desk)
    job = a_job("airbyte/many", "Many")
    with desk.store() as store:
        for number in range(2, 9):
            one = incident(number, state=IncidentState.resolved, resolved_at=NOON)
            turn = Turn(number=number, version=1, at=NOON, actor="rules", kind=TurnKind.opened, was=None,
                        state=one.state, why="it failed")  # fmt: skip
            store.save_incidents(Casebook([one], [turn]))
        store.save_jobs("airbyte", [job, a_job()], NOON + timedelta(seconds=1))
        store.record([a_run(job, 1, native_run_id=str(n), uid=f"{n:036}") for n in range(7)])
    visitor = desk.client()
    cases = [
        one for page in pages(visitor, f"{ROOT}/incidents?all=true&limit=3") for one in page["incidents"]
    ]
    numbers = [one["number"] for one in cases]
    assert sorted(numbers) == list(range(1, 9))
    uids = [one["uid"] for page in pages(visitor, f"{ROOT}/runs?limit=4") for one in page["runs"]]
    assert len(uids) == len(set(uids)) == 18
    events = [one["seq"] for page in pages(visitor, f"{ROOT}/audit?limit=3") for one in page["events"]]
    assert events == list(range(1, len(events) + 1))
    assert len(events) >= 9
    jobs = [one["job_id"] for page in pages(visitor, f"{ROOT}/jobs?limit=1") for one in page["jobs"]]
    assert jobs == ["many", "orders"]
    assert len(visitor.get(f"{ROOT}/jobs/airbyte/many").json()["runs"]) == 7


def test_what_the_client_has_is_not_sent_again(desk: Desk) -> None:
    fill(desk)
    visitor = desk.client()
    for path in (f"{ROOT}/incidents", f"{ROOT}/incidents/INC-1", f"{ROOT}/actions", "/", "/incidents/INC-1"):
        tag = visitor.get(path).headers["etag"]
        desk.clock.move(timedelta(milliseconds=10))
        again = visitor.get(path, **{"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b""), path
    browser = desk.browser()
    tag = browser.get(f"{ROOT}/incidents/INC-1").headers["etag"]
    browser.submit("/incidents/INC-1/ack", csrf=browser.csrf())
    assert browser.get(f"{ROOT}/incidents/INC-1", **{"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/incidents/99", 404),
        ("/incidents/x", 404),
        ("/incidents/INC-1/postmortem?x=1", 400),
        ("/incidents?limit=0", 400),
        ("/incidents?limit=five", 400),
        ("/incidents?limit=1&limit=2", 400),
        ("/incidents?state=broken", 400),
        ("/incidents?since=yesterday", 400),
        ("/incidents?since=2026-03-03T10:00:00", 400),
        ("/runs?cursor=x", 400),
        ("/jobs/airbyte/nothing", 404),
        ("/findings/abcdef", 404),
        ("/findings/xyz", 404),
        ("/graph?of=nothing", 404),
        ("/incidents?platform=nix", 404),
        ("/runs?platform=nix", 404),
        ("/jobs?platform=nix", 404),
        ("/search", 400),
        ("/doctor", 403),
        ("/nothing", 404),
    ],
)
def test_errors_have_one_shape(tmp_path_factory: pytest.TempPathFactory, path: str, status: int) -> None:
    visitor = _filled(tmp_path_factory).client()
    answer = visitor.get(ROOT + path)
    assert answer.status_code == status
    assert answer.json()["error"].keys() == {"code", "message", "hint"}
    assert answer.json()["error"]["message"]


_KEPT: list[Desk] = []


def _filled(factory: pytest.TempPathFactory) -> Desk:
    """One desk for many questions."""
    if not _KEPT:
        desk = Desk(factory.mktemp("filled"))
        _KEPT.append(desk.__enter__())
        fill(desk)
    return _KEPT[0]


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    """The shared desk is closed at the end."""
    yield
    for desk in _KEPT:
        desk.__exit__()
    _KEPT.clear()


def test_a_program_decides_as_a_person_does(desk: Desk) -> None:
    action = fill(desk)
    program = desk.bearer(Scope.read, Scope.approve, Scope.admin)

    def post(path: str, **body: Any) -> tuple[int, Any]:
        answer = program.ask("POST", ROOT + path, json=body)
        return answer.status_code, answer.json()

    assert post("/incidents/INC-1/ack")[1]["acknowledged_by"] == "anna"
    assert post("/incidents/1/mute", until="2026-03-03T20:00:00Z", why="known")[1]["muted_by"] == "anna"
    assert post("/incidents/1/unmute")[1]["muted"] == ""
    assert post("/incidents/1/note", text="the password was changed")[0] == 200
    assert post("/incidents/1/note")[0] == 400
    assert post("/incidents/1/note", text="x", more=1)[0] == 400
    assert post("/incidents/99/ack")[0] == 404
    assert post("/incidents/1/reopen")[0] == 409
    assert post(f"/actions/{action.id}/reject", digest="0" * 16)[0] == 409
    assert post(f"/actions/{action.id}/reject", digest=action.digest)[1]["state"] == "rejected"
    assert post("/actions/0000000000-9/approve")[0] == 404
    assert post("/halt")[1] == {"halted": True}
    assert program.get(f"{ROOT}/actions").json()["halted_by"] == "anna"
    assert post("/halt", off=True)[1] == {"halted": False}
    wrong = program.ask("POST", f"{ROOT}/halt", content=b"{", headers={"content-type": "application/json"})
    assert wrong.status_code == 400
    text = program.ask("POST", f"{ROOT}/halt", content=b"x", headers={"content-type": "text/plain"})
    assert text.status_code == 415


def test_the_paths_of_links_stay_on_this_site(desk: Desk) -> None:
    fill(desk)
    link = desk.client().get(f"{ROOT}/runs?limit=1&job=%3Cscript%3E%22").headers.get("link", "")
    assert "<script>" not in link
    assert urlsplit(link.partition("<")[2].partition(">")[0]).netloc == ""


def test_a_page_that_nothing_renews_says_when_nobody_looks_any_more(desk: Desk) -> None:
    fill(desk)
    visitor = desk.client()
    assert "1 incident open." in visitor.get("/").text
    desk.clock.move(timedelta(days=2))
    assert "nobody knows now" in visitor.get("/").text
    assert visitor.get(f"{ROOT}/tonight").json()["stale_since"]
