"""New, surging and vanished templates against a memory, through quiet nights and weekly rhythms."""

import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from dogwatch.errors import SettingsError
from dogwatch.logs.book import Book
from dogwatch.logs.diff import difference
from dogwatch.logs.events import Batch
from dogwatch.logs.trend import Baseline, Change
from dogwatch.logs.triage import triage

HOUR = 3600
MONDAY = int(datetime(2026, 9, 7, tzinfo=UTC).timestamp()) // HOUR
"""In hours since 1970."""
NOW = datetime(2026, 10, 20, tzinfo=UTC)

Rate = Callable[[int], int]


def busy_by_day(hour: int) -> int:
    """A log that sleeps at night and doubles on Mondays."""
    day = 20 if 8 <= hour % 24 < 18 else 2
    return day * (2 if (hour // 24) % 7 == 0 else 1)


def book(hours: range, rates: dict[str, Rate], seed: int = 1, level: str = "info") -> Book:
    """Lines of templates (``#`` is a number) at so many per hour, give or take."""
    r = random.Random(seed)
    made = Book(hourly=True)
    for hour in hours:
        lines = [
            (text.replace("#", str(r.randrange(10**6))), (MONDAY + hour) * HOUR + r.random() * HOUR)
            for text, rate in rates.items()
            for _ in range(max(0, round(r.gauss(rate(hour), rate(hour) ** 0.5 / 2))))
        ]
        if lines:
            lines.sort(key=lambda line: line[1])
            made.add(
                Batch(
                    "\n".join(text for text, _ in lines).encode(),
                    len(lines),
                    [at for _, at in lines],
                    [level] * len(lines),
                    ["loader"] * len(lines),
                )
            )
    return made


def remembered(rates: dict[str, Rate], days: int = 28) -> Baseline:
    _, memory = Baseline().compare(book(range(days * 24), rates))
    return memory


STEADY: dict[str, Rate] = {"loaded # rows": busy_by_day, "heartbeat #": lambda hour: 30}


def changes(memory: Baseline, days: range, rates: dict[str, Rate], level: str = "info") -> list[Change]:
    hours = range(days.start * 24, days.stop * 24)
    return memory.compare(book(hours, rates, seed=9, level=level))[0]


def test_an_ordinary_week_has_no_news() -> None:
    assert changes(remembered(STEADY), range(28, 35), STEADY) == []


def test_a_message_never_said_before_is_new() -> None:
    found = changes(
        remembered(STEADY), range(28, 29), {**STEADY, "quota exceeded for # rows": lambda hour: 1}
    )
    assert [(change.kind, change.entry.template.text) for change in found] == [
        ("new", "quota exceeded for <*> rows")
    ]


def test_a_known_message_with_another_value_is_not_new() -> None:
    memory = remembered(
        {**STEADY, "login by user alice": lambda hour: 3, "login by user bob": lambda hour: 3}
    )
    again = {**STEADY, "login by user dmitri": lambda hour: 3, "login by user alice": lambda hour: 3}
    assert [change for change in changes(memory, range(28, 29), again) if change.kind == "new"] == []


def test_a_surge_at_night_is_seen_though_days_are_busier() -> None:
    surge = {**STEADY, "loaded # rows": lambda hour: 30 if hour % 24 == 3 else busy_by_day(hour)}
    [change] = changes(remembered(STEADY), range(29, 30), surge)
    assert (change.kind, change.entry.template.text) == ("surging", "loaded <*> rows")
    assert change.hour is not None
    assert datetime.fromtimestamp(change.hour, UTC).hour == 3
    assert change.seen >= 20
    assert change.usual <= 6


def test_a_silent_heartbeat_has_vanished_and_a_quiet_night_has_not() -> None:
    silent: dict[str, Rate] = {"loaded # rows": busy_by_day}
    [change] = changes(remembered(STEADY), range(29, 30), silent)
    assert (change.kind, change.entry.template.text, change.seen) == ("vanished", "heartbeat <*>", 0)


def test_one_bad_day_in_the_memory_hides_nothing() -> None:
    wild = {**STEADY, "loaded # rows": lambda hour: 3000 if hour // 24 == 12 else busy_by_day(hour)}
    surge = {**STEADY, "loaded # rows": lambda hour: 300 if hour % 24 == 12 else busy_by_day(hour)}
    assert [change.kind for change in changes(remembered(wild), range(29, 30), surge)] == ["surging"]


def test_a_short_memory_tells_what_is_new_and_no_more() -> None:
    memory = remembered(STEADY, days=1)
    loud = {**STEADY, "loaded # rows": lambda hour: 500, "never seen #": lambda hour: 1}
    found = memory.compare(book(range(24, 26), loud))[0]
    assert "new" in {change.kind for change in found}
    assert Baseline().compare(book(range(2), loud))[0] == []


def test_a_memory_survives_being_written_and_read() -> None:
    memory = remembered(STEADY, days=3)
    assert Baseline.load(memory.dump()) == memory


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"dogwatch_log_baseline": 99}', "null", '{"a":' * 5000])
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        Baseline.load(text)


def test_the_same_hours_read_twice_are_remembered_once() -> None:
    once = remembered(STEADY, days=2)
    _, twice = once.compare(book(range(48), STEADY))
    assert sum(hours.total() for hours in twice.hours) == sum(hours.total() for hours in once.hours)


def test_memory_forgets_after_five_weeks() -> None:
    memory = remembered({**STEADY, "once #": lambda hour: 1 if hour < 24 else 0}, days=60)
    assert len(memory.covered) == 5 * 168
    assert len(memory.leaves) == 2


def test_secrets_are_not_remembered() -> None:
    memory = remembered({"retry with password=hunterly now": lambda hour: 2})
    assert "hunterly" not in memory.dump()


def test_the_triage_report_has_the_keys_that_were_agreed() -> None:
    made = book(range(2), {"load of # failed": lambda hour: 3}, level="error")
    report = triage(made.entries())
    assert list(report) == ["total_events", "errors", "summary"]
    assert [list(error) for error in report["errors"]] == [["timestamp", "component", "message", "severity"]]
    assert report["errors"][0]["component"] == "loader"
    assert report["errors"][0]["severity"] == "ERROR"
    assert report["total_events"] == made.events
    assert "1 kind" in report["summary"]
    assert triage([])["summary"] == "Nothing was said."


def test_a_difference_names_what_is_new_gone_more_and_less() -> None:
    def many(n: int) -> Rate:
        return lambda hour: n

    before = book(
        range(10), {"a # same": many(50), "b # gone": many(5), "c # rises": many(5), "d # falls": many(40)}
    )
    after = book(
        range(10), {"a # same": many(50), "e # new": many(5), "c # rises": many(40), "d # falls": many(5)}
    )
    rows = difference(before, after)
    assert [(row.kind, row.template) for row in rows] == [
        ("new", "e <*> new"),
        ("gone", "b <*> gone"),
        ("more", "c <*> rises"),
        ("less", "d <*> falls"),
    ]
    assert difference(before, before) == []
