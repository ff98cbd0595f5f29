"""The queue of a team on a real PostgreSQL, and workers in this process."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from dogwatch.app import Dogwatch
from dogwatch.engine import jobs
from dogwatch.engine.house import House
from dogwatch.engine.jobs import Jobs, Todo
from dogwatch.engine.team import Worker
from dogwatch.errors import SettingsError, StoreError
from dogwatch.lab.serve import Lab
from dogwatch.settings import Settings, load
from dogwatch.wire.bucket import AT_ONCE
from dogwatch.wire.http import Pace
from support.estates import Stopped, shop, world
from support.postgres import Postgres

pytestmark = pytest.mark.real
BEAT, STALE = 0.2, 1.0
PATIENCE = 10.0
"""Seconds after which workers are taken for dead where none is to be."""


class StandingClock(Stopped):
    """Sleeping takes real time, and the clock does not show it."""

    async def sleep(self, seconds: float) -> None:
        """Let others do something."""
        await asyncio.sleep(min(seconds, 0.05))


async def with_queue(
    url: str, do: jobs.Do, work: Callable[[Jobs], Awaitable[None]], workers: int = 1
) -> None:
    async with jobs.opened(url, "", do, room=8) as queue:
        working = [asyncio.ensure_future(queue.work(f"w{n}", 4, BEAT, STALE)) for n in range(workers)]
        try:
            await asyncio.wait_for(work(queue), 30)
        finally:
            for one in working:
                one.cancel()
            for one in working:
                with suppress(asyncio.CancelledError):
                    await one


def test_of_a_platform_one_step_at_a_time_is_done_whoever_works(postgres: Postgres) -> None:
    under_way, most = Counter[str](), Counter[str]()
    done: list[Todo] = []
    todo = [(number, "read", name) for number in range(4) for name in ("airbyte", "databricks")]

    async def do(step: Todo) -> None:
        under_way.update([step[2], "all"])
        for name in (step[2], "all"):
            most[name] = max(most[name], under_way[name])
        await asyncio.sleep(0.1)
        under_way.subtract([step[2], "all"])
        done.append(step)

    async def work(queue: Jobs) -> None:
        for one in todo:
            await queue.put(one)
        while len(done) < len(todo):
            await asyncio.sleep(0.05)

    asyncio.run(with_queue(postgres.fresh(), do, work, workers=3))
    assert sorted(done) == sorted(todo)
    assert (most["airbyte"], most["databricks"], most["all"]) == (1, 1, 2)


def test_of_a_log_each_worker_mines_one_share_at_a_time_and_all_together_as_many_as_it_allows(
    postgres: Postgres,
) -> None:
    under_way, most, done = Counter[int](), Counter[str](), Counter[int]()
    todo = [(1, "mine", f"a/b/{number}") for number in range(3 * AT_ONCE)]
    same = [(1, "mine", f"c/{AT_ONCE * number}") for number in range(3)]

    def doing(worker: int) -> jobs.Do:
        async def do(step: Todo) -> None:
            under_way.update([worker, -1] if step in todo else [worker])
            most["worker"] = max(most["worker"], under_way[worker])
            most["all"] = max(most["all"], under_way[-1])
            await asyncio.sleep(0.1)
            under_way.subtract([worker, -1] if step in todo else [worker])
            done[worker] += 1

        return do

    async def life(url: str) -> None:
        async with AsyncExitStack() as stack:
            queues = [
                await stack.enter_async_context(jobs.opened(url, "", doing(n), room=4)) for n in range(3)
            ]
            for one in todo + same:
                await queues[0].put(one)
            working = [asyncio.ensure_future(one.work("w", 4, BEAT, PATIENCE)) for one in queues]
            async with asyncio.timeout(30):
                while done.total() < len(todo + same):
                    await asyncio.sleep(0.02)
            for running in working:
                running.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    asyncio.run(life(postgres.fresh()))
    assert (most["worker"], most["all"]) == (1, 3)
    assert all(done[worker] for worker in range(3))


def test_what_waits_already_is_not_put_again(postgres: Postgres) -> None:
    async def life() -> None:
        async with jobs.opened(postgres.fresh(), "", lambda step: asyncio.sleep(0)) as queue:
            for _ in range(3):
                await queue.put((0, jobs.BEGIN, ""))
            await queue.put((1, "follow", ""), wait=60)
            assert await queue.known() == {"0 begin ", "1 follow "}

    asyncio.run(life())


def test_work_of_a_worker_that_fell_silent_is_done_by_another(postgres: Postgres) -> None:
    url, done = postgres.fresh(), asyncio.Event()

    async def do(step: Todo) -> None:
        done.set()

    async def work(queue: Jobs) -> None:
        await queue.put((1, "conclude", ""))
        await done.wait()

    async def life() -> None:
        async with jobs.opened(url, "", do) as queue:
            await queue.put((7, "conclude", ""))
            with psycopg.connect(url, autocommit=True) as connection:  # as somebody left it who died
                schema = connection.execute(
                    "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'dogwatch_jobs_%'"
                ).fetchone()
                assert schema is not None
                connection.execute(f"SET search_path TO {schema[0]}".encode())
                connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
            assert await queue.take_over(STALE) == 1
            assert await queue.take_over(STALE) == 0
        await with_queue(url, do, work)

    asyncio.run(life())


def test_an_error_of_the_server_is_one_of_the_store(postgres: Postgres) -> None:
    async def life() -> None:
        async with jobs.opened(postgres.url("missing"), "", lambda step: asyncio.sleep(0)):
            pass

    with pytest.raises(StoreError, match="does not exist"):
        asyncio.run(life())


def test_an_error_that_nobody_expected_ends_a_worker(tmp_path: Path, postgres: Postgres) -> None:
    lab = Lab(world(shop(tmp_path)))
    with lab.serve() as urls:
        config = lab.write_config(tmp_path, urls, history_days=1)
    settings = load(config, {}, config.parent).model_copy(update={"store": postgres.fresh()})
    clock = StandingClock(lab.world.clock.now())
    house = House(
        lambda: settings,
        lambda found: Dogwatch(found, clock=clock),
        clock,
        lambda event, /, **fields: None,
        poll=0.05,
    )

    async def life() -> None:
        await asyncio.wait_for(Worker(house, "a", -1).run(settings), 30)  # no such number of steps at a time

    with pytest.raises(ValueError, match="Semaphore"):
        asyncio.run(life())


@pytest.mark.slow
def test_two_workers_make_one_round_and_take_over_a_new_configuration(
    tmp_path: Path, postgres: Postgres
) -> None:
    lab = Lab(world(shop(tmp_path)))
    with lab.serve() as urls:
        heard = _heard_of_two(lab, lab.write_config(tmp_path, urls, history_days=1), postgres.fresh())
    assert heard.count("round begins") == 1
    assert heard.count("worker ends") == 2
    for name in lab.twins:
        assert heard.count(f"step read {name}") == 1


def _heard_of_two(lab: Lab, config: Path, url: str) -> list[str]:
    """What two workers say until one of them has another configuration."""
    lines = [line for line in config.read_text().splitlines() if not line.startswith("store:")]
    config.write_text("\n".join([*lines, f"store: {url}", ""]))
    clock = StandingClock(lab.world.clock.now())
    settings = load(config, {}, config.parent)
    heard: list[str] = []
    alone = settings.model_copy(update={"store": str(config.parent / "alone.db")})
    fresh: list[Settings | SettingsError] = [
        SettingsError("dogwatch.yaml: wrong", "correct it"),
        settings,
        alone,
    ]

    def say(event: str, /, **fields: object) -> None:
        if fields.get("outcome") != "over":  # put again by who looked just before it was done
            heard.append(f"{event} {fields.get('step', '')}".strip())

    def reread() -> Settings:
        found = fresh.pop(0)
        if isinstance(found, SettingsError):
            raise found
        return found.model_copy(update={"history_days": 2})

    def opened(found: Settings) -> Dogwatch:
        return Dogwatch(found, clock=clock, pace=Pace(per_second=0), rng=random.Random(1))

    house = House(reread, opened, clock, say, poll=0.05)

    async def until(told: str, times: int = 1) -> None:
        while heard.count(told) < times:
            await asyncio.sleep(0.05)

    async def life() -> None:
        workers = [Worker(house, name, 2, beat=BEAT, stale=PATIENCE) for name in ("a", "b")]
        running = [asyncio.ensure_future(one.run(settings)) for one in workers]
        async with asyncio.timeout(60):
            await until("step follow")
            workers[0].reload.set()
            await until("configuration refused")
            workers[0].reload.set()
            await until("worker begins", times=3)
            workers[0].reload.set()  # it can be read, and no worker can work with it
            await until("configuration refused", times=2)
            await until("worker begins", times=4)
            for one in workers:
                one.stopping.set()
            await asyncio.gather(*running)

    asyncio.run(life())
    return heard
