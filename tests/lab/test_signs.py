"""When a fault can first be seen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dogwatch.lab.scenario import Scenario
from dogwatch.lab.signs import culprit_sign, first_sign
from support.estates import NOW, Stopped, faults, shop

TODAY = "at: 2026-03-03T00:00:00Z"


def sign(text: str, folder: Path, now: datetime = NOW) -> datetime | None:
    estate = shop(folder)
    struck = tuple(faults(f"- {{{text}}}", estate, folder))
    scenario = Scenario("s", estate, now, history=timedelta(days=3), faults=struck)
    return first_sign(scenario, scenario.world(Stopped(now)), struck[0])


def near(found: datetime | None, expected: str, within: timedelta = timedelta(seconds=30)) -> bool:
    return found is not None and timedelta(0) <= found - datetime.fromisoformat(expected) < within


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("on: airbyte/orders, kind: run_fails, after: 0.5", "2026-03-03T02:12:30Z"),  # after two tries
        ("on: databricks/daily, kind: run_timed_out", "2026-03-03T04:14:00Z"),
        ("on: databricks/hourly, kind: flapping, every: 2", "2026-03-03T00:03:00Z"),
        ("on: snowflake/load, kind: schema_change", "2026-03-03T02:21:30Z"),
        ("on: databricks/daily, kind: run_hangs", "2026-03-03T04:14:00Z"),
        ("on: databricks/hourly, kind: run_hangs", "2026-03-03T00:16:00Z"),
        ("on: databricks/hourly, kind: run_slow, factor: 9", "2026-03-03T00:16:00Z"),
        ("on: airbyte/orders, kind: run_missing", "2026-03-03T02:00:00Z"),
        ("on: airbyte/orders, kind: run_late, by: 45m", "2026-03-03T02:00:00Z"),
        ("on: airbyte/orders, kind: paused", "2026-03-03T02:00:00Z"),
        ("on: databricks/daily, kind: schedule_changed, cron: 0 9 * * *", "2026-03-03T03:30:00Z"),
        ("on: airbyte/orders, kind: run_duplicated", "2026-03-03T02:00:00Z"),
        ("on: airbyte, kind: auth_revoked", "2026-03-03T00:00:00Z"),
        ("on: component/llm, kind: metric_shift, metric: latency, factor: 2", "2026-03-03T00:00:00Z"),
        ("kind: deploy, version: v2, breaks: [databricks/hourly]", "2026-03-03T00:03:00Z"),
    ],
)  # fmt: skip
def test_the_first_visible_sign_follows_the_contract(fault: str, expected: str, tmp_path: Path) -> None:
    assert near(sign(f"{TODAY}, {fault}", tmp_path), expected, timedelta(seconds=75))


def test_a_run_that_is_only_a_little_slow_shows_when_it_ends(tmp_path: Path) -> None:
    found = sign(f"{TODAY}, on: databricks/daily, kind: run_slow, factor: 1.5", tmp_path)
    assert found is not None
    assert datetime(2026, 3, 3, 3, 58, tzinfo=UTC) < found < datetime(2026, 3, 3, 4, 12, tzinfo=UTC)


def test_what_waits_for_a_missing_run_is_missed_when_it_would_have_started(tmp_path: Path) -> None:
    found = sign(f"{TODAY}, on: snowflake/load, kind: run_missing", tmp_path)
    assert near(found, "2026-03-03T02:10:00Z", timedelta(minutes=10))


def test_rows_show_when_the_run_ends(tmp_path: Path) -> None:
    found = sign(f"{TODAY}, on: airbyte/orders, kind: zero_rows", tmp_path)
    assert near(found, "2026-03-03T02:08:00Z", timedelta(minutes=10))


def test_what_has_not_shown_yet_has_no_sign(tmp_path: Path) -> None:
    early = datetime(2026, 3, 3, 1, tzinfo=UTC)
    assert sign(f"{TODAY}, on: airbyte/orders, kind: run_fails", tmp_path, early) is None


def test_a_platform_fails_visibly_at_the_first_round_that_calls_it(tmp_path: Path) -> None:
    assert near(
        sign("at: 2026-03-03T01:01:00Z, on: airbyte, kind: platform_down", tmp_path), "2026-03-03T01:15Z"
    )


def test_a_culprit_shows_with_the_first_of_its_faults(tmp_path: Path) -> None:
    estate = shop(tmp_path)
    struck = faults(
        "- {at: 2026-03-03T05:00:00Z, on: databricks/hourly, kind: run_missing}\n"
        "- {at: 2026-03-03T01:00:00Z, on: databricks, kind: run_missing}\n",
        estate,
        tmp_path,
    )
    scenario = Scenario("s", estate, NOW, history=timedelta(days=3), faults=tuple(struck))
    world = scenario.world(Stopped(NOW))
    assert culprit_sign(scenario, world, "databricks/hourly") == datetime(2026, 3, 3, 1, tzinfo=UTC)
    assert culprit_sign(scenario, world, "airbyte/orders") is None
    assert culprit_sign(replace(scenario, faults=()), world, "databricks/hourly") is None
