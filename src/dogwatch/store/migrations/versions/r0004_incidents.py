"""Incidents, every state they were in, what they rest on, and the record of what was decided and done."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import APPEND_ONLY, Count, Moment, Words

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "incidents",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("culprit", Words, nullable=False),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("resolved_at", Moment),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("incidents_by_state", "incidents", ["state", "resolved_at"])
    op.create_table(
        "incident_turns",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("actor", Words, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("was", sa.String(16)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("why", Words, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "incident_findings",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("fingerprint", sa.String(16), primary_key=True),
        sa.Column("subject", Words, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("cleared_at", Moment),
    )
    op.create_table(
        "citations",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("evidence", sa.String(16), primary_key=True),
    )
    op.create_table(
        "events",
        sa.Column("seq", Count, primary_key=True, autoincrement=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("actor", Words, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("subject", Words, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("events_by_subject", "events", ["subject", "seq"])
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("what was decided and done is never dropped; restore a copy of the store file instead")
