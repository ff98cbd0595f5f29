"""Snowflake tasks, read by SQL through the SQL API v2; no vendor driver.

Seven days back tasks are told by ``INFORMATION_SCHEMA.TASK_HISTORY()``, which shows running ones too but
never more than 10,000 rows; what is older by ``SNOWFLAKE.ACCOUNT_USAGE.TASK_HISTORY``, where granted.
Schedules and predecessors come from ``SHOW TASKS``. Facts: ``sqlapi.yaml`` of
snowflake-rest-api-specs and the SQL reference.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from pydantic import TypeAdapter

from dogwatch.errors import AuthError, UnexpectedAnswer
from dogwatch.model import Job, JobState, Run, Schedule, ScheduleKind, Status, run_uid
from dogwatch.model.text import bounded, plural
from dogwatch.wire.account import PACE, AccountSettings, login_of
from dogwatch.wire.connector import Ask, Connector
from dogwatch.wire.http import Doors, Http
from dogwatch.wire.records import translated
from dogwatch.wire.sqlapi import Row, SqlApi
from dogwatch.wire.tables import Tables, in_sql

PLATFORM = "snowflake"

STATUS: Mapping[str, Status] = {
    "SCHEDULED": Status.pending,
    "EXECUTING": Status.running,
    "SUCCEEDED": Status.success,
    "FAILED": Status.failed,
    "FAILED_AND_AUTO_SUSPENDED": Status.failed,
    "CANCELLED": Status.cancelled,
    "SKIPPED": Status.skipped,
}
"""``TASK_HISTORY.STATE``. A task that ran out of time is FAILED: see ``_status``. Else ``unknown``."""

_TIMEOUT_CODES = frozenset({"604", "630", "000604", "000630"})
_TIMEOUT_WORDS = re.compile(r"USER_TASK_TIMEOUT_MS|STATEMENT_TIMEOUT|reached its statement", re.I)
_EPOCH = re.compile(r"(-?\d+(?:\.\d+)?)(?: \d+)?")
_SCHEDULE = re.compile(r"(\d+)\s*(SECOND|MINUTE|HOUR)S?", re.I)

MOST_ROWS = 10_000
"""TASK_HISTORY's limit, and SHOW's."""
_WINDOW = timedelta(days=7)
_SEAM = timedelta(minutes=5)
"""By which the two histories overlap, since the account's clock is not ours."""
_NARROWEST = timedelta(seconds=1)
_COLUMNS = (
    "NAME",
    "DATABASE_NAME",
    "SCHEMA_NAME",
    "STATE",
    "ERROR_CODE",
    "ERROR_MESSAGE",
    "SCHEDULED_TIME",
    "QUERY_START_TIME",
    "COMPLETED_TIME",
    "QUERY_ID",
    "RUN_ID",
    "ROOT_TASK_ID",
    "GRAPH_RUN_GROUP_ID",
    "ATTEMPT_NUMBER",
    "SCHEDULED_FROM",
)


class SnowflakeSettings(AccountSettings):
    """How to reach one account. Which way in is taken follows from the credentials that are set."""

    role: str | None = None
    """The role to use; it needs GRANT MONITOR EXECUTION ON ACCOUNT, USAGE on the databases and schemas that
    hold tasks, USAGE on the warehouse, and for history older than seven days the database role
    SNOWFLAKE.USAGE_VIEWER. Left out: the user's default role."""
    database: str
    """Any database that the role may use: TASK_HISTORY is asked in its INFORMATION_SCHEMA, and tells of the
    whole account."""


# ── what Snowflake says ─────────────────────────────────────────────────────────────────────────────────────


_TEXTS = TypeAdapter(list[str])

# ── the connector ───────────────────────────────────────────────────────────────────────────────────────────


class Snowflake(Connector[SnowflakeSettings]):
    """Reads the tasks of one account and what became of their runs."""

    Settings = SnowflakeSettings
    title = "Snowflake"
    overlap: ClassVar[timedelta] = timedelta(hours=6)
    """An automatic retry keeps the time for which its run was scheduled."""

    def __init__(self, name: str, settings: SnowflakeSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        self._http = doors.open(settings.base, login=login_of(settings, doors), pace=PACE)
        self._sql = SqlApi(self._http, doors.clock, warehouse=settings.warehouse, role=settings.role)
        self._older: str = ""
        """Why history older than seven days could not be read; empty if it could."""

    @property
    def http(self) -> Http:
        """The door to the account."""
        return self._http

    async def check(self) -> str:
        """How many tasks the role can see and that their history answers, or a ConnectorError."""
        tasks = await self._tasks()
        async for _ in self._sql.query(
            f"select NAME from table({self._database}.information_schema.task_history(result_limit => 1))"
        ):
            pass
        role = self.settings.role or "the default role"
        return f"Snowflake {self.settings.account} · {plural(len(tasks), 'task')} visible to {role}"

    async def caveats(self) -> Sequence[str]:
        """What the role cannot see."""
        if self._older:
            return (f"History older than seven days is not readable: {self._older}.",)
        return ()

    async def jobs(self, now: datetime) -> Sequence[Job]:
        """All tasks that the role can see, with schedule, predecessors and state."""
        jobs, bad = translated(await self._tasks(), lambda row: self._job(row, now))
        if bad:
            raise _senseless("SHOW TASKS")
        return jobs

    async def runs(self, ask: Ask) -> AsyncIterator[Sequence[Run]]:
        """Task runs scheduled since ``ask.since``; then older open ones, each in a window of its own."""
        seen: set[str] = set()
        bad: list[UnexpectedAnswer] = []
        edge = ask.now - _WINDOW
        if ask.since < edge:
            async for batch in _noting(bad, self._older_runs(ask, ask.since, edge + _SEAM, bad)):
                yield batch
        start = max(ask.since, edge)
        async for batch in _noting(bad, self._window(ask, start, None, bad)):
            seen.update(run.native_run_id for run in batch)
            yield batch
        for run in ask.known.values():
            when = run.scheduled_for or run.began_at
            if run.status.open and run.native_run_id not in seen and when < start:
                async for batch in _noting(bad, self._again(ask, when, edge, bad)):
                    yield batch
        if bad:
            raise bad[0]

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _again(
        self, ask: Ask, when: datetime, edge: datetime, bad: list[UnexpectedAnswer]
    ) -> AsyncIterator[Sequence[Run]]:
        """What is told now of the runs scheduled at ``when``."""
        reading = self._older_runs if when < edge else self._window
        async for batch in reading(ask, when - _NARROWEST, when + _NARROWEST, bad):
            yield batch

    async def _window(
        self, ask: Ask, start: datetime, end: datetime | None, bad: list[UnexpectedAnswer]
    ) -> AsyncIterator[Sequence[Run]]:
        """The runs scheduled from ``start`` to ``end`` (None: the present), newest first.

        TASK_HISTORY drops the oldest rows beyond its limit without a word: then what is older than the
        oldest row told is asked for next. A start outside the last seven days is an error, and the account's
        own clock decides what those are.
        """
        earliest = "dateadd('minute', 1, dateadd('day', -7, current_timestamp()))"
        while True:
            rows, oldest = 0, end
            until = "current_timestamp()" if end is None else _moment(end)
            async for batch in self._sql.query(
                f"select {', '.join(_COLUMNS)} from table({self._database}.information_schema.task_history("
                f"scheduled_time_range_start => greatest({_moment(start)}, {earliest}), "
                f"scheduled_time_range_end => {until}, result_limit => {MOST_ROWS}))"
            ):
                runs = self._told(batch, ask, bad)
                rows += len(batch)
                oldest = min(
                    [
                        oldest or ask.now,
                        *(run.began_at if run.scheduled_for is None else run.scheduled_for for run in runs),
                    ]
                )
                yield runs
            if rows < MOST_ROWS or oldest is None or oldest <= start:
                return
            end = oldest if end is None or oldest < end else end - _NARROWEST

    async def _older_runs(
        self, ask: Ask, start: datetime, end: datetime, bad: list[UnexpectedAnswer]
    ) -> AsyncIterator[Sequence[Run]]:
        """The settled runs of a time beyond TASK_HISTORY's reach; none if the view is not granted."""
        statement = (
            f"select {', '.join(_COLUMNS)} from snowflake.account_usage.task_history "
            f"where scheduled_time >= {_moment(start)} and scheduled_time < {_moment(end)}"
        )
        try:
            async for batch in self._sql.query(statement):
                yield self._told(batch, ask, bad)
            self._older = ""
        except AuthError as error:
            if error.status != 403:
                raise
            self._older = "grant the database role SNOWFLAKE.USAGE_VIEWER to read it"

    async def _tasks(self) -> list[Row]:
        """SHOW TASKS, page by page: it stops at 10,000 rows."""
        tasks: dict[str, Row] = {}
        last = ""
        while True:
            behind = f" from '{last}'" if last else ""
            rows = [
                row
                async for batch in self._sql.query(f"show tasks in account limit {MOST_ROWS}{behind}")
                for row in batch
            ]
            before = len(tasks)
            tasks |= {_task_id(row): row for row in rows}
            if len(rows) < MOST_ROWS or len(tasks) == before:
                return list(tasks.values())
            last = (rows[-1].get("NAME") or "").replace("'", "''")

    @property
    def _database(self) -> str:
        return (
            '"' + self.settings.database.strip('"') + '"'
            if '"' in self.settings.database
            else self.settings.database
        )

    # ── translating ─────────────────────────────────────────────────────────────────────────────────────────

    def _told(self, batch: Sequence[Row], ask: Ask, bad: list[UnexpectedAnswer]) -> list[Run]:
        runs, some_bad = translated(batch, lambda row: self._run(row, ask))
        if some_bad:
            bad.append(_senseless("TASK_HISTORY"))
        return runs

    def _run(self, row: Row, ask: Ask) -> Run:
        """Raises ValueError or KeyError for a row that makes no sense."""
        if not row["NAME"]:
            raise ValueError("a run of no task")
        task = _task_id(row)
        state = row["STATE"] or ""
        status = _status(state, row)
        group = row["GRAPH_RUN_GROUP_ID"] or row["RUN_ID"] or row["QUERY_ID"] or row["SCHEDULED_TIME"] or ""
        native_id = f"{group}/{row['NAME']}"
        attempt = max(1, int(row["ATTEMPT_NUMBER"] or 1))
        scheduled, started = _time(row["SCHEDULED_TIME"]), _time(row["QUERY_START_TIME"])
        completed = _time(row["COMPLETED_TIME"])
        facts = {"query_id": "QUERY_ID", "error_code": "ERROR_CODE", "root_task_id": "ROOT_TASK_ID"}
        metadata = {key: value for key, column in facts.items() if (value := row[column])}
        if state == "FAILED_AND_AUTO_SUSPENDED":
            metadata["auto_suspended"] = "true"
        return Run.told(
            uid=run_uid(PLATFORM, self.name, task, native_id, attempt),
            platform=PLATFORM,
            instance=self.name,
            job_id=task,
            job_name=ask.names.get(task, row["NAME"] or task),
            kind="task",
            native_run_id=native_id,
            attempt=attempt,
            trigger=row["SCHEDULED_FROM"] or "",
            status=status,
            native_status=state,
            scheduled_for=scheduled,
            started_at=started,
            ended_at=None if status.open else completed or started or scheduled,
            updated_at=completed or started or scheduled,
            error_message=_error(row) if status.bad or status is Status.cancelled else None,
            metadata=metadata,
            observed_at=ask.now,
        )

    def _job(self, row: Row, now: datetime) -> Job:
        after = _predecessors(row.get("PREDECESSORS"))
        schedule = Schedule(kind=ScheduleKind.after) if after else _schedule(row.get("SCHEDULE"))
        reason = row.get("LAST_SUSPENDED_REASON") or ""
        return Job(
            platform=PLATFORM,
            instance=self.name,
            job_id=_task_id(row),
            name=row.get("NAME") or _task_id(row),
            kind="task",
            state=_state(row.get("STATE") or "", reason),
            state_reason=reason,
            schedule=schedule,
            after=after,
            owner=row.get("OWNER"),
            metadata={"task_id": row.get("ID"), "warehouse": row.get("WAREHOUSE"), **_tables(row).metadata()},
            observed_at=now,
        )


async def _noting(
    bad: list[UnexpectedAnswer], batches: AsyncIterator[Sequence[Run]]
) -> AsyncIterator[Sequence[Run]]:
    """The batches; an answer that makes no sense ends them, and is noted instead of raised."""
    try:
        async for batch in batches:
            yield batch
    except UnexpectedAnswer as error:
        bad.append(error)


def _senseless(source: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"Snowflake's {source} told a row that makes no sense",
        "Snowflake may have changed it; please report this with the dogwatch version",
    )


def _error(row: Row) -> str | None:
    told = row["ERROR_MESSAGE"]
    return None if told is None else bounded(told)


def _task_id(row: Row) -> str:
    """``DATABASE.SCHEMA.NAME``; Snowflake hides the first two from a role without USAGE there."""
    return f"{row.get('DATABASE_NAME') or '?'}.{row.get('SCHEMA_NAME') or '?'}.{row.get('NAME') or '?'}"


def _tables(row: Row) -> Tables:
    """What the task's statement reads and writes; names without a schema are meant in the task's own."""
    home = f"{row.get('DATABASE_NAME') or '?'}.{row.get('SCHEMA_NAME') or '?'}"
    return in_sql(row.get("DEFINITION") or "", home)


def _status(state: str, row: Row) -> Status:
    status = STATUS.get(state, Status.unknown)
    if status is Status.failed and (
        row["ERROR_CODE"] in _TIMEOUT_CODES or _TIMEOUT_WORDS.search(row["ERROR_MESSAGE"] or "")
    ):
        return Status.timed_out
    return status


def _state(state: str, reason: str) -> JobState:
    if state.lower() == "started":
        return JobState.active
    if state.lower() != "suspended":
        return JobState.unknown
    return JobState.suspended if "ERROR" in reason.upper() or "FAIL" in reason.upper() else JobState.paused


def _moment(moment: datetime) -> str:
    return f"'{moment.astimezone(UTC).isoformat(timespec='milliseconds')}'::timestamp_ltz"


def _time(text: str | None) -> datetime | None:
    """A timestamp: by default epoch seconds with nanoseconds, else what an output format made of it."""
    if not text:
        return None
    epoch = _EPOCH.fullmatch(text)
    if epoch is None:
        return datetime.fromisoformat(text).astimezone(UTC)
    return datetime.fromtimestamp(float(epoch.group(1)), UTC)


def _predecessors(text: str | None) -> tuple[str, ...]:
    """A JSON list of qualified names, in older answers names with commas; quotes are not part of a name."""
    if not text or text == "[]":
        return ()
    names = _TEXTS.validate_json(text) if text.startswith("[") else text.split(",")
    return tuple(name.strip().replace('"', "") for name in names if name.strip())


def _schedule(text: str | None) -> Schedule | None:
    """``USING CRON 0 2 * * * Europe/Berlin``, ``60 MINUTE``; without one a task waits for an event."""
    if not text:
        return Schedule(kind=ScheduleKind.event)
    if text.upper().startswith("USING CRON "):
        *fields, zone = text.split()[2:]
        return Schedule(kind=ScheduleKind.cron, expression=" ".join(fields), timezone=zone)
    match = _SCHEDULE.fullmatch(text.strip())
    if match is None:
        return None
    unit = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600}[match.group(2).upper()]
    return Schedule(
        kind=ScheduleKind.interval, expression=text, every_seconds=float(int(match.group(1)) * unit)
    )
