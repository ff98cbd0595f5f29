"""Stores that a test opened are closed after it: Python 3.13 says so when a database is left open."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import event


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
