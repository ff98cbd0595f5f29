"""When cron and Quartz are due, in the nights when clocks change too, as each platform documents it."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dogwatch.detect.schedule import due
from dogwatch.model import Schedule, ScheduleKind

BERLIN_SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)
BERLIN_AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC)


def told(platform: str, expression: str, start: datetime, zone: str = "Europe/Berlin") -> list[str]:
    """The slots of the next 20 hours, in UTC; in brackets from when on a run may meet it, if earlier."""
    kind = ScheduleKind.quartz if len(expression.split()) > 5 else ScheduleKind.cron
    schedule = Schedule(kind=kind, expression=expression, timezone=zone)
    return [
        f"{slot.at:%d %H:%M}" + ("" if slot.at == slot.not_before else f" ({slot.not_before:%H:%M})")
        for slot in due(schedule, platform, start, start + timedelta(hours=20))
    ]


def test_quartz_skips_the_hour_that_does_not_exist() -> None:
    assert told("databricks", "0 30 2 * * ?", BERLIN_SPRING) == []
    assert told("airbyte", "0 0 1-4 * * ?", BERLIN_SPRING) == ["29 00:00", "29 01:00", "29 02:00"]


def test_quartz_is_due_once_in_the_repeated_hour_and_either_pass_will_do() -> None:
    assert told("databricks", "0 30 2 * * ?", BERLIN_AUTUMN) == ["25 01:30 (00:30)"]
    assert told("airbyte", "0 0 1-3 * * ?", BERLIN_AUTUMN) == ["24 23:00", "25 01:00 (00:00)", "25 02:00"]


def test_a_snowflake_task_does_not_run_at_a_time_that_does_not_exist() -> None:
    assert told("snowflake", "30 2 * * *", BERLIN_SPRING) == []
    los_angeles = datetime(2026, 3, 8, 0, tzinfo=UTC)
    assert told("snowflake", "0 2 * * *", los_angeles, "America/Los_Angeles") == []


def test_a_snowflake_task_of_every_hour_is_due_in_both_passes_one_that_names_its_hour_once() -> None:
    assert told("snowflake", "0 * * * *", BERLIN_AUTUMN)[11:15] == [
        "24 23:00",
        "25 00:00",
        "25 01:00",
        "25 02:00",
    ]
    assert told("snowflake", "30 2 * * *", BERLIN_AUTUMN) == ["25 00:30"]


def test_a_power_automate_recurrence_moves_behind_the_gap_and_runs_in_the_first_pass() -> None:
    chicago_spring = datetime(2019, 3, 10, 0, tzinfo=UTC)
    chicago_autumn = datetime(2019, 11, 3, 0, tzinfo=UTC)
    zone = "America/Chicago"
    assert told("power_automate", "30 1 * * *", chicago_spring, zone) == ["10 07:30"]
    assert told("power_automate", "30 2 * * *", chicago_spring, zone) == ["10 08:30"]
    assert told("power_automate", "30 1 * * *", chicago_autumn, zone) == ["03 06:30"]
    assert told("power_automate", "30 2 * * *", chicago_autumn, zone) == ["03 08:30"]


def test_any_other_cron_is_kept_as_debian_keeps_it() -> None:
    assert told("airflow", "30 2 * * *", BERLIN_SPRING) == ["29 01:00"]
    assert told("airflow", "30 2 * * *", BERLIN_AUTUMN) == ["25 00:30"]
    assert len(told("airflow", "*/30 * * * *", BERLIN_AUTUMN)) == 40


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize("platform", ["databricks", "snowflake", "power_automate", "airflow"])
def test_a_daily_job_is_due_once_on_every_day_of_the_year(zone: str, platform: str) -> None:
    quartz = platform == "databricks"
    kind = ScheduleKind.quartz if quartz else ScheduleKind.cron
    expression = "0 30 4 * * ?" if quartz else "30 4 * * *"
    schedule = Schedule(kind=kind, expression=expression, timezone=zone)
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    slots = due(schedule, platform, start, start + timedelta(days=365))
    assert len(slots) == 365
    gaps = {later.at - slot.at for slot, later in itertools.pairwise(slots)}
    assert gaps <= {timedelta(hours=hours / 2) for hours in (46, 47, 48, 49, 50)}


@pytest.mark.parametrize(
    ("kind", "expression", "zone"),
    [
        (ScheduleKind.cron, "0 25 * * *", "UTC"),
        (ScheduleKind.cron, "0 0 2 * * *", "UTC"),
        (ScheduleKind.cron, "", "UTC"),
        (ScheduleKind.quartz, "0 2 * * *", "UTC"),
        (ScheduleKind.cron, "0 2 * * *", "Europe/Atlantis"),
        (ScheduleKind.cron, "0 2 * * *", "../../etc/passwd"),
        (ScheduleKind.cron, "0 2 * * *", ""),
        (ScheduleKind.interval, "", "UTC"),
    ],
)
@pytest.mark.parametrize("platform", ["snowflake", "airflow"])
def test_what_is_not_understood_is_refused_in_words(
    kind: ScheduleKind, expression: str, zone: str, platform: str
) -> None:
    schedule = Schedule(kind=kind, expression=expression, timezone=zone)
    with pytest.raises(ValueError, match=r"\w"):
        due(schedule, platform, BERLIN_SPRING, BERLIN_AUTUMN)


@given(
    st.sampled_from(["airbyte", "snowflake", "power_automate", "airflow"]),
    st.sampled_from(["*/15 * * * *", "5 0-6 * * *", "30 2 * * *", "0 * 25,28 * *"]),
    st.sampled_from([BERLIN_SPRING, BERLIN_AUTUMN]),
    st.tuples(*[st.integers(0, 1500)] * 3),
)
def test_two_windows_side_by_side_hold_what_one_holds(
    platform: str, expression: str, start: datetime, minutes: tuple[int, ...]
) -> None:
    one, two, three = (start + timedelta(minutes=minute) for minute in sorted(minutes))
    kind = ScheduleKind.cron
    if platform == "airbyte":
        kind, expression = ScheduleKind.quartz, f"0 {expression[:-1]}?"
    schedule = Schedule(kind=kind, expression=expression, timezone="Europe/Berlin")
    parts = due(schedule, platform, one, two) + due(schedule, platform, two, three)
    assert parts == due(schedule, platform, one, three)


@given(
    st.sampled_from(["*", "*/7", "0", "5-50/15", "59", "3,4"]),
    st.sampled_from(["*", "*/5", "0", "23", "7-9,18"]),
    st.integers(0, 5000),
)
def test_where_no_clock_changes_all_platforms_are_due_at_the_same_times(
    minutes: str, hours: str, later: int
) -> None:
    schedule = Schedule(kind=ScheduleKind.cron, expression=f"{minutes} {hours} * * *", timezone="UTC")
    start = BERLIN_SPRING + timedelta(minutes=later)
    told = {
        due(schedule, platform, start, start + timedelta(hours=50)) for platform in ("snowflake", "airflow")
    }
    assert len(told) == 1
