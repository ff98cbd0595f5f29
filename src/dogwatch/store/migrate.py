"""Brings a store's tables up to this version; quick when nothing is to do, careful when something is."""

import sqlalchemy as sa

from dogwatch.errors import StoreError

HEAD = "0007"
"""The newest revision in ``migrations/versions`` (a test compares)."""


def migrate(engine: sa.Engine, writer: sa.Engine) -> None:
    """Run what is missing, in one transaction of ``writer``; a store that lacks nothing is only read.

    Raises StoreError for a store that a newer dogwatch made.
    """
    with engine.connect() as connection:
        found = _revision(connection)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise StoreError(
            f"the store was made by a newer dogwatch (schema {found}, this one knows {HEAD})",
            "upgrade dogwatch, or use another store",
        )
    # Alembic costs 100 ms of import; only the first start after an upgrade pays it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "dogwatch.store:migrations")
    with writer.begin() as connection:
        if _revision(connection) == HEAD:
            return
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
