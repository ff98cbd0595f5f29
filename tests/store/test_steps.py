"""The steps of a team's round: begun once, taken over by whoever comes last, refused to everybody else."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dogwatch.errors import StoreError
from dogwatch.model import Source
from dogwatch.store import Store, open_store
from dogwatch.store.steps import ACT, CONCLUDE, FOLLOW, READ, Plan, StepEnd
from support.clock import NOON

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "dogwatch.db")
    yield opened
    opened.close()


def begun(store: Store, token: str = "round a", *names: str) -> int:
    number = store.begin_steps(Plan(token, NOON, None), store.last_rounds()[0], names or ("airbyte",))
    assert number is not None
    return number


def step(store: Store, number: int, kind: str, about: str = "", me: str = "me") -> Store:
    taken = store.take_step((number, kind, about), me, NOON)
    assert taken is not None
    return store.within(taken, me)


def waiting(store: Store) -> list[tuple[int, str, str]]:
    return [one.key for one in store.waiting_steps()]


def test_of_two_who_begin_a_round_one_does(store: Store) -> None:
    assert store.begin_steps(Plan("round a", NOON, None), 0, ["airbyte"]) == 1
    assert store.begin_steps(Plan("round b", NOON, None), 0, ["airbyte"]) is None
    assert store.begin_steps(Plan("round b", NOON, None), 1, ["airbyte"]) is None  # that one still goes on
    assert waiting(store) == [(1, READ, "airbyte")]
    assert store.round_held(NOON)
    assert not store.round_held(NOON + 2 * MINUTE)


def test_a_round_goes_from_step_to_step_and_gives_its_lease_back(store: Store) -> None:
    number = begun(store, "round a", "airbyte", "databricks")
    step(store, number, READ, "airbyte").end_step(StepEnd({"runs": 1}), NOON)
    assert waiting(store) == [(number, READ, "databricks")]
    step(store, number, READ, "databricks").end_step(StepEnd({"runs": 2}), NOON)
    taken = store.take_step((number, CONCLUDE, ""), "me", NOON)
    assert taken is not None
    assert taken.before == {"airbyte": {"runs": 1}, "databricks": {"runs": 2}}
    store.within(taken, "me").end_step(StepEnd({"text": "well"}, [(ACT, "")]), NOON)
    step(store, number, ACT).end_step(StepEnd(None, [(FOLLOW, "")]), NOON)
    assert not store.round_held(NOON)
    followed = store.take_step((number, FOLLOW, ""), "me", NOON)
    assert followed is not None
    assert followed.before == {"": {"text": "well"}}
    assert not followed.leads


def test_what_is_done_is_not_done_again(store: Store) -> None:
    number = begun(store)
    step(store, number, READ, "airbyte").end_step(StepEnd(), NOON)
    assert store.take_step((number, READ, "airbyte"), "other", NOON) is None
    assert store.take_step((number, READ, "unknown"), "other", NOON) is None


def test_who_was_taken_over_writes_nothing(store: Store) -> None:
    number = begun(store)
    sleeper = step(store, number, READ, "airbyte", "sleeper")
    other = step(store, number, READ, "airbyte", "other")
    with pytest.raises(StoreError, match="another worker took over this step"):
        sleeper.save_source(Source(instance="airbyte", platform="airbyte"))
    with pytest.raises(StoreError, match="another worker took over this step"):
        sleeper.end_step(StepEnd({"runs": 9}), NOON)
    assert store.sources() == []
    other.end_step(StepEnd({"runs": 1}), NOON)
    with pytest.raises(StoreError, match="another worker took over this step"):
        sleeper.save_source(Source(instance="airbyte", platform="airbyte"))


def test_a_round_that_lost_its_lease_is_given_up(store: Store) -> None:
    number = begun(store)
    late = step(store, number, READ, "airbyte")
    assert store.claim_round("by hand", NOON + 2 * MINUTE) is None
    with pytest.raises(StoreError, match="another one took over"):
        late.end_step(StepEnd(), NOON + 2 * MINUTE)
    assert store.take_step((number, READ, "airbyte"), "me", NOON + 2 * MINUTE) is None
    assert waiting(store) == []


def test_a_round_that_nobody_worked_at_for_long_goes_on_if_nobody_made_another_one(store: Store) -> None:
    number = begun(store)
    assert store.take_step((number, READ, "airbyte"), "me", NOON + 60 * MINUTE) is not None
    assert store.round_held(NOON + 60 * MINUTE)


def test_a_round_after_which_another_one_was_made_is_given_up(store: Store) -> None:
    number = begun(store)
    later = NOON + 60 * MINUTE
    assert store.claim_round("by hand", later) is None
    store.start_round(later)
    store.release_round()
    assert store.take_step((number, READ, "airbyte"), "me", later) is None
    assert waiting(store) == []
    assert not store.round_held(later)


def test_a_dropped_round_makes_room_for_the_next(store: Store) -> None:
    number = begun(store)
    store.drop_round(number)
    assert waiting(store) == []
    assert begun(store, "round b") == number + 1


def test_tries_are_counted(store: Store) -> None:
    number = begun(store)
    for _ in range(3):
        step(store, number, READ, "airbyte")
    assert [one.tries for one in store.waiting_steps()] == [3]


def test_a_round_of_nothing_is_concluded_at_once(store: Store) -> None:
    assert store.begin_steps(Plan("round a", NOON, frozenset(), 7), 0, []) == 1
    taken = store.take_step((1, CONCLUDE, ""), "me", NOON)
    assert taken is not None
    assert (taken.plan.asked, taken.plan.upto) == (frozenset(), 7)
