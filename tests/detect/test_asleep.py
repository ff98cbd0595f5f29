"""Jobs switched off, and schedules edited, while dogwatch watched."""

from datetime import datetime

import pytest

from dogwatch.detect.asleep import asleep, edited
from dogwatch.detect.expect import Past
from dogwatch.detect.facts import Detection
from dogwatch.detect.ledger import first_look
from dogwatch.detect.policy import Policy
from dogwatch.model import EvidenceKind, Finding, Job, JobState, Schedule, ScheduleKind, Severity
from dogwatch.model.ledger import Look
from support.nights import at, cron, daily, every, runs_at, version

KEY = ("airbyte", "orders")
NIGHTLY = cron("0 2 * * *")


def off(state: JobState, schedule: Schedule | None = NIGHTLY, reason: str = "") -> Past:
    """On for three days, then off."""
    return Past(
        [
            version(schedule, at(0), at(0, 3)),
            version(schedule, at(0.25, 3), state=state, state_reason=reason),
        ],
        [],
    )


def told(past: Past, now: datetime) -> Finding | None:
    found = Detection()
    asleep({KEY: past}, now, found)
    assert len(found.findings) <= 1
    for finding in found.findings:
        (evidence,) = (found.evidence[cited] for cited in finding.evidence)
        assert evidence.kind is EvidenceKind.change
        return finding
    return None


def test_a_paused_job_is_a_note_until_a_run_is_lost_then_a_warning() -> None:
    note, warning = told(off(JobState.paused), at(1, 3)), told(off(JobState.paused), at(3, 4))
    assert note is not None
    assert warning is not None
    assert (note.rule, note.severity, warning.severity) == ("paused", Severity.INFO, Severity.WARNING)
    assert note.summary == "The orders sync was paused, seen 05 Mar 00:15 UTC; none is lost yet"
    assert warning.summary.endswith("2 runs did not happen since")


def test_a_job_that_its_platform_suspended_is_an_error_with_the_reason() -> None:
    finding = told(off(JobState.suspended, reason="10 failures in a row"), at(3, 4))
    assert finding is not None
    assert (finding.rule, finding.severity) == ("suspended", Severity.ERROR)
    assert "(10 failures in a row)" in finding.summary


def test_after_a_week_it_is_a_decision() -> None:
    finding = told(off(JobState.paused), at(1, 11))
    assert finding is not None
    assert finding.severity is Severity.INFO


@pytest.mark.parametrize(("schedule", "lost"), [(every(6), "4 runs"), (None, ""), (cron("nonsense"), "")])
def test_lost_runs_are_counted_where_the_schedule_says_when(schedule: Schedule | None, lost: str) -> None:
    finding = told(off(JobState.paused, schedule), at(1, 4))
    assert finding is not None
    assert lost in finding.summary
    assert finding.severity is Severity.WARNING


def test_a_job_that_was_off_when_it_was_first_seen_or_is_on_again_is_not_told() -> None:
    always = Past([version(NIGHTLY, at(0), state=JobState.paused)], [])
    again = Past([*off(JobState.paused).versions, version(NIGHTLY, at(0, 4))], [])
    assert told(always, at(5, 2)) is None
    assert told(again, at(5, 4)) is None
    assert told(Past([], []), at(0)) is None


def test_a_job_that_ran_until_just_before_it_was_first_seen_off_is_told() -> None:
    first = version(None, at(12, 30), state=JobState.paused)
    lately = Past([first], runs_at(daily(30)))
    note, warning = told(lately, at(20, 30)), told(lately, at(20, 31))
    assert note is not None
    assert warning is not None
    assert (note.severity, warning.severity) == (Severity.WARNING, Severity.WARNING)
    assert note.summary == (
        "The orders sync was paused, before it was first seen 01 Apr 12:00 UTC, after its run of"
        " 31 Mar 02:00 UTC; 1 run did not happen since"
    )
    assert "2 runs" in warning.summary


def test_a_job_off_at_first_sight_that_lost_nothing_yet_is_a_note_and_one_without_habit_is_none() -> None:
    first = version(None, at(12, 29), state=JobState.paused)
    note = told(Past([first], runs_at(daily(30))), at(20, 29))
    assert note is not None
    assert note.severity is Severity.INFO
    assert told(Past([first], runs_at(daily(5, first=25))), at(20, 31)) is None
    long_ago = Past([version(None, at(12, 60), state=JobState.paused)], runs_at(daily(30)))
    assert told(long_ago, at(20, 61)) is None


@pytest.mark.parametrize(
    ("schedule", "told_of"),
    [
        (cron("0 2 * * 6"), "about 02:00 UTC, as its runs show"),
        (NIGHTLY, ""),
        (cron("nonsense"), ""),
        (every(24), ""),
        (None, ""),
    ],
)
def test_a_schedule_that_its_own_runs_contradict_was_edited_before(
    schedule: Schedule | None, told_of: str
) -> None:
    past = Past([version(schedule, at(12, 29))], runs_at(daily(30)))
    found: dict[str, Detection] = {"": Detection(), "later": Detection()}
    edited({KEY: past}, at(20, 29), found[""])
    edited({KEY: past}, at(8, 30), found["later"])
    rows = [(one.severity, one.summary) for detection in found.values() for one in detection.findings]
    assert [severity for severity, _ in rows] == ([Severity.INFO, Severity.WARNING] if told_of else [])
    assert all(told_of in summary for _, summary in rows)


def test_runs_by_another_clock_are_looked_at_in_the_next_round() -> None:
    policy = Policy()
    moved, paused = job_of(cron("0 2 * * 6")), job_of(None, JobState.paused)
    assert first_look(moved, None, at(2, 29), policy, at(12, 29)) == Look(at(12, 29))
    assert first_look(paused, None, at(2, 29), policy, at(12, 29)) == Look(at(12, 29))
    assert first_look(paused, None, at(2, 9), policy, at(12, 29)) is None
    steady = first_look(job_of(NIGHTLY), None, at(2, 29), policy, at(12, 29))
    assert steady is not None
    assert steady.slot == at(2, 30)


def job_of(schedule: Schedule | None, state: JobState = JobState.active) -> Job:
    return version(schedule, at(0), state=state).job


def test_other_changes_while_it_is_off_do_not_make_it_younger() -> None:
    past = off(JobState.paused)
    renamed = version(NIGHTLY, at(0, 5), state=JobState.paused, owner="new")
    finding = told(Past([*past.versions, renamed], []), at(1, 6))
    assert finding is not None
    assert finding.at == at(0.25, 3)


def test_an_edited_schedule_is_noted_for_a_day() -> None:
    past = Past([version(NIGHTLY, at(0), at(9, 3)), version(every(2), at(10, 3))], [])
    found = Detection()
    edited({KEY: past}, at(12, 3), found)
    (finding,) = found.findings
    assert finding.severity is Severity.INFO
    assert finding.summary == (
        "The orders sync has a new schedule: every 7200 s, before: 0 2 * * * UTC (seen 05 Mar 10:00 UTC)"
    )
    later = Detection()
    edited({KEY: past}, at(12, 4), later)
    assert later.findings == []


def test_an_edit_that_takes_runs_away_is_a_warning_from_the_first_one_on() -> None:
    rarer = [version(every(1), at(0), at(9, 3)), version(cron("0 2 * * 0"), at(10, 3))]
    found = {hour: Detection() for hour in (10.5, 12.5)}
    for hour, detection in found.items():
        edited({KEY: Past(rarer, [])}, at(hour, 3), detection)
    (before,), (after,) = (detection.findings for detection in found.values())
    assert (before.severity, after.severity) == (Severity.INFO, Severity.WARNING)
    assert after.summary.endswith("; 2 runs fewer since than before")


def test_an_edit_that_is_undone_counts_for_as_long_as_it_lasted() -> None:
    there_and_back = [
        version(every(1), at(0), at(9, 3)),
        version(cron("0 2 * * 0"), at(10, 3), at(11, 3)),
        version(every(1), at(11.5, 3)),
    ]
    found = Detection()
    edited({KEY: Past(there_and_back, [])}, at(20, 3), found)
    assert [("1 run fewer" in finding.summary) for finding in found.findings] == [True, False]


def test_a_change_that_leaves_the_schedule_alone_is_no_edit() -> None:
    event = Schedule(kind=ScheduleKind.event)
    past = Past([version(event, at(0), at(9, 3)), version(event, at(10, 3), owner="new")], [])
    found = Detection()
    edited({KEY: past}, at(12, 3), found)
    assert found.findings == []
