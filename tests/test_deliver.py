"""Sending what waits: patience with what fails for now, an end with what fails for good, honesty in doubt."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from dogwatch.errors import ChannelError
from dogwatch.model import DeliveryState, Message, Reach
from dogwatch.notify.base import Earlier
from dogwatch.notify.routing import Plan, Route
from dogwatch.store.outbox import ATTEMPT
from support.clock import JumpingClock
from support.letters import BERLIN, Desk, Pigeon, incident, resolved

BUSY = ChannelError("busy", retry_after=7.0)
DOWN = ChannelError("cannot connect")
UNSURE = ChannelError("cut off", ambiguous=True)
DEAD = ChannelError("answered 401", "renew the token", permanent=True)
REFUSED = ChannelError("answered 400", refused=True)
TWO = Plan(BERLIN, ("slack", "mail"))


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


def desk(folder: Path, clock: JumpingClock, *names: str) -> Desk:
    return Desk(folder, Plan(BERLIN, names or ("slack",)), clock)


def states(room: Desk, name: str) -> list[str]:
    return [row.state.value for row in room.rows(name)]


def test_retry_after_is_honoured_and_the_message_arrives_once(tmp_path: Path, clock: JumpingClock) -> None:
    room, slack = desk(tmp_path, clock), Pigeon("slack", BUSY)
    room.round(incident())
    began = clock.now()
    done = asyncio.run(room.deliver(slack))
    assert (done.sent, len(slack.got)) == (1, 1)
    assert clock.now() - began >= timedelta(seconds=7)
    (row,) = room.rows("slack")
    assert (row.attempts, row.doubled, row.landed) == (2, False, "slack 1")


def test_who_has_to_wait_long_is_left_to_the_next_worker(tmp_path: Path, clock: JumpingClock) -> None:
    room = desk(tmp_path, clock)
    room.round(incident())
    busy = ChannelError("busy", retry_after=600.0)
    done = asyncio.run(room.deliver(Pigeon("slack", busy)))
    assert done.waiting["slack"] >= clock.now() + timedelta(seconds=599)
    clock.move(timedelta(seconds=601))
    slack = Pigeon("slack")
    asyncio.run(room.deliver(slack))
    assert len(slack.got) == 1


def test_a_dead_channel_is_switched_off_and_all_that_waits_goes_to_another(
    tmp_path: Path, clock: JumpingClock
) -> None:
    room = Desk(tmp_path, TWO, clock)
    room.plan = Plan(BERLIN, ("slack", "mail"), routes=())
    slack, mail = Pigeon("slack", DEAD), Pigeon("mail")
    room.round(incident(1), incident(2))
    asyncio.run(room.deliver(slack))
    assert states(room, "slack") == ["moved", "moved"]
    reach = room.store.reaches()["slack"]
    assert (reach.reason, reach.hint, reach.dead_since) == ("answered 401", "renew the token", clock.now())
    asyncio.run(room.deliver(slack, mail))
    assert slack.got == []
    assert len(mail.got) == 2  # it was told both anyway, and is told nothing twice


def test_a_substitute_that_would_not_have_been_told_is_told_at_once(
    tmp_path: Path, clock: JumpingClock
) -> None:
    room = Desk(tmp_path, Plan(BERLIN, ("slack", "mail"), routes=(Route(("slack",)),)), clock)
    room.round(incident(1), incident(2))
    slack, mail = Pigeon("slack", DEAD), Pigeon("mail")
    asyncio.run(room.deliver(slack, mail))
    assert (slack.got, states(room, "slack")) == ([], ["moved", "moved"])
    assert sorted(states(room, "mail")) == ["sent", "sent"]
    assert len(mail.got) == 2


def test_without_another_channel_messages_are_held_and_not_lost(tmp_path: Path, clock: JumpingClock) -> None:
    room = desk(tmp_path, clock)
    room.round(incident(1), incident(2))
    asyncio.run(room.deliver(Pigeon("slack", DEAD)))
    assert states(room, "slack") == ["held", "held"]
    room.store.save_reach(Reach(destination="slack"), clock.now())  # what a successful test message does
    room.round(incident(1), incident(2))
    slack = Pigeon("slack")
    asyncio.run(room.deliver(slack))
    assert len(slack.got) == 2


def test_a_message_that_is_refused_goes_elsewhere_and_the_channel_stays(
    tmp_path: Path, clock: JumpingClock
) -> None:
    room = desk(tmp_path, clock)
    room.round(incident(1), incident(2))
    slack = Pigeon("slack", REFUSED)
    done = asyncio.run(room.deliver(slack))
    assert states(room, "slack") == ["failed", "sent"]
    assert (done.failed, done.sent) == (1, 1)
    assert room.store.reaches()["slack"].dead_since is None


def test_who_does_not_answer_for_long_is_replaced_and_tried_again(
    tmp_path: Path, clock: JumpingClock
) -> None:
    plan = Plan(BERLIN, ("slack", "mail"), fallback={"slack": "mail"})
    room = Desk(tmp_path, plan, clock)
    room.plan = plan
    room.round(incident(1))
    slack, mail = Pigeon("slack", *[DOWN] * 6), Pigeon("mail")
    for _ in range(6):
        asyncio.run(room.deliver(slack, mail))
        clock.move(timedelta(hours=1))
    assert states(room, "slack") == ["moved"]
    assert len(mail.got) == 1
    assert room.store.reaches()["slack"].failing_since is not None
    room.round(incident(1), incident(2))
    asyncio.run(room.deliver(slack, mail))
    assert len(slack.got) == 1
    assert room.store.reaches()["slack"].failing_since is None


class Seeing(Pigeon):
    """A channel that can look for what has arrived."""

    def __init__(self, name: str, *failures: ChannelError | None, found: str | None = None) -> None:
        super().__init__(name, *failures)
        self.found = found
        self.looked: list[str] = []

    async def find(self, message: Message, earlier: Earlier) -> str | None:
        self.looked.append(message.key)
        return self.found


class Knowing(Pigeon):
    """A channel whose other side knows a message again by its key."""

    same_key = True


def in_doubt(room: Desk, clock: JumpingClock) -> None:
    """A worker dies between the attempt and its result."""
    room.round(incident())
    assert room.store.claim_delivery("message", "slack", "dead", clock.now()) is not None
    clock.move(ATTEMPT)


def test_after_a_crash_a_message_that_is_there_is_not_sent_again(tmp_path: Path, clock: JumpingClock) -> None:
    room, slack = desk(tmp_path, clock), Seeing("slack", found="C1/2.3")
    in_doubt(room, clock)
    asyncio.run(room.deliver(slack))
    (row,) = room.rows("slack")
    assert (slack.got, row.state, row.landed, row.doubled) == ([], DeliveryState.sent, "C1/2.3", False)


def test_after_a_crash_a_message_that_is_not_there_is_sent(tmp_path: Path, clock: JumpingClock) -> None:
    room, slack = desk(tmp_path, clock), Seeing("slack")
    in_doubt(room, clock)
    asyncio.run(room.deliver(slack))
    (row,) = room.rows("slack")
    assert (len(slack.got), row.doubled) == (1, False)


@pytest.mark.parametrize("kind", [Pigeon, Knowing])
def test_where_nobody_can_look_it_is_sent_again_and_says_so(
    tmp_path: Path, clock: JumpingClock, kind: type[Pigeon]
) -> None:
    room, slack = desk(tmp_path, clock), kind("slack")
    in_doubt(room, clock)
    asyncio.run(room.deliver(slack))
    (row,) = room.rows("slack")
    assert row.doubled == (not kind.same_key)
    assert slack.titles[0].endswith("(perhaps sent before)") == (not kind.same_key)


def test_an_answer_that_is_cut_off_leaves_the_same_doubt_as_a_crash(
    tmp_path: Path, clock: JumpingClock
) -> None:
    room, slack = desk(tmp_path, clock), Seeing("slack", UNSURE, found="C1/2.3")
    room.round(incident())
    asyncio.run(room.deliver(slack))
    assert slack.looked == ["INC-7/opened/0@slack"]
    assert states(room, "slack") == ["sent"]


def test_a_thread_knows_where_it_began(tmp_path: Path, clock: JumpingClock) -> None:
    room, slack = desk(tmp_path, clock), Pigeon("slack")
    one = incident()
    room.round(one)
    asyncio.run(room.deliver(slack))
    room.round(resolved(one, clock.now()))
    asyncio.run(room.deliver(slack))
    assert [earlier.first for _, earlier in slack.got] == ["", "slack 1"]


def test_two_workers_at_once_send_each_message_once(tmp_path: Path, clock: JumpingClock) -> None:
    room, slack = Desk(tmp_path, Plan(BERLIN, ("slack",), alerts_an_hour=30), clock), Pigeon("slack")
    room.round(*(incident(number) for number in range(1, 21)))

    async def both() -> None:
        await asyncio.gather(*(room.deliver(slack, holder=f"worker {n}") for n in range(3)))

    asyncio.run(both())
    assert len({message.key for message, _ in slack.got}) == len(slack.got) == 20
