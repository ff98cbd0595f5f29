"""The outbox: one worker gets a delivery, order is kept within a thread, and a dead worker leaves a doubt."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from dogwatch.model import Delivery, DeliveryState, Reach
from dogwatch.store import Store, open_store
from dogwatch.store.outbox import ATTEMPT
from support.clock import NOON
from support.stores import Where

SECOND = timedelta(seconds=1)


@pytest.fixture
def store(where: Where) -> Iterator[Store]:
    opened = open_store(where)
    yield opened
    opened.close()


def delivery(number: int, thread: str = "INC-1", destination: str = "mail") -> Delivery:
    return Delivery(
        kind="message",
        destination=destination,
        key=f"key-{number}@{destination}",
        thread=thread,
        payload={"n": number},
        next_at=NOON,
        created_at=NOON,
    )


def claim(store: Store, seconds: float = 0, holder: str = "me") -> Delivery | None:
    return store.claim_delivery("message", "mail", holder, NOON + timedelta(seconds=seconds))


def test_a_key_is_stored_once_for_ever(store: Store) -> None:
    store.post([delivery(1), delivery(1)])
    store.post([delivery(1)])
    first = claim(store)
    assert first is not None
    store.finish_delivery(first.model_copy(update={"state": DeliveryState.sent}), "me", NOON)
    store.post([delivery(1)])
    assert claim(store) is None


def test_of_many_workers_each_delivery_is_claimed_by_one(store: Store) -> None:
    store.post([delivery(number, thread=f"INC-{number}") for number in range(20)])
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda n: claim(store, holder=f"worker {n}"), range(30)))
    ids = [one.id for one in claimed if one is not None]
    assert sorted(ids) == sorted(set(ids))
    assert len(ids) == 20


def test_a_thread_is_sent_in_order_and_others_do_not_wait_for_it(store: Store) -> None:
    store.post([delivery(1), delivery(2), delivery(3, thread="INC-2")])
    first, other = claim(store), claim(store)
    assert first is not None
    assert other is not None
    assert [first.payload["n"], other.payload["n"]] == [1, 3]
    assert claim(store) is None
    late = first.model_copy(update={"state": DeliveryState.waiting, "next_at": NOON + 60 * SECOND})
    assert store.finish_delivery(late, "me", NOON)
    assert claim(store, 59) is None
    again = claim(store, 60)
    assert again is not None
    assert (again.payload["n"], again.attempts, again.doubtful) == (1, 2, False)


def test_what_a_dead_worker_began_comes_back_in_doubt_and_its_result_no_longer_counts(store: Store) -> None:
    store.post([delivery(1)])
    first = claim(store, holder="dead")
    assert first is not None
    wait = ATTEMPT.total_seconds()
    assert claim(store, wait - 1, "heir") is None
    assert store.next_due("message", "mail") == NOON + ATTEMPT
    heir = claim(store, wait, "heir")
    assert heir is not None
    assert (heir.attempts, heir.doubtful) == (2, True)
    sent = {"state": DeliveryState.sent, "finished_at": NOON}
    assert not store.finish_delivery(first.model_copy(update=sent), "dead", NOON)
    assert store.finish_delivery(heir.model_copy(update={**sent, "doubled": True}), "heir", NOON)
    (row,) = store.landed("message", "mail", "INC-1")
    assert row.doubled


def test_the_end_of_a_delivery_and_a_channel_going_off_are_on_record(store: Store) -> None:
    store.post([delivery(1)])
    first = claim(store)
    assert first is not None
    store.finish_delivery(first.model_copy(update={"state": DeliveryState.sent}), "me", NOON)
    off = Reach(destination="mail", dead_since=NOON, reason="invalid_auth")
    store.save_reach(off, NOON)
    store.save_reach(off, NOON)
    store.save_reach(Reach(destination="mail"), NOON)
    assert [event.kind for event in store.events()] == ["message.sent", "destination.off", "destination.on"]
    assert store.broken_event() is None
    assert store.reaches()["mail"].dead_since is None
