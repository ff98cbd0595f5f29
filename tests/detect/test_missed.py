"""What is said of runs that never came, came late, or cannot be waited for."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dogwatch.detect.expect import Past, Window, expect
from dogwatch.detect.facts import Detection
from dogwatch.detect.match import known_by, match
from dogwatch.detect.missed import late, missed, unreadable
from dogwatch.detect.schedule import due
from dogwatch.model import Expectation, Finding, JobState, Run, Schedule, ScheduleKind, Severity, Status
from support.cast import a_job
from support.nights import a_past, a_run_at, at, cron, daily, every, runs_at, version

KEY = ("airbyte", "orders")
NIGHTLY = cron("0 2 * * *")
LAG = timedelta(seconds=9)


def ledger(
    past: Past, now: datetime, days: float = 7, read_until: datetime | None = None
) -> list[Expectation]:
    window = Window(now - timedelta(days=days), now)
    expected = expect({KEY: past}, window, now)
    return match(expected.expectations, {KEY: past}, {"airbyte": read_until or now}, now)


def told(
    past: Past,
    now: datetime,
    before: frozenset[str] = frozenset(),
    read_until: datetime | None = None,
    days: float = 7,
) -> list[Finding]:
    found = Detection()
    slots = ledger(past, now, days, read_until)
    missed(slots, {KEY: past}, before, found, ZoneInfo("Europe/Berlin"))
    late(slots, {KEY: past}, before, found, ZoneInfo("Europe/Berlin"))
    assert all(set(finding.evidence) <= set(found.evidence) for finding in found.findings)
    return found.findings


def punctual(moments: Sequence[datetime]) -> list[Run]:
    return runs_at([moment + LAG for moment in moments])


def test_a_run_that_never_came_is_told_with_what_was_expected() -> None:
    (finding,) = told(a_past(NIGHTLY, punctual(daily(7))), at(3, 7), days=1)
    assert (finding.rule, finding.severity) == ("missed", Severity.ERROR)
    assert finding.at == at(2, 7)
    assert finding.subject == "airbyte/orders"
    assert finding.summary == (
        "The orders sync did not start at 09 Mar 03:00 CET"
        " (4 min allowed; its last run began 08 Mar 03:00 CET)"
    )
    assert finding.next_step == "dogwatch schedule orders"
    assert len(finding.evidence) == 2  # the slot and the last run


def test_several_in_a_row_are_one_finding_with_one_fingerprint() -> None:
    past = a_past(NIGHTLY, punctual(daily(4)))
    (one,), (three,) = told(past, at(3, 4)), told(past, at(3, 6))
    assert one.fingerprint == three.fingerprint
    assert one.at == three.at
    assert "05 Mar 03:00 CET, 06 Mar" not in one.summary
    assert "06 Mar 03:00 CET, 07 Mar 03:00 CET, 08 Mar 03:00 CET" in three.summary


def test_one_missed_slot_of_a_frequent_job_is_a_warning_two_are_an_error() -> None:
    past = a_past(cron("*/15 * * * *"), punctual([at(quarter / 4) for quarter in range(40)]))
    assert [finding.severity for finding in told(past, at(10.1), days=0.1)] == [Severity.WARNING]
    assert [finding.severity for finding in told(past, at(10.4), days=0.1)] == [Severity.ERROR]


def test_what_is_over_is_told_once() -> None:
    past = a_past(NIGHTLY, punctual([*daily(3), at(2, 4)]))
    (finding,) = told(past, at(3, 4))
    assert finding.severity is Severity.WARNING
    assert finding.summary.endswith("it has come again since")
    known = frozenset(slot.id for slot in ledger(past, at(3, 4)))
    assert told(past, at(3, 4), before=known) == []


def test_what_goes_on_is_told_until_the_job_comes_again() -> None:
    past = a_past(NIGHTLY, punctual(daily(3)))
    known = frozenset(slot.id for slot in ledger(past, at(3, 4)))
    assert len(told(past, at(9, 4), before=known)) == 1


def test_an_outage_of_ours_makes_no_job_missed_and_the_truth_is_told_once_afterwards() -> None:
    """Three hours without sight: nothing is claimed meanwhile; one slot really was missed."""
    hours = [at(hour) for hour in range(30) if hour != 25]
    lived = punctual(hours)

    def seen(now: datetime, read_until: datetime) -> Past:
        return a_past(cron("0 * * * *"), [run for run in lived if run.began_at <= read_until])

    told_before: frozenset[str] = frozenset()
    verdicts = []
    for quarter in range(24 * 4, 30 * 4):
        now = at(quarter / 4)
        read_until = at(24.1) if at(24.1) < now < at(27.1) else now
        past = seen(now, read_until)
        findings = told(past, now, told_before, read_until)
        verdicts += [(quarter / 4, finding.rule, finding.at) for finding in findings]
        judged = ledger(past, now, read_until=read_until)
        told_before |= {slot.id for slot in judged if slot.state in ("missed", "late")}
    assert verdicts == [(27.25, "missed", at(25))]


def test_a_late_run_is_told_while_it_runs_and_once_if_it_is_over() -> None:
    moments = daily(12)
    tardy = a_run_at(at(4.5, 12), status=Status.running)
    past = a_past(NIGHTLY, [*punctual(moments), tardy])
    (finding,) = told(past, at(4.6, 12))
    assert (finding.rule, finding.severity) == ("late", Severity.WARNING)
    assert finding.summary == (
        "The orders sync started 14 Mar 05:30 CET, 2 h 30 min after its time (14 Mar 03:00 CET);"
        " by its own starts 4 min are allowed"
    )
    over = a_past(NIGHTLY, [*punctual(moments), a_run_at(at(4.5, 12))])
    assert len(told(over, at(6, 12))) == 1
    known = frozenset(slot.id for slot in ledger(over, at(6, 12)))
    assert told(over, at(6, 12), before=known) == []


def test_a_little_late_is_a_note() -> None:
    past = a_past(NIGHTLY, [*punctual(daily(12)), a_run_at(at(2.1, 12))])
    assert [finding.severity for finding in told(past, at(3, 12))] == [Severity.INFO]


def test_a_run_that_still_waits_to_start_is_late() -> None:
    queued = a_run_at(at(2, 12), status=Status.pending, started_at=None, queued_at=at(2, 12))
    (finding,) = told(a_past(NIGHTLY, [*punctual(daily(12)), queued]), at(3, 12))
    assert "still waits to start" in finding.summary


def test_a_habit_is_told_as_a_habit() -> None:
    (finding,) = told(a_past(None, punctual(daily(60))), at(4, 60))
    assert finding.severity is Severity.WARNING
    assert "as it has by habit (9" in finding.summary


def test_hostile_names_stay_on_one_line_and_in_one_argument() -> None:
    past = a_past(NIGHTLY, punctual(daily(7)), job_id="a; rm -rf ~", name="x\n<!channel>\u202e")
    found = Detection()
    key = ("airbyte", "a; rm -rf ~")
    slots = match(
        expect({key: past}, Window(at(0, 7), at(3, 7)), at(3, 7)).expectations,
        {key: past},
        {"airbyte": at(3, 7)},
        at(3, 7),
    )
    missed(slots, {key: past}, frozenset(), found)
    (finding,) = found.findings
    assert finding.next_step == "dogwatch schedule 'a; rm -rf ~'"
    assert "\n" not in finding.summary
    assert "\u202e" not in finding.summary


def test_a_schedule_that_nobody_understands_is_a_note() -> None:
    past = a_past(cron("whenever it suits"))
    found = Detection()
    unreadable(expect({KEY: past}, Window(at(0), at(9)), at(9)), {KEY: a_job()}, found)
    (finding,) = found.findings
    assert (finding.rule, finding.severity) == ("schedule_unreadable", Severity.INFO)
    assert finding.next_step == "declare its schedule in dogwatch.yaml"


# How soon

CHANGES = {
    "Europe/Berlin": (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)),
    "America/New_York": (datetime(2026, 3, 8, 6, tzinfo=UTC), datetime(2026, 11, 1, 5, tzinfo=UTC)),
    "Australia/Sydney": (datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, tzinfo=UTC)),
}
CHECK = timedelta(minutes=15)
ROUNDS = {
    "nightly quartz": ("databricks", "0 30 1 * * ?"),
    "hourly quartz": ("airbyte", "0 5 * * * ?"),
    "hourly task": ("snowflake", "20 * * * *"),
    "nightly flow": ("power_automate", "30 2 * * *"),
    "declared": ("custom", "*/30 * * * *"),
}


def assert_found_within_one_check(past: Past, slot: Expectation) -> None:
    """Before its time runs out nothing is said; the first check after that says it."""
    last_before = datetime.fromtimestamp(known_by(slot).timestamp() // 900 * 900, UTC)
    for now, expected in ((last_before, False), (last_before + CHECK, True)):
        begun = Past(past.versions, [run for run in past.runs if run.began_at <= now], past.upstreams)
        states = {one.scheduled_for: one.state for one in ledger(begun, now, days=1)}
        assert (states.get(slot.scheduled_for) == "missed") is expected, (slot.scheduled_for, now)


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("name", ROUNDS)
def test_every_run_that_could_be_missed_when_clocks_change_is_found_within_one_check(
    zone: str, name: str
) -> None:
    platform, expression = ROUNDS[name]
    kind = ScheduleKind.quartz if name.endswith("quartz") else ScheduleKind.cron
    schedule = Schedule(kind=kind, expression=expression, timezone=zone)
    for change in CHANGES[zone]:
        night = Window(change - timedelta(hours=3), change + timedelta(hours=6))
        slots = due(schedule, platform, night.start - timedelta(days=8), night.end)
        lived = punctual([slot.at for slot in slots])
        for gone, slot in enumerate(slots):
            if slot.at < night.start:
                continue
            runs = [run for number, run in enumerate(lived) if number != gone]
            past = a_past(schedule, runs, since=slots[0].at, platform=platform)
            (expected,) = [
                one for one in ledger(past, night.end + CHECK, days=1) if one.scheduled_for == slot.at
            ]
            assert expected.state == "missed"
            assert_found_within_one_check(past, expected)


def test_a_missed_interval_and_a_missed_successor_are_found_within_one_check() -> None:
    interval = a_past(every(1), punctual([at(hour) for hour in range(20)]))
    slot = ledger(interval, at(20.2), days=1)[-1]
    assert_found_within_one_check(interval, slot)
    upstream = runs_at(daily(10), minutes=20, job_id="u")
    load = punctual([at(2) + timedelta(days=day, minutes=20) for day in range(9)])
    after = Past(a_past(Schedule(kind=ScheduleKind.after)).versions, load, upstreams=[upstream])
    slot = ledger(after, at(3, 9), days=1)[-1]
    assert slot.scheduled_for == at(2, 9) + timedelta(minutes=20)
    assert_found_within_one_check(after, slot)


def test_where_runs_are_told_at_their_end_a_run_may_go_on_before_it_is_missed() -> None:
    past = a_past(NIGHTLY, runs_at(daily(12), minutes=40), platform="power_automate")
    assert told(past, at(2.9, 12)) == []  # 50 minutes and the leeway are not over
    (finding,) = told(past, at(3, 12))
    assert finding.summary == (
        "The orders sync did not start, or did not end yet, at 14 Mar 03:00 CET"
        " (4 min to start and 50 min to run are allowed; its last run began 13 Mar 03:00 CET)"
    )


def test_where_runs_are_told_at_their_end_an_unknown_length_is_waited_for() -> None:
    past = a_past(NIGHTLY, runs_at(daily(3)), platform="power_automate")
    assert told(past, at(8, 3)) == []
    assert len(told(past, at(8.5, 3))) == 1


def test_a_paused_job_is_not_missed() -> None:
    past = Past(
        [version(NIGHTLY, at(0), at(1, 3)), version(NIGHTLY, at(1, 3), state=JobState.paused)],
        punctual(daily(3)),
    )
    assert told(past, at(4, 6)) == []
