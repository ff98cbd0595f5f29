"""The tables, as SQLAlchemy knows them; the migrations build the same ones (a test compares)."""

import sqlalchemy as sa
from sqlalchemy import event

from dogwatch.store.columns import Count as Count
from dogwatch.store.columns import Moment as Moment
from dogwatch.store.columns import Words as Words

metadata = sa.MetaData()

OPEN = sa.text("terminal = 0")
UNWELL = sa.text("status != 'success'")
REPAIRED = sa.text("attempt > 1")
"""What the small indexes hold. Databases use them only for queries that say it in the same words."""
SMALL = {"runs_open": OPEN, "runs_unwell": UNWELL, "runs_repaired": REPAIRED}
"""By index. ``server`` tells SQLAlchemy: its word for PostgreSQL here would load all that belongs to it."""

runs = sa.Table(
    "runs",
    metadata,
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
    # What ``Run.began_at`` and ``Run.version`` say, as columns so that SQL can order and compare by them.
    sa.Column("began_at", Moment, nullable=False),
    sa.Column("version_at", Moment, nullable=False),
    sa.Column("terminal", sa.Integer, nullable=False),
    # The number of the round that last learned something new of it; 0 for what no round recorded.
    sa.Column("changed_in", sa.Integer, nullable=False),
    sa.Index("runs_by_job", "instance", "job_id", "began_at"),
    sa.Index("runs_by_time", "began_at"),
    sa.Index("runs_open", "instance", "job_id", sqlite_where=OPEN),
    sa.Index("runs_unwell", "instance", "job_id", "began_at", "status", sqlite_where=UNWELL),
    sa.Index("runs_repaired", "instance", "began_at", sqlite_where=REPAIRED),
    sa.Index("runs_changed", "changed_in"),
)

job_versions = sa.Table(
    "job_versions",
    metadata,
    sa.Column("instance", Words, primary_key=True),
    sa.Column("job_id", Words, primary_key=True),
    sa.Column("valid_from", Moment, primary_key=True),
    sa.Column("valid_to", Moment),
    sa.Column("digest", sa.String(16), nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Index("jobs_now", "instance", "valid_to"),
)

sources = sa.Table(
    "sources",
    metadata,
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
    sa.Column("resume", Words),
)

expectations = sa.Table(
    "expectations",
    metadata,
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
    sa.Index("expectations_by_time", "scheduled_for"),
)

looks = sa.Table(
    "looks",
    metadata,
    sa.Column("instance", Words, primary_key=True),
    sa.Column("job_id", Words, primary_key=True),
    # When somebody has to look whether a run came; the slot is the next one that is due.
    sa.Column("at", Moment, nullable=False),
    sa.Column("slot", Moment),
    sa.Index("looks_by_time", "at"),
)

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("fingerprint", sa.String(16), primary_key=True),
    sa.Column("rule", Words, nullable=False),
    sa.Column("subject", Words, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("first_seen", Moment, nullable=False),
    sa.Column("last_seen", Moment, nullable=False),
    sa.Column("cleared_at", Moment),
    sa.Index("findings_open", "cleared_at"),
)

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("subject", Words, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)

rounds = sa.Table(
    "rounds",
    metadata,
    sa.Column("id", Count, primary_key=True, autoincrement=True),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("exit_code", sa.Integer),
    sa.Column("body", sa.JSON, nullable=False),
    # The instances that it asked, with commas between them; null for a round of everything.
    sa.Column("scope", Words),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", Words, primary_key=True),
    sa.Column("holder", Words, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
)

outbox = sa.Table(
    "outbox",
    metadata,
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
    # Who is sending it, and until when that counts; after that the attempt is doubtful.
    sa.Column("holder", Words, nullable=False),
    sa.Column("held_until", Moment),
    sa.Index("outbox_keys", "key", unique=True),
    sa.Index("outbox_by_thread", "destination", "thread", "id"),
    sa.Index("outbox_by_state", "state", "destination", "id"),
    sa.Index("outbox_by_time", "destination", "created_at"),
)

# What other systems told us: an event is a row before they are answered.
calls = sa.Table(
    "calls",
    metadata,
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
    sa.Index("calls_by_key", "key", unique=True),
    sa.Index("calls_by_state", "state", "number"),
)

pushed_alerts = sa.Table(
    "pushed_alerts",
    metadata,
    sa.Column("key", Words, primary_key=True),
    sa.Column("began_at", Moment, nullable=False),
    sa.Column("ends_at", Moment),
    # When it was told last; an alert that nobody repeats is over.
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)

watchers = sa.Table(
    "watchers",
    metadata,
    sa.Column("name", Words, primary_key=True),
    sa.Column("holder", Words, nullable=False),
    sa.Column("began_at", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("stopped_at", Moment),
    sa.Column("leads", sa.Boolean, nullable=False),
    sa.Column("next_at", Moment),
)

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), primary_key=True),
    # The connector or the incident that it is about, or nothing.
    sa.Column("about", Words, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("holder", Words, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("began_at", Moment),
    sa.Column("ended_at", Moment),
    sa.Column("body", sa.JSON),
    sa.Index("steps_by_state", "state"),
)

# Who may have a request to a platform under way; place -1 is that of who is in a hurry.
turns = sa.Table(
    "turns",
    metadata,
    sa.Column("platform", Words, primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("holder", Words, nullable=False),
    # By the server's clock.
    sa.Column("until", Moment, nullable=False),
)

# When the next request to a platform may start, by its rate.
paces = sa.Table(
    "paces",
    metadata,
    sa.Column("platform", Words, primary_key=True),
    sa.Column("next_at", Moment, nullable=False),
    sa.Column("paused_until", Moment),
)

reaches = sa.Table(
    "reaches",
    metadata,
    sa.Column("destination", Words, primary_key=True),
    sa.Column("dead_since", Moment),
    sa.Column("failing_since", Moment),
    sa.Column("reason", Words, nullable=False),
    sa.Column("hint", Words, nullable=False),
    sa.Column("last_sent_at", Moment),
)

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("uid", sa.String(16), primary_key=True),
    sa.Column("instance", Words, nullable=False),
    sa.Column("subject", Words, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Index("changes_by_time", "at"),
)

levels = sa.Table(
    "levels",
    metadata,
    # ``MetricSeries.key``, and the hour of which this is the median.
    sa.Column("key", sa.String(16), primary_key=True),
    sa.Column("at", Moment, primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
    sa.Index("levels_by_time", "at"),
)

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("culprit", Words, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("resolved_at", Moment),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Index("incidents_by_state", "state", "resolved_at"),
)

incident_turns = sa.Table(
    "incident_turns",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("actor", Words, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("was", sa.String(16)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("why", Words, nullable=False),
    # The incident as it was from then on.
    sa.Column("body", sa.JSON, nullable=False),
)

incident_findings = sa.Table(
    "incident_findings",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", sa.String(16), primary_key=True),
    sa.Column("subject", Words, nullable=False),
    # A copy: the same trouble may come again and be another incident.
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("cleared_at", Moment),
)

# Evidence that an incident cites or ever cited. It is never thrown away.
citations = sa.Table(
    "citations",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("evidence", sa.String(16), primary_key=True),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("seq", Count, primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("actor", Words, nullable=False),
    sa.Column("kind", Words, nullable=False),
    sa.Column("subject", Words, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("events_by_subject", "subject", "seq"),
)
# The record is append-only, whoever opens the store with whatever program.
APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER events_no_{verb.lower()} BEFORE {verb} ON events"
        " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        """CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN RAISE EXCEPTION ''events are append-only''; END'""",
        """CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
        EXECUTE FUNCTION events_append_only()""",
    ],
}
for _dialect, _statements in APPEND_ONLY.items():
    for _statement in _statements:
        _refusal = sa.DDL(_statement)  # type: ignore[no-untyped-call]  # SQLAlchemy left the types out
        event.listen(events, "after_create", _refusal.execute_if(dialect=_dialect))

actions = sa.Table(
    "actions",
    metadata,
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
    sa.Index("actions_by_id", "id", unique=True),
    sa.Index("actions_by_digest", "digest", "number"),
    sa.Index("actions_by_state", "state", "number"),
    sa.Index("actions_by_incident", "incident", "number"),
)

switches = sa.Table(
    "switches",
    metadata,
    sa.Column("name", Words, primary_key=True),
    sa.Column("by", Words, nullable=False),
    sa.Column("at", Moment, nullable=False),
)

# The jobs that no clock and no known job starts, and after which other job each begins.
habits = sa.Table(
    "habits",
    metadata,
    sa.Column("downstream", Words, primary_key=True),
    sa.Column("looked_at", Moment, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)

# How far the log of a connector was read, and what is remembered of it: both change in one transaction.
log_cursors = sa.Table(
    "log_cursors",
    metadata,
    sa.Column("instance", Words, primary_key=True),
    # Where the connector goes on, in its own words.
    sa.Column("cursor", Words, nullable=False),
    sa.Column("read_until", Moment),
    # Lines counted so far.
    sa.Column("lines", Count, nullable=False),
)

log_books = sa.Table(
    "log_books",
    metadata,
    sa.Column("instance", Words, primary_key=True),
    sa.Column("component", Words, primary_key=True),
    # Packed JSON.
    sa.Column("body", sa.LargeBinary, nullable=False),
)

# Who may come in by web. Of tokens and cookies only their SHA-256, in hex, is kept.
tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("secret", sa.String(64), nullable=False),
    sa.Column("name", Words, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("made_by", Words, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("revoked_at", Moment),
    sa.Index("tokens_by_secret", "secret", unique=True),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("cookie", sa.String(64), primary_key=True),
    sa.Column("token", sa.String(16), nullable=False),
    sa.Column("name", Words, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Index("sessions_by_token", "token"),
)
