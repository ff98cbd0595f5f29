"""What ``dogwatch schedule`` says: when jobs run next, and what became of their last slots."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.text import Text

from dogwatch.model import Basis, ExpectationState, JobState
from dogwatch.model.report import JobTimes, SlotView, Timetable
from dogwatch.model.text import one_line, plural, span
from dogwatch.report.lines import GAP, fitted, flow, hanging, in_columns, page, wrap
from dogwatch.report.words import age, clock, zone_word

MARKS = {
    ExpectationState.waiting: "▷",
    ExpectationState.unseen: "◐",
    ExpectationState.met: "○",
    ExpectationState.late: "◑",
    ExpectationState.missed: "●",
    ExpectationState.skipped: "◌",
    ExpectationState.excused: "◌",
}
_STYLES = {
    ExpectationState.late: "bold yellow",
    ExpectationState.missed: "bold red",
    ExpectationState.unseen: "bold blue",
    ExpectationState.skipped: "dim",
    ExpectationState.excused: "dim",
}
_STRIP = 10
"""Slots in the row of marks of one job."""
_COLUMNS = ("next", "in", "last slots", "job", "platform", "when")
_MARKS_AT = 2
_SPARE = (5, 1)
"""Columns that are left out where there is no room, in this order: when, in."""
_GIVE_WAY = ((3, 22), (4, 8), (3, 12))
"""Columns that are shortened next, and to how many cells."""
_LABEL = 10
_STATE = 9
"""Cells of a mark and the longest word for a state."""


def timetable(found: Timetable, width: int, program: str = "dogwatch", *, in_full: bool = False) -> Text:
    """All jobs as a table, or ``in_full`` each with its slots, for a terminal ``width`` columns wide."""
    if not found.jobs:
        return page([Text(f"no job fits; jobs are read by: {program} check")])
    lines = [Text(_heading(found)), Text()]
    if in_full:
        for job in found.jobs:
            lines += [*_job(job, found, width), Text()]
        lines.pop()
    else:
        lines += _table(found, width)
        lines += [Text(), *flow([Text(said, style="dim") for said in _marks_told(found)], GAP, width)]
    if found.more:
        left = f"{plural(found.more, 'job')} more: {program} schedule --limit {len(found.jobs) + found.more}"
        lines += [Text(), Text(left, style="dim")]
    return page(lines)


def rows(found: Timetable) -> list[tuple[str, ...]]:
    """One row for each job, as ``columns()`` names them."""
    return [_row(job, found) for job in found.jobs]


def columns() -> tuple[str, ...]:
    """The heads of ``rows``."""
    return _COLUMNS


def became(slot: SlotView, found: Timetable) -> str:
    """What became of a slot, in words."""
    zone = ZoneInfo(found.timezone)
    match slot.state:
        case ExpectationState.met | ExpectationState.late:
            return _ran(slot, found)
        case ExpectationState.missed:
            return f"nothing began by {clock(slot.start_by, found.at, zone)}"
        case ExpectationState.unseen:
            return "its platform has not been read since"
        case ExpectationState.waiting:
            return f"may begin until {clock(slot.start_by, found.at, zone)}"
        case ExpectationState.skipped:
            return "the platform skipped it"
        case ExpectationState.excused:
            return one_line(slot.reason, 120)


def _ran(slot: SlotView, found: Timetable) -> str:
    if slot.started_at is None:
        return "created, but still waits to start"
    zone = ZoneInfo(found.timezone)
    behind = span(max(0.0, (slot.started_at - slot.scheduled_for).total_seconds()))
    parts = [f"began {clock(slot.started_at, found.at, zone)} ({behind} after its time)"]
    if slot.took_seconds is not None:
        parts.append(f"took {span(slot.took_seconds)}")
    if slot.status is not None and not slot.status.good:
        parts.append(slot.status.value)
    if slot.native_run_id:
        parts.append(f"run {one_line(slot.native_run_id, 40)}")
    return ", ".join(parts)


def _heading(found: Timetable) -> str:
    at = found.at.astimezone(ZoneInfo(found.timezone))
    jobs = plural(len(found.jobs) + found.more, "job")
    return f"dogwatch · {at.day} {at:%b %H:%M} {zone_word(found.timezone)} · {jobs}"


def _table(found: Timetable, width: int) -> list[Text]:
    body = [_COLUMNS, *rows(found)]
    shown = list(range(len(_COLUMNS)))
    for spare in _SPARE:  # what the details say anyway makes room for names
        if sum(max(cell_len(row[at]) for row in body) + len(GAP) for at in shown) > width + len(GAP):
            shown.remove(spare)
    table = [[row[at] for at in shown] for row in body]
    give_way = [(shown.index(at), least) for at, least in _GIVE_WAY if at in shown]
    sizes = fitted(table, give_way, width)
    head = in_columns(table[0], sizes)
    head.stylize("dim")
    styles = [_STYLES.get(job.past[0].state, "") if job.past else "" for job in found.jobs]
    marks = shown.index(_MARKS_AT)
    lines = zip(table[1:], styles, strict=True)
    return [head, *(in_columns(row, sizes, {marks: style}) for row, style in lines)]


def _row(job: JobTimes, found: Timetable) -> tuple[str, ...]:
    zone = ZoneInfo(found.timezone)
    following = job.coming[0].scheduled_for if job.coming else None
    return (
        _asleep(job) if following is None else clock(following, found.at, zone),
        "" if following is None else age(following, found.at).removeprefix("in "),
        "".join(MARKS[slot.state] for slot in reversed(job.past[:_STRIP])),
        one_line(job.name, 80),
        one_line(job.instance, 40),
        one_line(job.told, 80),
    )


def _asleep(job: JobTimes) -> str:
    if job.state is not JobState.active:
        return job.state.value
    return "not readable" if job.problem else "follows" if job.after else "not known"


def _marks_told(found: Timetable) -> list[str]:
    shown = {slot.state for job in found.jobs for slot in job.past[:_STRIP]}
    told = [f"{mark} {state.value}" for state, mark in MARKS.items() if state in shown]
    return [*told, "(the latest last)"] if told else ["no slot of theirs was judged yet"]


def _job(job: JobTimes, found: Timetable, width: int) -> list[Text]:
    zone = ZoneInfo(found.timezone)
    head = wrap(f"{one_line(job.name, 80)} · {one_line(job.instance, 40)}", width)
    lines = [*(Text(line, style="bold") for line in head), *_labelled("when", [_when(job)], width)]
    if job.watched_since is not None:
        seen = "" if job.read_until is None else f"; read until {clock(job.read_until, found.at, zone)}"
        lines += _labelled("watched", [f"since {clock(job.watched_since, found.at, zone)}{seen}"], width)
    coming = [_coming(slot, found) for slot in job.coming]
    nothing = [one_line(job.problem, 200) or "no slot follows from what is known now"]
    lines += _labelled("next", coming or nothing, width)
    return [*lines, *_past(job, found, width)]


def _when(job: JobTimes) -> str:
    state = "" if job.state is JobState.active else f"; {job.state.value}"
    why = f" ({one_line(job.state_reason, 120)})" if state and job.state_reason else ""
    source = " (from dogwatch.yaml)" if job.declared else ""
    return f"{one_line(job.told, 200)}{source}{state}{why}"


def _coming(slot: SlotView, found: Timetable) -> str:
    zone = ZoneInfo(found.timezone)
    due, latest = slot.scheduled_for.astimezone(zone), slot.start_by.astimezone(zone)
    same_day = due.date() == latest.date()
    until = f"{latest:%H:%M}" if same_day else clock(slot.start_by, found.at, zone)
    sure = f", by habit ({slot.confidence:.0%} sure)" if slot.basis is Basis.learned else ""
    excused = f": {one_line(slot.reason, 120)}" if slot.state is ExpectationState.excused else ""
    when = clock(slot.scheduled_for, found.at, zone)
    return f"{when}, {age(slot.scheduled_for, found.at)}; missed after {until}{sure}{excused}"


def _labelled(label: str, said: Sequence[str], width: int) -> list[Text]:
    lines = [line for one in said for line in wrap(one, width - _LABEL)]
    return hanging(Text(f" {label}", style="dim"), lines, _LABEL)


def _past(job: JobTimes, found: Timetable, width: int) -> list[Text]:
    if not job.past:
        return _labelled("past", ["no slot of it was judged yet"], width)
    return slots(job.past, found, width)


def slots(past: Sequence[SlotView], found: Timetable, width: int) -> list[Text]:
    """The past slots, one line each as far as they fit."""
    zone = ZoneInfo(found.timezone)
    times = [clock(slot.scheduled_for, found.at, zone) for slot in past]
    wide = max(len(time) for time in times)
    lines: list[Text] = []
    for number, (slot, time) in enumerate(zip(past, times, strict=True)):
        label = Text(" past" if number == 0 else "", style="dim").append(
            " " * (_LABEL - (5 if number == 0 else 0))
        )
        state = f"{MARKS[slot.state]} {slot.state.value}"
        head = label.append(f"{time:<{wide}}{GAP}", style="")
        head.append(f"{state:<{_STATE}}", style=_STYLES.get(slot.state, ""))
        indent = _LABEL + wide + len(GAP) + _STATE + len(GAP)
        lines += hanging(head, wrap(became(slot, found), max(20, width - indent)), indent)
    return lines
