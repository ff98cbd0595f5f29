"""What timing says of jobs that nothing else explains."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Moment, Words

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "habits",
        sa.Column("downstream", Words, primary_key=True),
        sa.Column("looked_at", Moment, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("this revision cannot be undone; restore a copy of the store file instead")
