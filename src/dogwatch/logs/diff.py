"""Two logs side by side: which templates are new, gone, more or less."""

from dataclasses import dataclass
from math import sqrt

from dogwatch.logs.book import Book
from dogwatch.logs.judge import SEVERITIES
from dogwatch.logs.miner import Miner

_KINDS = ("new", "gone", "more", "less")
_FAR = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One template that differs."""

    kind: str
    """``new``, ``gone``, ``more`` or ``less``."""
    severity: str
    before: int
    """Lines in the first log."""
    after: int
    """Lines in the second."""
    id: str
    template: str


def difference(before: Book, after: Book) -> list[Row]:
    """What is different in the second log, the worst first.

    Both are cut into templates together. More and less are judged by shares, since one log may be longer: the
    difference has to be beyond chance (five deviations of a Poisson count) and at least a factor of two.
    """
    miner = Miner(before.miner.shapes.limits)
    sides = [(book, miner.absorb(book.miner)) for book in (before, after)]
    mined = miner.mine()
    counts: list[list[int]] = [[0, 0] for _ in mined.templates]
    severities = [SEVERITIES[0]] * len(mined.templates)
    for side, (book, here) in enumerate(sides):
        for entry in book.entries():
            for leaf, lines in book.lines_of(entry.leaves).items():
                number = mined.of_leaf[here[leaf]]
                counts[number][side] += lines
                severities[number] = max(severities[number], entry.severity, key=SEVERITIES.index)
    whole = (before.events, after.events)
    rows = [
        Row(kind, severity, a, b, template.id, template.text)
        for template, (a, b), severity in zip(mined.templates, counts, severities, strict=True)
        if (kind := _kind(a, b, whole))
    ]
    rows.sort(
        key=lambda r: (
            _KINDS.index(r.kind),
            -SEVERITIES.index(r.severity),
            -abs(r.after - r.before),
            r.template,
        )
    )
    return rows


def _kind(before: int, after: int, whole: tuple[int, int]) -> str:
    if not before or not after:
        return "" if before == after else "new" if after else "gone"
    expected = before * whole[1] / whole[0]
    far = abs(2 * sqrt(after + 0.375) - 2 * sqrt(expected + 0.375)) >= _FAR
    if far and after >= 2 * expected:
        return "more"
    return "less" if far and 2 * after <= expected else ""
