"""What a store remembers, in a form that two of them can be compared in."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from dogwatch.model import content_id
from support.crash_story import DEATH_BEFORE, ROUNDS, ZONE

_ROUNDS = frozenset({"rounds", "leases", "alembic_version"})
"""Tables that tell of the rounds themselves."""
_SEEN: Mapping[str, str] = {
    "runs": "observed_at changed_in",
    "sources": "first_read_at",
    "findings": "first_seen last_seen cleared_at",
    "job_versions": "valid_from valid_to body",
    "incidents": "key opened_at resolved_at",
    "incident_turns": "at",
    "incident_findings": "cleared_at",
    "events": "at previous hash",
    "actions": "proposed_at",
    "habits": "looked_at",
}
"""Columns that tell when dogwatch looked, not what it saw; the body of a job's version has that time too,
and ``digest`` stands for the rest of it. What is made of such times is hidden as well: the key of an
incident, the hash of an event."""
_SEEN_WITHIN = {"incidents": _SEEN["incidents"] + " updated_at", "incident_turns": ""}
_SEEN_WITHIN["incident_turns"] = _SEEN_WITHIN["incidents"]
_SEEN_WITHIN |= {"actions": "proposed_at expires_at decided_at", "habits": "looked_at"}
"""The same within their bodies."""
_CASES = ("incidents", "incident_turns", "incident_findings", "citations", "events")
_TOLD = ("actions", "outbox")
"""What was proposed and said when something began; who looked at another time may have seen other things."""

Row = Mapping[str, object]
Memory = Mapping[str, Sequence[Row]]
"""The rows of each table."""


@contextmanager
def looking_into(store: Path) -> Iterator[sqlite3.Connection]:
    """A look at a store that leaves it as it is."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def memory(store: Path) -> Memory:
    """All that a store remembers but when it was observed, and the rounds themselves."""
    with looking_into(store) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: _rows(connection, name) for (name,) in names if name not in _ROUNDS}


def _rows(connection: sqlite3.Connection, table: str) -> list[Row]:
    """What a table tells; of what may come to an end, whether it has (``over``)."""
    ends = {
        "findings": "cleared_at",
        "incident_findings": "cleared_at",
        "job_versions": "valid_to",
        "incidents": "resolved_at",
    }.get(table)
    within = _SEEN_WITHIN.get(table, "").split()
    hidden = _SEEN.get(table, "").split()
    found: list[Row] = []
    for row in connection.execute(f"SELECT * FROM {table}"):
        told = {key: row[key] for key in row.keys() if key not in hidden}  # noqa: SIM118  # a Row is no dict
        if within:
            body = json.loads(told["body"])
            told["body"] = json.dumps({key: body[key] for key in body if key not in within})
        found.append(told if ends is None else {**told, "over": row[ends] is not None})
    return sorted(found, key=repr)


def _deaths() -> Iterator[tuple[str, str]]:
    """How the moments at which rounds are killed are written, and the moments of the rounds after them."""
    for at in ROUNDS:
        for zone, shape in ((UTC, "%Y-%m-%dT%H:%M:%S"), (UTC, "%H:%M UTC"), (ZoneInfo(ZONE), "%H:%M CET")):
            killed, after = ((at - before).astimezone(zone) for before in (DEATH_BEFORE, timedelta(0)))
            yield killed.strftime(shape), after.strftime(shape)


_LATER = tuple(_deaths())


def as_of_rounds(remembered: Memory) -> Memory:
    """The same, but as if what a killed round saw first had been seen by the round after it: of a pause, say,
    it is told when it was seen. Evidence of such a moment gets the id that it would have had."""
    judged = ("findings", "evidence", *_CASES)
    later = {name: [_replaced(row, _LATER) for row in remembered[name]] for name in judged}
    later["evidence"] = [_without_change(row) for row in later["evidence"]]
    ids: list[tuple[str, str]] = []
    for row in later["evidence"]:
        told = json.loads(str(row["body"]))
        parts = [told[key] for key in ("kind", "source", "subject", "content")]
        ids.append((str(row["id"]), content_id(parts)))
    moved = [(old, new) for old, new in ids if old != new]
    later = {name: sorted((_replaced(row, moved) for row in later[name]), key=repr) for name in judged}
    return {**remembered, **later}


def _without_change(row: Row) -> Row:
    """Evidence without the id of the change it is made of: that is a hash of when the change was seen."""
    told = json.loads(str(row["body"]))
    told["content"] = {key: value for key, value in told["content"].items() if key != "change"}
    return {**row, "body": json.dumps(told)}


def _replaced(row: Row, pairs: Iterable[tuple[str, str]]) -> Row:
    """The row with some words replaced in all its texts."""
    told = dict(row)
    for key, cell in row.items():
        if isinstance(cell, str):
            text = cell
            for old, new in pairs:
                text = text.replace(old, new)
            told[key] = text
    return told


def at_present(remembered: Memory) -> Memory:
    """What holds now, without what is over, and of the evidence what is cited now."""
    now = {name: [row for row in rows if not row.get("over")] for name, rows in remembered.items()}
    cited = {key for row in now["findings"] for key in json.loads(str(row["body"]))["evidence"]}
    return {
        **now,
        "evidence": [row for row in now["evidence"] if row["id"] in cited],
        "incidents": sorted((_unnumbered(row) for row in now["incidents"]), key=repr),
        **{name: [] for name in (*_CASES[1:], *_TOLD)},
    }


def _unnumbered(row: Row) -> Row:
    """An incident without what tells how many there were before it, and how often it has changed."""
    body = json.loads(str(row["body"]))
    counts = ("number", "version", "reopened")
    told = {key: row[key] for key in row if key not in counts}
    return {**told, "body": json.dumps({key: body[key] for key in body if key not in counts})}


def differences(found: Memory, wanted: Memory) -> list[tuple[str, str, Row]]:
    """Rows that only one of the two has: the table, which of them has it, and the row."""
    told: list[tuple[str, str, Row]] = []
    for name in sorted({*found, *wanted}):
        here, there = found.get(name, ()), wanted.get(name, ())
        told += [(name, "only here", row) for row in here if row not in there]
        told += [(name, "missing", row) for row in there if row not in here]
        if not told and len(here) != len(there):
            told.append((name, "how often", {"here": len(here), "wanted": len(there)}))
    return told
