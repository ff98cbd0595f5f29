"""The steps of rounds that a team makes."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Moment, Words

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "steps",
        sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("about", Words, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("holder", Words, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("began_at", Moment),
        sa.Column("ended_at", Moment),
        sa.Column("body", sa.JSON),
    )
    op.create_index("steps_by_state", "steps", ["state"])


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("this revision cannot be undone; restore a copy of the store file instead")
