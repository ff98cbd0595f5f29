"""Metrics that leave their own usual level: what is noticed, what is not, and since when."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from dogwatch.detect.facts import Detection
from dogwatch.detect.shifts import LASTING, Usual, off_since, shifts
from dogwatch.detect.thresholds import Series, thresholds
from dogwatch.model import Finding, MetricSeries, Severity
from support.cast import NOON

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Course = Callable[[datetime], float]


def constant(value: float) -> Course:
    return lambda at: value


def rhythm(at: datetime) -> float:
    """Five times as much at noon as at midnight, half of it at weekends."""
    swing = 3 + 2 * math.cos((at.hour - 12) / 24 * 2 * math.pi)
    return swing * (0.5 if at.weekday() >= 5 else 1.0)


def series(metric: str, course: Course, minutes: int = 120, until: datetime = NOON) -> MetricSeries:
    moments = [until - MINUTE * back for back in range(minutes, -1, -1)]
    samples = tuple((at, course(at)) for at in moments)
    return MetricSeries(instance="prometheus", subject="component/api", metric=metric, samples=samples)


def levels(course: Course, days: float = 14, until: datetime = NOON) -> list[tuple[datetime, float]]:
    first = (until - DAY * days).replace(minute=0)
    return [(first + HOUR * number, course(first + HOUR * number)) for number in range(int(days * 24))]


def judged(
    metric: str, now: Course, before: Course, days: float = 14, until: datetime = NOON
) -> list[Finding]:
    found = Detection()
    one = series(metric, now, until=until)
    shifts([one], {one.key: levels(before, days, until)}, until, found, UTC)
    assert all(set(finding.evidence) <= set(found.evidence) for finding in found.findings)
    return found.findings


@pytest.mark.parametrize(
    ("metric", "usual", "value", "severity"),
    [
        ("response_time", 0.3, 0.4, None),
        ("response_time", 0.3, 0.7, Severity.WARNING),
        ("response_time", 0.3, 1.9, Severity.ERROR),
        ("response_time", 0.3, 0.05, None),
        ("error_rate", 0.001, 0.004, None),
        ("error_rate", 0.001, 0.009, Severity.WARNING),
        ("cpu", 0.3, 0.6, Severity.WARNING),
        ("memory", 0.5, 0.55, None),
        ("memory", 0.5, 0.9, Severity.WARNING),
        ("disk", 0.5, 0.7, Severity.WARNING),
        ("queue_lag", 0.0, 12.0, None),
        ("queue_lag", 30.0, 400.0, Severity.ERROR),
        ("accuracy", 0.96, 0.95, None),
        ("accuracy", 0.96, 0.88, Severity.WARNING),
        ("accuracy", 0.96, 0.7, Severity.ERROR),
        ("accuracy", 0.9, 0.99, None),
        ("of_their_own", 10.0, 20.0, Severity.WARNING),
    ],
)
def test_how_far_from_the_usual_is_too_far(
    metric: str, usual: float, value: float, severity: Severity | None
) -> None:
    found = judged(metric, constant(value), constant(usual))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_the_finding_says_since_when_and_what_is_usual() -> None:
    (finding,) = judged("response_time", lambda at: 0.9 if at > NOON - 25 * MINUTE else 0.3, constant(0.3))
    assert finding.summary == "api: response time has been 0.9 s for 24 min; usual at this hour is 0.3 s"
    assert finding.at == NOON - 24 * MINUTE


def test_what_lasts_less_than_ten_minutes_may_pass() -> None:
    assert judged("response_time", lambda at: 0.9 if at > NOON - LASTING else 0.3, constant(0.3)) == []
    assert judged("response_time", lambda at: 0.3 if at > NOON - MINUTE else 0.9, constant(0.3)) == []


@pytest.mark.parametrize("hour", [0, 6, 12, 18])
@pytest.mark.parametrize("day", [3, 7])
def test_the_rhythm_of_day_and_week_is_usual(hour: int, day: int) -> None:
    until = datetime(2026, 3, day, hour, tzinfo=UTC)
    assert judged("queue_lag", lambda at: 100 * rhythm(at), lambda at: 100 * rhythm(at), until=until) == []


def test_noon_at_midnight_is_a_shift() -> None:
    until = datetime(2026, 3, 3, 2, tzinfo=UTC)
    assert judged("queue_lag", constant(500), lambda at: 100 * rhythm(at), until=until)
    assert judged("queue_lag", constant(500), lambda at: 100 * rhythm(at)) == []


def test_two_days_have_to_be_known() -> None:
    assert judged("response_time", constant(3), constant(0.3), days=1.9) == []
    assert judged("response_time", constant(3), constant(0.3), days=2.1)


def test_a_metric_that_always_scatters_is_given_room() -> None:
    def wild(at: datetime) -> float:
        return 0.3 * math.exp(0.8 * math.sin(at.timestamp() * 12.9898))

    assert judged("response_time", constant(0.9), wild) == []


def test_a_share_of_few_events_is_nothing_in_most_hours_and_much_in_some() -> None:
    def few(at: datetime) -> float:
        return (0, 0, 0, 0.0028, 0, 0, 0.0056, 0, 0, 0, 0.0083)[(at.day * 24 + at.hour) % 11]

    assert judged("error_rate", constant(0.0083), few) == []
    assert judged("error_rate", constant(0.06), few)


def test_a_bad_day_of_last_week_does_not_make_the_next_one_usual() -> None:
    def one_night(at: datetime) -> float:
        return 0.3 if at.day == 27 and at.hour < 9 else 0.0005

    assert judged("error_rate", constant(0.009), one_night)


def test_a_series_that_ended_says_nothing_about_now() -> None:
    one = series("response_time", constant(3), until=NOON - 10 * MINUTE)
    usual = Usual(levels(constant(0.3)), "response_time", NOON, UTC)
    assert off_since(one, usual, NOON) is None


def test_what_a_limit_has_told_is_not_told_again() -> None:
    one = series("error_rate", constant(0.2))
    found = Detection()
    thresholds([Series(one.metric, one.subject, one.samples, one.instance)], NOON, found)
    shifts([one], {one.key: levels(constant(0.001))}, NOON, found, UTC)
    assert [finding.rule for finding in found.findings] == ["threshold"]
