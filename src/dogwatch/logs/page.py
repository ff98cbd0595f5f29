"""Templates, changes and differences as lines of text for a terminal of a given width."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dogwatch.logs.book import Entry
from dogwatch.logs.read import Tally

if TYPE_CHECKING:
    from dogwatch.logs.trend import Change

_BARS = "▁▂▃▄▅▆▇█"
_SPARK = 12
_MARKS = {"INFO": "○", "WARNING": "◐", "ERROR": "●", "CRITICAL": "●"}


def sparkline(buckets: Mapping[float, int], first: float, last: float, width: int = _SPARK) -> str:
    """How often over time, from the first to the last bucket of the whole log; a blank means never."""
    span = last - first
    sums = [0] * width
    for bucket, lines in buckets.items():
        sums[min(width - 1, int((bucket - first) * width / span)) if span else 0] += lines
    most = max(sums, default=0)
    return "".join(_BARS[-(-n * len(_BARS) // most) - 1] if n else " " for n in sums) if most else " " * width


def span_of(entries: Sequence[Entry]) -> tuple[float, float]:
    """The first and the last bucket of a log."""
    buckets = [bucket for entry in entries for bucket in entry.buckets]
    return (min(buckets), max(buckets)) if buckets else (0, 0)


def table(entries: Sequence[Entry], width: int) -> list[str]:
    """One line per template: lines, when, how bad, what."""
    spoken = [entry for entry in entries if entry.lines]
    first, last = span_of(spoken)
    lines: list[str] = []
    for entry in spoken:
        spark = sparkline(entry.buckets, first, last)
        head = f"{entry.lines:>11,}  {spark}  {_MARKS[entry.severity]} {entry.severity:<8}  "
        lines.append(head + fit(entry.template.text, width - len(head)))
    return lines


def change_line(change: "Change", width: int) -> str:
    """One sentence about one change."""
    if change.kind == "new":
        head = f"new       {change.seen:>9,} lines"
    elif change.kind == "surging":
        head = f"surging   {change.seen:>9,} lines in an hour, usually {change.usual:,.0f}"
    else:
        head = f"vanished  none, where at least {change.usual:,.0f} lines were usual"
    head = f"{_MARKS[change.entry.severity]} {head}  "
    return head + fit(change.entry.template.text, width - len(head))


def bad_lines(tally: Tally) -> list[str]:
    """What was wrong with what was read."""
    return [f"{times:,} × {what}" for what, times in sorted(tally.bad.items())]


def fit(text: str, width: int) -> str:
    """Text that is printable and no longer than there is room; what is cut is marked."""
    shown = "".join(c if c.isprintable() else "�" for c in text)
    room = max(20, width)
    return shown if len(shown) <= room else shown[: room - 1] + "…"
