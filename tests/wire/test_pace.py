"""No platform is pressed harder than agreed."""

import asyncio
from datetime import timedelta

import httpx2
import pytest

from dogwatch.wire.http import Pace
from dogwatch.wire.pace import Turns
from support.clock import NOON, JumpingClock
from support.door import Script, door, ok, status


async def starts(turns: Turns, clock: JumpingClock, count: int) -> list[float]:
    begun: list[float] = []
    for _ in range(count):
        async with turns.turn():
            begun.append((clock.now() - NOON).total_seconds())
    return begun


def test_requests_start_no_faster_than_the_rate() -> None:
    clock = JumpingClock()
    turns = Turns(Pace(per_second=4), clock)
    assert asyncio.run(starts(turns, clock, 5)) == [0, 0.25, 0.5, 0.75, 1.0]


def test_no_rate_means_no_waiting() -> None:
    clock = JumpingClock()
    asyncio.run(starts(Turns(Pace(per_second=0), clock), clock, 50))
    assert not clock.slept


def test_a_pause_holds_for_all_that_follow() -> None:
    clock = JumpingClock()
    turns = Turns(Pace(per_second=0), clock)
    turns.pause(30)
    turns.pause(10)  # the shorter one takes nothing away
    assert asyncio.run(starts(turns, clock, 2)) == [30, 30]


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=9000)])
def test_a_clock_that_is_set_back_does_not_freeze_the_door(back: timedelta) -> None:
    clock = JumpingClock()
    pace = Pace(per_second=1, concurrency=2, longest_wait=5)
    turns = Turns(pace, clock)
    asyncio.run(starts(turns, clock, 3))
    clock.move(-back)
    asyncio.run(starts(turns, clock, 3))
    assert max(clock.slept) <= 12


def test_waiting_between_tries_takes_no_place_from_others() -> None:
    clock = JumpingClock()
    order: list[str] = []

    class Patient(JumpingClock):
        async def sleep(self, seconds: float) -> None:
            await second_done.wait()
            await super().sleep(seconds)

    second_done = asyncio.Event()
    clock = Patient()
    first = [status(503), ok()]

    def respond(request: httpx2.Request) -> httpx2.Response:
        order.append(request.url.path)
        return first.pop(0) if request.url.path.endswith("first") else ok()

    async def both() -> None:
        http = door(respond, clock=clock, pace=Pace(per_second=0, concurrency=1))
        waiting = asyncio.ensure_future(http.get("first"))
        await asyncio.sleep(0)
        await http.get("second")
        second_done.set()
        await waiting

    asyncio.run(both())
    assert order == ["/api/first", "/api/second", "/api/first"]


def test_queueing_for_a_turn_costs_no_patience() -> None:
    clock = JumpingClock()

    async def many() -> None:
        http = door(Script(ok()), clock=clock, pace=Pace(per_second=1, concurrency=2, patience=1))
        await asyncio.gather(*(http.get("jobs") for _ in range(20)))

    asyncio.run(many())
    assert clock.now() >= NOON + timedelta(seconds=19)
