"""The outbox: what has to leave the house, and how well its destinations can be reached."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Count, Moment, Words

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "outbox",
        sa.Column("id", Count, primary_key=True, autoincrement=True),
        sa.Column("kind", Words, nullable=False),
        sa.Column("destination", Words, nullable=False),
        sa.Column("key", Words, nullable=False),
        sa.Column("thread", Words, nullable=False),
        sa.Column("tag", Words, nullable=False),
        sa.Column("mark", Words, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("doubtful", sa.Boolean, nullable=False),
        sa.Column("doubled", sa.Boolean, nullable=False),
        sa.Column("next_at", Moment, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("finished_at", Moment),
        sa.Column("landed", Words, nullable=False),
        sa.Column("error", Words, nullable=False),
        sa.Column("holder", Words, nullable=False),
        sa.Column("held_until", Moment),
    )
    op.create_index("outbox_keys", "outbox", ["key"], unique=True)
    op.create_index("outbox_by_thread", "outbox", ["destination", "thread", "id"])
    op.create_index("outbox_by_state", "outbox", ["state", "destination", "id"])
    op.create_index("outbox_by_time", "outbox", ["destination", "created_at"])
    op.create_table(
        "reaches",
        sa.Column("destination", Words, primary_key=True),
        sa.Column("dead_since", Moment),
        sa.Column("failing_since", Moment),
        sa.Column("reason", Words, nullable=False),
        sa.Column("hint", Words, nullable=False),
        sa.Column("last_sent_at", Moment),
    )


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("this revision cannot be undone; restore a copy of the store file instead")
