"""Runs that a platform skipped: told, unless that is ordinary; a note, where the reason is known."""

from collections.abc import Sequence
from datetime import timedelta

from dogwatch.detect import Detection, Facts
from dogwatch.detect.expect import JobVersion, Past
from dogwatch.detect.skipped import skipped
from dogwatch.model import Finding, Run, Severity, Status
from support.cast import a_job
from support.nights import a_run_at, at, daily, runs_at

KEY = ("airbyte", "orders")
S, SKIPPED = Status.success, Status.skipped
SKIP = a_run_at(at(2, 15), status=SKIPPED, ended_at=at(2, 15))


def ended(*statuses: Status) -> list[Run]:
    return [
        a_run_at(moment, status=status) for moment, status in zip(daily(len(statuses)), statuses, strict=True)
    ]


def judge(
    history: Sequence[Run], upstreams: Sequence[Sequence[Run]] = (), troubles: Sequence[Run] = ()
) -> list[Finding]:
    found = Detection()
    past = Past([JobVersion(a_job(), at(0))], history, upstreams)
    skipped(Facts({}, {KEY: history}, [], troubles=troubles), {KEY: past}, found)
    assert all(set(finding.evidence) <= set(found.evidence) for finding in found.findings)
    return found.findings


def test_an_unusual_skip_is_told_a_habitual_one_is_not() -> None:
    (finding,) = judge(ended(*[S] * 15, SKIPPED))
    assert (finding.rule, finding.severity) == ("skipped", Severity.WARNING)
    assert "that happened to 0 of 15 runs before" in finding.summary
    assert judge(ended(*[S, SKIPPED] * 10)) == []
    assert judge(ended(*[S] * 15, SKIPPED, S)) == []


def test_a_skip_because_the_run_before_still_goes_on_is_a_note() -> None:
    history = [*runs_at(daily(14)), a_run_at(at(2, 14), status=Status.running), SKIP]
    (finding,) = judge(history)
    assert finding.severity is Severity.INFO
    assert finding.summary.endswith("its run before was still going")


def test_a_skip_after_a_predecessor_that_failed_is_a_note_that_names_it() -> None:
    failed = a_run_at(at(1.9, 15), status=Status.failed, job_id="raw", job_name="Raw", ended_at=at(2, 15))
    (finding,) = judge([*runs_at(daily(15)), SKIP], [[failed]])
    assert finding.severity is Severity.INFO
    assert finding.summary.endswith("right after Raw failed")
    assert len(finding.evidence) == 2


def test_a_skip_although_all_predecessors_did_well_is_no_note_whatever_else_failed() -> None:
    well = a_run_at(at(1.5, 15), job_id="raw")
    failed = a_run_at(at(1.9, 15), status=Status.failed, job_id="far", ended_at=at(2, 15))
    (finding,) = judge([*runs_at(daily(15)), SKIP], [[well]], [failed])
    assert finding.severity is Severity.WARNING


def test_without_known_predecessors_what_failed_right_before_explains_a_skip() -> None:
    def failing(before: timedelta) -> Run:
        ended = SKIP.began_at - before
        return a_run_at(
            at(1, 15), status=Status.failed, instance="databricks", job_id="x", job_name="X", ended_at=ended
        )

    history = [*runs_at(daily(15)), SKIP]
    (near,) = judge(history, troubles=[failing(timedelta(seconds=3))])
    (far,) = judge(history, troubles=[failing(timedelta(minutes=5))])
    assert (near.severity, far.severity) == (Severity.INFO, Severity.WARNING)
    assert near.summary.endswith("right after X failed")
