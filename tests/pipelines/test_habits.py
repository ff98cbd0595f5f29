"""What timing suggests, and what it does not."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dogwatch.pipelines.habits import Habit, habit_of
from support.clock import NOON

DAYS = [NOON + timedelta(days=number) for number in range(10)]


def moved(by: timedelta, moments: list[datetime] = DAYS) -> list[datetime]:
    return [moment + by for moment in moments]


def found(ends: dict[str, list[datetime]], starts: list[datetime] = DAYS) -> Habit:
    return habit_of("p/x", starts, ends, NOON)


def test_what_always_begins_soon_after_another_ended_follows_it() -> None:
    habit = found({"p/a": moved(timedelta(seconds=-20)), "p/b": moved(timedelta(hours=-2))})
    assert (habit.upstream, habit.times, habit.of, habit.lag_seconds) == ("p/a", 10, 10, 20.0)
    edge = habit.edge()
    assert edge is not None
    assert (edge.triggers, edge.certain) == (True, False)
    assert edge.confidence < 0.75


def test_one_start_may_have_had_another_reason_but_not_two() -> None:
    assert found({"p/a": moved(timedelta(seconds=-20), DAYS[1:])}).upstream == "p/a"
    assert found({"p/a": moved(timedelta(seconds=-20), DAYS[2:])}).upstream is None


def test_what_ends_all_the_time_is_no_reason() -> None:
    often = [DAYS[0] + timedelta(minutes=3 * number) for number in range(-2, 4800)]
    assert found({"p/often": often}).upstream is None


def test_of_two_that_fit_the_last_to_end_is_taken() -> None:
    habit = found({"p/a": moved(timedelta(seconds=-90)), "p/b": moved(timedelta(seconds=-5))})
    assert habit.upstream == "p/b"


def test_few_starts_are_no_habit() -> None:
    assert found({"p/a": DAYS[:5]}, DAYS[:5]).upstream is None
    assert found({}).edge() is None


@given(st.lists(st.integers(0, 10**6), max_size=30), st.lists(st.integers(0, 10**6), max_size=30))
def test_whatever_the_times_a_habit_counts_honestly(starts: list[int], ends: list[int]) -> None:
    begun = sorted(NOON + timedelta(seconds=second) for second in starts)
    habit = found({"p/a": sorted(NOON + timedelta(seconds=second) for second in ends)}, begun)
    assert 0 <= habit.times <= max(habit.of, 0)
    if habit.upstream is not None:
        assert habit.times >= habit.of - 1 >= 5
