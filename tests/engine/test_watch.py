"""The watch as a whole, over a small estate on simulated time."""

import asyncio
import itertools
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dogwatch.app import Dogwatch
from dogwatch.errors import SettingsError
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.settings import Settings, load
from dogwatch.store import open_store
from support.estates import NOW
from support.healing import ONE_RUN, Ward
from support.nightshift import HOUR, MINUTE, Night, called, night, played

pytestmark = pytest.mark.slow
QUICK = "watch: {cron: '*/15 * * * *', jitter: 10s, gather: 10s, apart: 2m}\n"


def begun(one: Night) -> list[tuple[datetime, Any]]:
    """When rounds began, and of what."""
    return [(at, told["scope"]) for at, told in one.events("round begins")]


def sql(one: Night, statement: str) -> list[tuple[Any, ...]]:
    """Ask or change the store as somebody else."""
    with closing(sqlite3.connect(Path(one.settings.store), isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def changed(one: Night, statement: str) -> None:
    """The same, where nothing is told back."""
    sql(one, statement)


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """Two hours with a few calls, a file that changes for the worse and for the better, and a flood."""
    one = night(tmp_path_factory.mktemp("night"), 2, QUICK)
    better = one.settings.model_copy(
        update={"watch": one.settings.watch.model_copy(update={"apart": 3 * MINUTE})}
    )
    answers: list[Settings | SettingsError] = [SettingsError("dogwatch.yaml:1: is wrong", "mend it"), better]

    def fresh() -> Settings:
        answer = answers.pop(0)
        if isinstance(answer, SettingsError):
            raise answer
        return answer

    def touch(one: Night) -> None:
        one.files += 1

    def call(key: str, *touches: str, everything: bool = False) -> Any:
        return lambda one: called(one, key, *touches, everything=everything)

    one.fresh = fresh
    one.plan = [
        (NOW + 5 * MINUTE, call("a", "airbyte")),
        (NOW + 5 * MINUTE, call("b", "airbyte", "databricks")),
        (NOW + 5 * MINUTE, call("b", "snowflake")),
        (NOW + 20 * MINUTE, touch),
        (NOW + 25 * MINUTE, touch),
        (NOW + 35 * MINUTE, call("c", everything=True)),
        *((NOW + HOUR + step * MINUTE / 2, call(f"flood {step}", "snowflake")) for step in range(100)),
    ]
    played(one)
    return one


def test_rounds_of_everything_follow_the_clock_whatever_else_happens(ordinary: Night) -> None:
    whole = [at for at, scope in begun(ordinary) if scope == "all"]
    for slot in (NOW + step * 15 * MINUTE for step in range(8)):
        assert len([at for at in whole if slot <= at <= slot + MINUTE]) == 1
    (asked,) = [at for at in whole if NOW + 31 * MINUTE < at < NOW + 45 * MINUTE]
    assert asked <= NOW + 37 * MINUTE  # somebody asked for everything


def test_an_event_starts_a_round_of_just_what_it_touches_once(ordinary: Night) -> None:
    early = [(at, scope) for at, scope in begun(ordinary) if NOW + MINUTE < at < NOW + 14 * MINUTE]
    assert [scope for _, scope in early] == [["airbyte", "databricks"]]
    assert early[0][0] <= NOW + 6 * MINUTE


def test_a_flood_makes_few_rounds_and_all_of_it_is_looked_at(ordinary: Night) -> None:
    flooded = [at for at, scope in begun(ordinary) if scope == ["snowflake"]]
    assert 8 <= len(flooded) <= 18
    assert all(later - earlier >= 3 * MINUTE for earlier, later in itertools.pairwise(flooded))
    assert sql(ordinary, "SELECT count(*), state FROM calls GROUP BY state") == [(103, "done")]


def test_a_bad_configuration_is_refused_and_the_good_one_kept(ordinary: Night) -> None:
    (refused,) = ordinary.events("configuration refused")
    assert refused[1]["why"] == "dogwatch.yaml:1: is wrong"
    (read,) = ordinary.events("configuration read")
    assert read[1]["changed"] is True
    assert [at for at, _ in ordinary.events("watch begins")][1] - read[0] <= MINUTE


def test_what_a_part_did_not_ask_is_known_as_it_was_and_read_later(ordinary: Night) -> None:
    """After parts and wholes the store holds just what the platforms had to tell."""
    counted = "SELECT instance, count(*) FROM runs WHERE began_at < '2026-03-03T08' GROUP BY instance"
    twin = night(ordinary.folder.parent / "twin", 2, QUICK)
    played(twin)
    assert sql(ordinary, counted) == sql(twin, counted)


def test_it_ends_as_it_should(ordinary: Night) -> None:
    assert ordinary.said[-1][1] == "watch ends"
    ((stopped, leads),) = sql(ordinary, "SELECT stopped_at IS NOT NULL, leads FROM watchers")
    assert (stopped, leads) == (1, 0)
    assert sql(ordinary, "SELECT * FROM leases") == []


def test_of_two_watchers_one_leads_and_the_other_takes_over_when_it_is_silent(tmp_path: Path) -> None:
    first = night(tmp_path / "store", 1.5, QUICK)
    second = replace(first, name="two", holder="lab two", said=[], plan=[], until=NOW + 1.5 * HOUR)

    class Killed(Exception):
        """As good as SIGKILL: nothing is said any more."""

    def kill(one: Night) -> None:
        raise Killed

    first.plan = [(NOW + 20 * MINUTE, kill)]

    async def later() -> None:
        await second.clock.sleep(60)
        await second.run()

    async def life() -> None:
        ended = await asyncio.gather(first.run(), later(), return_exceptions=True)
        assert [type(one) for one in ended] == [Killed, type(None)]

    with asyncio.Runner(loop_factory=LabLoop) as runner:
        runner.run(life())
    assert second.events("stands by")[0][0] < NOW + 2 * MINUTE
    (over,) = second.events("takes over")
    assert NOW + 20 * MINUTE < over[0] <= NOW + 22 * MINUTE
    assert [at for at, _ in begun(second) if at < over[0]] == []
    assert len(begun(second)) >= 4
    last = sql(second, "SELECT body FROM findings WHERE rule = 'silent_watcher'")
    assert "The watcher one fell silent" in last[0][0]
    assert "two keeps the watch" in last[0][0]


def test_a_store_that_is_full_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    one = night(tmp_path, 1, QUICK)
    refuse = "CREATE TRIGGER full BEFORE INSERT ON rounds BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    one.plan = [
        (NOW + 10 * MINUTE, lambda one: changed(one, refuse)),
        (NOW + 20 * MINUTE, lambda one: changed(one, "DROP TRIGGER full")),
    ]
    played(one)
    failed = [at for at, _ in one.events("store failed")]
    assert failed
    assert all(NOW + 15 * MINUTE <= at <= NOW + 21 * MINUTE for at in failed)
    assert "free some disk space" in one.events("store failed")[0][1]["hint"]
    made = [at for at, told in one.events("round ended") if told["scope"] == "all"]
    assert [at for at in made if NOW + 20 * MINUTE <= at <= NOW + 26 * MINUTE]
    assert [at for at in made if NOW + 30 * MINUTE <= at <= NOW + 31 * MINUTE]


def test_a_machine_that_slept_makes_one_round_and_goes_on(tmp_path: Path) -> None:
    one = night(tmp_path, 2.75, QUICK)
    one.plan = [(NOW + 20 * MINUTE, lambda one: one.clock.advance(2 * HOUR))]
    played(one)
    woke = NOW + 2 * HOUR + 20 * MINUTE
    slept = [at for at, _ in begun(one) if NOW + 20 * MINUTE < at < woke + 9 * MINUTE]
    assert len(slept) == 1
    assert woke <= slept[0] <= woke + MINUTE


class Gone(Night):
    """A watch whose store is not there when it is opened for the second time."""

    opens = 0

    def opened(self, settings: Settings) -> Dogwatch:
        self.opens += 1
        nowhere = self.folder / "dogwatch.yaml" / "dogwatch.db"
        return super().opened(settings.model_copy(update={"store": nowhere} if self.opens == 2 else {}))


def test_a_store_that_is_gone_while_the_configuration_changes_is_waited_for(tmp_path: Path) -> None:
    one = Gone(**vars(night(tmp_path, 0.5, QUICK)))
    better = one.settings.watch.model_copy(update={"apart": 3 * MINUTE})
    one.fresh = lambda: one.settings.model_copy(update={"watch": better})

    def touch(one: Night) -> None:
        one.files += 1

    one.plan = [(NOW + 10 * MINUTE, touch)]
    played(one)
    told = [event for _, event, _ in one.said if event not in {"round begins", "round ended"}]
    assert told == ["watch begins", "configuration read", "store failed", "watch begins", "watch ends"]
    assert one.opens == 3


class Wrong(SimulatedClock):
    """The clock of this machine, which somebody sets; that of the platforms is right."""

    def __init__(self, right: SimulatedClock) -> None:
        super().__init__(right.now())
        self._right, self.off = right, timedelta(0)

    def now(self) -> datetime:
        return self._right.now() + self.off

    async def sleep(self, seconds: float) -> None:
        await self._right.sleep(seconds)


def test_a_clock_that_is_set_back_costs_no_round_and_no_run(tmp_path: Path) -> None:
    one, twin = (night(tmp_path / name, 1, QUICK) for name in ("one", "twin"))
    one.clock = wrong = Wrong(one.clock)
    one.until = NOW + HOUR / 2

    def set_back(one: Night) -> None:
        wrong.off = -HOUR / 2

    one.plan = [(NOW + 10 * MINUTE, set_back)]
    played(one)
    played(twin)
    said = [event for _, event, _ in one.said]
    assert not {"store failed", "round failed"} & set(said)
    assert said.count("clock went back") == 1
    after = [at for at, event, _ in one.said[said.index("clock went back") :] if event == "round begins"]
    assert [at.replace(second=0, microsecond=0) for at in after] == [
        NOW - 15 * MINUTE,
        NOW,
        NOW + 15 * MINUTE,
    ]
    runs = "SELECT uid, status FROM runs WHERE began_at < '2026-03-03T07:10' ORDER BY uid"
    assert sql(one, runs) == sql(twin, runs)
    assert sql(one, "SELECT count(*) FROM outbox") == sql(twin, "SELECT count(*) FROM outbox")


def test_what_somebody_consented_to_elsewhere_is_begun_within_seconds_and_once(tmp_path: Path) -> None:
    with Ward(tmp_path, "airbyte", f"kind: run_missing, {ONE_RUN}") as ward:
        ward.round(9)
        ward.round(9, 10)
        waiting = ward.waiting("rerun")
    settings = load(None, {}, ward.home)
    start = ward.clock.now()
    one = Night(ward.home, ward.clock, ward.lab, settings, start + 4 * MINUTE, poll=1.0)

    def consents(one: Night) -> None:
        """A surface that dies before it performs what it wrote down."""
        with closing(open_store(settings.store)) as store:
            digest, now = waiting.digest, one.clock.now()
            store.consent(waiting.id, digest, "user:anna", now, yes=True, via="page")

    one.plan = [(start + 2 * MINUTE, consents)]
    played(one)
    ((at, told),) = one.events("performed")
    assert told == {"action": waiting.id, "verb": "rerun", "state": "performed"}
    assert at - (start + 2 * MINUTE) <= timedelta(seconds=5)
    assert [moment for moment, _ in begun(one) if start + MINUTE < moment <= at] == []
    assert len(ward.lab.world.asked) == 1
