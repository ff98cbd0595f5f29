"""Who died loses the right to make rounds, who was only asleep finds it lost, and nobody's wait is felt."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogwatch.app import Dogwatch, RunFilter
from dogwatch.errors import StoreError
from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.network import LabTransport
from dogwatch.lab.serve import Lab
from dogwatch.model.report import CheckReport
from dogwatch.round import Step
from dogwatch.settings import load
from dogwatch.store import lease, open_store
from support.crash import Estate, Other, Watch, served_story
from support.crash_memory import Memory, looking_into, memory
from support.crash_round import UNHURRIED
from support.crash_story import DEATH_BEFORE, ROUNDS, story


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with served_story(tmp_path_factory.mktemp("estate"), ordinary=False) as served:
        yield served


@pytest.fixture
def watch(estate: Estate, tmp_path: Path) -> Watch:
    """A store that remembers the first round."""
    watch = estate.store(tmp_path.name)
    watch.round(ROUNDS[0])
    return watch


class House:
    """dogwatch and the platforms in one process."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock(ROUNDS[0])
        lab = Lab(story(self.clock, ordinary=False))
        self._transport: LabTransport = lab.transport()
        self._settings = load(lab.write_config(folder), {}, folder)
        self.store = Path(self._settings.store)

    def opened(self) -> Dogwatch:
        """Another dogwatch on the same store."""
        return Dogwatch(self._settings, clock=self.clock, transport=self._transport, pace=UNHURRIED)

    async def check(self) -> CheckReport:
        """A round that nobody disturbs."""
        async with self.opened() as dogwatch:
            return await dogwatch.check()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.slow
def test_the_lease_of_a_dead_process_is_waited_out_to_the_second(watch: Watch) -> None:
    waited: list[Step] = []
    with watch.child(ROUNDS[1] - DEATH_BEFORE, "airbyte runs") as child:
        child.until("airbyte runs")
        child.signal(signal.SIGKILL)
        child.last_words()
    watch.round(ROUNDS[1], waited.append)
    told = [step for step in waited if step.stage == "waiting"]
    assert DEATH_BEFORE == lease.TTL
    assert len(told) == 20
    assert f"pid {child.process.pid} " in told[0].instance
    assert watch.open_rounds() == 1


@pytest.mark.slow
def test_who_interrupts_a_round_need_not_wait_for_the_next_one(watch: Watch) -> None:
    with watch.child(ROUNDS[1], "airbyte runs") as child:
        child.until("airbyte runs")
        child.signal(signal.SIGINT)
        child.say()
        assert "KeyboardInterrupt" in child.last_words()
    assert not watch.held()
    waited: list[Step] = []
    watch.round(ROUNDS[1], waited.append)
    assert not any(step.stage == "waiting" for step in waited)


@pytest.mark.slow
@pytest.mark.parametrize("stop", ["databricks jobs", "power_automate runs 1", "airbyte read"])
def test_a_process_that_slept_while_another_took_over_writes_nothing(watch: Watch, stop: str) -> None:
    watch.clock.at = ROUNDS[1] - DEATH_BEFORE
    with watch.child(ROUNDS[1] - DEATH_BEFORE, stop) as sleeper:
        sleeper.until(stop)
        sleeper.signal(signal.SIGSTOP)
        sleeper.say()
        watch.round(ROUNDS[1])
        after = memory(watch.store)
        sleeper.signal(signal.SIGCONT)
        complaints = sleeper.last_words()
    assert sleeper.process.returncode == 1
    assert "this round was taken for dead and another one took over; its results are dropped" in complaints
    assert memory(watch.store) == after
    assert watch.open_rounds() == 1


def test_a_round_that_lost_its_lease_stops_reading_everywhere(house: House) -> None:
    remembered: list[Memory] = []

    def lose_it(step: Step) -> None:
        if step.stage == "runs" and not remembered:
            rival = open_store(house.store)
            assert rival.claim_round("rival", house.clock.now() + lease.TTL) is None
            rival.close()
            remembered.append(memory(house.store))

    async def life() -> None:
        async with house.opened() as dogwatch:
            with pytest.raises(StoreError, match="took over"):
                await dogwatch.check(lose_it)
            assert asyncio.all_tasks() == {asyncio.current_task()}
        rival = open_store(house.store)
        assert rival.claim_round("third", house.clock.now()) == "rival"
        rival.close()

    asyncio.run(life())
    assert [memory(house.store)] == remembered


def test_a_busy_file_is_waited_for_while_others_read_and_the_loop_goes_on(house: House) -> None:
    async def life(other: Other) -> tuple[CheckReport, int]:
        busy, reads = asyncio.Event(), 0

        def hold(step: Step) -> None:
            if step.stage == "runs" and not busy.is_set():
                other.sql("BEGIN IMMEDIATE")
                busy.set()

        async with house.opened() as writer:
            checking = asyncio.create_task(writer.check(hold))
            await busy.wait()
            until = time.perf_counter() + 1.0
            try:
                while time.perf_counter() < until:
                    async with house.opened() as reader:
                        assert len(await reader.runs(RunFilter(limit=10))) == 10
                    reads += 1
                assert not checking.done()
            finally:
                other.sql("COMMIT")
            return await checking, reads

    asyncio.run(house.check())
    house.clock.set(ROUNDS[1])
    with Other(house.store) as other:
        report, reads = asyncio.run(life(other))
    assert report.blind == []
    assert sum(platform.runs_read for platform in report.platforms) > 0
    assert reads >= 10


def test_a_check_that_is_given_up_while_the_file_is_busy_leaves_no_lease_behind(house: House) -> None:
    async def life(other: Other) -> None:
        async with house.opened() as writer, house.opened() as reader:
            other.sql("BEGIN IMMEDIATE")
            checking = asyncio.create_task(writer.check())
            for _ in range(20):  # meanwhile it comes to claim its turn
                await reader.runs(RunFilter())
            checking.cancel()
            other.sql("COMMIT")
            with pytest.raises(asyncio.CancelledError):
                await checking

    asyncio.run(house.check())
    with Other(house.store) as other:
        asyncio.run(life(other))
    with looking_into(house.store) as connection:
        assert connection.execute("SELECT holder FROM leases").fetchall() == []


def test_a_round_that_goes_on_for_ever_is_not_waited_for_longer_than_ten_minutes(house: House) -> None:
    rival = open_store(house.store)
    rival.claim_round("rival", house.clock.now())

    def go_on(step: Step) -> None:
        assert rival.renew_round(house.clock.now())

    async def life() -> None:
        async with house.opened() as dogwatch:
            with pytest.raises(StoreError, match=r"still under way \(rival\)"):
                await dogwatch.check(go_on)
        rival.close()

    asyncio.run(life())
    assert house.clock.now() - ROUNDS[0] == 10 * lease.TTL
