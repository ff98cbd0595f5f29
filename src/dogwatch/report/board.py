"""The terminal board: is anything wrong, since when, by what evidence, what can I do."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from rich.text import Text

from dogwatch.model import Finding, Severity
from dogwatch.model.report import CheckReport, PlatformView
from dogwatch.model.text import one_line
from dogwatch.report import words
from dogwatch.report.lines import flow, hanging, page, wrap

_LABEL = 10
"""Column in which every sentence begins; the severity words stand before it."""
_KEY = 20
"""Column in which the details begin; the words started, evidence, next stand before it."""
_IN_FULL = 6
"""Findings told with all their lines; what is wrong beyond them has one sentence each, worst first."""
_STYLES = {
    Severity.INFO: "dim",
    Severity.WARNING: "bold yellow",
    Severity.ERROR: "bold red",
    Severity.CRITICAL: "bold white on red",
}
_BLIND = "bold blue"


def board(report: CheckReport, width: int, program: str = "dogwatch") -> Text:
    """The whole board for a terminal ``width`` columns wide. Colours carry nothing that words do not.

    Commands and links are never broken: the terminal wraps them, so that they can be copied. ``program`` is
    how the reader has to call dogwatch.
    """
    lines = flow([Text(part) for part in ("dogwatch", *words.heading(report))], " · ", width)
    lines += [Text(), *_counts(report, width), Text()]
    for number, finding in enumerate(report.troubles):
        lines += _title(finding.severity.value, _STYLES[finding.severity], finding.summary, width)
        if number < _IN_FULL:
            lines += [*_details(report, finding, width, program), Text()]
    if len(report.troubles) > _IN_FULL:
        lines.append(Text())
    for platform in report.blind:
        lines += [*_blind(report, platform, width, program), Text()]
    return page([*lines, *_rest(report, width, program)])


def _counts(report: CheckReport, width: int) -> list[Text]:
    told = [
        Text(f"{mark} {said}", style=style if number else "dim")
        for (mark, number, said), style in zip(words.counts(report), ("bold red", _BLIND, ""), strict=True)
    ]
    return flow(told, "   ", width)


def _title(label: str, style: str, said: str, width: int, body: str = "") -> list[Text]:
    head = Text.assemble(" ", (label, style))
    return hanging(head, wrap(one_line(said, 400), width - _LABEL), _LABEL, body)


def _detail(key: str, said: Iterable[str]) -> list[Text]:
    return hanging(Text.assemble(" " * _LABEL, (key, "dim")), list(said), _KEY)


def _details(report: CheckReport, finding: Finding, width: int, program: str) -> list[Text]:
    zone = ZoneInfo(report.timezone)
    evidence = {item.id: item for item in report.evidence}
    new = report.previous_round_at is not None and finding.fingerprint in report.new
    started = words.since(finding.at, report.at, zone) + (" · new" if new else "")
    return [
        *_detail("started", wrap(started, width - _KEY)),
        *_detail("evidence", wrap(words.evidence_line(finding, evidence), width - _KEY)),
        *_next(
            [*words.next_steps(finding.next_step, program), words.explain(finding, program)], width, program
        ),
    ]


def _blind(report: CheckReport, platform: PlatformView, width: int, program: str) -> list[Text]:
    zone = ZoneInfo(report.timezone)
    return [
        *_title("BLIND", _BLIND, words.blindness(platform, report.at, zone), width),
        *_detail("unseen", wrap(words.unseen(platform, report.at, zone), width - _KEY)),
        *_next(words.blind_steps(platform, program), width, program),
    ]


def _next(steps: Iterable[str], width: int, program: str) -> list[Text]:
    said: list[str] = []
    for step in steps:
        said += [step] if words.verbatim(step, program) else wrap(step, width - _KEY)
    return _detail("next", said) if said else []


def _rest(report: CheckReport, width: int, program: str) -> list[Text]:
    """Everything that nobody has to get up for."""
    lines: list[Text] = []
    for finding in report.findings:
        if finding.severity is Severity.INFO:
            said = f"{one_line(finding.summary, 360)} · {finding.fingerprint[:8]}"
            lines += _title("INFO", "dim", said, width, "dim")
    for label, said in words.remarks(report):
        lines += _title(label, "dim", said, width, "dim")
    gaps = words.gaps(report)
    if not any(platform.baseline for platform in report.platforms):  # it has been told in full
        gaps = [said for said in (words.gaps_in_short(report, program),) if said]
    for said in gaps:
        lines += _title("unseen", "dim", said, width, "dim")
    flows = words.pipelines(report)
    if flows:
        lines += _title("flows", "dim", flows, width, "dim")
    if report.platforms:
        platforms = flow([Text(part) for part in words.quiet(report)], " · ", width - _LABEL)
        lines += hanging(Text(" quiet", style="dim"), [line.plain for line in platforms], _LABEL, "dim")
    if not report.troubles and not report.blind:
        lines += hanging(Text(" next", style="dim"), [f"{program} runs"], _LABEL, "dim")
    return lines
