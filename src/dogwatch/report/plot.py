"""A small picture of a job's numbers for a terminal: a dot for each run, the usual as a band behind them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.text import Text

from dogwatch.model.report import Course, Point
from dogwatch.model.text import span
from dogwatch.report.words import clock

HEIGHT = 11
"""Rows of the picture itself."""
_DOT, _ODD, _BAD, _OPEN, _BAND, _LIMIT = "•", "●", "×", "▷", "░", "─"
_LEAST = 1.25
"""However alike the values are, the picture spans at least this factor."""
_BAND_STYLE, _ODD_STYLE, _BAD_STYLE = "dim", "bold red", "red"


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values on a logarithmic scale, as they are judged; row 0 is the top."""

    bottom: float
    top: float
    zero: bool
    """Whether the last row is kept for zeros, which have no logarithm."""

    @property
    def rows(self) -> int:
        return HEIGHT - self.zero

    def row(self, value: float) -> int:
        if value <= 0:
            return HEIGHT - 1
        share = (math.log(self.top) - math.log(value)) / (math.log(self.top) - math.log(self.bottom))
        return min(self.rows - 1, max(0, round(share * (self.rows - 1))))


def plot(course: Course, zone: ZoneInfo, now: datetime, width: int) -> list[Text]:
    """The course as lines at most ``width`` cells wide: the latest points that fit."""
    say = _unit(course.metric)
    values = [point.value for point in course.points]
    marks = [value for value in (course.low, course.usual, course.high) if value is not None and value > 0]
    gutter = max(cell_len(say(value)) for value in [*values, *marks, 0.0]) + 1
    room = max(1, width - gutter - 2)
    points = course.points[-room:]
    pitch = 2 if 2 * len(points) <= room else 1
    scale = _scale([point.value for point in points], marks)
    labels = _labels(course, points, scale, say)
    columns = [_column(point, course, scale) for point in points]
    band = _band_rows(course, scale)
    limits = _limit_rows(course, scale)
    lines: list[Text] = []
    for row in range(HEIGHT):
        label = labels.get(row, "")
        line = Text(" " * (gutter - 1 - cell_len(label)) + label, style="dim")
        line.append(" ┤" if label else " │")
        ground = _LIMIT if row in limits else _BAND if row in band else " "
        for at, char, style in columns:
            line.append(ground * (pitch - 1), style=_BAND_STYLE)
            line.append(char if at == row else ground, style=style if at == row else _BAND_STYLE)
        line.rstrip()
        lines.append(line)
    return [*lines, _axis(points, zone, now, gutter, pitch * len(points))]


def legend(course: Course) -> str:
    """What the signs mean, those that are in the picture."""
    inside = f"{_DOT} a run" if any(point.status for point in course.points) else f"{_DOT} a sample"
    said = [inside]
    if any(_mark(point, course)[0] == _ODD for point in course.points):
        said.append(f"{_ODD} beyond the {'band' if course.usual is not None else 'limit'}")
    if any(point.status is not None and point.status.bad for point in course.points):
        said.append(f"{_BAD} failed")
    if any(point.status is not None and point.status.open for point in course.points):
        said.append(f"{_OPEN} still going")
    if course.usual is not None:
        said.append(f"{_BAND} usual for the newest")
    elif course.low is not None or course.high is not None:
        said.append(f"{_LIMIT} the limit")
    return "   ".join(said)


def amount(value: float, metric: str) -> str:
    """A value with its unit: ``26 min``, ``12,400``, ``3.1 GB``."""
    return _unit(metric)(value)


def _unit(metric: str) -> Callable[[float], str]:
    if metric == "duration_seconds":
        return span
    return _size if metric == "bytes" else _number


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _size(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def _scale(values: Sequence[float], marks: Sequence[float]) -> _Scale:
    positive = [value for value in [*values, *marks] if value > 0] or [1.0]
    bottom, top = min(positive), max(positive)
    if top < bottom * _LEAST:
        middle, half = math.sqrt(bottom * top), math.sqrt(_LEAST)
        bottom, top = middle / half, middle * half
    return _Scale(bottom, top, any(value <= 0 for value in values))


def _labels(
    course: Course, points: Sequence[Point], scale: _Scale, say: Callable[[float], str]
) -> dict[int, str]:
    """What stands beside the axis; where two meet, the one that decides more."""
    values = [point.value for point in points]
    wanted = [max(values), min(values), course.low, course.usual, course.high]
    return {scale.row(value): say(max(0.0, value)) for value in wanted if value is not None}


def _mark(point: Point, course: Course) -> tuple[str, str]:
    if point.status is not None and point.status.bad:
        return _BAD, _BAD_STYLE
    odd = (course.high is not None and point.value > course.high) or (
        course.low is not None and point.value < course.low
    )
    if point.status is not None and point.status.open:
        return _OPEN, _ODD_STYLE if odd else ""
    return (_ODD, _ODD_STYLE) if odd else (_DOT, "")


def _column(point: Point, course: Course, scale: _Scale) -> tuple[int, str, str]:
    """(row, sign, style)."""
    return scale.row(point.value), *_mark(point, course)


def _band_rows(course: Course, scale: _Scale) -> range:
    if course.usual is None or course.low is None or course.high is None:
        return range(0)
    return range(scale.row(course.high), scale.row(course.low) + 1)


def _limit_rows(course: Course, scale: _Scale) -> set[int]:
    if course.usual is not None:
        return set()
    return {scale.row(limit) for limit in (course.low, course.high) if limit is not None}


def _axis(points: Sequence[Point], zone: ZoneInfo, now: datetime, gutter: int, wide: int) -> Text:
    """The times of the first and the last point, under them."""
    first, last = clock(points[0].at, now, zone), clock(points[-1].at, now, zone)
    gap = wide - cell_len(first) - cell_len(last)
    said = f"{first}{' ' * gap}{last}" if gap >= 2 else last if len(points) == 1 else f"{first} to {last}"
    return Text(" " * (gutter + 1) + said, style="dim")
