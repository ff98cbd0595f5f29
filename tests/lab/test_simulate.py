"""The simulation: determinism, what faults do and leave alone, and the ways of the platforms."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from dogwatch.lab.estate import load_estate
from dogwatch.lab.simulate import simulate
from dogwatch.lab.world import LabRun, Outcome, Skip, Trigger, World
from support.estates import NOW, Stopped, entry, faults, shop, world

TODAY = "at: 2026-03-03T00:00:00Z"


def runs(found: World, job: str, since: datetime = NOW - timedelta(days=8)) -> list[LabRun]:
    return [run for run in found.runs if run.job == job and run.created >= since]


def today(found: World, job: str) -> list[LabRun]:
    return runs(found, job, datetime(2026, 3, 3, tzinfo=UTC))


def outcome(run: LabRun) -> Outcome:
    return run.attempts[-1].outcome


def broken(text: str, folder: Path) -> World:
    estate = shop(folder)
    return world(estate, faults(f"- {{{TODAY}, {text}}}", estate, folder))


def life(found: World, jobs: Sequence[str]) -> list[tuple[object, ...]]:
    return [
        (run.job, run.trigger, run.created, run.attempts, run.scheduled_for)
        for run in found.runs
        if run.job in jobs
    ]


def test_the_same_file_and_seed_tell_the_same_story(tmp_path: Path) -> None:
    estate = shop(tmp_path)
    assert world(estate).runs == world(estate).runs
    assert world(estate).runs != world(estate, seed=2).runs


def test_ordinary_life_has_no_failures(tmp_path: Path) -> None:
    found = world(shop(tmp_path))
    assert {outcome(run) for run in found.runs} == {Outcome.success}
    assert {run.job for run in found.runs} == found.jobs.keys()


def test_runs_are_counted_by_platform_in_order_of_creation(tmp_path: Path) -> None:
    found = world(shop(tmp_path))
    for platform in ("airbyte", "databricks", "power_automate", "snowflake"):
        own = [run for run in found.runs if run.job.startswith(platform)]
        assert [run.number for run in own] == list(range(1, len(own) + 1))
        assert own == sorted(own, key=lambda run: run.created)


def test_durations_are_log_normal_around_the_typical_one(tmp_path: Path) -> None:
    text = 'id: x\njobs: {airbyte/a: {schedule: "*/10 * * * *", duration: 4m, spread: 0.2, rows: 500}}'
    estate = load_estate(entry_path(text, tmp_path))
    lasts = sorted((run.attempts[0].ended or NOW) - run.attempts[0].started for run in world(estate).runs)
    assert abs(lasts[len(lasts) // 2] / timedelta(minutes=4) - 1) < 0.03
    assert abs(lasts[int(len(lasts) * 0.841)] / timedelta(minutes=4) - 1.221) < 0.06


def entry_path(text: str, folder: Path) -> Path:
    entry(text, folder, "estate.yaml")
    return folder / "estate.yaml"


def test_a_monday_scales_duration_and_rows(tmp_path: Path) -> None:
    by_day = {run.created.weekday(): run.attempts[0] for run in runs(world(shop(tmp_path)), "airbyte/orders")}
    assert by_day[0].rows > 1.4 * by_day[1].rows
    assert by_day[0].ended is not None
    assert by_day[0].ended - by_day[0].started > timedelta(minutes=15)


def test_cron_runs_in_the_zone_of_the_job(tmp_path: Path) -> None:
    found = world(shop(tmp_path))
    assert today(found, "airbyte/orders")[0].scheduled_for == datetime(2026, 3, 3, 2, tzinfo=UTC)
    assert today(found, "databricks/daily")[0].scheduled_for == datetime(2026, 3, 3, 3, 30, tzinfo=UTC)


def test_cron_keeps_local_time_across_daylight_saving(tmp_path: Path) -> None:
    estate = shop(tmp_path)
    found = world(estate, now=datetime(2026, 3, 31, tzinfo=UTC))
    hours = [run.scheduled_for.hour for run in runs(found, "databricks/daily") if run.scheduled_for]
    assert hours == [3, 3, 3, 3, 3, 2, 2]


def test_intervals_are_kept_exactly(tmp_path: Path) -> None:
    slots = [run.scheduled_for for run in runs(world(shop(tmp_path)), "airbyte/stock") if run.scheduled_for]
    assert {later - earlier for earlier, later in pairwise(slots)} == {timedelta(minutes=30)}


def test_a_dependent_job_starts_when_all_it_waits_for_succeeded(tmp_path: Path) -> None:
    found = world(shop(tmp_path))
    load = today(found, "snowflake/load")[0]
    ends = [today(found, job)[0].attempts[-1].ended for job in ("airbyte/orders", "airbyte/users")]
    assert (load.trigger, load.scheduled_for) == (Trigger.after, None)
    assert timedelta(0) < load.created - max(end for end in ends if end) < timedelta(seconds=5)


def test_a_failure_skips_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    quiet = world(shop(tmp_path))
    found = broken("on: airbyte/orders, kind: run_fails, error: boom, after: 0.5", tmp_path)
    [failed] = today(found, "airbyte/orders")
    assert [(attempt.outcome, attempt.error) for attempt in failed.attempts] == [(Outcome.failed, "boom")] * 2
    assert (failed.attempts[0].ended or NOW) - failed.attempts[0].started == timedelta(minutes=6)
    for job in ("snowflake/load", "snowflake/mart"):
        [skipped] = today(found, job)
        assert skipped.attempts[0].skip is Skip.upstream
        assert skipped.attempts[0].started == skipped.attempts[0].ended == skipped.created
    assert today(found, "power_automate/mail") == []
    others = [job for job in found.jobs if job not in {"airbyte/orders", "snowflake/load", "snowflake/mart"}]
    others.remove("power_automate/mail")
    assert life(found, others) == life(quiet, others)


@pytest.mark.parametrize(
    "fault",
    [
        "run_fails", "run_cancelled", "run_timed_out", "run_hangs", "run_slow, factor: 4", "run_missing",
        "run_late, by: 3h", "run_duplicated", "zero_rows", "row_drop, factor: 0.1", "flapping",
        "schema_change", "upstream_skipped", "schedule_changed, cron: 0 4 * * *", "paused",
    ],
)  # fmt: skip
def test_no_fault_changes_jobs_that_do_not_depend_on_it(fault: str, tmp_path: Path) -> None:
    found = broken(f"on: airbyte/orders, kind: {fault}", tmp_path)
    estate = shop(tmp_path)
    near = {"airbyte/orders", "snowflake/load", "snowflake/mart", "power_automate/mail"}
    others = [job for job in found.jobs if job not in near]
    assert life(found, others) == life(world(estate), others)
    assert life(found, sorted(near)) != life(world(estate), sorted(near))


@pytest.mark.parametrize(
    ("kind", "expected"), [("run_cancelled", Outcome.cancelled), ("run_timed_out", Outcome.timed_out)]
)
def test_a_run_that_is_stopped_is_not_tried_again(kind: str, expected: Outcome, tmp_path: Path) -> None:
    [run] = today(broken(f"on: airbyte/orders, kind: {kind}, error: enough", tmp_path), "airbyte/orders")
    assert [attempt.outcome for attempt in run.attempts] == [expected]
    assert run.attempts[0].error == "enough"


def test_a_hung_run_blocks_its_job_in_the_way_of_its_platform(tmp_path: Path) -> None:
    hour = "until: 2026-03-03T01:00:00Z"
    for job, count, skipped in (
        ("airbyte/stock", 2, 0),
        ("databricks/hourly", 7, 6),
        ("power_automate/sweep", 20, 0),
    ):
        found = today(broken(f"{hour}, on: {job}, kind: run_hangs", tmp_path), job)
        skips = [run for run in found if run.attempts[0].skip is Skip.overlap]
        assert len(skips) == skipped, job
        assert sum(run.attempts[-1].ended is None for run in found) >= 1, job
        assert len(found) <= count, job
    assert len(today(broken(f"{hour}, on: airbyte/stock, kind: run_hangs", tmp_path), "airbyte/stock")) == 1


def test_what_waits_for_a_hung_run_never_hears_of_it(tmp_path: Path) -> None:
    found = broken("on: airbyte/orders, kind: run_hangs", tmp_path)
    assert today(found, "snowflake/load") == []
    assert len(today(found, "databricks/daily")) == 1


def test_a_slow_run_takes_factor_times_as_long_and_delays_what_waits(tmp_path: Path) -> None:
    quiet = world(shop(tmp_path))
    found = broken("on: airbyte/orders, kind: run_slow, factor: 3", tmp_path)
    [usual], [slow] = today(quiet, "airbyte/orders"), today(found, "airbyte/orders")
    lasted = [(run.attempts[0].ended or NOW) - run.attempts[0].started for run in (usual, slow)]
    assert abs(lasted[1] / lasted[0] - 3) < 0.001
    assert today(found, "snowflake/load")[0].created > today(quiet, "snowflake/load")[0].created


def test_a_missing_run_leaves_no_trace_and_triggers_nothing(tmp_path: Path) -> None:
    found = broken("on: airbyte/orders, kind: run_missing", tmp_path)
    assert today(found, "airbyte/orders") == []
    assert today(found, "snowflake/load") == []


def test_a_day_after_a_missing_run_its_dependents_are_in_step_again(tmp_path: Path) -> None:
    estate = shop(tmp_path)
    text = "- {at: 2026-02-27T00:00:00Z, until: 2026-02-28T00:00:00Z, on: airbyte/orders, kind: run_missing}"
    found = world(estate, faults(text, estate, tmp_path))
    assert len(runs(found, "snowflake/load")) == 6
    later = [run for run in runs(found, "snowflake/load") if run.created.day in {28, 1, 2, 3}]
    assert later == [run for run in later if run.created.hour == 2]
    assert today(found, "snowflake/load")[0].created == today(world(estate), "snowflake/load")[0].created


def test_a_late_run_keeps_its_nominal_time(tmp_path: Path) -> None:
    [run] = today(broken("on: airbyte/orders, kind: run_late, by: 45m", tmp_path), "airbyte/orders")
    assert run.scheduled_for == datetime(2026, 3, 3, 2, tzinfo=UTC)
    assert timedelta(minutes=45) < run.created - run.scheduled_for < timedelta(minutes=46)


def test_a_duplicated_run_is_two_runs_of_one_slot(tmp_path: Path) -> None:
    first, second = today(broken("on: airbyte/orders, kind: run_duplicated", tmp_path), "airbyte/orders")
    assert first.scheduled_for == second.scheduled_for
    assert first.number != second.number
    assert second.created - first.created < timedelta(seconds=20)


def test_rows_fall_while_the_run_succeeds(tmp_path: Path) -> None:
    [usual] = today(world(shop(tmp_path)), "airbyte/orders")
    [few] = today(broken("on: airbyte/orders, kind: row_drop, factor: 0.1", tmp_path), "airbyte/orders")
    [none] = today(broken("on: airbyte/orders, kind: zero_rows", tmp_path), "airbyte/orders")
    assert (outcome(few), outcome(none), none.attempts[0].rows) == (Outcome.success, Outcome.success, 0)
    assert abs(few.attempts[0].rows - usual.attempts[0].rows * 0.1) <= 1


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("2", "F.F.F."), ("1", "F.F.F."), ("3", "F..F.."), ("2h", "FF..FF"),
    ],
)  # fmt: skip
def test_flapping_alternates(every: str, expected: str, tmp_path: Path) -> None:
    found = broken(f"on: databricks/hourly, kind: flapping, every: {every}, error: boom", tmp_path)
    marks = ["F" if outcome(run) is Outcome.failed else "." for run in today(found, "databricks/hourly")]
    assert "".join(marks[:6]) == expected


def test_a_schema_change_fails_the_consumers(tmp_path: Path) -> None:
    found = broken("on: snowflake/load, kind: schema_change, column: id, error: invalid identifier", tmp_path)
    assert outcome(today(found, "snowflake/load")[0]) is Outcome.success
    assert today(found, "snowflake/mart")[0].attempts[0].error == "invalid identifier"
    assert outcome(today(found, "databricks/daily")[0]) is Outcome.failed


def test_a_deployment_breaks_what_it_names_from_then_on(tmp_path: Path) -> None:
    found = broken("kind: deploy, version: v2, breaks: [databricks/hourly], error: ImportError", tmp_path)
    assert {outcome(run) for run in today(found, "databricks/hourly")} == {Outcome.failed}
    assert [fault.kind for fault in found.other_faults] == ["deploy"]


def test_upstream_skipped_is_recorded_where_the_platform_records_skips(tmp_path: Path) -> None:
    [skipped] = today(broken("on: snowflake/load, kind: upstream_skipped", tmp_path), "snowflake/load")
    assert skipped.attempts[0].skip is Skip.upstream
    assert today(broken("on: airbyte/users, kind: upstream_skipped", tmp_path), "airbyte/users") == []


def test_an_edited_schedule_is_seen_and_kept(tmp_path: Path) -> None:
    window = "until: 2026-03-03T04:00:00Z"
    found = broken(f'{window}, on: databricks/hourly, kind: schedule_changed, cron: "*/30 * * * *"', tmp_path)
    slots = [run.scheduled_for for run in today(found, "databricks/hourly") if run.scheduled_for]
    assert sum(slot.minute == 30 for slot in slots) == 4
    job = found.jobs["databricks/hourly"]
    assert job.as_of(datetime(2026, 3, 3, 1, tzinfo=UTC)).schedule == "*/30 * * * *"
    assert job.as_of(datetime(2026, 3, 3, 5, tzinfo=UTC)).schedule == "0 * * * *"
    assert next(item for item in found.jobs_of("databricks")).schedule == "0 * * * *"


def test_an_interval_comes_back_after_an_edit(tmp_path: Path) -> None:
    window = "until: 2026-03-03T04:00:00Z"
    found = broken(f'{window}, on: airbyte/stock, kind: schedule_changed, cron: "0 * * * *"', tmp_path)
    job = found.jobs["airbyte/stock"]
    assert job.as_of(datetime(2026, 3, 3, 1, tzinfo=UTC)).every is None
    assert job.as_of(NOW).every == timedelta(minutes=30)
    assert job.as_of(NOW).schedule is None


def test_a_paused_job_does_not_run_and_says_so(tmp_path: Path) -> None:
    found = broken("until: 2026-03-03T04:30:00Z, on: databricks/hourly, kind: paused", tmp_path)
    assert [run.created.hour for run in today(found, "databricks/hourly")] == [5, 6]
    job = found.jobs["databricks/hourly"]
    assert job.as_of(datetime(2026, 3, 3, 4, tzinfo=UTC)).paused
    assert not job.as_of(NOW).paused


def test_a_fault_strikes_the_runs_whose_start_lies_in_its_time(tmp_path: Path) -> None:
    window = "at: 2026-03-03T02:00:00Z, until: 2026-03-03T04:00:00Z"
    estate = shop(tmp_path)
    text = f"- {{{window}, on: databricks/hourly, kind: run_fails}}\n"
    found = world(estate, faults(text, estate, tmp_path))
    struck = [run.scheduled_for for run in found.runs if outcome(run) is Outcome.failed]
    assert [slot.hour for slot in struck if slot] == [2, 3]


def test_several_faults_add_up_and_the_first_bad_end_holds(tmp_path: Path) -> None:
    estate = shop(tmp_path)
    text = "".join(
        f"- {{{TODAY}, on: airbyte/orders, kind: {kind}}}\n"
        for kind in ("run_late, by: 10m", "run_cancelled, error: stopped", "run_fails, error: boom")
    )
    [run] = today(world(estate, faults(text, estate, tmp_path)), "airbyte/orders")
    assert run.created.minute == 10
    assert (outcome(run), run.attempts[0].error) == (Outcome.cancelled, "stopped")


def test_a_job_with_schedule_and_predecessors_waits_for_both(tmp_path: Path) -> None:
    text = (
        'id: x\njobs:\n  airbyte/a: {schedule: "0 2 * * *", duration: 30m}\n'
        '  databricks/b: {schedule: "10 2 * * *", after: [airbyte/a]}\n'
    )
    estate = load_estate(entry_path(text, tmp_path))
    [waits] = today(world(estate), "databricks/b")
    assert waits.scheduled_for == datetime(2026, 3, 3, 2, 10, tzinfo=UTC)
    assert waits.created > datetime(2026, 3, 3, 2, 20, tzinfo=UTC)
    fault = faults(f"- {{{TODAY}, on: airbyte/a, kind: run_missing}}", estate, tmp_path)
    [skipped] = today(world(estate, fault), "databricks/b")
    assert skipped.attempts[0].skip is Skip.upstream


def test_fifty_jobs_of_thirty_days_run_each_time_they_are_due(tmp_path: Path) -> None:
    specs = "\n".join(
        f'  airbyte/j{n}: {{schedule: "{n} {"*" if n % 4 == 0 else n % 24} * * *", timezone: Europe/Berlin}}'
        for n in range(50)
    )
    estate = load_estate(entry_path(f"id: big\njobs:\n{specs}\n", tmp_path))
    found = simulate(estate, seed=1, start=NOW - timedelta(days=30), end=NOW, clock=Stopped(NOW))
    assert Counter(run.job for run in found.runs)["airbyte/j4"] == 720
