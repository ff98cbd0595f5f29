"""The slots of many jobs read at once: a hot path of a round, straight from the table's key."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from dogwatch.model.ledger import JobKey
from dogwatch.store import schema
from dogwatch.store.dialects import SQLITE
from dogwatch.store.rows import moment_text

SlotRow: TypeAlias = tuple[Any, ...]
"""A row of ``expectations``, in the order of its columns, moments as such."""

_NAMES = tuple(column.name for column in schema.expectations.columns)
_MOMENTS = tuple(
    place
    for place, column in enumerate(schema.expectations.columns)
    if isinstance(column.type, schema.Moment)
)
_AT = _NAMES.index("scheduled_for")
_COLUMNS = ", ".join(_NAMES)
_OWN = f"SELECT {_COLUMNS} FROM expectations WHERE instance = ? AND job_id = ?"  # noqa: S608  # our columns
_WITHIN = f"{_OWN} AND scheduled_for >= ? ORDER BY scheduled_for"
_BEFORE = f"{_OWN} AND scheduled_for < ? ORDER BY scheduled_for DESC LIMIT ?"
_OF_MANY = (
    f"SELECT {_COLUMNS} FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS k(i, j, since)"  # noqa: S608  # our columns
    " CROSS JOIN LATERAL ("
    "(SELECT * FROM expectations WHERE instance = k.i AND job_id = k.j AND scheduled_for >= k.since)"
    " UNION ALL (SELECT * FROM expectations WHERE instance = k.i AND job_id = k.j"
    " AND scheduled_for < k.since ORDER BY scheduled_for DESC LIMIT %s)) AS slot ORDER BY scheduled_for"
)
"""The same for a server, which is asked once for many jobs: each question is a way there and back."""
_JOBS = 1_000
"""So many at once."""


def slots_of(
    connection: sa.Connection, jobs: Iterable[JobKey], since: Mapping[str, datetime], earlier: int
) -> dict[JobKey, list[SlotRow]]:
    """The slots of each job from its instance's ``since`` on and the last ``earlier`` ones before, in order
    of time; a job without any is left out."""
    cursor = connection.connection.cursor()
    found: dict[JobKey, list[SlotRow]] = {}
    wanted = list(jobs)
    if connection.dialect.name == SQLITE:
        begins = {name: moment_text(at) for name, at in since.items()}
        for key in wanted:
            own = (*key, begins[key[0]])
            rows: list[SlotRow] = []
            if earlier:
                rows += cursor.execute(_BEFORE, (*own, earlier)).fetchall()[::-1]
            rows += cursor.execute(_WITHIN, own).fetchall()
            if rows:
                found[key] = [_read(row) for row in rows]
        return found
    for start in range(0, len(wanted), _JOBS):
        some = wanted[start : start + _JOBS]
        columns = ([key[0] for key in some], [key[1] for key in some], [since[key[0]] for key in some])
        cursor.execute(_OF_MANY, (*columns, earlier))
        for row in cursor.fetchall():
            found.setdefault((row[0], row[1]), []).append(row)
    return found


def _read(row: SlotRow) -> SlotRow:
    values = list(row)
    for place in _MOMENTS:
        if values[place] is not None:
            values[place] = datetime.fromisoformat(values[place])
    return tuple(values)
