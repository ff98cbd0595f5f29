"""What a search found, one job in full, and what the logs say, as lines for a terminal."""

from zoneinfo import ZoneInfo

from rich.text import Text

from dogwatch.model import Incident
from dogwatch.model.pages import Hit, HitKind, JobFile, LogLine, LogPage, SearchResult
from dogwatch.model.report import Timetable
from dogwatch.model.text import one_line, plural, span
from dogwatch.report import words
from dogwatch.report.incident import standing
from dogwatch.report.lines import hanging, page, wrap
from dogwatch.report.plot import legend, plot
from dogwatch.report.runs import listing
from dogwatch.report.schedule import timetable

_KIND, _RUNS, _LINES, _ERRORS = 10, 10, 40, 5
_METRICS = {"duration_seconds": "durations"}
_CHANGES = {"new": "● new", "surging": "● surging", "vanished": "◐ vanished"}


def hits(found: SearchResult, width: int, program: str = "dogwatch") -> Text:
    """A line for each thing that was found, and how to look at it."""
    if not found.hits:
        said = f"nothing has {found.query!r} in it: give a part of a name, of a title or cause, INC-7, an id"
        return page([Text(line) for line in wrap(said, width)])
    zone = ZoneInfo(found.timezone)
    lines: list[Text] = []
    for hit in found.hits:
        at = f" · {words.since(hit.at, found.at, zone)}" if hit.at else ""
        note = f" · {hit.note}" if hit.note else ""
        label = Text(f" {hit.kind.value}", style="dim")
        lines += hanging(label, wrap(f"{one_line(hit.title, 300)}{note}{at}", width - _KIND), _KIND)
        lines.append(Text(" " * _KIND + _step(hit, program), style="dim"))
    return page(lines)


def _step(hit: Hit, program: str) -> str:
    match hit.kind:
        case HitKind.incident:
            return f"{program} incident show {hit.subject}"
        case HitKind.job:
            return f"{program} job {hit.subject}"
        case HitKind.action:
            return f"{program} actions --all"
        case HitKind.finding:
            return f"{program} explain {hit.subject}"


def job(told: JobFile, width: int, program: str = "dogwatch") -> Text:
    """Incidents first, then what is usual, errors, slots and the latest runs."""
    zone = ZoneInfo(told.timezone)
    state = "gone from its platform" if told.gone else told.job.state.value
    lines = [
        Text(one_line(told.job.name, 200), style="bold"),
        Text(f"{one_line(told.job.subject, 200)} · {state}", style="dim"),
        Text(),
    ]
    for incident in told.incidents:
        lines += _incident(incident, width)
    for course in told.courses:
        lines += [Text(), Text(_METRICS.get(course.metric, course.metric))]
        lines += [*plot(course, zone, told.at, width), Text(f" {legend(course)}", style="dim")]
    lines.append(Text())
    for error in told.errors[:_ERRORS]:
        when = words.since(error.last_at, told.at, zone)
        lines.append(Text(f" {plural(error.count, 'run')} said, last {when}:", style="dim"))
        lines += [Text(f"   {line}") for line in wrap(one_line(error.template, 600), width - 3)]
    if told.times is not None:
        slots = Timetable(at=told.at, timezone=told.timezone, jobs=(told.times,))
        lines += [Text(), timetable(slots, width, program)]
    lines += [Text(), listing(told.runs[:_RUNS], zone, told.at, width)]
    return page(lines)


def _incident(incident: Incident, width: int) -> list[Text]:
    said = f"{one_line(incident.title, 300)} ({standing(incident)})"
    return hanging(Text(f" {incident.name}"), wrap(said, width - _KIND), _KIND)


def said(found: LogPage, width: int) -> Text:
    """Kinds of messages, new and surging first."""
    if not found.lines:
        return page([Text("no log was read yet; connectors that have logs read them in: dogwatch check")])
    zone = ZoneInfo(found.timezone)
    lines: list[Text] = []
    for line in found.lines[:_LINES]:
        lines.append(Text(_told(line, found, zone), style="bold" if line.change else "dim"))
        lines += [Text(f"   {part}") for part in wrap(one_line(line.template, 300), width - 3)]
    if len(found.lines) > _LINES:
        lines.append(Text(f"and {plural(len(found.lines) - _LINES, 'more kind')} of messages", style="dim"))
    return page(lines)


def _told(line: LogLine, found: LogPage, zone: ZoneInfo) -> str:
    parts = [f"{_CHANGES.get(line.change, '○')} {line.severity}", plural(line.count, "line")]
    if line.change == "surging":
        parts.append(f"{line.seen:,} in an hour, usually {line.usual:,.0f}")
    parts.append(one_line(line.component or line.instance, 60))
    if line.last_at:
        parts.append(f"last {span((found.at - line.last_at).total_seconds())} ago")
    return " · ".join(parts)
