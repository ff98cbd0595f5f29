"""What is remembered of logs."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Count, Moment, Words

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "log_cursors",
        sa.Column("instance", Words, primary_key=True),
        sa.Column("cursor", Words, nullable=False),
        sa.Column("read_until", Moment),
        sa.Column("lines", Count, nullable=False),
    )
    op.create_table(
        "log_books",
        sa.Column("instance", Words, primary_key=True),
        sa.Column("component", Words, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("this revision cannot be undone; restore a copy of the store file instead")
