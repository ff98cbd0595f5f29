"""Limits on metrics, and for how long they have to be crossed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from dogwatch.detect.facts import Detection
from dogwatch.detect.thresholds import DEFAULTS, Series, Threshold, crossed_since, thresholds
from dogwatch.model import Finding, Severity
from support.cast import NOON


def samples(values: Sequence[float], step: timedelta = timedelta(minutes=1)) -> list[tuple[datetime, float]]:
    """The last sample is at noon."""
    return [(NOON - step * back, value) for back, value in zip(range(len(values))[::-1], values, strict=True)]


def judge(metric: str, values: Sequence[float], limits: Sequence[Threshold] = DEFAULTS) -> list[Finding]:
    found = Detection()
    series = Series(metric, "service/api", samples(values), "prometheus")
    thresholds([series], NOON, found, limits)
    assert all(set(finding.evidence) <= set(found.evidence) for finding in found.findings)
    return found.findings


@pytest.mark.parametrize(
    ("metric", "value", "severity"),
    [
        ("error_rate", 0.01, None),
        ("error_rate", 0.02, Severity.WARNING),
        ("error_rate", 0.051, Severity.CRITICAL),
        ("response_time", 2.0, None),
        ("response_time", 2.1, Severity.WARNING),
        ("response_time", 5.5, Severity.CRITICAL),
        ("unheard_of", 99.0, None),
    ],
)
def test_the_limits_that_hold_unless_others_are_set(
    metric: str, value: float, severity: Severity | None
) -> None:
    found = judge(metric, [value] * 10)
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_the_finding_says_the_numbers() -> None:
    (finding,) = judge("error_rate", [0.002] * 5 + [0.024] * 8)
    assert finding.summary == (
        "service/api: error rate is 2.4 %, above 1 % for 7 min (5 min are needed to say so)"
    )
    assert finding.at == NOON - timedelta(minutes=7)


def test_a_short_peak_is_no_finding() -> None:
    assert judge("response_time", [0.3] * 20 + [9.0] * 4) == []


def test_one_sample_below_the_limit_starts_the_count_anew() -> None:
    assert judge("response_time", [9.0] * 20 + [0.5] + [9.0] * 4) == []


def test_a_grave_limit_crossed_only_lately_leaves_the_milder_finding() -> None:
    (finding,) = judge("response_time", [3.0] * 10 + [9.0] * 2)
    assert finding.severity is Severity.WARNING


def test_a_series_without_a_fresh_sample_says_nothing() -> None:
    old = [(at - timedelta(minutes=20), value) for at, value in samples([9.0] * 30)]
    assert crossed_since(old, DEFAULTS[2], NOON) is None
    assert crossed_since([], DEFAULTS[2], NOON) is None


def test_a_hole_breaks_the_series() -> None:
    holed = [sample for sample in samples([9.0] * 30) if not 3 <= (NOON - sample[0]).seconds / 60 < 8]
    assert crossed_since(holed, DEFAULTS[2], NOON) is None


def test_samples_from_the_future_and_not_a_number_are_no_samples() -> None:
    known = [*samples([9.0, float("nan")] * 6 + [9.0]), (NOON + timedelta(hours=1), 0.0)]
    assert crossed_since(known, DEFAULTS[2], NOON) == NOON - timedelta(minutes=12)


def test_too_little_can_be_the_trouble_and_patterns_choose_the_series() -> None:
    limit = Threshold("acc*", 0.9, Severity.ERROR, timedelta(minutes=2), below=True, subject="service/*")
    (finding,) = judge("accuracy", [0.95] * 5 + [0.7] * 5, [limit])
    assert finding.severity is Severity.ERROR
    assert "below 0.9 for 4 min" in finding.summary
    other = Threshold("acc*", 0.9, Severity.ERROR, below=True, subject="job/*")
    assert judge("accuracy", [0.7] * 30, [other]) == []


def test_a_limit_of_ones_own_stands_above_those_for_all() -> None:
    generous = Threshold("error_rate", 0.2, Severity.ERROR, unit="%")
    assert judge("error_rate", [0.1] * 30, [generous]) == []
    (finding,) = judge("error_rate", [0.3] * 30, [generous])
    assert finding.severity is Severity.ERROR
    assert "above 20 %" in finding.summary
    elsewhere = Threshold("error_rate", 0.2, Severity.ERROR, subject="component/other")
    (finding,) = judge("error_rate", [0.1] * 30, [elsewhere])
    assert finding.severity is Severity.CRITICAL
