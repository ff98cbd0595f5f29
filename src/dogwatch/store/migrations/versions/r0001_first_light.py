"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

from dogwatch.store.schema import Count, Moment, Words

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make everything."""
    op.create_table(
        "runs",
        sa.Column("uid", sa.String(36), primary_key=True),
        sa.Column("platform", Words, nullable=False),
        sa.Column("instance", Words, nullable=False),
        sa.Column("job_id", Words, nullable=False),
        sa.Column("job_name", Words, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("native_run_id", Words, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("parent_uid", sa.String(36)),
        sa.Column("trigger", Words, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("native_status", Words, nullable=False),
        sa.Column("scheduled_for", Moment),
        sa.Column("queued_at", Moment),
        sa.Column("started_at", Moment),
        sa.Column("ended_at", Moment),
        sa.Column("updated_at", Moment),
        sa.Column("error_message", Words),
        sa.Column("metrics", sa.JSON, nullable=False),
        sa.Column("url", Words),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("observed_at", Moment, nullable=False),
        sa.Column("began_at", Moment, nullable=False),
        sa.Column("version_at", Moment, nullable=False),
        sa.Column("terminal", sa.Integer, nullable=False),
        sa.Column("changed_in", sa.Integer, nullable=False),
    )
    op.create_index("runs_changed", "runs", ["changed_in"])
    op.create_index("runs_by_job", "runs", ["instance", "job_id", "began_at"])
    op.create_index("runs_by_time", "runs", ["began_at"])
    for name, columns, where in (
        ("runs_open", ["instance", "job_id"], "terminal = 0"),
        ("runs_unwell", ["instance", "job_id", "began_at", "status"], "status != 'success'"),
        ("runs_repaired", ["instance", "began_at"], "attempt > 1"),
    ):
        op.create_index(name, "runs", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_table(
        "job_versions",
        sa.Column("instance", Words, primary_key=True),
        sa.Column("job_id", Words, primary_key=True),
        sa.Column("valid_from", Moment, primary_key=True),
        sa.Column("valid_to", Moment),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("jobs_now", "job_versions", ["instance", "valid_to"])
    op.create_table(
        "sources",
        sa.Column("instance", Words, primary_key=True),
        sa.Column("platform", Words, nullable=False),
        sa.Column("first_read_at", Moment),
        sa.Column("read_until", Moment),
        sa.Column("watermark", Moment),
        sa.Column("blind_since", Moment),
        sa.Column("blind_reason", Words, nullable=False),
        sa.Column("blind_hint", Words, nullable=False),
        sa.Column("skew_seconds", sa.Float),
        sa.Column("caveats", sa.JSON, nullable=False),
        sa.Column("judged_until", Moment),
    )
    op.create_table(
        "expectations",
        sa.Column("instance", Words, primary_key=True),
        sa.Column("job_id", Words, primary_key=True),
        sa.Column("scheduled_for", Moment, primary_key=True),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("not_before", Moment, nullable=False),
        sa.Column("start_by", Moment, nullable=False),
        sa.Column("finish_by", Moment),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("run_uid", sa.String(36)),
        sa.Column("reason", Words, nullable=False),
        sa.Column("told", sa.Integer, nullable=False),
    )
    op.create_index("expectations_by_time", "expectations", ["scheduled_for"])
    op.create_table(
        "looks",
        sa.Column("instance", Words, primary_key=True),
        sa.Column("job_id", Words, primary_key=True),
        sa.Column("at", Moment, nullable=False),
        sa.Column("slot", Moment),
    )
    op.create_index("looks_by_time", "looks", ["at"])
    op.create_table(
        "findings",
        sa.Column("fingerprint", sa.String(16), primary_key=True),
        sa.Column("rule", Words, nullable=False),
        sa.Column("subject", Words, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("first_seen", Moment, nullable=False),
        sa.Column("last_seen", Moment, nullable=False),
        sa.Column("cleared_at", Moment),
    )
    op.create_index("findings_open", "findings", ["cleared_at"])
    op.create_table(
        "evidence",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("subject", Words, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "rounds",
        sa.Column("id", Count, primary_key=True, autoincrement=True),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("ended_at", Moment),
        sa.Column("exit_code", sa.Integer),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", Words, primary_key=True),
        sa.Column("holder", Words, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
    )


def downgrade() -> None:
    """Dropping what was remembered is never offered."""
    raise RuntimeError("the first revision cannot be undone; delete the store file instead")
