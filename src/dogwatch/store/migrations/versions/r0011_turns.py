"""Turns that all processes on one store take together."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Moment, Words

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "turns",
        sa.Column("platform", Words, primary_key=True),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("holder", Words, nullable=False),
        sa.Column("until", Moment, nullable=False),
    )
    op.create_table(
        "paces",
        sa.Column("platform", Words, primary_key=True),
        sa.Column("next_at", Moment, nullable=False),
        sa.Column("paused_until", Moment),
    )


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("this revision cannot be undone; restore a copy of the store file instead")
