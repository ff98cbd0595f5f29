"""Tokens and browser sessions."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Moment, Words

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("made_by", Words, nullable=False),
        sa.Column("expires_at", Moment),
        sa.Column("revoked_at", Moment),
    )
    op.create_index("tokens_by_secret", "tokens", ["secret"], unique=True)
    op.create_table(
        "sessions",
        sa.Column("cookie", sa.String(64), primary_key=True),
        sa.Column("token", sa.String(16), nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
    )
    op.create_index("sessions_by_token", "sessions", ["token"])


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("this revision cannot be undone; restore a copy of the store file instead")
