"""Lines for a terminal: wrapped by display cells, hanging under their label, never cut."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, chop_cells
from rich.text import Text


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


def page(lines: Iterable[Text]) -> Text:
    """One text that is printed as it stands."""
    return Text("\n", no_wrap=True, overflow="ignore").join(lines)
