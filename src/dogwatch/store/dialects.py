"""What SQLite and PostgreSQL say differently; everything else in the store is said once for both."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from dogwatch.store.fit import fit_json, fit_text
from dogwatch.store.schema import Moment

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

    Upsert: TypeAlias = sqlite.Insert | postgresql.Insert

Value: TypeAlias = str | int | float | bytes | None
Row: TypeAlias = tuple[Value, ...]
"""Values in the order of a table's columns: moments as text of fixed width, JSON as text."""

SQLITE = "sqlite"
_SERVER_ROWS = 5_000
"""Rows in one statement to PostgreSQL: each column is one parameter, an array."""


def insert(connection: sa.Connection, table: sa.Table) -> "Upsert":
    """An INSERT that knows ``excluded`` and ``on_conflict_do_…``, and tells how many rows it wrote."""
    if connection.dialect.name == SQLITE:
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # 20 ms that those with a file do not pay

    return postgresql.insert(table).execution_options(preserve_rowcount=True)


class Bulk:
    """An upsert of rows that are tuples already, by the table's primary key: the hot paths of a round.

    To SQLite each statement carries ``together`` rows, and while it works other threads do too, as Python
    lets go of its lock once a statement. To PostgreSQL each column goes as one array, so that the statement
    is the same for any number of rows.
    """

    def __init__(self, table: sa.Table, say: "Callable[[Upsert], Upsert]", together: int = 1) -> None:
        self._table = table
        self._say = say
        self._together = together

    def __call__(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Write the rows, in their order."""
        if connection.dialect.name != SQLITE:
            for some in _apart(rows, self._keys):
                for start in range(0, len(some), _SERVER_ROWS):
                    columns = zip(*some[start : start + _SERVER_ROWS], strict=True)
                    arrays = tuple(map(_fitting, columns, self._is_json))
                    connection.exec_driver_sql(self._by_arrays, arrays)
            return
        whole = len(rows) - len(rows) % self._together if self._together > 1 else 0
        for start in range(0, whole, self._together):
            values = [value for row in rows[start : start + self._together] for value in row]
            connection.exec_driver_sql(self._many, tuple(values))
        if rows[whole:]:
            connection.exec_driver_sql(self._one, list(rows[whole:]))

    @cached_property
    def _one(self) -> str:
        statement = self._say(sqlite.insert(self._table))
        return str(statement.compile(dialect=sqlite.dialect(paramstyle="qmark")))

    @cached_property
    def _many(self) -> str:
        values = f"({', '.join('?' for _ in self._table.columns)})"
        return self._one.replace(values, ", ".join([values] * self._together), 1)

    @cached_property
    def _by_arrays(self) -> str:
        from sqlalchemy.dialects import postgresql
        from sqlalchemy.dialects.postgresql.base import PGDialect

        dialect = PGDialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy left it out
        said = str(self._say(postgresql.insert(self._table)).compile(dialect=dialect))
        head, _, tail = said.partition(" VALUES (")
        conflict = tail[tail.index(" ON CONFLICT ") :]
        arrays = ", ".join(f"%s::{_element(column)}[]" for column in self._table.columns)
        return f"{head} SELECT * FROM unnest({arrays}){conflict}"  # noqa: S608  # our columns

    @cached_property
    def _keys(self) -> tuple[int, ...]:
        names = list(self._table.columns.keys())
        return tuple(names.index(column.name) for column in self._table.primary_key.columns)

    @cached_property
    def _is_json(self) -> tuple[bool, ...]:
        return tuple(isinstance(column.type, sa.JSON) for column in self._table.columns)


def _element(column: sa.Column[Any]) -> str:
    """The type of an array of what a column holds."""
    if isinstance(column.type, sa.JSON):
        return "json"
    if isinstance(column.type, sa.LargeBinary):
        return "bytea"
    if isinstance(column.type, Moment):
        return "timestamptz"
    plain: dict[type, str] = {int: "bigint", bool: "boolean", float: "double precision"}
    return plain.get(column.type.python_type, "text")


def _apart(rows: Sequence[Row], keys: tuple[int, ...]) -> Iterator[Sequence[Row]]:
    """The rows in turns, none with the same key twice: one statement of PostgreSQL cannot do that. What comes
    later in ``rows`` comes in a later turn."""
    layers: list[list[Row]] = []
    seen: dict[tuple[object, ...], int] = {}
    for row in rows:
        key = tuple(row[index] for index in keys)
        turn = seen.get(key, 0)
        seen[key] = turn + 1
        if turn == len(layers):
            layers.append([])
        layers[turn].append(row)
    yield from layers


def _fitting(column: Sequence[Value], is_json: bool) -> list[Value]:
    fit = fit_json if is_json else fit_text
    return [fit(value) if isinstance(value, str) else value for value in column]
