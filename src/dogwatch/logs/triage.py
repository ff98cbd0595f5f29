"""The triage report: how many events, which errors, and a sentence about them.

Its keys are fixed: ``total_events``, ``errors`` with ``timestamp``, ``component``, ``message`` and
``severity``, and ``summary``. An error is one kind of message; its newest line speaks for it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypedDict

from dogwatch.logs.book import Entry
from dogwatch.logs.judge import CRITICAL, ERROR, SEVERITIES
from dogwatch.logs.trend import Change

_MOST_ERRORS = 100


class TriageError(TypedDict):
    """One kind of error."""

    timestamp: str | None
    """When it was last seen, ISO 8601 in UTC; None if the log tells no times."""
    component: str
    message: str
    severity: str


class Triage(TypedDict):
    """The report."""

    total_events: int
    errors: list[TriageError]
    """Worst first, then newest first; at most 100."""
    summary: str


def triage(entries: Sequence[Entry], changes: Sequence[Change] = ()) -> Triage:
    """The report on everything that was read."""
    spoken = [entry for entry in entries if entry.lines]
    bad = [entry for entry in spoken if entry.severity in (ERROR, CRITICAL)]
    bad.sort(key=lambda entry: (-SEVERITIES.index(entry.severity), -(entry.last or 0.0), entry.template.text))
    return {
        "total_events": sum(entry.lines for entry in spoken),
        "errors": [_error(entry) for entry in bad[:_MOST_ERRORS]],
        "summary": _summary(spoken, bad, changes),
    }


def main_component(entry: Entry) -> str:
    """Who says it most; empty if nobody is named."""
    named = {name: lines for name, lines in entry.components.items() if name}
    return max(sorted(named), key=named.__getitem__) if named else ""


def message_of(entry: Entry) -> str:
    """A line that speaks for the template."""
    return entry.samples[-1].text if entry.samples else entry.template.text


def iso(at: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error(entry: Entry) -> TriageError:
    return {
        "timestamp": iso(entry.last),
        "component": main_component(entry),
        "message": message_of(entry),
        "severity": entry.severity,
    }


def _summary(spoken: Sequence[Entry], bad: Sequence[Entry], changes: Sequence[Change]) -> str:
    events = sum(entry.lines for entry in spoken)
    if not events:
        return "Nothing was said."
    said = f"{many(events, 'event')} of {many(len(spoken), 'kind')}"
    if not bad:
        said += ", none of them an error"
    else:
        lines = sum(n for entry in bad for name, n in entry.severities.items() if name in (ERROR, CRITICAL))
        who = sorted({name for entry in bad if (name := main_component(entry))})
        of = f" of {', '.join(who[:3])}{' and others' if len(who) > 3 else ''}" if who else ""
        worst = bad[0]
        said += f", {many(lines, 'error')} of {many(len(bad), 'kind')}{of}; the worst is {worst.severity}: "
        said += _short(message_of(worst))
    for kind in ("new", "surging", "vanished"):
        n = sum(1 for change in changes if change.kind == kind)
        if n:
            said += f"; {many(n, 'kind')} {kind}"
    return said + "."


def many(n: int, noun: str) -> str:
    """A count with its noun."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _short(text: str, most: int = 120) -> str:
    return (text if len(text) <= most else text[: most - 1] + "…").rstrip(".")
