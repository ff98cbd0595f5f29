"""What is usual: level, spread, weekdays, month ends, steps and drift."""

import math
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dogwatch.detect.baseline import Baseline, Limits
from support.nights import MONDAY, varied

DAY = 86_400.0
FIRST = MONDAY.timestamp() + 2 * 3600


def points(values: Sequence[float], every: float = DAY) -> list[tuple[float, float]]:
    return [(FIRST + number * every, value) for number, value in enumerate(values)]


def learned(values: Sequence[float], every: float = DAY) -> Baseline:
    baseline = Baseline()
    baseline.learn(points(values, every))
    return baseline


def next_at(baseline: Baseline) -> float:
    return FIRST + baseline.known * DAY


def test_twice_as_long_is_unusual_for_a_steady_job() -> None:
    baseline = learned(varied(40, 600))
    judgement = baseline.judge(next_at(baseline), 1250)
    assert judgement is not None
    assert judgement.high
    assert judgement.usual == pytest.approx(600, rel=0.08)
    assert judgement.ratio == pytest.approx(1250 / judgement.usual)
    assert judgement.limit < 1250
    assert judgement.known == 40


def test_half_as_long_again_is_not_unusual() -> None:
    baseline = learned(varied(40, 600))
    assert baseline.judge(next_at(baseline), 900) is None


def test_much_too_short_is_told_as_low() -> None:
    baseline = learned(varied(40, 600))
    judgement = baseline.judge(next_at(baseline), 100)
    assert judgement is not None
    assert not judgement.high


def test_little_history_gives_no_verdict() -> None:
    assert learned(varied(10, 600)).judge(FIRST + 10 * DAY, 6000) is None
    assert learned(varied(10, 600)).usual(FIRST + 10 * DAY) is None


def test_a_judged_value_is_not_in_its_own_baseline() -> None:
    calm = varied(40, 600)
    baseline = Baseline()
    (found,) = baseline.learn(points([*calm, 3000]))
    alone = learned(calm)
    assert found == (40, alone.judge(FIRST + 40 * DAY, 3000))


def test_a_flat_job_has_a_floor_under_its_spread() -> None:
    baseline = learned([600.0] * 30)
    assert baseline.judge(next_at(baseline), 900) is None
    assert baseline.judge(next_at(baseline), 1100) is not None


def test_a_noisy_jobs_limit_is_far_out_and_is_told() -> None:
    baseline = learned(varied(60, 600, spread=0.5))
    usual = baseline.usual(next_at(baseline))
    assert usual is not None
    assert usual.limit > 3 * usual.usual
    assert usual.spread == pytest.approx(0.5, rel=0.25)


def test_mondays_that_are_always_longer_are_usual() -> None:
    lengths = varied(42, 600, spread=0.05)
    lengths = [length * (2.5 if day % 7 == 0 else 1) for day, length in enumerate(lengths)]
    unusual = Baseline().learn(points(lengths))
    assert unusual == []
    baseline = learned(lengths)
    assert baseline.judge(FIRST + 42 * DAY, 1500) is None  # a Monday
    assert baseline.judge(FIRST + 43 * DAY, 1500) is not None  # a Tuesday
    assert baseline.judge(FIRST + 42 * DAY, 4000) is not None  # too long even for a Monday


def test_what_is_usual_on_a_monday_is_said_of_mondays() -> None:
    lengths = [600.0 * (2.5 if day % 7 == 0 else 1) for day in range(42)]
    baseline = learned(lengths)
    monday, tuesday = baseline.usual(FIRST + 42 * DAY), baseline.usual(FIRST + 43 * DAY)
    assert monday is not None
    assert tuesday is not None
    assert monday.usual == pytest.approx(1500, rel=0.05)
    assert tuesday.usual == pytest.approx(600, rel=0.05)


def test_a_nightly_peak_of_an_hourly_job_is_usual() -> None:
    rng = random.Random(3)
    lengths = [300 * math.exp(rng.gauss(0, 0.1)) * (4 if hour % 24 == 0 else 1) for hour in range(24 * 12)]
    late = [index for index, _ in Baseline().learn(points(lengths, 3600)) if index > 72]
    assert late == []


@pytest.mark.parametrize("working", [False, True])
def test_month_ends_are_known_from_the_third_on(working: bool) -> None:
    days = [MONDAY + timedelta(days=number) for number in range(200)]
    rng = random.Random(5)

    def peak(day: datetime) -> bool:
        last = (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        while working and last.weekday() > 4:
            last -= timedelta(days=1)
        return day.date() == last.date()

    lengths = [600 * math.exp(rng.gauss(0, 0.08)) * (3 if peak(day) else 1) for day in days]
    unusual = [days[index] for index, _ in Baseline().learn(points(lengths))]
    assert all(peak(day) for day in unusual)
    assert len(unusual) <= 2
    assert all(day < MONDAY + timedelta(days=65) for day in unusual)


def test_a_lasting_step_is_told_three_times_at_most_then_silence() -> None:
    lengths = varied(40, 600) + varied(40, 1800, seed=2)
    unusual = [index for index, _ in Baseline().learn(points(lengths))]
    assert unusual == [40, 41, 42]


def test_hours_on_another_level_are_no_new_level_however_many_runs_there_are() -> None:
    half_an_hour = DAY / 48
    usual, slow = varied(14 * 48, 600), varied(24, 1800, seed=2)
    baseline = Baseline()
    told = [index for index, _ in baseline.learn(points(usual + slow, half_an_hour))]
    assert told == list(range(len(usual), len(usual) + len(slow)))
    at = FIRST + baseline.known * half_an_hour
    assert baseline.judge(at, 1800) is not None
    known = baseline.usual(at)
    assert known is not None
    assert known.usual == pytest.approx(600, rel=0.08)
    assert baseline.judge(at, 600) is None


def test_what_has_lasted_for_most_of_a_day_is_the_new_level() -> None:
    half_an_hour = DAY / 48
    usual, slow = varied(14 * 48, 600), varied(96, 1800, seed=2)
    told = [index for index, _ in Baseline().learn(points(usual + slow, half_an_hour))]
    assert told == list(range(len(usual), len(usual) + 41))


def test_after_an_episode_the_former_level_holds_again() -> None:
    lengths = varied(40, 600) + varied(4, 3000, seed=2) + varied(10, 600, seed=3)
    baseline = learned(lengths)
    usual = baseline.usual(next_at(baseline))
    assert usual is not None
    assert usual.usual == pytest.approx(600, rel=0.08)


def test_a_drift_of_one_percent_a_day_is_followed() -> None:
    lengths = [length * 1.01**day for day, length in enumerate(varied(150, 600))]
    assert Baseline().learn(points(lengths)) == []
    baseline = learned(lengths)
    usual = baseline.usual(next_at(baseline))
    assert usual is not None
    assert usual.usual == pytest.approx(600 * 1.01**150, rel=0.1)


def test_a_job_with_two_modes_is_not_told_of_for_ever() -> None:
    rng = random.Random(7)
    lengths = [length * (10 if rng.random() < 0.35 else 1) for length in varied(200, 60)]
    late = [index for index, _ in Baseline().learn(points(lengths)) if index > 60]
    assert len(late) <= 2


def test_limits_can_be_set() -> None:
    strict = Baseline(Limits(ratio=1.4, sigmas=2))
    strict.learn(points(varied(40, 600, spread=0.05)))
    assert strict.judge(FIRST + 40 * DAY, 900) is not None


@given(
    st.lists(st.floats(min_value=1e-3, max_value=1e9), min_size=1, max_size=150),
    st.lists(st.integers(min_value=1, max_value=40), max_size=8),
    st.sampled_from([DAY, 3600.0, 7 * DAY]),
)
def test_a_history_learned_in_parts_gives_the_same_verdicts(
    values: list[float], cuts: list[int], every: float
) -> None:
    whole = Baseline().learn(points(values, every))
    parts = Baseline()
    found = []
    rest = points(values, every)
    for cut in cuts:
        found += parts.learn(rest[:cut])
        parts.judge(FIRST + 1e9, 5.0)  # asking changes nothing
        parts.usual(FIRST + 1e9)
        rest = rest[cut:]
    found += parts.learn(rest)
    assert found == whole


@given(
    st.lists(st.floats(min_value=1, max_value=1e6), min_size=12, max_size=100),
    st.floats(min_value=0.001, max_value=1000),
)
def test_the_unit_does_not_matter(values: list[float], unit: float) -> None:
    one = [index for index, _ in Baseline().learn(points([round(value) for value in values]))]
    other = [index for index, _ in Baseline().learn(points([round(value) * unit for value in values]))]
    assert set(one) ^ set(other) == set() or len(set(one) ^ set(other)) <= 1  # a value on the very border
