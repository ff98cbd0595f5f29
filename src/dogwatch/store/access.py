"""How the store's parts reach it: transactions, and the fence before everything that a round writes."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

import sqlalchemy as sa

from dogwatch.store import lease
from dogwatch.store.ways import reader_of, translated, writer_of

ROUND = "round"
"""The lease that keeps rounds apart."""


class Access:
    """An engine, its two halves, and the round that this process makes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)
        self._writer = writer_of(engine)
        self._holder: str | None = None
        self._number = 0
        """Of the round under way; 0 if there is none."""

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _read(self) -> Generator[sa.Connection]:
        with translated(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Generator[sa.Connection]:
        with translated(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _write_through(self) -> Generator[sa.Connection]:
        """As ``_write``, and when it ends well the disk has it, whatever becomes of the power."""
        with translated(), self._writer.connect() as connection:
            raw = connection.connection.driver_connection
            if isinstance(raw, sqlite3.Connection):  # other databases write through by themselves
                raw.execute("PRAGMA synchronous = FULL")
            try:
                with connection.begin():
                    yield connection
            finally:
                if isinstance(raw, sqlite3.Connection):
                    raw.execute("PRAGMA synchronous = NORMAL")

    def _fence(self, connection: sa.Connection) -> None:
        if self._holder is not None:
            lease.require(connection, ROUND, self._holder)
