"""The pipeline graph for a terminal."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from dogwatch.model.text import one_line, plural
from dogwatch.pipelines.draw import CULPRIT, HARMED, WORDS, Line, Picture, outline
from dogwatch.pipelines.graph import Members
from dogwatch.report.lines import flow, hanging, page, wrap
from dogwatch.report.words import zone_word

_STYLES = {CULPRIT: "bold red", HARMED: "red"}
_NOTE = 26
"""Cells kept for notes where there is room for them."""
_LEAST_NAME = 12


def drawing(picture: Picture, heading: str, warnings: Sequence[str], width: int) -> Text:
    """The outline with a heading above and what the signs mean below; nothing is wider than ``width``."""
    lines: list[Text] = [Text(line, style="bold") for line in wrap(one_line(heading, 400), width)]
    for members in picture.graph.pipelines.values():
        lines += [Text(f"  {line}", style="dim") for line in wrap(promise(members), width - 2)]
    lines.append(Text())
    told = outline(picture)
    notes = max((cell_len(line.note) for line in told), default=0)
    names = max((cell_len(f"{line.stem}{line.mark} {line.name}") for line in told), default=0)
    room = max(_LEAST_NAME + 4, min(names, width - min(notes, _NOTE) - 2))
    lines += [_line(line, room, width) for line in told]
    if not told:
        lines.append(Text("no job is known; jobs are read by: dogwatch check"))
    lines += [Text(), *flow(_signs(picture), " · ", width)]
    for said in warnings:
        lines += hanging(Text("!"), wrap(one_line(said, 600), width - 2), 2)
    return page(lines)


def promise(members: Members) -> str:
    """A pipeline's name, size, deadline and owner."""
    pipeline = members.pipeline
    parts = [f"{one_line(pipeline.name, 60)}: {plural(len(members.subjects), 'job')}"]
    if pipeline.fresh_by is not None:
        parts.append(f"fresh by {pipeline.fresh_by.at:%H:%M} {zone_word(pipeline.fresh_by.timezone)}")
    parts += [one_line(said, 60) for said in (pipeline.owner, pipeline.environment) if said]
    return " · ".join(parts)


def _line(line: Line, room: int, width: int) -> Text:
    stem = line.stem if cell_len(line.stem) <= room - _LEAST_NAME else f"…{line.stem[-room // 3 :]}"
    head = Text(stem, style="dim").append(f"{line.mark} ", style=_STYLES.get(line.mark, "dim"))
    name, left = line.name, room - head.cell_len
    if cell_len(name) > left:
        name = set_cell_size(name, left - 1).rstrip() + "…"
    head.append(name, style=_STYLES.get(line.mark, ""))
    note, rest = line.note, width - room - 2
    if cell_len(note) > rest:
        note = set_cell_size(note, max(1, rest - 1)).rstrip() + "…"
    return head.append(" " * (room - head.cell_len + 2)).append(note, style="dim")


def _signs(picture: Picture) -> list[Text]:
    edges = picture.graph.edges
    parts: list[str] = []
    if any(edge.certain and edge.triggers for edge in edges):
        parts.append("▶ starts because of what stands above it")
    if any(edge.certain and not edge.triggers for edge in edges):
        parts.append("─ reads it, and runs anyway")
    if any(not edge.certain for edge in edges):
        parts.append("╌ only suggested, nothing is concluded from it")
    if picture.troubled:
        parts += [f"{mark} {WORDS[mark]}" for mark in (CULPRIT, HARMED)]
    return [Text(part, style="dim") for part in parts]
