"""Pictures for pages, as inline SVG: a timeline's strip, a row of days, a course of durations.

Across, everything is in per cent of the width there is, so that text stays as large as all other text and
nothing has to scroll, on a phone and on paper. Colours come from the page by class; every colour has a shape
or a word beside it. Nothing needs a script. All that platforms said is escaped.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from dogwatch.model import ExpectationState, Status
from dogwatch.model.overview import Day, HeatRow, Lane
from dogwatch.model.report import Course
from dogwatch.model.text import span

_HEIGHT = 18
_COURSE = 96
_LEAST = 0.35
"""Per cent of the width: the shortest run is still seen."""
_KINDS = {
    Status.success: "good",
    Status.warned: "good",
    Status.failed: "bad",
    Status.timed_out: "bad",
    Status.cancelled: "bad",
    Status.skipped: "skipped",
}
_BAD = (Day.bad, Day.missed)
_NAMED = 8
"""Bad days that are named to those who cannot see them, the newest."""
_DAY_WORDS = {
    Day.good: "as expected",
    Day.open: "still going",
    Day.skipped: "skipped",
    Day.missed: "missed",
    Day.bad: "failed",
}


def axis(starts: datetime, ends: datetime, now: datetime, zone: ZoneInfo) -> Markup:
    """The hours above a timeline, every sixth, and now; an hour that would touch ``now`` on a phone is left
    out."""
    parts: list[Markup] = []
    hour = starts.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    while hour <= ends:
        place = _place(hour, starts, ends)
        if hour.hour % 6 == 0 and 0 <= place <= 90 and not -17 < place - _place(now, starts, ends) < 1:
            parts.append(Markup('<text x="{:.2f}%" y="13">{:%H:%M}</text>').format(place, hour))
        hour += timedelta(hours=1)
    at = _place(now, starts, ends)
    parts.append(Markup('<text x="{:.2f}%" y="13" class="now" text-anchor="end">now</text>').format(at))
    return _svg(parts, _HEIGHT, "axis", "hours")


def lane(lane: Lane, starts: datetime, ends: datetime, now: datetime, zone: ZoneInfo) -> Markup:
    """One job: runs as solid bars, slots to come as outlines, missed ones as outlines with a cross."""
    at = _place(now, starts, ends)
    parts = [
        Markup('<line x1="0" x2="100%" y1="9" y2="9" class="rail"/>'),
        Markup('<line x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="18" class="nowline"/>').format(at),
    ]
    for slot in lane.slots:
        place = _place(slot.at, starts, ends)
        if 0 <= place <= 99:
            parts.append(_slot(place, slot.state, slot.at, zone))
    for bar in lane.bars:
        left = max(0.0, _place(bar.starts_at, starts, ends))
        right = min(_place(bar.ends_at or now, starts, ends), 100.0)
        kind = _KINDS.get(bar.status, "open")
        ended = f"{bar.ends_at.astimezone(zone):%H:%M}" if bar.ends_at else "now"
        told = f"{bar.starts_at.astimezone(zone):%H:%M}-{ended} {bar.status.value} ({bar.native_run_id})"
        box = Markup(
            '<rect x="{:.2f}%" width="{:.2f}%" y="4" height="10" class="{}"><title>{}</title></rect>'
        )
        parts.append(box.format(left, max(_LEAST, right - left), kind, _text(told)))
    bad = sum(_KINDS.get(bar.status) == "bad" for bar in lane.bars)
    missed = sum(slot.state is ExpectationState.missed for slot in lane.slots)
    label = f"{lane.name[:160]}: {len(lane.bars)} runs, {bad} failed, {missed} missed"
    return _svg(parts, _HEIGHT, "strip", label)


def _slot(place: float, state: ExpectationState, at: datetime, zone: ZoneInfo) -> Markup:
    title = f"{at.astimezone(zone):%H:%M} {'due' if state is ExpectationState.waiting else state.value}"
    box = Markup('<rect x="{:.2f}%" width="7" y="4" height="10" class="slot {}"><title>{}</title></rect>')
    drawn = box.format(place, state.value, _text(title))
    if state is ExpectationState.missed:
        cross = Markup('<text x="{:.2f}%" dx="0.5" y="13" class="missed">✕</text>').format(place)
        drawn += cross
    return drawn


def days(row: HeatRow, dates: Sequence[str]) -> Markup:
    """One job over many days: a box for each, its shape telling what its colour tells."""
    width = 100 / max(1, len(dates))
    parts: list[Markup] = []
    for at, (kind, day) in enumerate(zip(row.days, dates, strict=True)):
        if kind is Day.none:
            continue
        told = f"{day}: {_DAY_WORDS[kind]}, {row.failures[at]} of {row.runs[at]} runs failed"
        high = {Day.bad: 14, Day.missed: 14}.get(kind, 8)
        box = Markup(
            '<rect x="{:.3f}%" width="{:.3f}%" y="{}" height="{}" class="{}"><title>{}</title></rect>'
        )
        low = 16 - high
        parts.append(box.format(at * width + 0.15, width - 0.3, low, high, kind.value, _text(told)))
    bad = [f"{day} {_DAY_WORDS[kind]}" for kind, day in zip(row.days, dates, strict=True) if kind in _BAD]
    named = f": {', '.join(bad[-_NAMED:])}" if bad else ""
    rail = Markup('<line x1="0" x2="100%" y1="16.5" y2="16.5" class="rail"/>')
    return _svg(
        [rail, *parts], _HEIGHT, "strip", f"{row.name[:160]}: {len(bad)} bad days of {len(dates)}{named}", 600
    )


def day_axis(dates: Sequence[str]) -> Markup:
    """The days above a heat map, every seventh, the newest always."""
    width = 100 / max(1, len(dates))
    parts: list[Markup] = []
    for at in range((len(dates) - 1) % 7, len(dates), 7):
        day = date.fromisoformat(dates[at])
        last = at == len(dates) - 1
        label = Markup('<text x="{:.2f}%" y="13" text-anchor="{}">{} {:%b}</text>')
        place = 100.0 if last else at * width
        parts.append(label.format(place, "end" if last else "start", day.day, day))
    return _svg(parts, _HEIGHT, "axis", "days")


def durations(course: Course, zone: ZoneInfo) -> Markup:
    """Durations as dots over the pale ribbon of what is usual; bad runs as crosses."""
    values = [point.value for point in course.points]
    if not values:
        return Markup("")
    top = max([*values, course.high or 0.0]) * 1.08 or 1.0
    step = 100 / max(1, len(values))

    def height(value: float) -> float:
        return _COURSE - 6 - (_COURSE - 16) * min(value, top) / top

    parts: list[Markup] = []
    if course.low is not None and course.high is not None:
        high, low = height(course.high), height(course.low)
        ribbon = Markup('<rect x="0" width="100%" y="{:.1f}" height="{:.1f}" class="ribbon"/>')
        parts.append(ribbon.format(high, max(1.0, low - high)))
    for at, point in enumerate(course.points):
        ended = point.status.value if point.status else ""
        told = f"{point.at.astimezone(zone):%d %b %H:%M}: {span(point.value)} {ended}"
        kind, sign = "good", "●"
        if point.status is not None and (point.status.bad or point.status.open):
            kind, sign = ("bad", "✕") if point.status.bad else ("going", "○")
        parts.append(_dot((at + 0.5) * step, height(point.value), kind, sign, told))
    return _svg(parts, _COURSE, "course", "durations of the latest runs")


def _dot(across: float, down: float, kind: str, sign: str, told: str) -> Markup:
    where = Markup('<text x="{:.2f}%" y="{:.1f}" dy="4" text-anchor="middle" class="{}">').format(
        across, down, kind
    )
    return where + Markup("{}<title>{}</title></text>").format(sign, _text(told))


def _svg(parts: Iterable[Markup], height: int, kind: str, label: str, longest: int = 300) -> Markup:
    head = Markup('<svg class="{}" width="100%" height="{}" role="img" aria-label="{}">')
    return head.format(kind, height, _text(label, longest)) + Markup("").join(parts) + Markup("</svg>")


def _place(moment: datetime, starts: datetime, ends: datetime) -> float:
    """Where a moment lies, in per cent of the width."""
    return 100 * ((moment - starts) / (ends - starts))


def _text(text: str, longest: int = 300) -> Markup:
    """Escaped, without characters that XML or the direction of text would break on, and not endless."""
    kept = "".join(char if char.isprintable() else " " for char in text[: longest * 4])
    return escape(kept if len(kept) <= longest else kept[: longest - 1] + "…")
