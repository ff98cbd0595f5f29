"""Pages of the documentation as somebody follows them: the commands, and what they say comes of each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_IDS = r"\b[0-9a-f]{8,}(?:-\d+)?\b"


@dataclass(frozen=True, slots=True)
class Step:
    """Commands that are typed one after the other, and what the page shows of their output."""

    commands: tuple[str, ...]
    shown: str = ""


def blocks(page: str, language: str) -> list[str]:
    """The contents of a page's blocks in one language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [body for found, body in _BLOCK.findall(text) if found == language]


def steps(page: str) -> Iterator[Step]:
    """A page's commands in their order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    waiting: tuple[str, ...] = ()
    for language, body in _BLOCK.findall(text):
        if language == "text" and waiting:
            yield Step(waiting, body)
            waiting = ()
        elif language == "sh":
            if waiting:
                yield Step(waiting)
            waiting = tuple(line.split(" #")[0].strip() for line in body.splitlines() if line.strip())
    if waiting:
        yield Step(waiting)


def differs(shown: str, told: str) -> str:
    """The first piece that a page shows and the output does not hold, in this order; empty if all are there.

    ``…`` stands for anything; ids, spaces and line ends do not count.
    """
    rest = _plain(told)
    for piece in shown.split("…"):
        wanted = _plain(piece)
        at = rest.find(wanted)
        if at < 0:
            return f"{wanted!r}\nis not in\n{rest}"
        rest = rest[at + len(wanted) :]
    return ""


def _plain(text: str) -> str:
    return " ".join(re.sub(_IDS, "#", text).split())
