"""One suite for a SQLite file and for a real PostgreSQL.

Stores that a test opened are closed after it: Python 3.13 says so when a database is left open.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from support.stores import BOTH, Where, place


@pytest.fixture(autouse=True)
def closed_stores() -> Iterator[None]:
    """Every engine that was used meanwhile lets go of its file."""
    engines: list[sa.Engine] = []

    def note(connection: sa.Connection) -> None:
        engines.append(connection.engine)

    event.listen(sa.Engine, "engine_connect", note)
    yield
    event.remove(sa.Engine, "engine_connect", note)
    for engine in engines:
        engine.dispose()


@pytest.fixture(params=BOTH)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    """Room for a new store: a path, or the address of a database."""
    return place(request, tmp_path)
