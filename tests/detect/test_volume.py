"""Successes that moved nothing, much less or much more than usual."""

import random
from collections.abc import Sequence

from dogwatch.detect.facts import Detection, Facts
from dogwatch.detect.volume import volume
from dogwatch.model import EvidenceKind, Finding, Run, Severity, Status
from support.nights import a_run_at, at, daily, varied

KEY = ("airbyte", "orders")
CALM = varied(40, 120_000, spread=0.1)


def moved(rows: Sequence[float], metric: str = "rows") -> list[Run]:
    return [
        a_run_at(moment, metrics={metric: float(round(value))})
        for moment, value in zip(daily(len(rows)), rows, strict=True)
    ]


def judge(runs: Sequence[Run]) -> list[Finding]:
    found = Detection()
    volume(Facts({}, {KEY: runs}, []), at(12, 60), found)
    assert all(set(finding.evidence) <= set(found.evidence) for finding in found.findings)
    return found.findings


def test_a_success_with_nothing_in_it_is_told() -> None:
    (finding,) = judge(moved([*CALM, 0]))
    assert (finding.rule, finding.severity) == ("empty", Severity.ERROR)
    assert finding.summary.startswith("Orders PG → RAW succeeded with no rows; it usually moves 1")
    assert "none of 40 successes before were empty" in finding.summary


def test_a_job_that_is_now_and_then_empty_is_told_only_after_several_in_a_row() -> None:
    rows = [0 if day % 9 == 0 else value for day, value in enumerate(CALM, 1)]
    assert judge(moved([*rows, 0])) == []
    (finding,) = judge(moved([*rows, 0, 0]))
    assert finding.severity is Severity.WARNING
    assert "2 times in a row" in finding.summary


def test_a_job_that_is_empty_every_sunday_is_empty_on_sundays() -> None:
    rows = [0 if day % 7 == 6 else value for day, value in enumerate([*CALM, 100_000])]
    assert judge(moved(rows)) == []  # the 41st is a Saturday with data
    assert judge(moved([*rows, 0])) == []  # a Sunday
    assert judge(moved([*rows[:-1], 0])) != []  # a Saturday without


def test_much_less_than_usual_is_a_warning_and_next_to_nothing_an_error() -> None:
    (less,) = judge(moved([*CALM, 40_000]))
    assert (less.rule, less.severity) == ("few_rows", Severity.WARNING)
    assert "moved 40,000 rows; it usually moves 1" in less.summary
    assert "are unusual" in less.summary
    (nothing,) = judge(moved([*CALM, 900]))
    assert nothing.severity is Severity.ERROR


def test_much_more_than_usual_is_a_note() -> None:
    (finding,) = judge(moved([*CALM, 900_000]))
    assert (finding.rule, finding.severity) == ("many_rows", Severity.INFO)


def test_usual_volumes_weekends_included_are_not_told() -> None:
    rng = random.Random(2)
    for start in range(30):
        rows = varied(60 + start, 9_000, spread=0.1, seed=start)
        rows = [value * (0.4 if day % 7 > 4 else 1) for day, value in enumerate(rows)]
        assert judge(moved(rows)) == [], rng


def test_a_usual_run_or_a_failure_after_it_ends_it() -> None:
    assert judge(moved([*CALM, 0, 120_000])) == []
    assert judge([*moved(CALM), a_run_at(at(2, 41), status=Status.failed, metrics={"rows": 0.0})]) == []


def test_a_job_that_moves_little_is_not_judged_by_it() -> None:
    assert judge(moved([*varied(40, 20), 3])) == []


def test_bytes_are_judged_where_no_rows_are_told() -> None:
    (finding,) = judge(moved([*varied(40, 8e9), 2e9], metric="bytes"))
    assert finding.rule == "few_bytes"
    assert "moved 2 GB; it usually moves 8 GB" in finding.summary


def test_one_small_load_of_a_frequent_job_is_a_note() -> None:
    hourly = [
        a_run_at(at(hour), metrics={"rows": round(value)}) for hour, value in enumerate(varied(100, 5000))
    ]
    one, two = (a_run_at(at(hour), metrics={"rows": 2200.0}) for hour in (100, 101))
    assert [finding.severity for finding in judge([*hourly, one])] == [Severity.INFO]
    assert [finding.severity for finding in judge([*hourly, one, two])] == [Severity.WARNING]


def test_the_numbers_can_be_cited() -> None:
    found = Detection()
    volume(Facts({}, {KEY: moved([*CALM, 40_000])}, []), at(12, 60), found)
    (numbers,) = (item for item in found.evidence.values() if item.kind is EvidenceKind.metric)
    assert numbers.content["metric"] == "rows"
    assert numbers.content["runs"] == 40
