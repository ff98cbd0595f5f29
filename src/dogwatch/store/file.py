"""The SQLite file under the store: how it is opened, how transactions begin, and what its errors mean."""

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event

from dogwatch.errors import StoreError

_BUSY_SECONDS = 30
_TRIES = 30
_CACHE_KIB = 32 * 1024
"""Run ids are random, so a batch touches pages all over the index: those of a large store should stay."""
_PAGE = 8192
"""Bytes of a page of a new file; with SQLite's 4096 a batch of runs touches and writes twice as many."""
_PAGES_TO_MOVE = 4_000
"""Pages of the write-ahead log (32 MiB) that are moved into the file at once; a page that several batches
touched is moved once."""
_WRITES = "dogwatch_writes"


def engine_of(path: Path) -> sa.Engine:
    """The way to the file for readers; see ``writer_of``. Nothing is opened yet."""
    engine = sa.create_engine(f"sqlite:///{path}", hide_parameters=True)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _start)
    return engine


def writer_of(engine: sa.Engine) -> sa.Engine:
    """The same way for those who are going to write: their transactions take the file for themselves."""
    return engine.execution_options(**{_WRITES: True})


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Readers never wait for the writer (WAL), a busy file is waited for, and order survives a power cut."""
    connection.isolation_level = None  # transactions are begun by ``_start``, not by guesses of the driver
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    connection.execute(f"PRAGMA page_size = {_PAGE}")  # of a file that is there already it changes nothing
    _write_ahead(connection)
    connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_TO_MOVE}")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Change the file to WAL, once in its life. Where two do so at the same time, SQLite refuses instead of
    waiting (a reader becomes a writer there): then let the other one finish, and look again."""
    for tries_left in reversed(range(_TRIES)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not tries_left:
                raise
            connection.executescript("BEGIN EXCLUSIVE; COMMIT")  # this one waits
        else:
            return


def _start(connection: sa.Connection) -> None:
    """A writer takes its place in the queue at once; upgrading a reader later would fail instead of wait."""
    connection.exec_driver_sql(
        "BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN"
    )


def store_error(said: str) -> StoreError:
    """What SQLite complains of, and what to do about it."""
    hints = {
        "locked": "another process holds the store; wait for it or stop it",
        "full": "free some disk space; nothing that was recorded is lost",
        "disk I/O": "the disk is quite full, or failing (see df -h); nothing that was recorded is lost",
        "readonly": "the store file or its folder is not writable for this user",
        "unable to open": "the folder of `store` must exist and be writable for this user",
        "not a database": "the file at `store` is something else; choose another path",
        "malformed": "the file is damaged; restore a copy, or move it away and let dogwatch learn anew",
    }
    hint = next((hint for word, hint in hints.items() if word in said), "see --verbose for the details")
    return StoreError(f"the store failed: {said}", hint)
