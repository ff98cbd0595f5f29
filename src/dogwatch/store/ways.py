"""The way to the database, a SQLite file or a PostgreSQL server, and what its errors mean."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dogwatch.errors import StoreError
from dogwatch.store import file
from dogwatch.store.dialects import SQLITE


def engine_of(where: Path | str, password: str = "") -> sa.Engine:
    """The way to the file at a path, or to the database at an address (``postgresql://…``).

    Raises StoreError if the driver for it is not installed.
    """
    if is_address(where):
        from dogwatch.store import server  # and with it what only a server needs

        return server.engine_of(str(where), password)
    return file.engine_of(Path(where))


def is_address(where: Path | str) -> bool:
    """Whether this is a server's address, and no path."""
    return isinstance(where, str) and where.startswith(("postgresql://", "postgres://"))


def reader_of(engine: sa.Engine) -> sa.Engine:
    """The same way for those who only read: they wait for nobody."""
    if engine.dialect.name == SQLITE:
        return engine
    from dogwatch.store import server

    return server.reader_of(engine)


def writer_of(engine: sa.Engine) -> sa.Engine:
    """The same way for those who are going to write: of them one at a time does."""
    if engine.dialect.name == SQLITE:
        return file.writer_of(engine)
    from dogwatch.store import server

    return server.writer_of(engine)


def make_room(connection: sa.Connection) -> None:
    """What has to be there before tables are made."""
    if connection.dialect.name != SQLITE:
        from dogwatch.store import server

        server.make_room(connection)


@contextmanager
def translated() -> Generator[None]:
    """Within it, errors of the database and of the file become StoreError, with what to do about them."""
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig)
        if type(error.orig).__module__.partition(".")[0] == "sqlite3":
            raise file.store_error(said) from error
        from dogwatch.store import server

        raise server.store_error(error.orig or error, said) from error
    except sqlite3.Error as error:
        raise file.store_error(str(error)) from error
    except PoolTimeout as error:
        raise StoreError("the store has no connection left", "another part holds all of them") from error
    except OSError as error:
        raise StoreError(
            f"cannot use the store: {error.strerror or error}", "check the path `store`"
        ) from error
