"""What ``dogwatch explain`` says: a finding, the numbers it rests on, and a small picture of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import JsonValue
from rich.text import Text

from dogwatch.model import Evidence, EvidenceKind
from dogwatch.model.report import Explanation, Timetable
from dogwatch.model.text import one_line, plural, span
from dogwatch.report import words
from dogwatch.report.lines import hanging, page, wrap
from dogwatch.report.plot import amount, legend, plot
from dogwatch.report.schedule import slots

_LABEL = 10
_SHOWN_ELSEWHERE = frozenset({"metric", "recent", "samples"})
"""Content of evidence that stands before it, or is shown as a picture."""
_UNIT = {"duration_seconds": "duration", "rows": "rows", "bytes": "bytes"}
_AMOUNTS = frozenset({"usual", "limit", "p99", "value"})
"""Content of a metric's evidence that is in the metric's own unit."""


def explanation(told: Explanation, width: int, program: str = "dogwatch") -> Text:
    """The whole page for a terminal ``width`` columns wide."""
    finding = told.finding
    head = Text.assemble((finding.severity.value, "bold"), " ")
    lines = hanging(head, wrap(one_line(finding.summary, 400), width - _LABEL), _LABEL)
    for label, said in facts(told):
        lines += _row(label, wrap(said, width - _LABEL))
    lines += _row("rests on", [line for said in evidence(told) for line in wrap(said, width - _LABEL)])
    steps = words.next_steps(finding.next_step, program)
    lines += _row("next", [line for step in steps for line in _step(step, program, width)])
    return page([*lines, *_picture(told, width)])


def facts(told: Explanation) -> list[tuple[str, str]]:
    """(label, sentence): when it began, whether it is over, which settings decide."""
    zone = ZoneInfo(told.timezone)
    finding = told.finding
    said = [
        ("rule", f"{finding.rule}, about {one_line(finding.subject, 120)}"),
        ("started", words.since(finding.at, told.at, zone)),
        ("told", _told(told, zone)),
    ]
    if told.thresholds:
        settings = " · ".join(f"{name} {_setting(value)}" for name, value in told.thresholds.items())
        said.append(("decided", f"{settings} (jobs: in dogwatch.yaml)"))
    return said


def numbers(told: Explanation) -> str:
    """What is usual, and between which borders; empty if that is not known."""
    course = told.course
    if course is None:
        return ""
    name = _UNIT.get(course.metric, one_line(course.metric, 60).replace("_", " "))
    if course.usual is None or course.low is None or course.high is None:
        return (
            name if not course.known else f"{name}; {course.known} successes are too few to say what is usual"
        )
    low, usual, high = (amount(value, course.metric) for value in (course.low, course.usual, course.high))
    return f"{name}: usual {usual}, unusual below {low} and above {high} ({course.known} successes)"


def evidence(told: Explanation) -> list[str]:
    """A sentence for each fact."""
    zone = ZoneInfo(told.timezone)
    return [f"{item.id[:8]} {fact(item, told.at, zone)}" for item in told.evidence]


def _told(told: Explanation, zone: ZoneInfo) -> str:
    first = f"first in the round of {words.clock(told.first_seen, told.at, zone)}"
    if told.cleared_at is None:
        return f"{first}; still so at {words.clock(told.last_seen, told.at, zone)}"
    return f"{first}; over since the round of {words.clock(told.cleared_at, told.at, zone)}"


def _setting(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def fact(item: Evidence, now: datetime, zone: ZoneInfo) -> str:
    """A piece of evidence as one sentence."""
    content = dict(item.content)
    if item.kind is EvidenceKind.run and "native_run_id" in content:
        return _run(content, now, zone)
    metric = str(content.get("metric", ""))
    parts = [
        f"{key.replace('_', ' ')} {_value(key, value, metric, now, zone)}"
        for key, value in content.items()
        if key not in _SHOWN_ELSEWHERE and value not in (None, "", {}, [])
    ]
    name = "slot" if "expected" in content else metric.replace("_", " ") or item.kind.value
    return one_line(f"{name}: {' · '.join(parts)}", 600)


def _run(content: dict[str, JsonValue], now: datetime, zone: ZoneInfo) -> str:
    begun, ended = (_moment(content.get(key)) for key in ("started_at", "ended_at"))
    parts = [
        str(content.get("job_name", "")),
        f"run {content['native_run_id']}",
        str(content.get("status", "")),
    ]
    if begun is not None:
        parts.append(f"began {words.clock(begun, now, zone)}")
        if ended is not None:
            parts.append(f"took {span((ended - begun).total_seconds())}")
    metrics = content.get("metrics")
    if isinstance(metrics, dict):
        parts += [
            f"{name} {amount(value, name)}"
            for name, value in metrics.items()
            if isinstance(value, (int, float))
        ]
    if content.get("error_message"):
        parts.append(str(content["error_message"]))
    return one_line(" · ".join(part for part in parts if part), 400)


def _value(key: str, value: JsonValue, metric: str, now: datetime, zone: ZoneInfo) -> str:
    moment = _moment(value)
    if moment is not None:
        return words.clock(moment, now, zone)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return amount(value, metric) if key in _AMOUNTS and metric else f"{value:g}"


def _moment(value: JsonValue) -> datetime | None:
    """An aware time in ISO 8601, None for anything else."""
    if not isinstance(value, str) or len(value) < 16 or "T" not in value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _step(step: str, program: str, width: int) -> list[str]:
    return [step] if words.verbatim(step, program) else wrap(step, width - _LABEL)


def _row(label: str, said: Iterable[str]) -> list[Text]:
    return hanging(Text(f" {label}", style="dim"), list(said), _LABEL)


def _picture(told: Explanation, width: int) -> list[Text]:
    """The slots or the numbers behind the finding."""
    zone = ZoneInfo(told.timezone)
    if told.slots:
        return [Text(), *slots(told.slots, Timetable(at=told.at, timezone=told.timezone), width)]
    if told.course is None:
        return []
    shown = told.course.points
    head = f"{numbers(told)}; the latest {plural(len(shown), 'run' if shown[-1].status else 'sample')}"
    return [
        Text(),
        *(Text(line) for line in wrap(head, width)),
        Text(),
        *plot(told.course, zone, told.at, width),
        Text(legend(told.course), style="dim"),
    ]


def picture(told: Explanation, width: int) -> Sequence[str]:
    """The same as plain lines."""
    return [line.plain for line in _picture(told, width)]
