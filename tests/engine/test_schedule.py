"""The clock of the watch: slots, chance, sleep, jumps, and nights in which clocks change."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from dogwatch.engine.schedule import Timer
from dogwatch.settings.watch import WatchSettings
from support.clock import NOON

MINUTE = timedelta(minutes=1)
BERLIN = "Europe/Berlin"


def timer(last: datetime | None = NOON, now: datetime = NOON, zone: str = "UTC", **more: object) -> Timer:
    """A timer that just began."""
    watch = WatchSettings.model_validate({"jitter": "30s", **more})
    made = Timer(watch, zone, random.Random(1))
    made.begin(now, last)
    return made


def rounds(one: Timer, start: datetime, end: datetime, step: timedelta = MINUTE / 2) -> list[datetime]:
    """When rounds begin if somebody looks so often."""
    found, now = [], start
    while now < end:
        if one.due(now):
            found.append(now)
            one.done(now)
        now += step
    return found


def test_a_round_begins_every_quarter_of_an_hour_and_a_little_later() -> None:
    found = rounds(timer(), NOON, NOON + timedelta(days=1))
    assert len(found) == 95
    assert all(at.minute % 15 <= 1 for at in found)


def test_the_first_round_begins_at_once() -> None:
    assert timer(last=None).due(NOON)


def test_who_comes_back_between_two_slots_waits_for_the_next_one() -> None:
    assert not timer(now=NOON + 7 * MINUTE).due(NOON + 8 * MINUTE)


def test_what_a_sleep_missed_is_made_up_by_one_round() -> None:
    one = timer()
    morning = NOON + timedelta(hours=9, minutes=3)
    assert one.due(morning)
    one.done(morning)
    assert rounds(one, morning, morning + 20 * MINUTE) == [NOON + timedelta(hours=9, minutes=15, seconds=30)]


def test_who_was_down_over_a_slot_makes_it_up_at_once() -> None:
    assert timer(last=NOON - MINUTE, now=NOON + 3 * MINUTE).due(NOON + 3 * MINUTE)


def test_what_was_missed_can_be_let_go() -> None:
    one = timer(catch_up="skip")
    morning = NOON + timedelta(hours=9, minutes=3)
    assert not one.due(morning)
    assert one.next_at is not None
    assert one.next_at >= NOON + timedelta(hours=9, minutes=15)
    assert not timer(last=None, catch_up="skip").due(NOON)


def test_a_slot_that_is_only_late_is_no_sleep() -> None:
    assert timer(catch_up="skip").due(NOON + 16 * MINUTE)


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=400)])
def test_a_clock_that_goes_back_neither_stops_the_watch_nor_doubles_rounds(back: timedelta) -> None:
    one = timer()
    assert one.jumped(NOON - back) == -back
    assert not one.due(NOON - back)
    found = rounds(one, NOON - back, NOON - back + timedelta(hours=2))
    assert 7 <= len(found) <= 8


def test_a_small_step_back_is_no_jump() -> None:
    assert timer().jumped(NOON - timedelta(seconds=20)) == timedelta(0)


@pytest.mark.parametrize(
    ("day", "wanted"), [((2026, 3, 28), 24), ((2026, 3, 29), 23), ((2026, 10, 25), 25)], ids=str
)
def test_an_hourly_round_is_made_in_every_hour_that_there_is(day: tuple[int, int, int], wanted: int) -> None:
    """A spring day in Berlin has 23 hours, an autumn day 25."""
    local = datetime(*day, tzinfo=UTC)
    start = local - timedelta(hours=2 if day[1:] == (10, 25) else 1)
    one = timer(last=start, now=start, zone=BERLIN, cron="0 * * * *", jitter="1s")
    found = rounds(one, start, start + timedelta(hours=wanted), MINUTE)
    assert len(found) == wanted - 1 + (found[0] == start)


def test_a_nightly_round_at_a_time_that_is_skipped_or_repeated_is_made_once() -> None:
    for start in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        one = timer(last=start, now=start, zone=BERLIN, cron="30 2 * * *")
        assert len(rounds(one, start, start + timedelta(days=1), 5 * MINUTE)) == 1


def test_what_is_too_old_follows_from_the_clock() -> None:
    assert WatchSettings().too_old("UTC", NOON) == 40 * MINUTE
    assert WatchSettings(cron="0 2 * * *").too_old("UTC", NOON) == timedelta(hours=48, minutes=10)
    assert WatchSettings.model_validate({"stale_after": "2h"}).too_old("UTC", NOON) == timedelta(hours=2)


@pytest.mark.parametrize(
    "wrong", [{"cron": "x"}, {"cron": "* * * * * *"}, {"listen": "8711"}, {"listen": "h:0"}]
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        WatchSettings.model_validate(wrong)
