"""Actions with their consent, and the switch that stops everything."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Moment, Words

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "actions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("incident", sa.Integer, nullable=False),
        sa.Column("target", Words, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("proposed_at", Moment, nullable=False),
        sa.Column("began_at", Moment),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("actions_by_id", "actions", ["id"], unique=True)
    op.create_index("actions_by_digest", "actions", ["digest", "number"])
    op.create_index("actions_by_state", "actions", ["state", "number"])
    op.create_index("actions_by_incident", "actions", ["incident", "number"])
    op.create_table(
        "switches",
        sa.Column("name", Words, primary_key=True),
        sa.Column("by", Words, nullable=False),
        sa.Column("at", Moment, nullable=False),
    )


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("this revision cannot be undone; restore a copy of the store file instead")
