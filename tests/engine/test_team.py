"""When a team begins a round: told by rows and the clock alone, the same for everybody."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dogwatch.engine.house import House
from dogwatch.engine.schedule import slot_due
from dogwatch.engine.team import Worker
from dogwatch.errors import SettingsError
from dogwatch.settings import Settings
from dogwatch.settings.watch import WatchSettings
from support.cli import run
from support.clock import NOON, JumpingClock

MINUTE = timedelta(minutes=1)


def due(last: datetime | None, now: datetime, awake: datetime | None = None, **more: object) -> bool:
    return slot_due(WatchSettings.model_validate(more), "UTC", last, awake, now)


def test_a_round_is_due_once_for_each_time_of_the_clock() -> None:
    assert due(None, NOON)
    assert not due(NOON, NOON + 14 * MINUTE)
    assert due(NOON, NOON + 16 * MINUTE)
    assert not due(NOON + 15 * MINUTE, NOON + 16 * MINUTE)
    assert due(NOON - timedelta(days=3), NOON)


def test_chance_makes_it_later_by_the_same_for_everybody() -> None:
    def begins(number: int) -> list[int]:
        last, slot = NOON + number * 15 * MINUTE, NOON + (number + 1) * 15 * MINUTE
        return [second for second in range(31) if due(last, slot + timedelta(seconds=second))]

    assert all(begins(number) == list(range(begins(number)[0], 31)) for number in range(4))
    assert len({begins(number)[0] for number in range(4)}) > 1


def test_chance_never_reaches_to_the_middle_of_the_next_time() -> None:
    assert due(NOON + timedelta(seconds=1), NOON + 1.5 * MINUTE, cron="* * * * *", jitter="10m")


def test_what_was_missed_while_nobody_was_awake_may_be_let_go() -> None:
    missed, now = NOON - timedelta(hours=5), NOON + MINUTE
    assert due(missed, now)
    assert not due(missed, now, awake=NOON + timedelta(seconds=1))
    assert due(missed, now + 15 * MINUTE, awake=NOON + timedelta(seconds=1))


def test_the_night_in_which_clocks_change_has_no_round_twice() -> None:
    night = datetime(2026, 10, 25, 0, 31, tzinfo=UTC)  # in Berlin 02:31, the first time
    hourly = WatchSettings(cron="30 2 * * *")
    assert not slot_due(hourly, "Europe/Berlin", night, None, night + timedelta(hours=1))


def silent(event: str, /, **fields: object) -> None:
    """Nobody listens."""


def test_workers_need_a_store_that_they_can_share(tmp_path: Path) -> None:
    settings = Settings(timezone="UTC", connectors={}, store=str(tmp_path / "dogwatch.db"))
    house = House(lambda: settings, lambda found: pytest.fail("opened"), JumpingClock(), silent)
    with pytest.raises(SettingsError, match="`store` is a file"):
        asyncio.run(Worker(house, "one", 1).run(settings))


def test_the_command_says_what_workers_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["timezone: UTC", "connectors:", "  airbyte: {url: 'http://127.0.0.1:9'}"]
    (tmp_path / "dogwatch.yaml").write_text("\n".join(lines), encoding="utf-8")
    found = run(
        "worker",
        "--name",
        "one",
        env={"DOGWATCH_AIRBYTE_CLIENT_ID": "a", "DOGWATCH_AIRBYTE_CLIENT_SECRET": "b"},
    )
    assert found.exit_code == 2
    assert "workers share a store on PostgreSQL" in found.stderr
