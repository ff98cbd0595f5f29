"""Edits of jobs as changes, and alerts of others as findings."""

from datetime import timedelta

from dogwatch.detect.alerting import alerting
from dogwatch.detect.changes import change_evidence, in_time_order, job_changes
from dogwatch.detect.facts import Detection
from dogwatch.model import Alert, ChangeKind, EvidenceKind, JobState, Schedule, ScheduleKind, Severity
from support.cast import NOON, a_job

HOUR = timedelta(hours=1)
NIGHTLY = Schedule(kind=ScheduleKind.cron, expression="0 2 * * *", timezone="Europe/Berlin")
HOURLY = Schedule(kind=ScheduleKind.interval, every_seconds=3600)


def test_an_edited_schedule_is_a_change_between_two_looks() -> None:
    versions = [
        (a_job(schedule=NIGHTLY), NOON - 9 * HOUR, NOON - HOUR),
        (a_job(schedule=HOURLY), NOON, None),
    ]
    (change,) = job_changes(versions)
    assert change.kind is ChangeKind.schedule
    assert (change.not_before, change.at) == (NOON - HOUR, NOON)
    assert change.subject == "airbyte/orders"
    assert change.summary == ("The orders sync was rescheduled from 0 2 * * * Europe/Berlin to every 1 h")


def test_switching_a_job_off_and_on_are_two_changes() -> None:
    paused = a_job(state=JobState.paused, state_reason="by mlindner")
    versions = [
        (a_job(), NOON - 9 * HOUR, NOON - 8 * HOUR),
        (paused, NOON - 7 * HOUR, NOON - 6 * HOUR),
        (a_job(), NOON, None),
    ]
    off, on = job_changes(versions)
    assert (off.kind, on.kind) == (ChangeKind.paused, ChangeKind.resumed)
    assert off.summary == "The orders sync was switched off (by mlindner)"


def test_what_is_created_deleted_or_merely_looked_at_again_is_no_change() -> None:
    gone = a_job(state=JobState.deleted)
    versions = [
        (a_job(), NOON - 3 * HOUR, NOON - 2 * HOUR),
        (a_job(owner="somebody@shop.example"), NOON - 2 * HOUR, NOON - HOUR),
        (gone, NOON - HOUR, NOON - HOUR),
        (a_job(), NOON, None),
    ]
    assert job_changes(versions) == []


def test_a_change_is_evidence_that_stays_the_same() -> None:
    versions = [(a_job(schedule=NIGHTLY), NOON - HOUR, None), (a_job(schedule=HOURLY), NOON, None)]
    (change,) = job_changes(versions)
    proof = change_evidence(change)
    assert proof == change_evidence(*job_changes(versions))
    assert (proof.kind, proof.subject, proof.at) == (EvidenceKind.change, "airbyte/orders", NOON)
    assert in_time_order([change, change]) == [change]


def test_a_firing_alert_is_as_grave_as_its_rule_says() -> None:
    alert = Alert(
        instance="prometheus",
        name="RequestsSlow",
        subject="component/api",
        severity=Severity.CRITICAL,
        summary="api is slow\u202e\n<b>",
        active_since=NOON - HOUR,
    )
    found = Detection()
    alerting([alert], NOON, found)
    (finding,) = found.findings
    assert finding.severity is Severity.CRITICAL
    assert finding.summary == "api: RequestsSlow fires for 1 h: api is slow <b>"
    assert {found.evidence[id_].kind for id_ in finding.evidence} == {EvidenceKind.alert}
