"""The small picture: what stands where, and that it fits."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len

from dogwatch.model import Status
from dogwatch.model.report import Course, Point
from dogwatch.report.plot import HEIGHT, amount, legend, plot
from support.cast import NOON

BERLIN = ZoneInfo("Europe/Berlin")


def a_course(*values: float, metric: str = "duration_seconds", **changes: object) -> Course:
    points = [
        Point(at=NOON + timedelta(days=number), value=value, status=Status.success, run_uid=str(number))
        for number, value in enumerate(values)
    ]
    told: dict[str, object] = {"metric": metric, "points": points, **changes}
    return Course.model_validate(told)


def drawn(course: Course, width: int = 80) -> list[str]:
    return [line.plain for line in plot(course, BERLIN, NOON + timedelta(days=40), width)]


def test_a_slow_run_stands_above_the_band_and_the_usual_is_named() -> None:
    lines = drawn(a_course(*[1200.0] * 9, 3600.0, usual=1200.0, low=600.0, high=2000.0, known=9))
    assert lines == [
        "   1 h ┤                   ●",
        "       │",
        "       │",
        "33 min ┤░░░░░░░░░░░░░░░░░░░░",
        "       │░░░░░░░░░░░░░░░░░░░░",
        "       │░░░░░░░░░░░░░░░░░░░░",
        "20 min ┤░•░•░•░•░•░•░•░•░•░░",
        "       │░░░░░░░░░░░░░░░░░░░░",
        "       │░░░░░░░░░░░░░░░░░░░░",
        "       │░░░░░░░░░░░░░░░░░░░░",
        "10 min ┤░░░░░░░░░░░░░░░░░░░░",
        "        3 Mar 13:00 to 12 Mar 13:00",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 110])
def test_it_fits_and_has_always_the_same_height(width: int) -> None:
    lines = drawn(
        a_course(*[1200.0 + number for number in range(200)], usual=1200.0, low=600.0, high=2000.0), width
    )
    assert len(lines) == HEIGHT + 1
    assert max(cell_len(line) for line in lines) <= width


def test_nothing_at_all_has_a_row_of_its_own() -> None:
    lines = drawn(a_course(5000.0, 5100.0, 0.0, metric="rows"))
    assert lines[HEIGHT - 1].startswith("    0 ┤")
    assert lines[HEIGHT - 1].endswith("•")


def test_values_that_are_all_alike_make_a_picture_too() -> None:
    assert sum(line.count("•") for line in drawn(a_course(60.0, 60.0, 60.0))) == 3


def test_every_sign_in_the_picture_is_told() -> None:
    course = a_course(60.0, 300.0, usual=60.0, low=30.0, high=100.0)
    failed = Point(at=NOON, value=50.0, status=Status.failed, run_uid="f")
    going = Point(at=NOON + timedelta(days=3), value=50.0, status=Status.running, run_uid="g")
    course = course.model_copy(update={"points": (failed, *course.points, going)})
    shown, said = "".join(drawn(course)), legend(course)
    assert {sign for sign in "•●×▷░" if sign in shown} == {sign for sign in "•●×▷░" if sign in said}


def test_a_limit_is_a_line() -> None:
    samples = tuple(Point(at=NOON + timedelta(minutes=minute), value=0.2) for minute in range(10))
    course = Course(metric="error_rate", points=samples, high=0.05)
    lines = drawn(course)
    assert lines[-2].startswith("0.05 ┤──")
    assert "─ the limit" in legend(course)
    assert "● beyond the limit" in legend(course)


@pytest.mark.parametrize(
    ("value", "metric", "said"),
    [
        (90.0, "duration_seconds", "2 min"),
        (12_400.0, "rows", "12,400"),
        (3.1e9, "bytes", "3.1 GB"),
        (0.031, "x", "0.031"),
    ],
)
def test_amounts_have_units(value: float, metric: str, said: str) -> None:
    assert amount(value, metric) == said
