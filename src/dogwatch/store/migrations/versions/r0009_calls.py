"""What other systems told us, and who keeps the watch."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Moment, Words

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the tables; rounds remember what they were about."""
    op.add_column("rounds", sa.Column("scope", Words))
    op.create_table(
        "calls",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("hook", Words, nullable=False),
        sa.Column("received_at", Moment, nullable=False),
        sa.Column("touches", sa.JSON, nullable=False),
        sa.Column("everything", sa.Boolean, nullable=False),
        sa.Column("says", Words, nullable=False),
        sa.Column("reply_to", Words, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("finished_at", Moment),
    )
    op.create_index("calls_by_key", "calls", ["key"], unique=True)
    op.create_index("calls_by_state", "calls", ["state", "number"])
    op.create_table(
        "pushed_alerts",
        sa.Column("key", Words, primary_key=True),
        sa.Column("began_at", Moment, nullable=False),
        sa.Column("ends_at", Moment),
        sa.Column("seen_at", Moment, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "watchers",
        sa.Column("name", Words, primary_key=True),
        sa.Column("holder", Words, nullable=False),
        sa.Column("began_at", Moment, nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        sa.Column("stopped_at", Moment),
        sa.Column("leads", sa.Boolean, nullable=False),
        sa.Column("next_at", Moment),
    )


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("this revision cannot be undone; restore a copy of the store file instead")
