"""Feeds: what copies the store elsewhere is one row of the outbox that reaches as far as the last round."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from dogwatch.model import DeliveryState
from dogwatch.store import Store, open_store
from dogwatch.store.feeds import FeedName, RunsAt
from dogwatch.store.outbox import ATTEMPT
from dogwatch.store.pruning import Limits
from support.clock import NOON
from support.hubs import attempts
from support.stores import BOTH, place

FEED = FeedName("hub", "a place")
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    found = open_store(place(request, tmp_path))
    yield found
    found.close()


def a_round(store: Store, *numbers: int) -> int:
    number = store.start_round(NOON)
    store.record(attempts(numbers))
    store.end_round(
        number, NOON, ended_at=NOON, exit_code=0, body={}, findings=(), evidence=(), feeds=(FEED,)
    )
    return number


def test_many_rounds_make_one_row_that_reaches_as_far_as_the_last(store: Store) -> None:
    for number in range(5):
        last = a_round(store, number)
    (row,) = store.pending(*FEED)
    assert row.payload == {"to": last}
    assert store.count_behind(RunsAt()) == 5


def test_while_it_is_sent_the_next_round_makes_another_which_waits_its_turn(store: Store) -> None:
    first = a_round(store, 1)
    sending = store.claim_delivery(*FEED, "me", NOON)
    second = a_round(store, 2)
    assert [row.payload["to"] for row in store.pending(*FEED)] == [first, second]
    assert store.claim_delivery(*FEED, "you", NOON) is None
    assert sending is not None
    store.finish_delivery(sending.model_copy(update={"state": DeliveryState.sent}), "me", NOON)
    assert store.claim_delivery(*FEED, "you", NOON) is not None


def test_what_was_confirmed_outlives_who_sent_it(store: Store) -> None:
    a_round(store, 1)
    sending = store.claim_delivery(*FEED, "me", NOON)
    assert sending is not None
    further = sending.model_copy(update={"payload": {**sending.payload, "done": {"runs": [1, "x"]}}})
    assert store.advance_feed(further, "me", NOON + MINUTE)
    assert store.claim_delivery(*FEED, "you", NOON + ATTEMPT) is None  # it was held for as long again
    taken = store.claim_delivery(*FEED, "you", NOON + MINUTE + ATTEMPT)
    assert taken is not None
    assert taken.payload["done"] == {"runs": [1, "x"]}
    assert not store.advance_feed(further, "me", NOON + MINUTE + ATTEMPT)  # the dead may not go on


def test_asked_for_by_hand_everything_that_waits_is_due_at_once(store: Store) -> None:
    """Also what a worker had begun when the next round made another row."""
    a_round(store, 1)
    first = store.claim_delivery(*FEED, "me", NOON)
    assert first is not None
    a_round(store, 2)
    later = {"state": DeliveryState.waiting, "next_at": NOON + 10 * MINUTE}
    store.finish_delivery(first.model_copy(update=later), "me", NOON)
    assert store.claim_delivery(*FEED, "me", NOON) is None
    store.extend_feeds([FEED], NOON)
    assert store.claim_delivery(*FEED, "me", NOON) is not None


def test_sent_rows_do_not_pile_up_and_are_no_entries_of_the_record(store: Store) -> None:
    for number in range(4):
        a_round(store, number)
        row = store.claim_delivery(*FEED, "me", NOON)
        assert row is not None
        sent = row.model_copy(update={"state": DeliveryState.sent, "finished_at": NOON})
        assert store.finish_delivery(sent, "me", NOON)
        store.forget_sent(sent)
    assert store.outbox_counts() == {(*FEED, "sent"): 1}
    assert store.events() == []


def test_runs_come_in_the_order_in_which_rounds_learned_of_them_and_each_once(store: Store) -> None:
    rounds = [a_round(store, *range(start, start + 7)) for start in (0, 7, 14)]
    a_round(store, 3)  # tells nothing new of it
    at, found = RunsAt(), list[str]()
    while page := store.runs_behind(at, rounds[1], 4):
        at = page[-1][0]
        found += [run.native_run_id for _, run in page]
    assert sorted(map(int, found)) == list(range(14))
    assert store.count_behind(at) == 7
    assert [place.round for place, _ in store.runs_behind(at, rounds[2], 99)] == [rounds[2]] * 7


def test_what_a_hub_has_not_confirmed_is_not_forgotten_however_old_it_is(store: Store) -> None:
    """The newest 30 attempts of each job stay anyway: so there are more of one."""
    a_round(store, *range(0, 40 * 40, 40))
    a_round(store)
    short = timedelta(minutes=1)
    limits = Limits(runs=short, jobs=short, findings=short, rounds=short, messages=short, changes=short)
    assert {
        name: gone for name, gone in store.prune(limits, NOON + timedelta(days=900)).items() if gone
    } == {}
    row = store.claim_delivery(*FEED, "me", NOON)
    assert row is not None
    done: dict[str, JsonValue] = {"runs": [2, ""], "rounds": 2}
    sent = {"state": DeliveryState.sent, "payload": {**row.payload, "done": done}}
    store.finish_delivery(row.model_copy(update=sent), "me", NOON)
    gone = store.prune(limits, NOON + timedelta(days=900))
    assert (gone["runs"], gone["rounds"]) == (10, 1)
