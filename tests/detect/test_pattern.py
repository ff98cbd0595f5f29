"""What only several runs together show."""

from collections.abc import Sequence
from datetime import timedelta

from dogwatch.detect.facts import Detection, Facts
from dogwatch.detect.pattern import patterns
from dogwatch.model import Finding, Run, Severity, Status
from support.nights import a_run_at, at, daily, runs_at

KEY = ("airbyte", "orders")
S, F = Status.success, Status.failed


def judge(runs: Sequence[Run], hour: float = 12) -> list[Finding]:
    found = Detection()
    patterns(Facts({}, {KEY: runs}, []), runs[-1].began_at + timedelta(hours=hour), found)
    assert all(set(finding.evidence) <= set(found.evidence) for finding in found.findings)
    return found.findings


def ended(*statuses: Status) -> list[Run]:
    return [a_run_at(moment, status=status) for moment, status in zip(daily(99), statuses, strict=False)]


def test_a_job_that_alternates_is_told_even_when_its_last_run_succeeded() -> None:
    (finding,) = judge(ended(S, S, S, F, S, F, S, F, S))
    assert (finding.rule, finding.severity) == ("flapping", Severity.WARNING)
    assert finding.summary == (
        "Orders PG → RAW alternates: 3 of its last 8 runs failed, with 6 changes"
        " between success and failure (4 are told)"
    )
    assert len(finding.evidence) == 3


def test_a_job_that_failed_for_a_while_and_recovered_does_not_flap() -> None:
    assert judge(ended(S, S, F, F, F, S, S, S)) == []
    assert judge(ended(S, F, S, F, S, S, S, S)) == []


def test_two_starts_within_seconds_are_told() -> None:
    runs = runs_at([*daily(20), at(2, 20), at(2, 20) + timedelta(seconds=5)])
    (finding,) = judge(runs)
    assert (finding.rule, finding.severity) == ("duplicated", Severity.WARNING)
    assert finding.summary == (
        "Orders PG → RAW was started twice within 5 seconds; that happened to 0 of 20 runs before"
    )


def test_a_second_start_is_told_although_the_next_run_has_begun() -> None:
    quarters = [at(quarter / 4) for quarter in range(60)]
    twice = quarters[58] + timedelta(seconds=5)
    assert [finding.rule for finding in judge(runs_at(sorted([*quarters, twice]), minutes=3))] == [
        "duplicated"
    ]


def test_a_start_by_hand_beside_the_scheduled_one_is_nobodys_fault() -> None:
    runs = runs_at([*daily(20), at(2, 20)], trigger="PERIODIC")
    assert judge([*runs, a_run_at(at(2.01, 20), trigger="ONE_TIME")]) == []


def test_a_job_that_is_often_started_side_by_side_may_be() -> None:
    pairs = [moment + timedelta(seconds=seconds) for moment in daily(20) for seconds in (0, 10)]
    assert judge(runs_at(pairs)) == []


def test_parts_and_retries_are_no_second_start() -> None:
    runs = runs_at([*daily(20), at(2, 20)])
    part = a_run_at(at(2.01, 20), parent_uid=runs[-1].uid)
    again = a_run_at(at(2.01, 20), native_run_id=runs[-1].native_run_id, attempt=2)
    assert judge([*runs, part, again]) == []


def tried(*retries: int) -> list[Run]:
    return [
        a_run_at(moment, metrics={"retries": float(count)})
        for moment, count in zip(daily(99), retries, strict=False)
    ]


def test_a_success_after_unusual_retries_is_a_note_and_again_a_warning() -> None:
    calm = [0] * 15
    (once,), (twice,) = judge(tried(*calm, 0, 0, 2)), judge(tried(*calm, 0, 1, 2))
    assert (once.rule, once.severity, twice.severity) == ("retries", Severity.INFO, Severity.WARNING)
    assert "succeeded only after 2 retries; its 15 earlier runs needed 0.0 on average" in once.summary


def test_a_job_that_always_retries_is_not_told() -> None:
    assert judge(tried(*[1, 0, 1, 1, 0, 1] * 4, 1)) == []


def test_attempts_of_the_same_run_count_as_retries() -> None:
    calm = runs_at(daily(15))
    first = a_run_at(at(2, 15), status=F)
    second = a_run_at(at(2.5, 15), native_run_id=first.native_run_id, attempt=2, parent_uid=first.uid)
    assert [finding.rule for finding in judge([*calm, first, second])] == ["retries"]
