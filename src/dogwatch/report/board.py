"""The terminal board: is anything wrong, since when, by what evidence, what can I do."""

from zoneinfo import ZoneInfo

from rich.text import Text

from dogwatch.model.report import CheckReport, PlatformView
from dogwatch.model.text import one_line
from dogwatch.report import words
from dogwatch.report.incident import KEY, LABEL, detail, head, in_short, sentence, steps
from dogwatch.report.lines import flow, hanging, page, wrap

_IN_FULL = 6
"""Incidents told with all their lines; those beyond them have one sentence each, worst first."""
_BLIND = "bold blue"


def board(report: CheckReport, width: int, program: str = "dogwatch") -> Text:
    """The whole board for a terminal ``width`` columns wide. Colours carry nothing that words do not.

    Commands and links are never broken: the terminal wraps them, so that they can be copied. ``program`` is
    how the reader has to call dogwatch.
    """
    lines = flow([Text(part) for part in ("dogwatch", *words.heading(report))], " · ", width)
    lines += [Text(), *_counts(report, width), Text()]
    told = words.told(report)
    for number, incident in enumerate(told):
        if number < _IN_FULL:
            lines += [*in_short(report, incident, width, program), Text()]
        else:
            lines += head(incident, width)
    if len(told) > _IN_FULL:
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


def _blind(report: CheckReport, platform: PlatformView, width: int, program: str) -> list[Text]:
    zone = ZoneInfo(report.timezone)
    return [
        *sentence("BLIND", _BLIND, words.blindness(platform, report.at, zone), width),
        *detail("unseen", wrap(words.unseen(platform, report.at, zone), width - KEY)),
        *steps(words.blind_steps(platform, program), width, program),
    ]


def _rest(report: CheckReport, width: int, program: str) -> list[Text]:
    """Everything that nobody has to get up for."""
    lines: list[Text] = []
    for incident in words.muted(report):
        lines += sentence("MUTED", "dim", f"{incident.name}: {incident.title}", width, "dim")
    for finding in words.asides(report):
        said = f"{one_line(finding.summary, 360)} · {finding.fingerprint[:8]}"
        lines += sentence(finding.severity.value, "dim", said, width, "dim")
    for label, said in words.remarks(report):
        lines += sentence(label, "dim", said, width, "dim")
    gaps = words.gaps(report)
    if not any(platform.baseline for platform in report.platforms):  # it has been told in full
        gaps = [said for said in (words.gaps_in_short(report, program),) if said]
    for said in gaps:
        lines += sentence("unseen", "dim", said, width, "dim")
    flows = words.pipelines(report)
    if flows:
        lines += sentence("flows", "dim", flows, width, "dim")
    if report.platforms:
        platforms = flow([Text(part) for part in words.quiet(report)], " · ", width - LABEL)
        lines += hanging(Text(" quiet", style="dim"), [line.plain for line in platforms], LABEL, "dim")
    if not words.told(report) and not report.blind:
        lines += hanging(Text(" next", style="dim"), [f"{program} runs"], LABEL, "dim")
    return lines
