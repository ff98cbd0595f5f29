"""A bucket whose objects many mine: counted once, whoever dies, as if one had read all of it."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dogwatch.errors import StoreError, Unreachable
from dogwatch.logshare import begun, mined, shared_out
from dogwatch.logwatch import LogSight, read_logs
from dogwatch.model import Source
from dogwatch.store import Store, StoreThread, open_store
from dogwatch.store.access import StepKey
from dogwatch.store.steps import CONCLUDE, MINE, READ, Plan, StepEnd
from dogwatch.wire.bucket import backlog, unread_logs
from dogwatch.wire.connector import Connector, ConnectorSettings, HasBacklog, LogAsk, LogPart
from dogwatch.wire.http import Doors, Http, Pace
from dogwatch.wire.unread import Backlog, Object
from support.clock import JumpingClock

NOW = datetime(2026, 3, 4, 6, tzinfo=UTC)
SIZE = 2_000
Bodies = dict[str, bytes]


class Bucket(Connector[ConnectorSettings]):
    """A bucket in memory."""

    Settings = ConnectorSettings
    title = "Bucket"
    overlap = timedelta(0)

    def __init__(self, bodies: Bodies, broken: frozenset[str] = frozenset()) -> None:
        super().__init__("logs/a", ConnectorSettings(), Doors(JumpingClock()))
        self.bodies = bodies
        self.broken = broken
        self.read_names: list[str] = []

    @property
    def http(self) -> Http:
        return self.doors.open("http://127.0.0.1:9", login=None, pace=Pace())

    async def check(self) -> str:
        return "objects"

    def logs(self, ask: LogAsk) -> AsyncIterator[LogPart]:
        return unread_logs(self, ask, ask.now, "{log}{yyyy}/{mm}/{dd}/", ("", "other/"))

    async def backlog(self, ask: LogAsk) -> Backlog:
        return await backlog(self, ask, ask.now, "{log}{yyyy}/{mm}/{dd}/", ("", "other/"))

    async def find(self, prefix: str) -> Sequence[Object]:
        return [Object(name, "1", len(body)) for name, body in self.bodies.items() if name.startswith(prefix)]

    async def read(self, one: Object) -> AsyncIterator[bytes]:
        self.read_names.append(one.name)
        body = self.bodies[one.name]
        yield body[: len(body) // 2]
        if one.name in self.broken:
            raise Unreachable("the cable was pulled")
        yield body[len(body) // 2 :]


def bodies(count: int = 40) -> Bodies:
    rng = random.Random(4)
    found: Bodies = {}
    for number in range(count):
        at = NOW - timedelta(hours=50) + timedelta(hours=number)
        said = [
            f"{at + timedelta(minutes=i):%Y-%m-%d %H:%M:%S},000 {level} {name} - {text} {rng.randrange(99)}"
            for i in range(30)
            for level, name, text in [
                rng.choice(
                    [
                        ("INFO", "loader", "rows written"),
                        ("ERROR", "loader", f"table t{number} is not there for user u{number}@example.org"),
                        ("WARNING", "mart", "retrying"),
                    ]
                )
            ]
        ]
        place = "other/" if number % 3 else ""
        found[f"{place}{at:%Y/%m/%d}/{number:02d}.log"] = ("\n".join(said) + "\n").encode()
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "team.db")


class Team:
    """Does steps of rounds on one store, each as somebody of its own."""

    def __init__(self, store: Store, connector: Bucket) -> None:
        self.store = store
        self.connector = connector
        self.sight = LogSight(connector.name)
        self.count = 0

    def begin(self) -> int:
        plan = Plan(f"round {self.store.last_rounds()[0]}", NOW, None)
        number = self.store.begin_steps(plan, self.store.last_rounds()[0], [self.connector.name])
        assert number is not None
        return number

    def taken(self, key: StepKey) -> tuple[Store, Any]:
        self.count += 1
        found = self.store.take_step(key, f"worker {self.count}", NOW)
        assert found is not None
        return self.store.within(found, f"worker {self.count}"), found.body

    async def mine(self, key: StepKey, thread: StoreThread) -> None:
        inner, share = self.taken(key)
        assert isinstance(self.connector, HasBacklog)
        inner.end_step(StepEnd(await mined(self.connector, share, thread, NOW, {})), NOW)

    async def read(self, key: StepKey, thread: StoreThread) -> None:
        inner, _ = self.taken(key)
        ahead, shares = await begun(self.connector, inner, thread, key, NOW, {}, SIZE)
        if shares:
            inner.share_out(shares)
            return
        await read_logs(self.connector, inner, thread, NOW, {}, self.sight, ahead)
        inner.end_step(StepEnd({}), NOW)

    def work(self, rng: random.Random | None = None) -> list[StepKey]:
        """Everything that can be done, in whatever order; what was done."""

        async def life() -> list[StepKey]:
            thread, done = StoreThread(), list[StepKey]()
            try:
                while waiting := [w.key for w in self.store.waiting_steps() if w.key[1] != CONCLUDE]:
                    key = (rng or random).choice(waiting)
                    done.append(key)
                    await (self.read if key[1] == READ else self.mine)(key, thread)
            finally:
                thread.close()
            return done

        return asyncio.run(life())


def alone(folder: Path, connector: Bucket) -> tuple[Store, LogSight]:
    """What one process makes of it."""
    store = open_store(folder / "alone.db")

    async def once() -> LogSight:
        thread, sight = StoreThread(), LogSight(connector.name)
        try:
            await read_logs(connector, store, thread, NOW, {}, sight)
        finally:
            thread.close()
        return sight

    return store, asyncio.run(once())


@pytest.mark.parametrize("seed", range(3))
def test_what_many_mine_in_any_order_is_what_one_would_remember_and_judge(
    tmp_path: Path, store: Store, seed: int
) -> None:
    found = bodies()
    team = Team(store, Bucket(found))
    number = team.begin()
    done = team.work(random.Random(seed))
    assert len([key for key in done if key[1] == MINE]) > 10
    assert [key[1] for key in done if key[1] != MINE] == [READ, READ]
    assert sorted(team.connector.read_names) == sorted(found)
    one, sight = alone(tmp_path, Bucket(found))
    assert store.log_shelf("logs/a") == one.log_shelf("logs/a")
    assert team.sight == sight
    assert [w.key for w in store.waiting_steps()] == [(number, CONCLUDE, "")]


def test_whoever_is_taken_over_counts_nothing_and_what_was_put_together_is_not_put_together_again(
    tmp_path: Path, store: Store
) -> None:
    team = Team(store, Bucket(bodies()))
    number = team.begin()

    async def life() -> None:
        thread = StoreThread()
        await team.read((number, READ, "logs/a"), thread)
        first = (number, MINE, "logs/a/0")
        sleeper, share = team.taken(first)
        told = StepEnd(await mined(team.connector, share, thread, NOW, {}))
        await team.mine(first, thread)
        with pytest.raises(StoreError, match="took over"):
            sleeper.end_step(told, NOW)
        for one in store.waiting_steps():
            await team.mine(one.key, thread)
        dying, _ = team.taken((number, READ, "logs/a"))  # puts together, and dies before it reads on
        await begun(team.connector, dying, thread, (number, READ, "logs/a"), NOW, {}, SIZE)
        thread.close()

    asyncio.run(life())
    counted = store.log_shelf("logs/a").lines
    assert team.work() == [(number, READ, "logs/a")]
    one, _ = alone(tmp_path, Bucket(bodies()))
    assert counted == one.log_shelf("logs/a").lines
    assert store.log_shelf("logs/a") == one.log_shelf("logs/a")


def test_what_a_share_could_not_read_whoever_puts_them_together_cannot_either_and_the_rest_counts(
    tmp_path: Path, store: Store
) -> None:
    found = bodies()
    bad = sorted(found)[len(found) // 2]
    team = Team(store, Bucket(found, frozenset({bad})))
    number = team.begin()
    with pytest.raises(Unreachable):
        team.work()
    assert [w.key for w in store.waiting_steps()] == [(number, READ, "logs/a")]
    assert store.log_shelf("logs/a").lines >= 30 * (len(found) - 20)
    assert store.log_shelf("logs/a").read_until is None
    team.connector.broken = frozenset()
    assert [key[1] for key in team.work()] == [READ]
    one, _ = alone(tmp_path, Bucket(found))
    assert store.log_shelf("logs/a").lines == one.log_shelf("logs/a").lines
    assert store.log_shelf("logs/a").cursor == one.log_shelf("logs/a").cursor


def test_a_share_that_nobody_comes_to_the_end_of_is_read_with_the_rest(store: Store) -> None:
    team = Team(store, Bucket(bodies()))
    number = team.begin()

    async def life() -> None:
        thread = StoreThread()
        await team.read((number, READ, "logs/a"), thread)
        team.taken((number, MINE, "logs/a/3"))[0].end_step(StepEnd(), NOW)
        thread.close()

    asyncio.run(life())
    done = team.work()
    assert done[-1] == (number, READ, "logs/a")
    assert store.log_shelf("logs/a").lines == 30 * 40


def test_a_round_that_is_given_up_in_the_midst_counts_nothing_of_it(store: Store) -> None:
    team = Team(store, Bucket(bodies()))
    number = team.begin()

    async def life() -> None:
        thread = StoreThread()
        await team.read((number, READ, "logs/a"), thread)
        await team.mine((number, MINE, "logs/a/0"), thread)
        thread.close()

    asyncio.run(life())
    store.drop_round(number)
    assert store.waiting_steps() == []
    assert store.share((number, MINE, "logs/a/0")) is None
    team.begin()
    team.work()
    assert store.log_shelf("logs/a").lines == 30 * 40
    store.save_source(Source(instance="logs/a", platform="bucket"))


def test_little_is_not_shared_and_much_is_shared_in_runs_of_about_the_same_size() -> None:
    day = NOW.date()
    few = [(day, Object(f"{n}", "1", 1_000)) for n in range(4)]
    assert shared_out(few, SIZE) == []
    assert shared_out([(day, Object("large", "1", 1 << 40))], SIZE) == []
    many = [(day, Object(f"{n}", "1", 100 + n)) for n in range(100)]
    shares: list[Any] = shared_out(many, SIZE)
    assert [told[1] for share in shares for told in share] == [one.name for _, one in many]
    sizes = [sum(told[3] for told in share) for share in shares]
    assert len(sizes) % 2 == 0
    assert max(sizes) <= SIZE
    assert max(sizes) - min(sizes) <= 2 * 200
    assert len(shared_out([(day, Object(f"{n}", "1", SIZE)) for n in range(900)], SIZE)) == 64
