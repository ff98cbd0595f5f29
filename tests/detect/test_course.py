"""What a picture of a job shows."""

from datetime import UTC, timedelta

import pytest

from dogwatch.detect.course import course, metric_of, sampled
from dogwatch.detect.facts import Detection
from dogwatch.detect.rules import Rules
from dogwatch.detect.thresholds import DEFAULTS, Series, thresholds
from dogwatch.model import Run, Status
from support.nights import a_run_at, at, daily, runs_at, took, varied

NOW = at(12, 40)


def shown(history: list[Run], metric: str = "duration_seconds") -> tuple[float, float, float]:
    found = course(history, "rows" if metric == "rows" else "duration_seconds", Rules(), UTC, NOW)
    assert found is not None
    assert found.low is not None
    assert found.usual is not None
    assert found.high is not None
    return found.low, found.usual, found.high


def test_the_borders_are_those_by_which_the_newest_run_is_judged() -> None:
    low, usual, high = shown(took([*varied(30, 20), 60]))
    assert low < usual < high < 60 * 60
    assert usual == pytest.approx(20 * 60, rel=0.1)


def test_the_newest_run_is_not_in_its_own_baseline() -> None:
    calm, wild = took([*varied(30, 20), 20]), took([*varied(30, 20), 900])
    assert shown(calm) == shown(wild)


def test_failures_are_shown_but_teach_nothing() -> None:
    calm = took(varied(31, 20))
    failed = a_run_at(at(3, 20), 500, Status.failed)
    both = sorted([*calm, failed], key=lambda run: run.began_at)
    assert shown(calm) == shown(both)
    found = course(both, "duration_seconds", Rules(), UTC, NOW)
    assert found is not None
    assert Status.failed in {point.status for point in found.points}


def test_a_run_that_goes_on_is_as_old_as_it_was_when_it_was_last_seen() -> None:
    going = a_run_at(at(2, 30), status=Status.running)
    found = course([*took(varied(30, 20)), going], "duration_seconds", Rules(), UTC, at(4, 30))
    assert found is not None
    assert found.points[-1].value == 2 * 3600


def test_of_volumes_less_is_below_and_more_is_above() -> None:
    history = [
        a_run_at(moment, metrics={"rows": rows})
        for moment, rows in zip(daily(31), varied(31, 5_000), strict=True)
    ]
    low, usual, high = shown(history, "rows")
    assert low < usual / 1.9 < usual < high


def test_with_few_runs_nothing_is_claimed_to_be_usual() -> None:
    found = course(runs_at(daily(4)), "duration_seconds", Rules(), UTC, NOW)
    assert found is not None
    assert (found.usual, found.low, found.high, found.known) == (None, None, None, 3)


def test_without_a_number_there_is_no_picture() -> None:
    assert course([], "rows", Rules(), UTC, NOW) is None
    assert course(runs_at(daily(4)), "rows", Rules(), UTC, NOW) is None


@pytest.mark.parametrize(
    ("rule", "metric"),
    [
        ("slow", "duration_seconds"),
        ("failed", "duration_seconds"),
        ("few_rows", "rows"),
        ("many_bytes", "bytes"),
    ],
)
def test_a_rule_is_seen_by_its_number(rule: str, metric: str) -> None:
    assert metric_of(rule, took([20], metrics={"rows": 3.0, "bytes": 9.0})) == metric


@pytest.mark.parametrize("rule", ["missed", "late", "paused", "blind"])
def test_what_no_number_decides_has_none(rule: str) -> None:
    assert metric_of(rule, took([20])) is None


def test_the_samples_of_a_metric_are_shown_with_their_limit() -> None:
    samples = [(NOW - timedelta(minutes=10 - minute), 0.2) for minute in range(11)]
    found = Detection()
    thresholds([Series("error_rate", "component/llm", samples, "prometheus")], NOW, found, DEFAULTS)
    shape = sampled(found.evidence.values())
    assert shape is not None
    assert (shape.metric, shape.high, shape.low) == ("error_rate", 0.05, None)
    assert [point.value for point in shape.points] == [0.2] * 11
    assert shape.points[-1].at == NOW
