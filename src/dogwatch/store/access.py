"""How the store's parts reach it: transactions, and the fence before everything that a round writes."""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import sqlalchemy as sa

from dogwatch.errors import StoreError
from dogwatch.store import lease, schema
from dogwatch.store.ways import reader_of, translated, writer_of

if TYPE_CHECKING:
    from dogwatch.store.turns import SharedTurns

ROUND = "round"
"""The lease that keeps rounds apart."""
StepKey: TypeAlias = tuple[int, str, str]
"""The round's number, the kind of step, and the connector or incident that it is about."""


class Access:
    """An engine, its two halves, and the round that this process makes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)
        self._writer = writer_of(engine)
        self._held = threading.local()
        """The connection that this thread reads over, while it does so at one moment."""
        self._holder: str | None = None
        self._number = 0
        """Of the round under way; 0 if there is none."""
        self._step: tuple[StepKey, str] | None = None
        """The step that is being done, and under which name."""

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _read(self) -> Generator[sa.Connection]:
        held: sa.Connection | None = getattr(self._held, "connection", None)
        if held is not None:
            with translated():
                yield held
            return
        with translated(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def at_one_moment(self) -> Generator[None]:
        """Whatever this thread reads meanwhile goes over one connection, in one transaction: fewer ways to a
        server and back. Nothing may be written meanwhile."""
        with self._read() as connection:
            before: sa.Connection | None = getattr(self._held, "connection", None)
            self._held.connection = connection
            try:
                yield
            finally:
                self._held.connection = before

    @contextmanager
    def _write(self) -> Generator[sa.Connection]:
        with translated(), self._writer.begin() as connection:
            yield connection

    def shared_turns(self, rng: Random) -> "SharedTurns | None":
        """The turns that all processes on a server take together; None on a file, which has one process."""
        if self.dialect == "sqlite":
            return None
        from dogwatch.store.turns import SharedTurns

        return SharedTurns(self._engine, rng)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def about(self) -> tuple[str, str, int]:
        """The version of SQLite or of the server, the revision of our tables, and the bytes they take."""
        with self._read() as connection:
            revision = str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
            if self.dialect == "sqlite":
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
                size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
                return sqlite3.sqlite_version, revision, int(pages) * int(size)
            version = connection.exec_driver_sql("SHOW server_version").scalar_one()
            sizes = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r'"
            ours = f"{sizes} AND relnamespace = to_regnamespace(current_schema())"
            size = int(connection.exec_driver_sql(ours).scalar() or 0)
            return str(version).partition(" ")[0], revision, size

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """For those who copy the store: a transaction that sees it at one moment."""
        return self._read()

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """The same for those who fill it: all of it or nothing."""
        return self._write()

    def vacuum_into(self, target: Path) -> None:
        """Write a SQLite store as it is at this moment into a new file, without what is empty in it."""
        with translated(), self._engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.execute("VACUUM INTO ?", (str(target),))

    def compact(self) -> None:
        """Give back to the disk what was freed by forgetting. A file is written anew, for which nobody may
        read or write it; a server only tidies up."""
        with translated(), self._engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            if isinstance(raw, sqlite3.Connection):
                raw.execute("VACUUM")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            else:
                raw.autocommit = True
                raw.execute("VACUUM (ANALYZE)")
                raw.autocommit = False

    def rest(self) -> None:
        """Give back the memory that a round took: SQLite keeps every page that it touches until its cache is
        full, which for a watch of months means that it only grows. The system has them in its own cache."""
        with translated(), self._engine.connect() as connection:
            raw = connection.connection.driver_connection
            if isinstance(raw, sqlite3.Connection):
                raw.execute("PRAGMA shrink_memory")

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
        if self._step is not None:
            (number, kind, about), me = self._step
            steps = schema.steps
            mine = sa.and_(steps.c.round == number, steps.c.kind == kind, steps.c.about == about)
            row = connection.execute(sa.select(steps.c.holder, steps.c.state).where(mine)).one_or_none()
            if row is None or row.holder != me or row.state != "waiting":
                raise StoreError(
                    "another worker took over this step; its results are dropped",
                    "nothing is lost: the other worker does the same",
                )
