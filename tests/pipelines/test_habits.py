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
    assert (habit.upstreams, habit.times, habit.of, habit.lag_seconds) == (("p/a",), 10, 10, 20.0)
    (edge,) = habit.edges()
    assert (edge.triggers, edge.certain) == (True, False)
    assert edge.confidence < 0.75


def test_one_start_may_have_had_another_reason_but_not_two() -> None:
    assert found({"p/a": moved(timedelta(seconds=-20), DAYS[1:])}).upstreams == ("p/a",)
    assert found({"p/a": moved(timedelta(seconds=-20), DAYS[2:])}).upstreams == ()


def test_what_ends_all_the_time_is_no_reason() -> None:
    often = [DAYS[0] + timedelta(minutes=3 * number) for number in range(-2, 4800)]
    assert found({"p/often": often}).upstreams == ()


def test_of_two_that_fit_the_last_to_end_is_taken() -> None:
    habit = found({"p/a": moved(timedelta(seconds=-90)), "p/b": moved(timedelta(seconds=-5))})
    assert habit.upstreams == ("p/b",)


def test_what_reads_of_several_begins_after_the_last_of_them() -> None:
    early, late = timedelta(minutes=-4), timedelta(seconds=-8)
    ends = {
        "p/a": [day + (late if number % 7 == 0 else early) for number, day in enumerate(DAYS)],
        "p/b": [day + (early if number % 7 == 0 else late) for number, day in enumerate(DAYS)],
        "p/c": moved(timedelta(hours=-3)),
    }
    habit = habit_of("p/x", DAYS, ends, NOON, {"p/a", "p/b", "p/c"})
    assert (habit.upstreams, habit.lag_seconds) == (("p/a", "p/b"), 8.0)  # c is read, but never the last
    assert [edge.triggers for edge in habit.edges()] == [True, True]


def test_few_starts_are_no_habit() -> None:
    assert found({"p/a": DAYS[:5]}, DAYS[:5]).upstreams == ()
    assert found({}).edges() == []


@given(st.lists(st.integers(0, 10**6), max_size=30), st.lists(st.integers(0, 10**6), max_size=30))
def test_whatever_the_times_a_habit_counts_honestly(starts: list[int], ends: list[int]) -> None:
    begun = sorted(NOON + timedelta(seconds=second) for second in starts)
    habit = found({"p/a": sorted(NOON + timedelta(seconds=second) for second in ends)}, begun)
    assert 0 <= habit.times <= max(habit.of, 0)
    if habit.upstreams:
        assert habit.times >= habit.of - 1 >= 5
