"""What is remembered of logs, and how far they were read. Both are written together or not at all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from pydantic import JsonValue

from dogwatch.store import schema
from dogwatch.store.access import Access, StepKey
from dogwatch.store.dialects import insert

_NONE: Mapping[StepKey, JsonValue] = {}


@dataclass(frozen=True, slots=True)
class LogShelf:
    """One connector's log."""

    cursor: str = ""
    """Where the connector goes on, in its own words; empty before anything was read."""
    read_until: datetime | None = None
    """The time of the last round that read the log to its end."""
    lines: int = 0
    """Counted so far."""
    books: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """By component."""


class LogBooks(Access):
    """The part of the store that remembers logs."""

    def log_pulse(self) -> str:
        """Another text whenever a log was read."""
        table = schema.log_cursors
        query = sa.select(table.c.instance, table.c.read_until, table.c.lines).order_by(table.c.instance)
        with self._read() as connection:
            return " ".join(f"{row[0]} {row[1]} {row[2]}" for row in connection.execute(query))

    def log_shelf(self, instance: str, only: Collection[str] | None = None) -> LogShelf:
        """What is remembered of a connector's log; of components, ``only`` those that are named."""
        cursors, books = schema.log_cursors, schema.log_books
        with self._read() as connection:
            row = connection.execute(sa.select(cursors).where(cursors.c.instance == instance)).first()
            if row is None:
                return LogShelf()
            query = sa.select(books.c.component, books.c.body).where(books.c.instance == instance)
            if only is not None:
                query = query.where(books.c.component.in_(sorted(only)))
            found = connection.execute(query)
            return LogShelf(
                row.cursor, row.read_until, row.lines, {name: bytes(body) for name, body in found}
            )

    def save_log_shelf(
        self, instance: str, shelf: LogShelf, shares: Mapping[StepKey, JsonValue] = _NONE
    ) -> None:
        """Remember where to go on, and the books that are given; other books stay as they are. ``shares``:
        what is left to be told of shares that are counted in them now.

        Killed before its end, this changes nothing: what was read since is read again.
        """
        cursor = {
            "instance": instance,
            "cursor": shelf.cursor,
            "read_until": shelf.read_until,
            "lines": shelf.lines,
        }
        rows = [
            {"instance": instance, "component": name, "body": body}
            for name, body in sorted(shelf.books.items())
        ]
        with self._write() as connection:
            self._fence(connection)
            for (number, kind, about), told in shares.items():
                steps = schema.steps
                share = sa.and_(steps.c.round == number, steps.c.kind == kind, steps.c.about == about)
                connection.execute(steps.update().where(share).values(body=told))
            for table, keys, values in (
                (schema.log_cursors, ["instance"], [cursor]),
                (schema.log_books, ["instance", "component"], rows),
            ):
                if values:
                    statement = insert(connection, table)
                    changed = {
                        column.name: statement.excluded[column.name]
                        for column in table.c
                        if column.name not in keys
                    }
                    connection.execute(
                        statement.on_conflict_do_update(index_elements=keys, set_=changed), values
                    )
