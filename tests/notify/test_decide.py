"""Who is told what and when: once, within the budget, past nobody's sleep, and nothing is dropped."""

import asyncio
import re
from datetime import time, timedelta
from pathlib import Path

import pytest

from dogwatch.model import (
    CauseClass,
    Delivery,
    DeliveryState,
    Fields,
    IncidentState,
    Items,
    Reach,
    Severity,
)
from dogwatch.notify.decide import ALERT, CRITICAL, DIGEST, message_of
from dogwatch.notify.routing import Escalation, Plan, Quiet, Route
from support.clock import NOON, JumpingClock
from support.letters import BERLIN, Desk, Pigeon, incident, resolved

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ONE = Plan(BERLIN, ("mail",))


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


def keys(rows: list[Delivery]) -> list[str]:
    return [row.key for row in rows]


def test_one_message_for_each_state_and_none_after_a_restart(tmp_path: Path, clock: JumpingClock) -> None:
    desk, one = Desk(tmp_path, ONE, clock), incident()
    assert keys(desk.round(one).new) == ["INC-7/opened/0@mail"]
    assert desk.round(one).new == []
    again = Desk(tmp_path, ONE, clock)
    assert again.round(one).new == []
    worse = one.model_copy(update={"severity": Severity.CRITICAL, "version": 2})
    assert keys(again.round(worse).new) == ["INC-7/changed/2@mail"]
    assert keys(again.round(resolved(worse, clock.now())).new) == ["INC-7/resolved/0@mail"]
    assert again.round(resolved(worse, clock.now())).new == []
    back = worse.model_copy(update={"reopened": 1, "version": 4})
    assert keys(again.round(back).new) == ["INC-7/reopened/1@mail"]


def test_small_changes_go_only_where_they_disturb_nobody(tmp_path: Path, clock: JumpingClock) -> None:
    desk = Desk(tmp_path, Plan(BERLIN, ("slack", "mail"), in_place=frozenset({"slack"})), clock)
    one = incident()
    desk.round(one)
    taken = one.model_copy(update={"state": IncidentState.acknowledged, "version": 2})
    assert keys(desk.round(taken).new) == ["INC-7/changed/2@slack"]
    less = taken.model_copy(update={"affected": (), "version": 3})
    assert keys(desk.round(less).new) == ["INC-7/changed/3@slack"]
    assert desk.round(less).new == []


def test_what_is_muted_is_not_told_until_it_is_not_muted(tmp_path: Path, clock: JumpingClock) -> None:
    desk = Desk(tmp_path, ONE, clock)
    assert desk.round(incident(muted="maintenance")).new == []
    assert keys(desk.round(incident()).new) == ["INC-7/opened/0@mail"]


def test_decisions_are_stored_without_any_channel(tmp_path: Path, clock: JumpingClock) -> None:
    desk = Desk(tmp_path, Plan(BERLIN), clock)
    (row,) = desk.round(incident()).new
    assert (row.destination, row.state) == ("none", DeliveryState.noted)
    assert desk.round(incident()).new == []


def test_routes_choose_by_pipeline_owner_platform_severity_and_cause(tmp_path: Path) -> None:
    routes = (
        Route(("a",), pipelines=("sal*",), owners=("*@SHOP.example",)),
        Route(("b",), platforms=("snowflake",)),
        Route(("c",), severity=Severity.CRITICAL),
        Route(("d",), causes=(CauseClass.auth_permission,)),
        Route(("e",), causes=(CauseClass.bad_data,)),
    )
    plan = Plan(BERLIN, ("a", "b", "c", "d", "e"), routes=routes)
    assert plan.targets(incident()) == ["a", "d"]
    assert plan.targets(incident(culprit="snowflake/x", severity=Severity.CRITICAL)) == ["a", "b", "c", "d"]
    assert plan.targets(incident(severity=Severity.INFO)) == []
    desk = Desk(tmp_path, plan)
    stray = incident(pipelines=(), causes=())
    assert keys(desk.round(stray).new) == ["INC-7/opened/0@none"]


def test_in_quiet_hours_only_what_is_critical_goes_and_the_rest_follows(
    tmp_path: Path, clock: JumpingClock
) -> None:
    night = Quiet(time(22), time(7), BERLIN)
    desk = Desk(tmp_path, Plan(BERLIN, ("mail",), quiet=(night,)), clock)
    clock.time = NOON.replace(hour=2)  # 03:00 in Berlin
    ill, well, worst = incident(1), incident(2), incident(3, severity=Severity.CRITICAL)
    said = desk.round(ill, well, worst)
    assert [row.key for row in said.new if row.state is DeliveryState.waiting] == ["INC-3/opened/0@mail"]
    desk.round(ill, resolved(well, clock.now()), resolved(worst, clock.now()))
    assert [row.next_at for row in desk.rows("mail") if "INC-3/resolved" in row.key] == [clock.now()]
    clock.time = NOON.replace(hour=6, minute=5)  # 07:05
    said = desk.round(ill)
    (alone,) = (row for row in said.changed if row.state is DeliveryState.waiting)
    assert alone.key == "INC-1/opened/0@mail"
    (digest,) = said.new
    assert digest.tag == DIGEST
    assert "INC-2 resolved" in str(message_of(digest).blocks)
    assert {row.state for row in desk.rows("mail")} == {DeliveryState.waiting, DeliveryState.gathered}


@pytest.mark.parametrize(
    ("at", "until"),
    [("2026-03-06T20:59", None), ("2026-03-06T21:00", "2026-03-07T06:00"), ("2026-03-07T21:30", None)],
)
def test_quiet_hours_begin_on_their_days_and_cross_midnight(at: str, until: str | None) -> None:
    friday = Quiet(time(22), time(7), BERLIN, days=frozenset({4}))
    moment = NOON.fromisoformat(f"{at}+00:00")
    end = friday.until(moment)
    assert (end and end.strftime("%Y-%m-%dT%H:%M")) == until


def test_quiet_hours_follow_the_wall_clock_when_the_clocks_change() -> None:
    night = Quiet(time(22), time(7), BERLIN)
    end = night.until(NOON.fromisoformat("2026-03-29T00:30+00:00"))  # the night in which summer time begins
    assert end == NOON.fromisoformat("2026-03-29T05:00+00:00")


def test_it_escalates_if_nobody_takes_it_on(tmp_path: Path, clock: JumpingClock) -> None:
    plan = Plan(
        BERLIN,
        ("mail", "boss"),
        routes=(Route(("mail",)),),
        escalations=(Escalation(30 * MINUTE, ("boss",), Severity.ERROR),),
    )
    desk, one = Desk(tmp_path, plan, clock), incident()
    desk.round(one)
    clock.move(29 * MINUTE)
    assert desk.round(one).new == []
    clock.move(MINUTE)
    assert keys(desk.round(one).new) == ["INC-7/escalated/0@boss"]
    clock.move(HOUR)
    assert desk.round(one).new == []
    assert sorted(keys(desk.round(resolved(one, clock.now())).new)) == [
        "INC-7/resolved/0@boss",
        "INC-7/resolved/0@mail",
    ]


def test_what_is_taken_on_does_not_escalate(tmp_path: Path, clock: JumpingClock) -> None:
    plan = Plan(BERLIN, ("mail",), escalations=(Escalation(30 * MINUTE, ("mail",)),))
    desk = Desk(tmp_path, plan, clock)
    desk.round(incident())
    clock.move(HOUR)
    assert desk.round(incident(state=IncidentState.acknowledged)).new == []


def test_a_channel_that_is_off_is_replaced_and_hears_nothing_twice(
    tmp_path: Path, clock: JumpingClock
) -> None:
    plan = Plan(BERLIN, ("slack", "hook", "mail"), routes=(Route(("slack",)),), fallback={"slack": "mail"})
    desk = Desk(tmp_path, plan, clock)
    desk.round(incident(1))
    desk.store.save_reach(Reach(destination="slack", dead_since=clock.now()), clock.now())
    assert desk.round(incident(1)).new == []
    assert keys(desk.round(incident(1), incident(2)).new) == ["INC-2/opened/0@mail for slack"]
    assert keys(desk.round(incident(1), resolved(incident(2), clock.now())).new) == [
        "INC-2/resolved/0@mail for slack"
    ]
    desk.store.save_reach(Reach(destination="slack"), clock.now())
    assert desk.round(incident(1)).new == []


def test_without_a_substitute_it_is_held_until_the_channel_works(tmp_path: Path, clock: JumpingClock) -> None:
    desk = Desk(tmp_path, ONE, clock)
    desk.store.save_reach(Reach(destination="mail", dead_since=clock.now()), clock.now())
    desk.round(incident(1), incident(2))
    assert [row.state for row in desk.rows("mail")] == [DeliveryState.held] * 2
    desk.store.save_reach(Reach(destination="mail"), clock.now())
    assert [row.state for row in desk.round(incident(1), incident(2)).changed] == [DeliveryState.waiting] * 2


def mentioned(rows: list[Delivery]) -> set[int]:
    """The numbers of all incidents that these deliveries tell of, as a reader would find them."""
    found: set[int] = set()
    for row in rows:
        message = message_of(row)
        text = [message.title]
        for block in message.blocks:
            text += block.items if isinstance(block, Items) else ()
            text += [value for _, value in block.fields] if isinstance(block, Fields) else []
        for said in text:
            for part in re.findall(r"INC-[\d–, ]*\d", said):
                for piece in part.removeprefix("INC-").split(", "):
                    first, _, last = piece.partition("–")
                    found |= set(range(int(first), int(last or first) + 1))
    return found


def test_a_thousand_incidents_in_an_hour_are_five_alerts_and_a_digest_an_hour(
    tmp_path: Path, clock: JumpingClock
) -> None:
    """Four rounds of 250, and rounds until all is told: in no hour more than the limit, and all are told."""
    desk = Desk(tmp_path, ONE, clock)
    everything = [
        incident(
            number,
            culprit=f"{('airbyte', 'snowflake', 'databricks')[number % 3]}/{number}",
            severity=Severity.CRITICAL if number % 50 == 0 else Severity.ERROR,
        )
        for number in range(1, 1_001)
    ]
    for seen in (250, 500, 750, 1_000, 1_000, 1_000):
        desk.round(*everything[:seen])
        clock.move(15 * MINUTE)
    going = [row for row in desk.rows("mail") if row.state is DeliveryState.waiting]
    assert mentioned(going) == set(range(1, 1_001))
    assert not any(row.state is DeliveryState.held for row in desk.rows("mail"))
    for row in going:  # any hour that begins with a message
        hour = [one.tag for one in going if row.created_at <= one.created_at < row.created_at + HOUR]
        assert hour.count(ALERT) <= 5
        assert hour.count(CRITICAL) <= 10
        assert hour.count(DIGEST) <= 1
    pigeon = Pigeon("mail")
    asyncio.run(desk.deliver(pigeon))
    assert len(pigeon.got) == len(going)


def test_what_a_digest_told_is_not_told_again_but_its_end_is_gathered_too(
    tmp_path: Path, clock: JumpingClock
) -> None:
    desk = Desk(tmp_path, ONE, clock)
    many = [incident(number) for number in range(1, 9)]
    (digest,) = (row for row in desk.round(*many).new if row.tag == DIGEST)
    assert mentioned([digest]) == {6, 7, 8}
    clock.move(HOUR + MINUTE)
    assert desk.round(*many).new == []
    over = desk.round(*many[:7], resolved(many[7], clock.now()))
    (digest,) = (row for row in over.new if row.tag == DIGEST)
    assert "INC-8 resolved" in str(message_of(digest).blocks)
