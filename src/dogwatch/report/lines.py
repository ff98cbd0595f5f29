"""Lines for a terminal: wrapped by display cells, hanging under their label, never cut."""

from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.text import Text

GAP = "  "
"""Between the columns of a table."""


def wrap(text: str, width: int) -> list[str]:
    """The text in lines at most ``width`` cells wide, broken between words; a longer word is broken."""
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines += chop_cells(word, max(2, width)) if cell_len(word) > width else [word]
    return lines or [""]


def hanging(label: Text, said: Sequence[str], indent: int, style: str = "") -> list[Text]:
    """``said`` beside its label, all lines beginning in the same column."""
    lines: list[Text] = []
    for number, line in enumerate(said):
        head = label if number == 0 else Text()
        pad = " " * max(1 if number == 0 else 0, indent - head.cell_len)
        lines.append(Text().append_text(head).append(pad).append(line, style=style))
    return lines


def flow(parts: Iterable[Text], separator: str, width: int) -> list[Text]:
    """The parts in a row, broken between them and never within, as far as the width allows."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + len(separator) + part.cell_len <= width:
            lines[-1].append(separator).append_text(part)
        else:
            lines.append(Text().append_text(part))  # a style of its own must not spread
    return lines


def fitted(rows: Sequence[Sequence[str]], give_way: Iterable[tuple[int, int]], width: int) -> list[int]:
    """Columns as wide as their widest cell; if that is too much, those that can spare it give way.

    ``give_way`` holds (column, least cells) in the order in which columns are shortened.
    """
    sizes = [max(cell_len(text) for text in column) for column in zip(*rows, strict=True)]
    over = sum(sizes) + len(GAP) * (len(sizes) - 1) - width
    for at, least in give_way:
        given = max(0, min(over, sizes[at] - least))
        sizes[at] -= given
        over -= given
    return sizes


def in_columns(row: Sequence[str], sizes: Sequence[int], styles: Mapping[int, str] | None = None) -> Text:
    """A row of a table; what does not fit is cut off and marked. ``styles`` are by column."""
    line = Text()
    for at, size in enumerate(sizes):
        text = row[at]
        if cell_len(text) > size:
            text = set_cell_size(text, size - 1).rstrip() + "…"
        line.append(set_cell_size(text, size), style=(styles or {}).get(at, ""))
        line.append(GAP)
    line.rstrip()
    return line


def page(lines: Iterable[Text]) -> Text:
    """One text that is printed as it stands."""
    return Text("\n", no_wrap=True, overflow="ignore").join(lines)
