"""Quartz expressions: the documented examples, every special character against brute force, and refusals."""

import calendar
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dogwatch.detect.quartz import parse

DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
START = datetime(2026, 1, 1)  # noqa: DTZ001  # times on a wall have no zone
YEAR = [START.date() + timedelta(days=number) for number in range(365 * 3)]


def fires(expression: str, count: int = 5, start: datetime = START) -> list[str]:
    found = parse(expression).between(start, start + timedelta(days=4000))
    return [f"{next(found):%Y-%m-%d %H:%M:%S}" for _ in range(count)]


def days(expression: str) -> list[date]:
    return list(parse(expression).days(YEAR[0], YEAR[-1]))


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("0 0 12 * * ?", "2026-01-01 12:00:00"),
        ("0 15 10 ? * *", "2026-01-01 10:15:00"),
        ("0 15 10 * * ? 2027", "2027-01-01 10:15:00"),
        ("0 10,44 14 ? 3 WED", "2026-03-04 14:10:00"),
        ("0 15 10 ? * MON-FRI", "2026-01-01 10:15:00"),
        ("0 15 10 15 * ?", "2026-01-15 10:15:00"),
        ("0 15 10 L * ?", "2026-01-31 10:15:00"),
        ("0 15 10 L-2 * ?", "2026-01-29 10:15:00"),
        ("0 15 10 ? * 6L", "2026-01-30 10:15:00"),
        ("0 15 10 ? * 6#3", "2026-01-16 10:15:00"),
        ("0 0 12 1/5 * ?", "2026-01-01 12:00:00"),
        ("0 11 11 11 11 ?", "2026-11-11 11:11:00"),
        ("0 0 0 LW 2 ?", "2026-02-27 00:00:00"),
        ("0 0 0 1W 8 ?", "2026-08-03 00:00:00"),
        ("0 0 0 15W 8 ?", "2026-08-14 00:00:00"),
        ("0 0 0 31W 5 ?", "2026-05-29 00:00:00"),
        ("0 0 0 ? * l", "2026-01-03 00:00:00"),
        ("0 0 0 29 2 ?", "2028-02-29 00:00:00"),
        ("0 0 22-2 ? * FRI", "2026-01-02 00:00:00"),
    ],
)
def test_the_documented_examples_fire_first_when_they_should(expression: str, first: str) -> None:
    assert fires(expression, 1) == [first]


def test_several_times_a_day_come_in_order() -> None:
    assert fires("0 0/30 9-10 ? * MON", 5) == [
        "2026-01-05 09:00:00",
        "2026-01-05 09:30:00",
        "2026-01-05 10:00:00",
        "2026-01-05 10:30:00",
        "2026-01-12 09:00:00",
    ]


def test_both_day_fields_may_be_stars_as_people_write_them() -> None:
    assert fires("0 0 2 * * *", 2) == fires("0 0 2 * * ?", 2)
    assert fires("0 0 2 * * MON", 2) == fires("0 0 2 ? * MON", 2)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * * *",
        "0 0 2 * * ? 2026 x",
        "0 0 2 1 * MON",
        "0 0 2 ? * ?",
        "60 0 2 * * ?",
        "0 0 24 * * ?",
        "0 0 2 0 * ?",
        "0 0 2 32 * ?",
        "0 0 2 L-31 * ?",
        "0 0 2 ? * 8",
        "0 0 2 ? * 6#6",
        "0 0 2 ? * MONDAY",
        "0 0/0 2 * * ?",
        "0 0/61 2 * * ?",
        "0 *-5 2 * * ?",
        "0 1,,2 2 * * ?",
        "? 0 2 * * ?",
        "0 0 2 * * ? 2030-2026",
        "0 0 2 * * ? 1969",
        "0 " + "1," * 400 + "1 2 * * ?",
        "0 ٣ 2 * * ?",
    ],
)
def test_what_quartz_would_refuse_is_refused(expression: str) -> None:
    with pytest.raises(ValueError):
        parse(expression)


Part = tuple[str, frozenset[int]]


def field(low: int, high: int, names: tuple[str, ...] = (), first_name: int = 1) -> st.SearchStrategy[Part]:
    """A list of items of one field, as text and as what it means."""
    everything = frozenset(range(low, high + 1))

    def said(value: int) -> str:
        return names[value - first_name] if names and value % 2 else str(value)

    numbers = st.integers(low, high)
    steps = st.integers(1, high - low)
    single = numbers.map(lambda n: (said(n), frozenset({n})))
    ranges = st.tuples(numbers, numbers).map(
        lambda pair: (
            f"{said(pair[0])}-{said(pair[1])}",
            frozenset(
                v
                for v in everything
                if (pair[0] <= v <= pair[1] if pair[0] <= pair[1] else v >= pair[0] or v <= pair[1])
            ),
        )
    )
    stepped = st.tuples(numbers, steps).map(
        lambda pair: (f"{said(pair[0])}/{pair[1]}", frozenset(range(pair[0], high + 1, pair[1])))
    )
    starred = steps.map(lambda step: (f"*/{step}", frozenset(range(low, high + 1, step))))
    item = st.one_of(single, ranges, stepped, starred)
    some = st.lists(item, min_size=1, max_size=3).map(
        lambda items: (",".join(text for text, _ in items), frozenset().union(*(v for _, v in items)))
    )
    return st.one_of(st.just(("*", everything)), some)


@settings(max_examples=30)  # up to 86,400 moments each
@given(field(0, 59), field(0, 59), field(0, 23))
def test_times_of_day_equal_brute_force(second: Part, minute: Part, hour: Part) -> None:
    expression = f"{second[0]} {minute[0]} {hour[0]} * * ?"
    found = list(parse(expression).between(START, START + timedelta(days=1)))
    assert found == [
        START.replace(hour=h, minute=m, second=s)
        for h in sorted(hour[1])
        for m in sorted(minute[1])
        for s in sorted(second[1])
    ]


def length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def weekday(day: date) -> int:
    return (day.weekday() + 1) % 7 + 1


def nearest(day: date, wanted: int) -> bool:
    """Brute force: the working day of the same month with the smallest distance; Friday before Monday."""
    if not 1 <= wanted <= length(day):
        return False
    working = [n for n in range(1, length(day) + 1) if day.replace(day=n).weekday() < 5]
    return day.day == min(working, key=lambda n: (abs(n - wanted), n))


Rule = tuple[str, Callable[[date], bool]]

DAY_RULES: st.SearchStrategy[Rule] = st.one_of(
    field(1, 31).map(lambda part: (part[0], lambda day: day.day in part[1])),
    st.just(("L", lambda day: day.day == length(day))),
    st.integers(1, 30).map(lambda n: (f"L-{n}", lambda day: day.day == length(day) - n)),
    st.just(("LW", lambda day: nearest(day, length(day)))),
    st.integers(1, 30).map(lambda n: (f"L-{n}W", lambda day: nearest(day, length(day) - n))),
    st.integers(1, 31).map(lambda n: (f"{n}W", lambda day: nearest(day, n))),
)
WEEKDAY_RULES: st.SearchStrategy[Rule] = st.one_of(
    field(1, 7, DAYS).map(lambda part: (part[0], lambda day: weekday(day) in part[1])),
    st.integers(1, 7).map(
        lambda n: (f"{DAYS[n - 1]}L", lambda day: weekday(day) == n and day.day > length(day) - 7)
    ),
    st.tuples(st.integers(1, 7), st.integers(1, 5)).map(
        lambda pair: (
            f"{pair[0]}#{pair[1]}",
            lambda day: weekday(day) == pair[0] and 7 * pair[1] - 7 < day.day <= 7 * pair[1],
        )
    ),
)


@given(DAY_RULES, field(1, 12, MONTHS))
def test_days_of_the_month_equal_brute_force(rule: Rule, month: Part) -> None:
    expected = [day for day in YEAR if day.month in month[1] and rule[1](day)]
    assert days(f"0 0 0 {rule[0]} {month[0]} ?") == expected


@given(WEEKDAY_RULES, field(1, 12, MONTHS), st.sampled_from(["", " *", " 2027", " 2026/2", " 2027-2028"]))
def test_days_of_the_week_equal_brute_force(rule: Rule, month: Part, year: str) -> None:
    years = {" 2027": {2027}, " 2026/2": {2026, 2028}, " 2027-2028": {2027, 2028}}.get(
        year, {2026, 2027, 2028}
    )
    expected = [day for day in YEAR if day.year in years and day.month in month[1] and rule[1](day)]
    assert days(f"0 0 0 ? {month[0]} {rule[0]}{year}") == expected


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_a_window_holds_exactly_what_lies_in_it(first: int, second: int) -> None:
    low, high = sorted((START + timedelta(seconds=first), START + timedelta(seconds=second)))
    everything = list(parse("*/20 7/13 */5 * * ?").between(START, START + timedelta(days=4)))
    found = list(parse("*/20 7/13 */5 * * ?").between(low, high))
    assert found == [moment for moment in everything if low <= moment < high]


@given(st.text(alphabet="0123456789*?,-/LW#AMONFRI ", max_size=40))
def test_any_text_is_understood_or_refused_in_words(text: str) -> None:
    try:
        quartz = parse(text)
    except ValueError as refusal:
        said = str(refusal)
    else:
        said = "understood"
        list(quartz.days(YEAR[0], YEAR[40]))
    assert said
