"""Requests of several workers to one platform: never more at once, and no faster, than its connector allows
itself, whoever makes them; and nobody waits long for those that are gone."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dogwatch.app import Dogwatch
from dogwatch.errors import Unreachable
from dogwatch.lab.serve import Lab
from dogwatch.lab.twin import Twin
from dogwatch.settings import load
from dogwatch.store import open_store, turns
from dogwatch.store.turns import SharedTurns
from dogwatch.wire.clock import SystemClock
from dogwatch.wire.http import Doors, Http, Pace
from dogwatch.wire.pace import hurried
from support.estates import shop, world
from support.postgres import Postgres
from support.serve import served

pytestmark = pytest.mark.real
CLOCK = SystemClock()


@dataclass
class Platform:
    """Takes its time for each answer, and counts who is with it."""

    takes: float = 0.05
    now: int = 0
    most: int = 0
    began: list[float] = field(default_factory=list[float])

    async def answer(self, request: Request) -> JSONResponse:
        self.now += 1
        self.most = max(self.most, self.now)
        self.began.append(time.monotonic())
        await asyncio.sleep(self.takes)
        self.now -= 1
        if request.url.path == "/busy" and len(self.began) == 1:
            return JSONResponse({}, 429, {"Retry-After": "2"})
        return JSONResponse({})

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{rest:path}", self.answer, methods=["GET", "POST"])])


@asynccontextmanager
async def worker(url: str) -> AsyncGenerator[SharedTurns]:
    """What one process has of them."""
    store = open_store(url)
    made = store.shared_turns(random.Random(1))
    assert made is not None
    try:
        yield made
    finally:
        await made.aclose()
        store.close()


def door(shared: SharedTurns, url: str, pace: Pace) -> Http:
    return Doors(CLOCK, shared=shared.of).of("airbyte").open(url, login=None, pace=pace)


def together(
    url: str, platform: Platform, pace: Pace, work: Callable[[list[Http]], Awaitable[None]], workers: int = 2
) -> None:
    """So many workers, each with a door to the platform."""

    async def life(base: str) -> None:
        async with AsyncExitStack() as stack, asyncio.timeout(60):
            doors = [door(await stack.enter_async_context(worker(url)), base, pace) for _ in range(workers)]
            for one in doors:
                stack.push_async_callback(one.aclose)
            await work(doors)

    with served(platform.app()) as base:
        asyncio.run(life(base))
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT * FROM dogwatch.turns").fetchall() == []


async def read(http: Http, pages: int) -> None:
    await asyncio.gather(*(http.get(f"pages/{number}") for number in range(pages)))


def test_of_two_workers_together_no_more_requests_are_under_way_than_of_one(postgres: Postgres) -> None:
    platform = Platform()

    async def work(doors: list[Http]) -> None:
        await asyncio.gather(*(read(one, 20) for one in doors))

    together(postgres.fresh(), platform, Pace(per_second=0, concurrency=3), work)
    assert len(platform.began) == 40
    assert platform.most == 3


def test_two_workers_together_start_no_more_requests_a_second_than_one(postgres: Postgres) -> None:
    platform = Platform(takes=0.0)

    async def work(doors: list[Http]) -> None:
        await asyncio.gather(*(read(one, 15) for one in doors))

    together(postgres.fresh(), platform, Pace(per_second=25, concurrency=4), work)
    took = max(platform.began) - min(platform.began)
    assert took >= 29 / 25 - 0.1  # a request on its way may be late, and the next one not


def test_an_action_does_not_wait_until_a_long_reading_is_over(postgres: Postgres) -> None:
    platform = Platform(takes=0.1)
    waited: list[float] = []

    async def work(doors: list[Http]) -> None:
        reading = asyncio.ensure_future(read(doors[0], 30))
        while len(platform.began) < 4:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        with hurried():
            await doors[1].send("jobs", {})
        waited.append(time.monotonic() - began)
        assert not reading.done()
        assert len(platform.began) < 20
        await reading

    together(postgres.fresh(), platform, Pace(per_second=0, concurrency=2), work)
    assert waited[0] < 2.0
    assert platform.most == 2


def test_who_is_told_to_slow_down_speaks_for_all_workers(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "HURRIED", 0.2)
    platform = Platform(takes=0.0)

    async def work(doors: list[Http]) -> None:
        first = asyncio.ensure_future(doors[0].get("busy"))
        while not platform.began:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        with hurried(), pytest.raises(Unreachable, match="wants nobody to ask for") as caught:
            await doors[1].send("jobs", {})
        assert not caught.value.asked
        await asyncio.gather(first, doors[1].get("second"))

    together(postgres.fresh(), platform, Pace(per_second=0), work)
    assert platform.began[1] - platform.began[0] >= 1.9


def test_the_places_of_who_is_gone_are_free_again_and_what_waits_too_long_is_not_asked(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "TTL", 1.5)
    monkeypatch.setattr(turns, "_BEAT", 60.0)  # as of somebody who is stopped
    monkeypatch.setattr(turns, "HURRIED", 0.3)
    url, pace = postgres.fresh(), Pace(per_second=0, concurrency=1)

    async def life() -> None:
        async with worker(url) as stopped, worker(url) as other:
            _, late = await stopped.of("airbyte").take(pace, CLOCK, hurried=False)
            with pytest.raises(Unreachable, match="was not asked") as caught:
                await other.of("airbyte").take(pace, CLOCK, hurried=True)
            assert not caught.value.asked
            began = time.monotonic()
            _, back = await other.of("airbyte").take(pace, CLOCK, hurried=False)
            assert time.monotonic() - began < 2.5
            late()  # it comes back, and takes nothing from whoever has the place now
            with pytest.raises(Unreachable):
                await other.of("airbyte").take(pace, CLOCK, hurried=True)
            back()

    asyncio.run(life())


class Counted:
    """A twin that counts who is with it."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self.now, self.most = Counter[bool](), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._twin, name)

    def app(self) -> ASGIApp:
        inner = self._twin.app()

        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            older = scope["path"].startswith("/api/v1/")  # of Airbyte's two interfaces: a door of its own
            self.now[older] += 1
            self.most = max(self.most, self.now[older])
            await asyncio.sleep(0.03)
            try:
                await inner(scope, receive, send)
            finally:
                self.now[older] -= 1

        return counting


def test_a_round_and_whoever_else_asks_the_same_platforms_take_turns(
    tmp_path: Path, postgres: Postgres
) -> None:
    lab = Lab(world(shop(tmp_path)))
    counted = {name: Counted(twin) for name, twin in lab.twins.items()}
    lab.twins = cast("dict[str, Twin]", counted)
    url, pace = postgres.fresh(), Pace(per_second=0, concurrency=1)
    with lab.serve() as urls:
        config = lab.write_config(tmp_path, urls, history_days=1)
        settings = load(config, {"DOGWATCH_STORE": url}, tmp_path)

        async def life() -> list[bool]:
            async with Dogwatch(settings, pace=pace) as one, Dogwatch(settings, pace=pace) as other:
                checking = asyncio.ensure_future(one.check())
                told = []
                while not checking.done():
                    told += [found.ok for found in await other.doctor()]
                assert (await checking).blind == []
                return told

        assert all(asyncio.run(life()))
    assert {name: one.most for name, one in counted.items()} == dict.fromkeys(counted, 1)
    with psycopg.connect(url) as connection:
        asked = connection.execute("SELECT platform FROM dogwatch.paces").fetchall()
    assert {row[0].partition(" ")[0] for row in asked} == set(settings.connectors)
