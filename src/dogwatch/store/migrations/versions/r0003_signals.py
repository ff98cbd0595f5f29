"""What was changed, and how high metrics usually are.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Moment, Words

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the tables."""
    op.create_table(
        "changes",
        sa.Column("uid", sa.String(16), primary_key=True),
        sa.Column("instance", Words, nullable=False),
        sa.Column("subject", Words, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("changes_by_time", "changes", ["at"])
    op.create_table(
        "levels",
        sa.Column("key", sa.String(16), primary_key=True),
        sa.Column("at", Moment, primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
    )
    op.create_index("levels_by_time", "levels", ["at"])


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("revisions cannot be undone; delete the store file instead")
