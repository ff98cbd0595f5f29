"""Both kinds of store for one suite, and other programs that lay hands on them."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from dogwatch.store import Store, open_store, schema
from dogwatch.store.incidents import Casebook
from dogwatch.store.ways import engine_of, is_address
from support.cast import NOON
from support.incidents import Told, Watch

if TYPE_CHECKING:
    from support.postgres import Postgres

Where: TypeAlias = Path | str
"""A file's path, or a database's address."""

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.real)]
"""What a fixture ``where`` is parametrized with."""


def place(request: pytest.FixtureRequest, folder: Path) -> Where:
    """Room for an empty store of the kind that the fixture's parameter names."""
    if request.param == "sqlite":
        return folder / "dogwatch.db"
    server: Postgres = request.getfixturevalue("postgres")
    return _emptied(server)


def ends(store: Store, watch: Watch, minute: float, *found: Told) -> Casebook:
    """A round at that minute ends, having found this."""
    """A round that finds this, to its end."""
    after = watch.correlate(minute, found)
    bodies = {key: (finding, watch.cleared.get(key)) for key, finding in watch.findings.items()}
    parts = {one.number: [bodies[key] for key in one.findings] for one in after.changed}
    book = Casebook(after.changed, after.turns, parts, tuple(after.evidence.values()))
    now = NOON + timedelta(minutes=minute)
    store.end_round(
        store.start_round(now),
        now,
        ended_at=now,
        exit_code=1,
        body={},
        findings=[one.finding for one in found],
        evidence=[one.evidence for one in found],
        casebook=book,
    )
    return book


def meddle(where: Where, *statements: str) -> None:
    """What another program does in a store, without asking dogwatch. Raises SQLAlchemy's DBAPIError."""
    engine = engine_of(where)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


def unguard(where: Where) -> None:
    """Somebody takes away what keeps the record from being edited."""
    if is_address(where):
        meddle(where, "ALTER TABLE events DISABLE TRIGGER USER")
    else:
        meddle(where, "DROP TRIGGER events_no_update", "DROP TRIGGER events_no_delete")


_made: dict[int, str] = {}


def _emptied(server: "Postgres") -> str:
    """The server's one database for this suite, with the tables of an empty store: quicker than a new one."""
    if server.port not in _made:
        address = server.fresh()
        open_store(address).close()
        _made[server.port] = address
    address = _made[server.port]
    tables = ", ".join(table for table in schema.metadata.tables)
    meddle(
        address,
        "ALTER TABLE events DISABLE TRIGGER USER",
        f"TRUNCATE {tables} RESTART IDENTITY",
        "ALTER TABLE events ENABLE TRIGGER USER",
    )
    return address
