"""The PostgreSQL server under the store: how it is reached, how transactions begin, and what its errors mean.

Who writes takes the store for itself (an advisory lock that ends with the transaction), as with a file: what
is read before writing is still so when it is written. Who reads sees one moment, and waits for nobody.

The driver is psycopg 3: it is sync, as the store is; the engine for many machines (Procrastinate) needs it
anyway; and it stands behind an extra, unchanged, which is what its licence (LGPL) asks for.
"""

import json
import os
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

from dogwatch.errors import StoreError
from dogwatch.store import schema
from dogwatch.store.fit import fit_json

if TYPE_CHECKING:
    from dogwatch.store.line import Line

SCHEMA = "dogwatch"
"""Where the store's tables are, so that they meet no others in the database."""
_LOCK = 0x646F67776174
"""The advisory lock of those who write; locks are kept apart by database."""
_WRITES = "dogwatch_writes"
_CONNECT_SECONDS = 10
_LOST_MS = 20_000
"""What was sent and not confirmed for so long was cut off."""
_ALIVE = (10, 5, 3)
"""Seconds of silence before TCP asks whether the other side is there, between questions, and how many."""
_IDLE_MS = 30_000
"""Who is silent for so long in the midst of a transaction (a stopped process) is thrown out by the server."""
_WAIT_MS = 45_000
"""So long a writer waits for another one: longer than one that hangs may stay."""


def engine_of(address: str, password: str = "") -> sa.Engine:
    """The way to the database at ``postgresql://user@host:port/database``; see ``reader_of``, ``writer_of``.

    Nothing is opened yet. Raises StoreError if the driver is not installed.
    """
    url = sa.make_url(address).set(drivername="postgresql+psycopg")
    if password:
        url = url.set(password=password)
    idle, interval, count = _ALIVE
    try:
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            json_serializer=_json,
            connect_args={
                "connect_timeout": _CONNECT_SECONDS,
                "keepalives_idle": idle,
                "keepalives_interval": interval,
                "keepalives_count": count,
                "tcp_user_timeout": _LOST_MS,
                "application_name": f"dogwatch pid {os.getpid()}",
            },
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            "a store on PostgreSQL needs its driver", 'pip install "dogwatch[postgres]"'
        ) from error
    from dogwatch.store.line import line  # needs the driver

    def connect(_dialect: object, _record: object, _args: object, means: dict[str, Any]) -> "Line":
        return line(**means)

    event.listen(engine, "do_connect", connect)
    for index in schema.runs.indexes:
        if index.name in schema.SMALL:
            index.dialect_options["postgresql"]["where"] = schema.SMALL[str(index.name)]
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _start)
    return engine


def reader_of(engine: sa.Engine) -> sa.Engine:
    """The same way for those who only read: each of their transactions sees the store at one moment."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def writer_of(engine: sa.Engine) -> sa.Engine:
    """The same way for those who are going to write: their transactions take the store for themselves."""
    return engine.execution_options(**{_WRITES: True})


def _prepare(connection: "Line", _record: object) -> None:
    """Our tables, our clock, and nobody waits for ever, the server for us neither."""
    before, connection.autocommit = connection.autocommit, True
    idle, interval, count = _ALIVE
    connection.execute(
        f"SET search_path TO {SCHEMA}; SET TIME ZONE 'UTC'; SET lock_timeout = {_WAIT_MS};"
        f" SET idle_in_transaction_session_timeout = {_IDLE_MS}; SET tcp_user_timeout = {_LOST_MS};"
        f" SET tcp_keepalives_idle = {idle}; SET tcp_keepalives_interval = {interval};"
        f" SET tcp_keepalives_count = {count}".encode()
    )
    backend = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.backend = 0 if backend is None else int(backend[0])
    connection.autocommit = before


def _start(connection: sa.Connection) -> None:
    """A writer takes its place in the queue before it looks at anything."""
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def make_room(connection: sa.Connection) -> None:
    """Make the schema of the store if it is not there yet."""
    if connection.exec_driver_sql(f"SELECT to_regnamespace('{SCHEMA}')").scalar() is None:
        connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")


def _json(value: Any) -> str:
    return fit_json(json.dumps(value))


def store_error(error: BaseException, said: str) -> StoreError:
    """What went wrong and what to do about it; ``said`` is the server's or the driver's text."""
    code = str(getattr(error, "sqlstate", None) or "")
    first = next((line.strip() for line in said.splitlines() if line.strip()), "no reason given")
    hint = next((hint for known, hint in _BY_CODE.items() if code.startswith(known)), "")
    if not code:
        hint = next(hint for words, hint in _BY_WORDS.items() if words in said)
    return StoreError(f"the store failed: {first[:400]}", hint or "see --verbose for the details")


_LATER = (
    "nothing that was recorded is lost; the next round goes on. Is the server up, and the network between?"
)
_LOGIN = "`store` names the user; the password belongs into DOGWATCH_STORE_PASSWORD"
_BY_CODE = {
    "28": _LOGIN,
    "3D000": "make the database that `store` names (createdb), or correct the name",
    "42P01": "tables of the store are gone: somebody removed them, or this is another database",
    "42501": f"as the owner of the database: CREATE SCHEMA {SCHEMA} AUTHORIZATION <the user in `store`>",
    "53100": "the server's disk is full: free some space; nothing that was recorded is lost",
    "53300": "the server has no connection left: raise its max_connections, or run fewer workers",
    "55P03": "another process has been writing for too long; `SELECT * FROM pg_stat_activity` shows which",
    "25006": "`store` points to a read-only server (a standby); name the primary",
    "57P": _LATER,
    "08": _LATER,
    "25P03": "this process was silent for too long while it wrote (stopped, or asleep); run it again",
}
"""By the beginning of SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""
_BY_WORDS = {
    "password authentication failed": _LOGIN,
    "no password supplied": _LOGIN,
    "no pg_hba.conf entry": "the server does not let this user in from here: see its pg_hba.conf",
    "resolve host": "the host in `store` is not known: correct it",
    "does not exist": "make the database or the user that `store` names, or correct the name",
    "too many": "the server has no connection left: raise its max_connections, or run fewer workers",
    "SSL": "see sslmode: postgresql://…?sslmode=require",
    "": _LATER,
}
"""What has no SQLSTATE: libpq's own words when it cannot connect."""
