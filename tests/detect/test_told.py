"""What the user told: maintenance, holidays, mutes."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from dogwatch.detect.told import Maintenance, Told
from support.nights import at


@pytest.mark.parametrize("on", ["airbyte", "airbyte/orders", "airbyte/*", "Orders*", "*"])
def test_maintenance_may_name_a_platform_a_job_or_a_pattern(on: str) -> None:
    told = Told(maintenance=[Maintenance(on, at(1), at(3))])
    assert told.excuse("airbyte/orders", "Orders PG → RAW", at(2)).startswith("maintenance until")
    assert told.excuse("airbyte/orders", "Orders PG → RAW", at(3)) == ""


@pytest.mark.parametrize("on", ["databricks", "airbyte/users", "orders", "air"])
def test_maintenance_of_something_else_excuses_nothing(on: str) -> None:
    told = Told(maintenance=[Maintenance(on, at(1), at(3))])
    assert told.excuse("airbyte/orders", "Orders PG → RAW", at(2)) == ""


def test_a_holiday_begins_at_midnight_of_its_zone() -> None:
    told = Told(holidays=frozenset({date(2026, 3, 3)}), zone=ZoneInfo("Europe/Berlin"))
    assert told.excuse("a/b", "", at(22.9)) == ""
    assert told.excuse("a/b", "", at(23.1)) == "03 Mar is a holiday"


def test_muted_jobs_are_known_by_subject_name_or_pattern() -> None:
    told = Told(muted=["airbyte/orders", "Nightly *"])
    assert told.is_muted("airbyte/orders")
    assert told.is_muted("x/1", "Nightly export")
    assert not told.is_muted("airbyte/users")
