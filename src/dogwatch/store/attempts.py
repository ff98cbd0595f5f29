"""The two hot paths of a round: run attempts written by batches, and the newest of many jobs read."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dogwatch.model import Run
from dogwatch.model.ledger import JobKey
from dogwatch.store import schema
from dogwatch.store.dialects import SQLITE, Bulk
from dogwatch.store.rows import RUN_COLUMNS, moment_text, run_from_text, run_from_values

if TYPE_CHECKING:
    from dogwatch.store.dialects import Upsert

_MAY_CHANGE = (
    *("status", "error_message", "job_name", "started_at", "ended_at", "queued_at", "scheduled_for"),
    *("native_status", "url", "kind", "trigger", "parent_uid"),
)
"""What a platform may tell anew of an attempt without telling another time of change."""
_ROWS = 500
"""Runs written by one statement: while it works, other threads do too, as Python lets go of its lock once a
statement and not once a row."""
_COLUMNS = ", ".join(RUN_COLUMNS)
_NEWEST = (
    f"SELECT {_COLUMNS} FROM runs WHERE instance = ? AND job_id = ?"  # noqa: S608  # our columns
    " ORDER BY began_at DESC, attempt DESC LIMIT ?"
)
"""One job's newest runs, straight from its index: a window over many jobs would read all they ever ran."""
_NEWEST_OF_MANY = (
    f"SELECT {_COLUMNS} FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS k(i, j, place)"  # noqa: S608  # our columns
    " CROSS JOIN LATERAL (SELECT * FROM runs WHERE instance = k.i AND job_id = k.j"
    " ORDER BY began_at DESC, attempt DESC LIMIT %s) AS newest"
    " ORDER BY place, began_at, attempt"
)
"""The same for a server, which is asked once for many jobs: each question is a way there and back."""
_JOBS = 1_000
"""So many at once."""
_WITH_ROUND = f"SELECT {_COLUMNS}, changed_in FROM runs WHERE"  # noqa: S608  # our columns
_BEHIND = (
    f"{_WITH_ROUND} uid IN"  # noqa: S608  # our columns
    " (SELECT uid FROM runs WHERE changed_in >= ? AND (changed_in > ? OR uid > ?) AND changed_in <= ?"
    " ORDER BY changed_in, uid LIMIT ?) ORDER BY changed_in, uid"
)
"""Runs behind a place, in the order in which they were learned. Sorting keys alone takes a third of the time
of sorting whole rows, and an index for it would make every round slower."""
_IN_ROUND = f"{_WITH_ROUND} +changed_in = ? AND uid > ? ORDER BY uid LIMIT ?"
"""The same within one round that learned of many: along the key (the plus keeps SQLite from the other index),
nothing is sorted."""
_FIRST = "SELECT min(changed_in) FROM runs WHERE changed_in >= ?"
_SOME = "SELECT count(*) FROM (SELECT 1 FROM runs WHERE changed_in = ? LIMIT ?)"
_MAY_CHANGE_STILL = (
    f"SELECT {_COLUMNS} FROM runs WHERE instance = ? AND {schema.OPEN.text}"  # noqa: S608  # our columns
    f" UNION ALL SELECT {_COLUMNS} FROM runs WHERE instance = ? AND began_at >= ? AND {schema.UNWELL.text}"
    " AND status IN ('failed', 'timed_out', 'cancelled')"
    f" UNION ALL SELECT {_COLUMNS} FROM runs WHERE instance = ? AND began_at >= ? AND {schema.REPAIRED.text}"
    " ORDER BY native_run_id, attempt"
)
_MANY = 4
"""Pages; a round that learned of more is read along the key."""


def _newer(statement: "Upsert") -> "Upsert":
    """Of two states of one attempt the newer wins; of two answers on one state that which tells more. What is
    told again as it was is not written again: most of what overlapping listings show."""
    table, new = schema.runs, statement.excluded
    incoming = sa.tuple_(new.version_at, new.terminal)
    stored = sa.tuple_(table.c.version_at, table.c.terminal)
    as_telling = sa.or_(new.error_message.is_not(None), table.c.error_message.is_(None))
    told_anew = sa.or_(
        *(new[name].is_distinct_from(table.c[name]) for name in _MAY_CHANGE),
        *(sa.cast(new[name], sa.Text) != sa.cast(table.c[name], sa.Text) for name in ("metrics", "metadata")),
    )
    return statement.on_conflict_do_update(
        index_elements=["uid"],
        set_={column.name: new[column.name] for column in table.columns if column.name != "uid"},
        where=sa.or_(incoming > stored, sa.and_(incoming == stored, as_telling, told_anew)),
    )


RECORD = Bulk(schema.runs, _newer, _ROWS)
"""Writes what ``run_row`` makes."""


def newest_of(connection: sa.Connection, jobs: Iterable[JobKey], limit: int) -> dict[JobKey, list[Run]]:
    """The newest ``limit`` attempts of each (instance, job id), oldest first; who has none is left out."""
    found: dict[JobKey, list[Run]] = {}
    cursor = connection.connection.cursor()
    if connection.dialect.name == SQLITE:
        for key in jobs:
            rows = cursor.execute(_NEWEST, (*key, limit)).fetchall()
            if rows:
                found[key] = [run_from_text(row) for row in reversed(rows)]
        return found
    wanted = list(jobs)
    for start in range(0, len(wanted), _JOBS):
        some = wanted[start : start + _JOBS]
        cursor.execute(_NEWEST_OF_MANY, ([key[0] for key in some], [key[1] for key in some], limit))
        for row in cursor.fetchall():
            run = run_from_values(row)
            found.setdefault((run.instance, run.job_id), []).append(run)
    return found


def may_change(connection: sa.Connection, instance: str, since: datetime) -> dict[str, Run]:
    """By native run id, the newest stored attempt of the open runs of an instance, and of those since then
    that ended badly or were repaired."""
    cursor = connection.connection.cursor()
    if connection.dialect.name == SQLITE:
        at = moment_text(since)
        rows = cursor.execute(_MAY_CHANGE_STILL, (instance, instance, at, instance, at)).fetchall()
        return {run.native_run_id: run for run in map(run_from_text, rows)}
    cursor.execute(_MAY_CHANGE_STILL.replace("?", "%s"), (instance, instance, since, instance, since))
    return {run.native_run_id: run for run in map(run_from_values, cursor.fetchall())}


def learned_behind(
    connection: sa.Connection, at: tuple[int, str], upto: int, limit: int
) -> list[tuple[int, Run]]:
    """The next attempts behind (round, uid), in that order, each with the round that learned of it, which is
    ``upto`` or an earlier one; at most ``limit``, and none only if there are none."""
    number, uid = at
    cursor = connection.connection.cursor()
    if connection.dialect.name != SQLITE:
        cursor.execute(_BEHIND.replace("?", "%s"), (number, number, uid, upto, limit))
        return [(row[-1], run_from_values(row[:-1])) for row in cursor.fetchall()]
    (first,) = cursor.execute(_FIRST, (number,)).fetchone()
    rows: list[tuple[Any, ...]] = []
    if (
        first is not None
        and first <= upto
        and cursor.execute(_SOME, (first, _MANY * limit)).fetchone() == (_MANY * limit,)
    ):
        rows = cursor.execute(_IN_ROUND, (first, uid if first == number else "", limit)).fetchall()
    if not rows:
        rows = cursor.execute(_BEHIND, (number, number, uid, upto, limit)).fetchall()
    return [(row[-1], run_from_text(row[:-1])) for row in rows]
