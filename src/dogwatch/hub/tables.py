"""The tables of a hub, whatever database holds them: names, columns, what each means, which copy is newer.

``JOB_STATUS`` begins with the columns of a job status record as audit tables know it; ours follow. Every
table has ``uid`` as its key, which is the same whoever writes the row, so that writing it again changes
nothing.
"""

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 1
"""Of the tables below; a hub that was made for another one is not written to."""

Kind = Literal["text", "int", "time", "flag", "json"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    kind: Kind
    about: str
    compared: bool = True
    """Whether it counts when a hub is compared with the store: what is told anew without a change does not,
    and JSON has no one way to be written."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table. Its first column is its key."""

    name: str
    about: str
    columns: tuple[Column, ...]
    newer: tuple[str, ...]
    """Columns that grow with every state of a row: of two states the greater wins, of equals the later."""

    @property
    def compared(self) -> tuple[Column, ...]:
        """The columns that count in a comparison."""
        return tuple(column for column in self.columns if column.compared and column.kind != "json")


JOB_STATUS = Table(
    "JOB_STATUS",
    "One row for each attempt of each run",
    (
        Column("uid", "text", "UUID of platform, instance, job, run and attempt"),
        Column("job_id", "text", "The platform's own id of the job"),
        Column("platform", "text", "Kind of platform, such as airbyte"),
        Column("job_name", "text", "Name for people"),
        Column(
            "status",
            "text",
            "pending, running, success, warned, failed, cancelled, skipped, timed_out or unknown",
        ),
        Column("last_run_time", "time", "When the attempt began; its queueing or nominal time before that"),
        Column("duration_seconds", "int", "How long it took; null while it runs"),
        Column("error_message", "text", "Why it failed, in the platform's words"),
        Column("metadata", "json", "What else the platform says of it"),
        Column("checked_at", "time", "When dogwatch read this state", compared=False),
        Column("instance", "text", "Name of the connector in dogwatch.yaml"),
        Column("kind", "text", "The platform's word for the sort of job"),
        Column("native_run_id", "text", "The platform's own id of the run"),
        Column("attempt", "int", "1 for the first"),
        Column("parent_uid", "text", "The run that this one is a part or a retry of"),
        Column("triggered_by", "text", "What started it, in the platform's word"),
        Column("native_status", "text", "The platform's word for the state"),
        Column("scheduled_for", "time", "Nominal time, if the platform tells one"),
        Column("queued_at", "time", "When it was queued"),
        Column("started_at", "time", "When it began to work"),
        Column("ended_at", "time", "When it was over"),
        Column("url", "text", "Where a person can look at it"),
        Column("metrics", "json", "Numbers of the run: rows, bytes, retries"),
        Column("changed_at", "time", "The platform's time of this state"),
        Column("is_final", "flag", "Whether the run was over in this state"),
    ),
    ("changed_at", "is_final"),
)

HEALTH_ASSESSMENTS = Table(
    "HEALTH_ASSESSMENTS",
    "How well everything, each platform and each pipeline was, once for each round",
    (
        Column("uid", "text", "UUID of the round and the scope"),
        Column("round_uid", "text", "The round that judged"),
        Column("kind", "text", "all, platform or pipeline"),
        Column("scope", "text", "Name of the platform or pipeline, or all"),
        Column("overall_health", "text", "healthy, degraded, unhealthy or unknown"),
        Column("summary", "text", "One sentence with the numbers it rests on"),
        Column("risk_level", "text", "LOW, MEDIUM, HIGH or CRITICAL"),
        Column("recommendations", "json", "What to do, worst first"),
        Column("requires_notification", "flag", "Whether somebody should hear of it"),
        Column("notification_priority", "text", "low, normal, high or urgent"),
        Column("findings", "json", "Fingerprints of the findings it rests on"),
        Column("assessed_at", "time", "Time of the round"),
    ),
    ("assessed_at",),
)

INCIDENTS = Table(
    "INCIDENTS",
    "One row for each incident, as it stands",
    (
        Column("uid", "text", "UUID of what makes it this incident and when it was opened"),
        Column("name", "text", "How people call it, such as INC-7"),
        Column("state", "text", "open, acknowledged, mitigated, resolved or merged"),
        Column("severity", "text", "INFO, WARNING, ERROR or CRITICAL"),
        Column("title", "text", "One sentence"),
        Column("culprit", "text", "Job, component or platform where it began"),
        Column("culprit_name", "text", "The same for people"),
        Column("cause", "text", "The likeliest cause"),
        Column("cause_class", "text", "Its class, such as auth_permission"),
        Column("confidence", "text", "confirmed, likely or inconclusive"),
        Column("affected", "int", "Jobs that are hit beside the culprit"),
        Column("pipelines", "json", "Declared pipelines that it touches"),
        Column("opened_at", "time", "The round that saw it first"),
        Column("began_at", "time", "When the trouble itself began"),
        Column("updated_at", "time", "When it last changed"),
        Column("resolved_at", "time", "When it was over"),
        Column("acknowledged_by", "text", "Who took it on"),
        Column("muted", "text", "Why nobody is told of it; empty if they are"),
        Column("reopened", "int", "How often it came back"),
        Column("version", "int", "Counts its states"),
        Column("body", "json", "All of it, with what it cites"),
    ),
    ("version",),
)

ROUNDS = Table(
    "ROUNDS",
    "One row for each round of checks",
    (
        Column("uid", "text", "UUID of its number and its beginning"),
        Column("number", "int", "Counted by the store that made it"),
        Column("started_at", "time", "When it began"),
        Column("ended_at", "time", "When it was over; null if it died"),
        Column("exit_code", "int", "0 healthy, 1 incidents, 3 blind somewhere but no incident"),
        Column("findings", "int", "How much it found wrong"),
        Column("platforms", "json", "How each platform could be seen"),
    ),
    ("started_at",),
)

TABLES = (JOB_STATUS, HEALTH_ASSESSMENTS, INCIDENTS, ROUNDS)
VERSION_TABLE = "SCHEMA_VERSION"
VIEW = "CURRENT_STATUS"
"""The newest attempt of every job."""
