"""A round in steps: what many make of it is what one makes of it, and what nobody ends is given up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dogwatch.agents.scripted import runtime
from dogwatch.app import Dogwatch
from dogwatch.model.call import Call
from dogwatch.relay import MOST_TRIES, Relay
from dogwatch.settings import load
from dogwatch.settings.agents import AgentsSettings
from dogwatch.store import Store, open_store
from dogwatch.store.access import StepKey
from dogwatch.wire.http import Pace
from support.crash_memory import Memory, differences, memory
from support.healing import ONE_RUN, Ward

FAILS = f"kind: run_fails, {ONE_RUN}, error: connection timed out"
ALLOWS = "rules: [{then: allow, verbs: [repair], jobs: '*', why: it is harmless}]\n"
TIMES = ((9, 0), (9, 20), (9, 40), (10, 20))
READ: StepKey = (1, "read", "databricks")


@contextmanager
def opened(ward: Ward) -> Iterator[Store]:
    store = open_store(ward.home / "dogwatch.db")
    try:
        yield store
    finally:
        store.close()


async def steps(relay: Relay) -> list[str]:
    """Everything that can be done, each by somebody; what was done."""
    done: list[str] = []
    while waiting := (await relay.standing()).steps:
        for one in waiting:
            done.append(f"{one.key[1]} {one.key[2]}: {await relay.do(one.key)}".replace(" :", ":"))
    return done


def in_steps(ward: Ward, hour: int, minute: int, app: Dogwatch | None = None) -> list[str]:
    """A round of everything in steps."""
    ward.clock.set(ward.clock.now().replace(hour=hour, minute=minute))

    async def work() -> list[str]:
        async with app or ward.app() as one:
            relay = one.relay()
            assert await relay.begin(await relay.standing(), None) is not None
            return await steps(relay)

    return ward.does(work())


def remembered(ward: Ward) -> Memory:
    return {name: rows for name, rows in memory(ward.home / "dogwatch.db").items() if name != "steps"}


@pytest.mark.slow
def test_many_remember_do_and_say_what_one_would(tmp_path: Path) -> None:
    found: list[tuple[Memory, list[object]]] = []
    for name in ("one", "many"):
        (tmp_path / name).mkdir()
        with Ward(tmp_path / name, "databricks", FAILS, ALLOWS) as ward:
            for hour, minute in TIMES:
                if name == "one":
                    ward.round(hour, minute)
                else:
                    done = in_steps(ward, hour, minute)
                    told = ["read databricks", "conclude", "act", "follow"]
                    assert done == [f"{kind}: done" for kind in told]
            found.append((remembered(ward), list(ward.lab.world.asked)))
    (one, asked), (many, asked_by_many) = found
    assert len(asked) == 1
    assert asked_by_many == asked
    assert differences(many, one) == []


def test_a_platform_that_nobody_comes_to_the_end_of_reading_is_blind_and_the_round_goes_on(
    tmp_path: Path,
) -> None:
    with Ward(tmp_path, "databricks", "") as ward:

        async def work() -> list[str]:
            async with ward.app() as app:
                relay = app.relay()
                assert await relay.begin(await relay.standing(), None) == 1
                with opened(ward) as store:
                    for number in range(MOST_TRIES):  # each of them dies
                        assert store.take_step(READ, f"dead {number}", ward.clock.now()) is not None
                return await steps(relay)

        done = ward.does(work())
        assert done == ["read databricks: given up", "conclude: done", "act: done", "follow: done"]
        with opened(ward) as store:
            (source,) = store.sources()
            assert source.watermark is None
            assert "begun to be read 8 times" in source.blind_reason
            assert [one.rule for one in store.open_findings()] == ["blind"]
            assert store.last_whole_round() is not None


def test_a_round_that_nobody_can_conclude_is_left_to_the_next(tmp_path: Path) -> None:
    with Ward(tmp_path, "databricks", "") as ward:

        async def work() -> str:
            async with ward.app() as app:
                relay = app.relay()
                await relay.begin(await relay.standing(), None)
                await relay.do(READ)
                with opened(ward) as store:
                    for _ in range(MOST_TRIES):
                        store.take_step((1, "conclude", ""), "dead", ward.clock.now())
                return await relay.do((1, "conclude", ""))

        assert ward.does(work()) == "given up"
        assert in_steps(ward, 9, 5)[-1] == "follow: done"
        with opened(ward) as store:
            assert store.last_rounds()[0] == 2


def test_calls_from_outside_are_answered_by_the_round_that_began_after_them(tmp_path: Path) -> None:
    with Ward(tmp_path, "databricks", "") as ward:
        ward.round(9, 0)

        async def work() -> list[str]:
            async with ward.app() as app:
                keeping, relay = app.watchkeeping(), app.relay()
                call = {"hook": "own", "received_at": ward.clock.now(), "touches": ("databricks",)}
                await keeping.keep([Call.model_validate({"key": "a", **call})])
                await relay.begin(await relay.standing(), frozenset({"databricks"}))
                await keeping.keep([Call.model_validate({"key": "b", **call})])
                await steps(relay)
                return [f"{one.number}" for one in await keeping.waiting()]

        assert ward.does(work()) == ["2"]


@pytest.mark.slow
def test_agents_look_into_each_new_incident_in_a_step_of_its_own(tmp_path: Path) -> None:
    with Ward(tmp_path, "airbyte", FAILS) as ward:
        in_steps(ward, 9, 0)
        settings = load(None, {}, ward.home).model_copy(update={"agents": AgentsSettings(rounds=True)})
        app = Dogwatch(
            settings,
            clock=ward.clock,
            transport=ward.lab.transport(),
            pace=Pace(per_second=0),
            runtime=runtime("hostile"),
        )
        done = in_steps(ward, 9, 20, app)
        assert done[-2:] == ["follow: done", "investigate 1: done"]
        assert [one for one in ward.events() if one.kind == "agent.refused"]
