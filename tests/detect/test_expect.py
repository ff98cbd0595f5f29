"""Which runs are expected, and what became of each."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dogwatch.detect.expect import Past, Window, expect, leeway
from dogwatch.detect.match import match
from dogwatch.detect.rules import Rulebook, Rules
from dogwatch.detect.told import Maintenance, Told
from dogwatch.model import Basis, Expectation, ExpectationState, JobState, Run, Schedule, ScheduleKind, Status
from support.nights import a_past, a_run_at, at, cron, daily, every, runs_at, version

KEY = ("airbyte", "orders")
SECONDS = timedelta(seconds=9)
"""How late a punctual run begins."""
END = at(0, 7)
WEEK = Window(at(0), END)


def ledger(
    past: Past,
    now: datetime = END,
    window: Window = WEEK,
    read_until: datetime | None = None,
    told: Told | None = None,
    skew: timedelta = timedelta(),
) -> list[Expectation]:
    """Expected and matched; the platform was read up to now, unless said otherwise."""
    skews = {"airbyte": skew}
    expected = expect({KEY: past}, window, now, told=told, skews=skews)
    assert expected.unreadable == {}
    return match(expected.expectations, {KEY: past}, {"airbyte": read_until or now}, now, skews=skews)


def states(slots: Sequence[Expectation]) -> list[str]:
    return [slot.state.value for slot in slots]


def punctual(moments: Sequence[datetime], **changes: Any) -> list[Run]:
    return runs_at([moment + SECONDS for moment in moments], **changes)


NIGHTLY = cron("0 2 * * *")


def test_a_nightly_job_is_expected_every_night_and_met() -> None:
    slots = ledger(a_past(NIGHTLY, punctual(daily(7))))
    assert [slot.scheduled_for for slot in slots] == daily(7)
    assert states(slots) == ["met"] * 7
    assert slots[0].basis is Basis.schedule
    assert slots[3].run_uid == punctual(daily(7))[3].uid


def test_a_run_that_never_came_is_missed_once_the_platform_was_read_past_its_time() -> None:
    past = a_past(NIGHTLY, punctual(daily(3)))
    at_three = ledger(past, now=at(3, 3), window=Window(at(0), at(4, 3)))
    assert states(at_three) == ["met", "met", "met", "missed"]
    assert at_three[3].start_by < at(3, 3)


def test_a_platform_not_read_since_gives_no_verdict() -> None:
    past = a_past(NIGHTLY, punctual(daily(3)))
    slots = ledger(past, now=at(5, 3), window=Window(at(0), at(6, 3)), read_until=at(1, 3))
    assert states(slots)[-1] == "unseen"
    never_read = match(slots, {KEY: past}, {}, at(5, 3))
    assert states(never_read)[-1] == "unseen"


def test_a_slot_whose_time_has_not_run_out_is_waited_for() -> None:
    slots = ledger(a_past(NIGHTLY, punctual(daily(3))), now=at(2.02, 3), window=Window(at(0), at(0, 5)))
    assert states(slots) == ["met", "met", "met", "waiting", "waiting"]


def test_lateness_follows_the_jobs_own_lag() -> None:
    punctual_job = a_past(NIGHTLY, punctual(daily(30)))
    tardy = [moment + timedelta(minutes=20 + day % 7 * 5) for day, moment in enumerate(daily(30))]
    tardy_job = a_past(NIGHTLY, runs_at(tardy))
    window = Window(at(0, 20), at(0, 31))
    (first, *_), (second, *_) = (
        ledger(past, now=at(0, 30), window=window) for past in (punctual_job, tardy_job)
    )
    assert first.start_by - first.scheduled_for == Rules().start_leeway
    assert timedelta(minutes=45) < second.start_by - second.scheduled_for < timedelta(hours=2)


def test_one_late_start_does_not_make_lateness_usual() -> None:
    starts = [moment + SECONDS for moment in daily(20)]
    starts[-1] += timedelta(hours=3)
    slots = ledger(a_past(NIGHTLY, runs_at(starts)), now=at(12, 19), window=Window(at(0, 19), at(0, 20)))
    assert states(slots) == ["late"]


def test_leeway_is_bounded_on_both_sides() -> None:
    rules = Rules()
    assert leeway([], rules) == rules.start_unknown
    assert leeway([timedelta()] * 30, rules) == rules.start_leeway
    assert leeway([timedelta(hours=n % 6) for n in range(30)], rules) == rules.longest_leeway
    assert leeway([timedelta(days=1)] * 30, rules) == rules.start_unknown  # made up for later: not a lag


def test_a_manual_run_uses_up_no_slot() -> None:
    by_hand = a_run_at(at(2.5, 1), trigger="ONE_TIME")
    runs = punctual([at(2), at(2, 2)], trigger="PERIODIC")
    slots = ledger(a_past(NIGHTLY, [*runs, by_hand]), now=at(3, 2), window=Window(at(0), at(3, 2)))
    assert states(slots) == ["met", "missed", "met"]


def test_a_backfill_that_tells_other_nominal_times_uses_up_no_slot() -> None:
    backfill = [a_run_at(at(2.1, 2), scheduled_for=at(2, -day), native_run_id=f"b{day}") for day in range(9)]
    slots = ledger(a_past(NIGHTLY, backfill), now=at(3, 2), window=Window(at(0), at(3, 2)))
    assert states(slots) == ["late", "missed", "missed"]  # the first slot is made up for, the last is not met


def test_the_platforms_nominal_time_goes_before_the_time_of_the_start() -> None:
    tardy = a_run_at(at(3.5), scheduled_for=at(2), native_run_id="tardy")
    punctual_one = a_run_at(at(3) + SECONDS, scheduled_for=at(3), native_run_id="punctual")
    slots = ledger(
        a_past(cron("0 * * * *"), [tardy, punctual_one]), now=at(3.9), window=Window(at(2), at(3.9))
    )
    assert states(slots) == ["late", "met"]
    assert [slot.run_uid for slot in slots] == [tardy.uid, punctual_one.uid]


def test_runs_that_were_held_up_are_matched_in_order() -> None:
    held = runs_at([at(3.7), at(3.8)], minutes=2)
    slots = ledger(a_past(cron("0 * * * *"), held), now=at(3.9), window=Window(at(2), at(3.9)))
    assert [slot.run_uid for slot in slots] == [run.uid for run in held]
    assert states(slots) == ["late", "late"]


def test_an_extra_run_does_not_push_the_others_from_their_slots() -> None:
    hours = [at(hour) + SECONDS for hour in range(6)]
    runs = runs_at([*hours, at(3.4)], minutes=2)
    slots = ledger(a_past(cron("0 * * * *"), runs), now=at(5.9), window=Window(at(0), at(6)))
    assert states(slots) == ["met"] * 6


def test_a_run_that_waits_in_a_queue_is_late_when_its_time_runs_out() -> None:
    queued = a_run_at(at(2, 3), status=Status.pending, started_at=None, queued_at=at(2, 3) + SECONDS)
    past = a_past(NIGHTLY, [*punctual(daily(3)), queued])
    window = Window(at(0, 3), at(0, 4))
    assert states(ledger(past, now=at(2.01, 3), window=window)) == ["waiting"]
    assert states(ledger(past, now=at(4, 3), window=window)) == ["late"]


def test_a_run_that_the_platform_skipped_is_not_missed() -> None:
    skipped = a_run_at(at(2, 3) + SECONDS, status=Status.skipped)
    assert states(ledger(a_past(NIGHTLY, [skipped]), window=Window(at(0, 3), at(0, 4)))) == ["skipped"]


def test_a_slot_in_which_the_run_before_still_goes_is_excused() -> None:
    long = a_run_at(at(2) + SECONDS, minutes=90)
    slots = ledger(a_past(cron("0 * * * *"), [long]), now=at(3.9), window=Window(at(2), at(3.9)))
    assert states(slots) == ["met", "excused"]
    assert slots[1].reason == "the run before was still going"
    side_by_side = a_past(cron("0 * * * *"), [long], platform="power_automate")
    slots = ledger(side_by_side, now=at(9.9), window=Window(at(2), at(3.9)))
    assert states(slots) == ["met", "missed"]


def test_a_retry_and_a_repair_use_up_no_slot() -> None:
    failed = a_run_at(at(2) + SECONDS, status=Status.failed)
    repair = a_run_at(at(9), native_run_id=failed.native_run_id, attempt=2, parent_uid=failed.uid)
    retry = a_run_at(at(2.4), trigger="RETRY")
    slots = ledger(a_past(NIGHTLY, [failed, repair, retry]), now=at(0, 1), window=Window(at(-24), at(0, 1)))
    assert states(slots) == ["met"]


def test_a_new_job_is_expected_only_from_when_it_was_seen() -> None:
    slots = ledger(a_past(NIGHTLY, since=at(12, 2)), window=Window(at(0), at(0, 5)))
    assert [slot.scheduled_for for slot in slots] == [at(2, 3), at(2, 4)]


@pytest.mark.parametrize("state", [JobState.paused, JobState.suspended, JobState.deleted])
def test_a_job_that_sleeps_is_not_expected(state: JobState) -> None:
    past = Past([version(NIGHTLY, at(0), at(1, 2)), version(NIGHTLY, at(1, 2), at(1, 4), state=state)], [])
    resumed = Past([*past.versions, version(NIGHTLY, at(1, 4))], [])
    assert [slot.scheduled_for for slot in ledger(past)] == [at(2, 0), at(2, 1)]
    assert [slot.scheduled_for for slot in ledger(resumed)] == [at(2, day) for day in (0, 1, 4, 5, 6)]


def test_an_edited_schedule_is_expected_as_it_was_and_as_it_is() -> None:
    past = Past([version(NIGHTLY, at(0), at(12, 2)), version(cron("0 5 * * *"), at(12, 2))], [])
    hours = [slot.scheduled_for.hour for slot in ledger(past)]
    assert hours == [2, 2, 2, 5, 5, 5, 5]


def test_between_the_last_sight_of_the_old_schedule_and_the_first_of_the_new_nothing_is_demanded() -> None:
    past = Past([version(NIGHTLY, at(0), at(1.9, 2)), version(cron("0 5 * * *"), at(2.5, 2))], [])
    slots = ledger(past, window=Window(at(0, 2), at(0, 3)))
    assert [(slot.scheduled_for.hour, slot.state.value) for slot in slots] == [(2, "excused"), (5, "missed")]
    same = Past([version(NIGHTLY, at(0), at(1.9, 2)), version(NIGHTLY, at(2.5, 2), owner="new")], [])
    assert states(ledger(same, window=Window(at(0, 2), at(0, 3)))) == ["missed"]


def test_a_declared_schedule_stands_above_the_platforms() -> None:
    past = Past(a_past(None).versions, [], declared=NIGHTLY)
    slots = ledger(past)
    assert len(slots) == 7
    assert slots[0].basis is Basis.declared


def test_maintenance_and_holidays_excuse() -> None:
    told = Told(
        maintenance=[Maintenance("airbyte", at(1, 1), at(4, 1)), Maintenance("other/*", at(0), at(0, 9))],
        holidays=frozenset({at(0, 3).date()}),
    )
    slots = ledger(a_past(NIGHTLY, punctual([at(2, 3)])), told=told, window=Window(at(0), at(0, 5)))
    assert states(slots) == ["missed", "excused", "missed", "met", "missed"]
    assert slots[1].reason.startswith("maintenance until")


def test_a_platform_whose_clock_is_wrong_is_read_as_if_it_were_right() -> None:
    skew = timedelta(minutes=-7)
    behind = [moment + SECONDS + skew for moment in daily(7)]
    assert states(ledger(a_past(NIGHTLY, runs_at(behind)), skew=skew)) == ["met"] * 7
    nominal = [a_run_at(start, scheduled_for=at(2, day)) for day, start in enumerate(behind)]
    assert states(ledger(a_past(NIGHTLY, nominal), skew=skew)) == ["met"] * 7


def test_a_schedule_that_is_not_understood_is_named_and_hides_no_other() -> None:
    pasts = {("airbyte", "a"): a_past(cron("whenever"), job_id="a"), KEY: a_past(NIGHTLY)}
    expected = expect(pasts, WEEK, at(0, 7))
    assert "five fields" in expected.unreadable["airbyte", "a"]
    assert len(expected.expectations) == 7


# Intervals


def test_an_interval_counts_from_the_last_run() -> None:
    runs = runs_at([at(0.1), at(1.1), at(2.1)], minutes=5)
    slots = ledger(a_past(every(1), runs, since=at(0)), now=at(3.5), window=Window(at(0.5), at(5)))
    assert [slot.scheduled_for for slot in slots] == [at(1.1), at(2.1), at(3.1), at(4.1)]
    assert states(slots) == ["met", "met", "missed", "waiting"]


def test_an_interval_job_that_comes_back_has_missed_what_lies_between() -> None:
    runs = runs_at([at(0.1), at(1.1), at(4.1), at(5.1)], minutes=5)
    slots = ledger(a_past(every(1), runs), now=at(5.5), window=Window(at(0.5), at(5.5)))
    assert states(slots) == ["met", "missed", "missed", "met", "met"]


def test_an_interval_job_that_is_late_once_is_late_once() -> None:
    runs = runs_at([at(0), at(1), at(2.7), at(3), at(4)], minutes=5)
    slots = ledger(a_past(every(1), runs), now=at(4.5), window=Window(at(0.5), at(4.5)))
    assert states(slots) == ["met", "late", "met"]


def test_an_interval_job_that_runs_longer_than_its_interval_misses_nothing() -> None:
    runs = [a_run_at(at(0), minutes=100), a_run_at(at(2)), a_run_at(at(3), status=Status.running)]
    slots = ledger(a_past(every(1), runs), now=at(6), window=Window(at(0.5), at(6)))
    assert states(slots) == ["met", "met"]


def test_after_a_pause_an_interval_may_start_its_count_anew() -> None:
    asleep = version(every(1), at(2.5), at(8.5), state=JobState.paused)
    past = Past(
        [version(every(1), at(0), at(2.5)), asleep, version(every(1), at(8.5))], runs_at([at(1), at(2)])
    )
    slots = ledger(past, now=at(12), window=Window(at(0.5), at(12)))
    assert [slot.scheduled_for for slot in slots if slot.state is ExpectationState.missed] == [
        at(9.5),
        at(10.5),
        at(11.5),
    ]


# After what a job waits for


def upstream(name: str, moments: Sequence[datetime], **changes: Any) -> list[Run]:
    return runs_at(moments, job_id=name, job_name=name, **changes)


AFTER = Schedule(kind=ScheduleKind.after)


def test_a_job_is_expected_when_all_it_waits_for_is_done() -> None:
    orders, users = upstream("o", daily(3), minutes=12), upstream("u", daily(3, 2.25), minutes=8)
    runs = runs_at([at(2.4) + SECONDS, at(2.4, 1) + SECONDS], minutes=3, job_id="load")
    past = Past(a_past(AFTER).versions, runs, upstreams=[orders, users])
    slots = ledger(past, now=at(4, 2), window=Window(at(0), at(0, 3)))
    assert [slot.scheduled_for for slot in slots] == [run.ended_at for run in users]
    assert states(slots) == ["met", "met", "missed"]
    assert slots[0].basis is Basis.upstream


def test_what_waits_for_a_failure_is_not_expected() -> None:
    orders = upstream("o", daily(2)) + upstream("o", [at(2, 2)], status=Status.failed)
    running = upstream("o", [at(2, 3)], status=Status.running)
    past = Past(a_past(AFTER).versions, runs_at([at(2.2), at(2.2, 1)]), upstreams=[orders + running])
    assert states(ledger(past, now=at(4, 3))) == ["met", "met"]


def test_the_predecessor_that_runs_least_often_sets_the_pace() -> None:
    hourly = upstream("h", [at(hour) for hour in range(48)], minutes=5)
    nightly = upstream("n", daily(2, 3), minutes=30)
    past = Past(a_past(AFTER).versions, runs_at([at(3.5), at(3.5, 1)]), upstreams=[hourly, nightly])
    slots = ledger(past, now=at(12, 1))
    assert [slot.scheduled_for for slot in slots] == [at(3.5), at(3.5, 1)]
    assert states(slots) == ["met", "met"]


def test_an_event_job_without_known_predecessors_or_habit_is_not_expected() -> None:
    rng = random.Random(4)
    moments = sorted(at(rng.uniform(0, 24 * 20)) for _ in range(40))
    past = a_past(Schedule(kind=ScheduleKind.event), runs_at(moments))
    assert ledger(past, now=at(0, 21), window=Window(at(0, 15), at(0, 21))) == []


def test_where_nothing_is_told_a_steady_habit_is_expected() -> None:
    moments = [moment + timedelta(minutes=day % 5) for day, moment in enumerate(daily(30))]
    past = a_past(None, runs_at(moments, trigger="EXECUTE TASK"))
    slots = ledger(past, now=at(4, 31), window=Window(at(0, 28), at(0, 32)))
    assert states(slots) == ["met", "met", "missed", "missed"]
    assert slots[0].basis is Basis.learned
    assert 0.8 < slots[0].confidence < 1


def test_rules_for_one_job_leave_the_others_alone() -> None:
    strict = Rules(start_leeway=timedelta(minutes=1), start_unknown=timedelta(minutes=1))
    pasts = {KEY: a_past(NIGHTLY), ("airbyte", "b"): a_past(NIGHTLY, job_id="b")}
    expected = expect(pasts, WEEK, at(0), rulebook=Rulebook(exceptions=[("airbyte/b", strict)]))
    allowed = {slot.job_id: slot.start_by - slot.scheduled_for for slot in expected.expectations}
    assert allowed == {"orders": Rules().start_unknown, "b": timedelta(minutes=1)}


# What never changes a verdict

SCHEDULES = {
    "cron": cron("0 */3 * * *", "Europe/Berlin"),
    "quartz": Schedule(kind=ScheduleKind.quartz, expression="0 30 2 ? * MON-SAT", timezone="Europe/Berlin"),
    "interval": every(4),
    "after": AFTER,
    "habit": None,
}


def lived(name: str, seed: int) -> Past:
    """Three weeks of a job, with runs that are missing, late, doubled, hanging, skipped or by hand."""
    rng = random.Random(f"{name}{seed}")
    base = a_past(SCHEDULES[name])
    upstreams = [upstream("o", daily(21), minutes=20)] if name == "after" else []
    blank = Past(base.versions, [], upstreams=upstreams)
    moments = [
        slot.scheduled_for for slot in expect({KEY: blank}, Window(at(0), at(0, 21)), at(0)).expectations
    ]
    if name in ("interval", "habit"):
        moments = [at(4 * step) for step in range(21 * 6)] if name == "interval" else daily(21)
    runs: list[Run] = []
    for moment in moments:
        dice = rng.random()
        start = moment + timedelta(seconds=rng.uniform(1, 40))
        if dice < 0.08:
            continue
        if dice < 0.16:
            start += timedelta(minutes=rng.uniform(20, 200))
        status = Status.skipped if dice > 0.97 else Status.failed if dice > 0.92 else Status.success
        runs.append(a_run_at(start, rng.uniform(5, 50), status=status))
        if dice > 0.9:
            runs.append(a_run_at(start + timedelta(minutes=rng.uniform(30, 300)), trigger="manual"))
    return Past(base.versions, runs, upstreams=upstreams)


@given(st.sampled_from(sorted(SCHEDULES)), st.integers(0, 30), st.randoms(use_true_random=False))
def test_the_order_and_repetition_in_which_runs_arrive_change_no_verdict(
    name: str, seed: int, shuffle: random.Random
) -> None:
    past = lived(name, seed)
    shuffled = list(past.runs) + shuffle.choices(past.runs, k=15)
    stale = [
        run.model_copy(update={"status": Status.running, "ended_at": None})
        for run in shuffle.sample(past.runs, 5)
    ]
    shuffled += stale
    shuffle.shuffle(shuffled)
    upstreams = [shuffle.sample(list(runs), len(runs)) for runs in past.upstreams]
    window, now = Window(at(0, 10), at(0, 22)), at(0, 21)
    assert ledger(Past(past.versions, shuffled, upstreams=upstreams), now, window) == ledger(
        past, now, window
    )


@given(st.sampled_from(sorted(SCHEDULES)), st.integers(0, 30), st.lists(st.integers(0, 21 * 24), max_size=6))
def test_splitting_or_repeating_rounds_changes_no_verdict(name: str, seed: int, hours: list[int]) -> None:
    """Rounds in between see only what had begun by then; the last one sees everything."""
    past = lived(name, seed)
    window, last = Window(at(0, 10), at(0, 22)), at(0, 21)
    known: dict[str, Run] = {}
    for now in [*(at(hour) for hour in sorted(hours)), last, last]:
        for run in past.runs:
            if run.began_at <= now:
                going = run.ended_at is not None and run.ended_at > now
                known[run.uid] = (
                    run.model_copy(update={"status": Status.running, "ended_at": None}) if going else run
                )
        seen = Past(past.versions, list(known.values()), upstreams=past.upstreams)
        slots = ledger(seen, now, window)
        assert all(slot.state is not ExpectationState.missed or slot.start_by < now for slot in slots)
    assert slots == ledger(past, last, window)


def alone(slots: Sequence[Expectation]) -> Mapping[str, tuple[str, str | None]]:
    return {slot.id: (slot.state.value, slot.run_uid) for slot in slots}


@given(st.sampled_from(sorted(SCHEDULES)), st.integers(0, 30))
def test_no_run_meets_two_slots_and_none_begins_before_its_slot(name: str, seed: int) -> None:
    past = lived(name, seed)
    slots = ledger(past, at(0, 21), Window(at(0, 5), at(0, 21)))
    assert slots or name == "habit"
    runs = {run.uid: run for run in past.runs}
    used = [slot.run_uid for slot in slots if slot.run_uid]
    assert len(used) == len(set(used))
    for slot in slots:
        if slot.run_uid:
            assert runs[slot.run_uid].began_at >= slot.not_before - timedelta(minutes=1)
    assert len(alone(slots)) == len(slots)
