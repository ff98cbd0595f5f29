"""The habit of a job that no schedule describes."""

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dogwatch.detect.learn import cadence
from support.nights import at, daily


def jittered(moments: list[datetime], seconds: float = 90, seed: int = 1) -> list[datetime]:
    rng = random.Random(seed)
    return [moment + timedelta(seconds=rng.uniform(0, seconds)) for moment in moments]


def test_a_daily_time_is_learned_with_its_confidence() -> None:
    habit = cadence(jittered(daily(30)))
    assert habit is not None
    assert 0.85 < habit.confidence < 1
    assert habit.known == 30
    (slot,) = habit.slots(at(0, 40), at(0, 41))
    assert abs(slot.at - at(2, 40)) < timedelta(minutes=2)


def test_more_runs_make_it_surer() -> None:
    few, many = cadence(jittered(daily(20))), cadence(jittered(daily(90)))
    assert few is not None
    assert many is not None
    assert few.confidence < many.confidence


def test_nineteen_runs_are_too_few() -> None:
    assert cadence(jittered(daily(19))) is None


def test_working_days_are_learned_as_working_days() -> None:
    moments = [moment for moment in daily(42) if moment.weekday() < 5]
    habit = cadence(jittered(moments))
    assert habit is not None
    ((_, weekdays),) = habit.times
    assert weekdays == frozenset(range(5))
    assert len(habit.slots(at(0, 42), at(0, 49))) == 5


def test_several_times_a_day_are_several_times() -> None:
    moments = sorted([*daily(20, 6), *daily(20, 14), *daily(20, 22)])
    habit = cadence(jittered(moments))
    assert habit is not None
    assert [slot.at.hour for slot in habit.slots(at(0, 30), at(0, 31))] == [6, 14, 22]


def test_an_interval_is_learned_from_equal_gaps() -> None:
    moments = [at(0) + timedelta(minutes=47) * number for number in range(60)]
    habit = cadence(jittered(moments, seconds=20))
    assert habit is not None
    assert habit.every is not None
    assert abs(habit.every - timedelta(minutes=47)) < timedelta(seconds=10)
    following = habit.slots(moments[-1] + timedelta(minutes=5), moments[-1] + timedelta(hours=2))
    assert len(following) == 2


@pytest.mark.parametrize("seed", range(20))
def test_what_happens_at_random_is_no_habit(seed: int) -> None:
    rng = random.Random(seed)
    moments = sorted(at(rng.uniform(0, 24 * 40)) for _ in range(rng.randrange(20, 120)))
    assert cadence(moments) is None


def test_a_job_that_often_stays_away_is_no_habit() -> None:
    rng = random.Random(3)
    assert cadence(jittered([moment for moment in daily(60) if rng.random() < 0.6])) is None


def test_after_clocks_changed_either_time_will_do_until_the_job_has_run() -> None:
    zone = ZoneInfo("Europe/Berlin")
    walls = [datetime(2026, 3, 1, 4, tzinfo=zone) + timedelta(days=day) for day in range(25)]
    habit = cadence(walls, "Europe/Berlin")
    assert habit is not None
    (slot,) = habit.slots(at(0, 35), at(0, 36))
    assert (slot.not_before.hour, slot.at.hour) == (2, 3)  # 4:00 in Berlin, and 4:00 as winter had it


@pytest.mark.parametrize("timezone", ["Europe/Berlin", "UTC"])
def test_once_clocks_have_changed_the_zone_that_explains_more_is_taken(timezone: str) -> None:
    zone = ZoneInfo(timezone)
    walls = [datetime(2026, 3, 10, 4, tzinfo=zone) + timedelta(days=day) for day in range(40)]
    habit = cadence(walls, "Europe/Berlin")
    assert habit is not None
    assert habit.zone == zone


def test_a_few_extra_runs_do_not_hide_the_habit() -> None:
    moments = sorted([*jittered(daily(60)), at(13.5, 20), at(17.2, 33), at(9.1, 41)])
    habit = cadence(moments)
    assert habit is not None
    assert len(habit.times) == 1
