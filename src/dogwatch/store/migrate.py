"""Brings a store's tables up to this version; quick when nothing is to do, careful when something is."""

import sqlalchemy as sa

from dogwatch.errors import StoreError
from dogwatch.store import schema
from dogwatch.store.ways import make_room

HEAD = "0012"
"""The newest revision in ``migrations/versions`` (a test compares)."""


def migrate(engine: sa.Engine, writer: sa.Engine) -> None:
    """Run what is missing, in one transaction of ``writer``; a store that lacks nothing is only read.

    Raises StoreError for a store that a newer dogwatch made.
    """
    with engine.begin() as connection:
        found = _revision(connection)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise StoreError(
            f"the store was made by a newer dogwatch (schema {found}, this one knows {HEAD})",
            "upgrade dogwatch, or use another store",
        )
    with writer.begin() as connection:
        make_room(connection)
        found = _revision(connection)  # somebody may have been quicker
        if found is None and not sa.inspect(connection).get_table_names():
            build(connection)
        elif found != HEAD:
            upgrade(connection)


def build(connection: sa.Connection) -> None:
    """Make all tables of a new store as they are today; a test holds them against what ``upgrade`` builds."""
    schema.metadata.create_all(connection)
    version = sa.Column("version_num", sa.String(32), nullable=False)
    key = sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc")
    sa.Table("alembic_version", sa.MetaData(), version, key).create(connection)
    connection.execute(sa.text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def upgrade(connection: sa.Connection, revision: str = HEAD) -> None:
    """Run the migrations that this store lacks, all of them if it is empty, up to a revision."""
    from alembic import command  # takes 100 ms; only the first start after an upgrade pays it
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "dogwatch.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
