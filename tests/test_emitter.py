"""An OpenLineage server is told of every run once, whatever happens to it or to us in between."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from dogwatch.app import CheckReport, Dogwatch, RunFilter
from dogwatch.emitter import Emitter
from dogwatch.hub.lineage import OpenLineageSettings
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.serve import Lab
from dogwatch.model import Run, Status
from dogwatch.model.lineage import LineageView
from dogwatch.settings import load
from dogwatch.store import Store, StoreThread, open_store
from support.cast import a_run
from support.clock import NOON, JumpingClock
from support.crash_story import ROUNDS, story
from support.door import doors

SPEC = Path(__file__).parent / ".." / ".." / "shared" / "specs" / "openlineage" / "OpenLineage.json"
SETTINGS = OpenLineageSettings(url="https://marquez.example")

Answer = Callable[[int, dict[str, Any]], int]


class Server:
    """Takes events, as far as the test lets it."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.asked = 0
        self.answer: Answer = lambda number, event: 201

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """One event."""
        assert (request.method, request.url.path) == ("POST", "/api/v1/lineage")
        event = json.loads(request.content)
        self.asked += 1
        status = self.answer(self.asked, event)
        if status < 300:
            self.taken.append(event)
        return httpx2.Response(status)

    @property
    def known(self) -> Counter[tuple[str, str]]:
        """By run and type, how many events there are that differ in their time."""
        told: set[tuple[str, str, str]] = {
            (one["run"]["runId"], one["eventType"], one["eventTime"]) for one in self.taken
        }
        return Counter((run, kind) for run, kind, _ in told)


class House:
    """A store that rounds write into, and an emitter for each of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.server = Server()
        self.clock = JumpingClock()

    def round(self, *runs: Run, settings: OpenLineageSettings = SETTINGS) -> LineageView:
        """Something is learned of runs; then the server is told."""

        async def once() -> LineageView:
            async with AsyncExitStack() as stack:
                way = doors(self.server, clock=self.clock)
                emitter = Emitter(settings, way, self.store, thread, stack)
                now = self.clock.now()
                number = self.store.start_round(now)
                self.store.record(runs)
                self.store.end_round(
                    number,
                    now,
                    ended_at=now,
                    exit_code=0,
                    body={},
                    findings=(),
                    evidence=(),
                    feeds=emitter.feeds,
                )
                return await emitter.sync("me", random.Random(1))

        thread = StoreThread()
        try:
            return asyncio.run(once())
        finally:
            thread.close()
            self.clock.move(timedelta(minutes=15))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    store = open_store(tmp_path / "dogwatch.db")
    yield House(store)
    store.close()


def some(count: int, status: Status = Status.success, **changes: Any) -> list[Run]:
    return [a_run(number, status, **changes) for number in range(1, count + 1)]


def test_every_run_is_told_by_valid_events(house: House) -> None:
    if not SPEC.exists():
        pytest.skip("OpenLineage's schema is not beside this checkout")
    runs = [*some(60), *(a_run(100 + at, status) for at, status in enumerate(Status))]
    view = house.round(*runs)
    judge = Draft202012Validator(
        json.loads(SPEC.read_text(encoding="utf-8")), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    for event in house.server.taken:
        judge.validate(event)
    assert {event["run"]["runId"] for event in house.server.taken} >= {run.uid for run in runs[:60]}
    assert (view.waiting, view.refused, view.reason) == (0, 0, "")
    assert view.place == "https://marquez.example/api/v1/lineage"


def test_what_was_told_is_not_told_again_and_what_changes_is(house: House) -> None:
    began = NOON - timedelta(minutes=20)
    going = a_run(1, Status.running, started_at=began, ended_at=None)
    house.round(going)
    assert [event["eventType"] for event in house.server.taken] == ["START"]
    house.round()
    house.round(going)
    assert len(house.server.taken) == 1
    house.round(going.model_copy(update={"status": Status.failed, "ended_at": NOON, "error_message": "no"}))
    assert [event["eventType"] for event in house.server.taken] == ["START", "START", "FAIL"]
    assert house.server.taken[0] == house.server.taken[1]  # the same event to whoever tells them apart


def test_a_server_that_is_down_gets_everything_later(house: House) -> None:
    house.server.answer = lambda number, event: 503
    view = house.round(*some(50))
    assert view.since is not None
    assert view.waiting == 50
    house.round(a_run(99))
    house.server.answer = lambda number, event: 201
    assert house.round().waiting == 0
    assert {event["run"]["runId"] for event in house.server.taken} == {
        run.uid for run in (*some(50), a_run(99))
    }
    assert max(house.server.known.values()) == 1


def test_a_server_that_fails_half_of_the_time_gets_everything_and_the_same(house: House) -> None:
    dice = random.Random(5)
    house.server.answer = lambda number, event: 201 if dice.random() > 0.02 else 500
    house.round(*some(80))
    for _ in range(20):
        house.round()
    runs = {run.uid for run in some(80)}
    assert {event["run"]["runId"] for event in house.server.taken} == runs
    assert len(house.server.known) == 2 * len(runs)


def test_an_event_that_is_refused_holds_nobody_up(house: House) -> None:
    odd = a_run(7).uid
    house.server.answer = lambda number, event: 422 if event["run"]["runId"] == odd else 201
    view = house.round(*some(20))
    assert view.refused == 2
    assert "422" in view.refusal
    assert view.waiting == 0
    assert len({event["run"]["runId"] for event in house.server.taken}) == 19


def test_old_history_is_not_told(house: House) -> None:
    old = NOON - timedelta(days=9)
    house.round(*some(300, started_at=old, ended_at=old + timedelta(minutes=3)), a_run(999))
    assert {event["run"]["runId"] for event in house.server.taken} == {a_run(999).uid}


def test_a_url_of_its_own_path_is_used_as_it_stands_and_a_bad_one_fails_alone(house: House) -> None:
    settings = OpenLineageSettings(url="ftp://nowhere")
    view = house.round(a_run(1), settings=settings)
    assert "openlineage.url is not a usable URL" in view.reason
    assert house.server.asked == 0


class Both(httpx2.AsyncBaseTransport):
    """Leads to the lab, but for the server, which is here."""

    def __init__(self, lab: httpx2.AsyncBaseTransport, server: Server) -> None:
        self._lab = lab
        self._server = server

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "marquez.example":
            return self._server(request)
        return await self._lab.handle_async_request(request)


def test_a_round_tells_the_server_that_dogwatch_yaml_names(tmp_path: Path) -> None:
    clock, server = SimulatedClock(ROUNDS[0]), Server()
    lab = Lab(story(clock, ordinary=False))
    config = lab.write_config(tmp_path)
    config.write_text(config.read_text() + "openlineage: {url: 'https://marquez.example', namespace: shop}\n")
    settings = load(config, {"DOGWATCH_OPENLINEAGE_TOKEN": "t0ken-of-marquez"}, tmp_path)

    async def one_round() -> tuple[CheckReport, set[str]]:
        way = Both(lab.transport(), server)
        async with Dogwatch(settings, clock=clock, transport=way) as app:
            return await app.check(), {run.uid for run in await app.runs(RunFilter(limit=10_000))}

    with asyncio.Runner(loop_factory=LabLoop) as runner:
        report, known = runner.run(one_round())
    assert report.lineage is not None
    assert report.lineage.waiting == 0
    assert {event["run"]["runId"] for event in server.taken} <= known
    assert {event["eventType"] for event in server.taken} >= {"START", "FAIL"}
    assert all(event["job"]["namespace"].startswith("shop/") for event in server.taken)
    assert "t0ken-of-marquez" not in report.model_dump_json()
