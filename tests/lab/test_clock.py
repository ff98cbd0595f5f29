"""Simulated time: it jumps, it never adds up, and it waits for real work."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dogwatch.lab.clock import LabLoop, RunningClock, SimulatedClock

START = datetime(2026, 3, 3, 6, 30, tzinfo=UTC)


def run(main: Coroutine[Any, Any, None], loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main)


@pytest.mark.parametrize("loop", [LabLoop, asyncio.new_event_loop])
def test_sleeping_takes_simulated_time_only(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    clock = SimulatedClock(START)
    began = time.monotonic()
    run(clock.sleep(3600), loop)
    assert clock.now() == START + timedelta(hours=1)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("loop", [LabLoop, asyncio.new_event_loop])
def test_sleepers_at_the_same_time_do_not_add_up(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    clock = SimulatedClock(START)

    async def main() -> None:
        await asyncio.gather(clock.sleep(50), clock.sleep(20), clock.sleep(60))

    run(main(), loop)
    assert clock.now() == START + timedelta(seconds=60)


def test_the_clock_never_goes_back() -> None:
    clock = SimulatedClock(START)
    clock.advance(timedelta(minutes=5))
    clock.set(START)
    assert clock.now() == START + timedelta(minutes=5)


def test_on_the_labs_loop_everybody_wakes_at_their_own_moment() -> None:
    clock = SimulatedClock(START)
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            seen.append((name, (clock.now() - START).total_seconds()))

    async def main() -> None:
        await asyncio.gather(sleeper("long", 60), sleeper("short", 10, 10, 45), sleeper("mid", 30))

    run(main(), LabLoop)
    assert seen == [("short", 10), ("short", 20), ("mid", 30), ("long", 60), ("short", 65)]


def test_on_the_labs_loop_time_waits_for_threads() -> None:
    clock = SimulatedClock(START)
    seen: list[datetime] = []

    async def worker() -> None:
        for _ in range(3):
            await asyncio.to_thread(time.sleep, 0.02)
            seen.append(clock.now())

    async def main() -> None:
        await asyncio.gather(clock.sleep(60), worker())

    run(main(), LabLoop)
    assert seen == [START] * 3
    assert clock.now() == START + timedelta(seconds=60)


def test_a_sleeper_that_was_cancelled_is_passed_over() -> None:
    clock = SimulatedClock(START)

    async def main() -> None:
        nap = asyncio.create_task(clock.sleep(10))
        other = asyncio.create_task(clock.sleep(20))
        await asyncio.sleep(0)
        nap.cancel()
        await other

    run(main(), LabLoop)
    assert clock.now() == START + timedelta(seconds=20)


def test_a_running_clock_flows_at_its_speed_until_its_end() -> None:
    wall = SimulatedClock(datetime(2027, 1, 1, tzinfo=UTC))
    clock = RunningClock(wall, START, speed=60, end=START + timedelta(hours=1))
    assert clock.now() == START
    wall.advance(timedelta(seconds=30))
    assert clock.now() == START + timedelta(minutes=30)
    wall.advance(timedelta(seconds=300))
    assert clock.now() == START + timedelta(hours=1)
