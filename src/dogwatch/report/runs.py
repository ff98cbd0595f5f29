"""Remembered runs as lines for a terminal."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from dogwatch.model import Run, Status
from dogwatch.model.text import one_line, span
from dogwatch.report.lines import GAP, fitted, in_columns, page, wrap
from dogwatch.report.words import clock

COLUMNS = ("began", "status", "took", "job", "platform", "run", "error")
_MARKS = {
    Status.pending: "◌",
    Status.running: "▷",
    Status.success: "○",
    Status.warned: "○",
    Status.failed: "●",
    Status.timed_out: "●",
    Status.cancelled: "◌",
    Status.skipped: "◌",
    Status.unknown: "◐",
}
_STYLES = {Status.failed: "bold red", Status.timed_out: "bold red", Status.unknown: "bold blue"}
_GIVE_WAY = (("run", 12), ("job", 18), ("run", 7), ("job", 12), ("platform", 6), ("run", 4))
"""Which columns are shortened first, and to how many cells; what was cut off is marked."""


def cells(run: Run, zone: ZoneInfo, now: datetime | None = None) -> tuple[str, ...]:
    """One run as the texts of ``COLUMNS``; without ``now`` the time is told in full."""
    began = run.began_at.astimezone(zone)
    when = f"{began:%Y-%m-%d %H:%M}" if now is None else clock(run.began_at, now, zone)
    took = "" if run.duration is None else span(run.duration.total_seconds())
    native = f" ({one_line(run.native_status, 24)})" if run.status is Status.unknown else ""
    number = one_line(run.native_run_id, 40) + (f" attempt {run.attempt}" if run.attempt > 1 else "")
    return (
        when,
        f"{_MARKS[run.status]} {run.status.value}{native}",
        took,
        one_line(run.job_name, 120),
        one_line(run.instance, 40),
        number,
        one_line(run.error_message or ""),
    )


def listing(found: Sequence[Run], zone: ZoneInfo, now: datetime, width: int) -> Text:
    """A line for each run, newest first, and its error under it."""
    if not found:
        return page([Text("no remembered run fits; runs are read by: dogwatch check")])
    rows = [cells(run, zone, now) for run in found]
    give_way = [(COLUMNS.index(name), least) for name, least in _GIVE_WAY]
    sizes = fitted([row[:-1] for row in rows], give_way, width)
    lines: list[Text] = []
    for run, row in zip(found, rows, strict=True):
        lines.append(in_columns(row, sizes, {1: _STYLES.get(run.status, "")}))
        indent = sizes[0] + len(GAP) + 2
        lines += [Text(" " * indent + line, style="dim") for line in _error(row[-1], width - indent)]
    return page(lines)


def _error(text: str, width: int) -> list[str]:
    return wrap(text, width) if text else []
