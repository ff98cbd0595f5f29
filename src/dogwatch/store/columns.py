"""Types of columns that SQLite and PostgreSQL hold differently."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from dogwatch.store.fit import fit_text


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware instant: ISO 8601 text of fixed width in UTC on SQLite, sortable; else timestamptz."""

    impl = sa.String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[str]:
        """Text on SQLite, the real type where there is one."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(32))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """To the database."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return None if value is None else value.astimezone(UTC)


class Words(sa.types.TypeDecorator[str]):
    """Text as platforms and people write it. In PostgreSQL it is ordered by code points, as SQLite and Python
    do, whatever the database's own order is; and what it cannot hold is replaced."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """The same type with an order of its own where there is one."""
        plain = dialect.name == "sqlite"
        return dialect.type_descriptor(sa.Text() if plain else sa.Text(collation="C"))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else fit_text(value)

    def bind_processor(self, dialect: Dialect) -> Any:
        """SQLite takes text as it is; asking for each value would slow a round down."""
        return None if dialect.name == "sqlite" else super().bind_processor(dialect)


Count = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""A number that grows for years; SQLite's integers are as long as they have to be."""
