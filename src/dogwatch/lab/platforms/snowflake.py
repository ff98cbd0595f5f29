"""Snowflake's twin: the SQL API v2, answering what one asks about tasks.

``SHOW TASKS``, ``TASK_HISTORY()`` and the ACCOUNT_USAGE view are answered from the world in the vendor's
shape. Any other statement goes to ``execute`` if somebody set it (a real SQL engine, in tests).
"""

import gzip
import json
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dogwatch.lab.tables import read, written
from dogwatch.lab.twin import Twin
from dogwatch.lab.world import (
    Asked,
    LabAttempt,
    LabJob,
    LabRun,
    Outcome,
    Trigger,
    Wish,
    World,
    native_number,
    native_uuid,
)

Table = tuple[list[str], list[list[str | None]]]
"""Column names and rows of text."""

_TOKEN = "ver:1-hint:2748291-ETMsDgAAAZl4labQ0FyZ2Vy"
_DATABASE, _SCHEMA = "ANALYTICS", "ETL"
_PARTITION = 4_000
_DAYS = timedelta(days=7)
_RETRIED_WITHIN = timedelta(days=1)
"""What is scheduled at some time was created no longer than this before, even retries and skewed clocks."""
_KEPT = 50
"""Statements whose results can still be fetched."""

_STATE = {
    Outcome.success: "SUCCEEDED",
    Outcome.failed: "FAILED",
    Outcome.timed_out: "FAILED",
    Outcome.cancelled: "CANCELLED",
    Outcome.skipped: "SKIPPED",
}
_FROM = {Trigger.schedule: "SCHEDULE", Trigger.manual: "EXECUTE TASK", Trigger.after: "EXECUTE TASK"}
_HISTORY = re.compile(
    r"select (?P<columns>.+?) from table\(.+?task_history\((?P<arguments>.*)\)\)$", re.I | re.S
)
_USAGE = re.compile(
    r"select (?P<columns>.+?) from snowflake\.account_usage\.task_history where (?P<where>.+)$", re.I | re.S
)
_SHOW = re.compile(r"show tasks in account limit (\d+)(?: from '((?:[^']|'')*)')?", re.I)
_TASK = re.compile(
    r'(?P<verb>EXECUTE|ALTER) TASK (?P<name>"(?:[^"]|"")+"(?:\."(?:[^"]|"")+"){2})'
    r"(?P<rest>| RETRY LAST| SUSPEND| RESUME)"
)
_CANCEL = re.compile(r"SELECT SYSTEM\$CANCEL_QUERY\('(?P<query>[0-9a-f-]+)'\)")
_LITERAL = re.compile(r"'([^']+)'::timestamp_ltz")


class SqlRefused(Exception):
    """A statement that does not compile or is not allowed."""

    def __init__(self, code: str, state: str, message: str) -> None:
        super().__init__(message)
        self.body = {
            "code": code,
            "sqlState": state,
            "message": message,
            "statementHandle": str(uuid.uuid4()),
        }


class Snowflake(Twin):
    """One account with its tasks in ANALYTICS.ETL."""

    platform: ClassVar[str] = "snowflake"
    required: ClassVar[str] = "data"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.execute: Callable[[str, Sequence[str]], Table] | None = None
        """Runs the statements that the twin does not know itself, with the texts bound to them; what it
        refuses it raises as SqlRefused."""
        self.accepts: Callable[[str, str], bool] = lambda kind, token: False
        """Whether a token of another kind than ours is good (kind as in the token type header)."""
        self.polls = 0
        """How often a statement answers 202 before its rows."""
        self.usage_granted = True
        self._revoked = False
        self._done: dict[str, Table] = {}
        self._pending: dict[str, int] = {}
        self._requests: dict[str, str] = {}
        self._rows: dict[tuple[int, int, bool, timedelta], dict[str, str | None]] = {}

    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's paths."""
        return [
            Route("/api/v2/statements", self._submit, methods=["POST"]),
            Route("/api/v2/statements/{handle}", self._status),
        ]

    def settings(self, base_url: str) -> dict[str, Any]:
        """An account whose address is the lab."""
        return {
            "account": "SHOP-PROD",
            "user": "DOGWATCH",
            "role": "DOGWATCH_RO",
            "warehouse": "MONITOR_WH",
            "database": _DATABASE,
            "url": base_url,
        }

    def credentials(self) -> dict[str, str]:
        """A programmatic access token."""
        return {"access_token": _TOKEN}

    def job_id(self, job: str) -> str:
        """``DATABASE.SCHEMA.NAME``."""
        return f"{_DATABASE}.{_SCHEMA}.{_name(job)}"

    def job_name(self, job: LabJob) -> str:
        """A task's name is its identifier."""
        return _name(job.job)

    def run_id(self, run: LabRun) -> str:
        """Group id and name, which every attempt of a run shares."""
        return f"{_group(run)}/{_name(run.job)}"

    def revoke(self) -> None:
        """Access tokens cannot be bought again."""
        self._revoked = True

    def renewed(self) -> None:
        """Rows of attempts that were cut off or tried again are told anew."""
        self._rows.clear()

    # ── the API ─────────────────────────────────────────────────────────────────────────────────────────────

    def _refusal(self, request: Request) -> Response | None:
        kind = request.headers.get("x-snowflake-authorization-token-type", "OAUTH")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if kind == "PROGRAMMATIC_ACCESS_TOKEN" and token == _TOKEN and not self._revoked:
            return None
        if self.accepts(kind, token):
            return None
        if kind == "KEYPAIR_JWT":
            return JSONResponse({"code": "390144", "message": "JWT token is invalid."}, 401)
        return JSONResponse({"code": "390303", "message": "Invalid OAuth access token."}, 401)

    async def _submit(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if not request.headers.get("user-agent"):
            return JSONResponse({"code": "391903", "message": "User-Agent header is missing."}, 400)
        request_id = request.query_params.get("requestId", str(uuid.uuid4()))
        handle = self._requests.get(request_id)
        if handle is None:
            handle = str(uuid.UUID(native_uuid(request_id)))
            try:
                asked = json.loads(await request.body())
                bound = asked.get("bindings", {})
                texts = [bound[str(at)]["value"] for at in range(1, len(bound) + 1)]
                self._done[handle] = self._run(asked["statement"], texts)
            except SqlRefused as error:
                return JSONResponse(error.body, 422)
            self._requests[request_id] = handle
            self._pending[handle] = self.polls
            self._forget()
        return self._answer(handle, 0)

    async def _status(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        handle = request.path_params["handle"]
        if handle not in self._done:
            return JSONResponse({"code": "391918", "message": "Statement handle not found."}, 404)
        return self._answer(handle, int(request.query_params.get("partition", "0")))

    def _answer(self, handle: str, partition: int) -> Response:
        url = f"/api/v2/statements/{handle}"
        common = {
            "statementHandle": handle,
            "statementStatusUrl": url,
            "createdOn": int(self._epoch() * 1000),
        }
        if self._pending.get(handle, 0) > 0:
            self._pending[handle] -= 1
            message = "Asynchronous execution in progress. Use provided query id to perform query monitoring."
            return JSONResponse({"code": "333334", "message": message, **common}, 202)
        columns, rows = self._done[handle]
        parts = [rows[start : start + _PARTITION] for start in range(0, len(rows), _PARTITION)] or [[]]
        if partition >= len(parts):
            return JSONResponse({"code": "391921", "message": "Partition is out of range."}, 400)
        if partition:
            packed = gzip.compress(json.dumps({"data": parts[partition]}).encode(), 1)
            return Response(packed, 200, {"Content-Encoding": "gzip"}, "application/json")
        types = [
            {
                "name": name,
                "type": "text",
                "length": 16777216,
                "precision": None,
                "scale": None,
                "nullable": True,
            }
            for name in columns
        ]
        sizes = [{"rowCount": len(part), "uncompressedSize": len(part) * 200} for part in parts]
        meta = {"numRows": len(rows), "format": "jsonv2", "partitionInfo": sizes, "rowType": types}
        told = {"code": "090001", "sqlState": "00000", "message": "Statement executed successfully."}
        return JSONResponse({"resultSetMetaData": meta, "data": parts[0], **told, **common})

    def _forget(self) -> None:
        for old in list(self._done)[:-_KEPT]:
            del self._done[old]
            self._pending.pop(old, None)

    # ── statements ──────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, statement: str, texts: Sequence[str]) -> Table:
        text = " ".join(statement.split())
        if match := _SHOW.fullmatch(text):
            return self._show_tasks(int(match.group(1)), (match.group(2) or "").replace("''", "'"))
        if match := _HISTORY.fullmatch(text):
            return self._task_history(_columns(match["columns"]), match["arguments"])
        if match := _TASK.fullmatch(text):
            return self._told_to(match["verb"], match["name"], match["rest"].strip())
        if match := _CANCEL.fullmatch(text):
            return self._cancel_query(match["query"])
        if self.execute is not None:
            return self.execute(statement, texts)
        if match := _USAGE.fullmatch(text):
            return self._account_usage(_columns(match["columns"]), match["where"])
        raise SqlRefused("001003", "42000", f"SQL compilation error: unexpected '{text[:40]}'.")

    def _told_to(self, verb: str, name: str, rest: str) -> Table:
        """EXECUTE TASK and ALTER TASK."""
        job = next(
            (job for job in self.world.jobs_of(self.platform) if _quoted(self.job_id(job.job)) == name), None
        )
        if job is None:
            raise SqlRefused("002003", "02000", f"Task '{name}' does not exist or not authorized.")
        now = self.world.now
        if verb == "ALTER":
            wish = Wish.pause if rest == "SUSPEND" else Wish.resume
            self.world.ask(Asked(now, job.job, wish))
            return ["status"], [["Statement executed successfully."]]
        if job.after:
            raise SqlRefused("091438", "22023", f"Cannot execute task {name}: it is not a root task.")
        if rest != "RETRY LAST":
            self.world.ask(Asked(now, job.job, Wish.run))
            return ["status"], [[f"Task {_name(job.job)} is scheduled to run immediately."]]
        last = next((run for run in reversed(self.world.runs_of(self.platform)) if run.job == job.job), None)
        bad = {Outcome.failed, Outcome.cancelled, Outcome.timed_out}
        if last is None or last.ended_at(now) is None or last.attempts_at(now)[-1].outcome not in bad:
            raise SqlRefused("091457", "22023", f"There is no suitable run of task {name} to retry.")
        self.world.ask(Asked(now, job.job, Wish.repair, last.created))
        return ["status"], [[f"Task {_name(job.job)} is scheduled to retry."]]

    def _cancel_query(self, query: str) -> Table:
        now = self.world.now
        for run in reversed(self.world.runs_of(self.platform)):
            begun = run.attempts_at(now)
            if begun and native_uuid("query", _group(run), str(len(begun))) == query:
                if run.ended_at(now) is None:
                    self.world.ask(Asked(now, run.job, Wish.cancel, run.created))
                    return ["SYSTEM$CANCEL_QUERY"], [["query [" + query + "] terminated."]]
                break
        return ["SYSTEM$CANCEL_QUERY"], [["Identified SQL statement is not currently executing."]]

    def _task_history(self, columns: list[str], arguments: str) -> Table:
        given = dict(part.split(" => ", 1) for part in re.split(r", (?=[a-z_]+ => )", arguments) if part)
        now = self._clock()
        start = self._moment(given.get("scheduled_time_range_start"), now - _DAYS)
        end = self._moment(given.get("scheduled_time_range_end"), now)
        if start < now - _DAYS or end < now - _DAYS:
            raise SqlRefused(
                "002036",
                "22023",
                "SQL compilation error: Time range must be within the last 7 days for TASK_HISTORY.",
            )
        limit = int(given.get("result_limit", "100"))
        rows = [
            row
            for row in self._told(start, settled_only=False)
            if _text(start) <= row["SCHEDULED_TIME"] <= _text(end)
        ]
        return columns, _picked(rows[:limit], columns)

    def _account_usage(self, columns: list[str], where: str) -> Table:
        if not self.usage_granted:
            raise SqlRefused(
                "002003",
                "02000",
                "SQL compilation error: Database 'SNOWFLAKE' does not exist or not authorized.",
            )
        start, end = (datetime.fromisoformat(found) for found in _LITERAL.findall(where))
        rows = [
            row
            for row in self._told(start, settled_only=True)
            if _text(start) <= row["SCHEDULED_TIME"] < _text(end)
        ]
        return columns, _picked(rows, columns)

    def _told(self, since: datetime, *, settled_only: bool) -> list[dict[str, Any]]:
        """All attempts scheduled since then (and some before) as rows, newest first. The view lags 45 minutes
        and holds no unsettled ones."""
        now = self.world.now
        rows: list[dict[str, Any]] = []
        for run in reversed(self.world.runs_of(self.platform, since.astimezone(UTC) - _RETRIED_WITHIN)):
            begun = run.attempts_at(now)
            if not begun and not settled_only:
                rows.append(self._row(run, run.attempts[0], 1, now))
            for number, attempt in enumerate(begun, 1):
                lagging = attempt.ended is None or attempt.ended > now - timedelta(minutes=45)
                if not (settled_only and lagging):
                    rows.append(self._row(run, attempt, number, now))
        rows.sort(key=lambda row: row["SCHEDULED_TIME"], reverse=True)
        return rows

    def _row(self, run: LabRun, attempt: LabAttempt, number: int, now: datetime) -> dict[str, str | None]:
        ended = attempt.ended is not None and attempt.ended <= now
        skew = self.world.skew(self.platform)
        key = (run.number, number, ended, skew)
        known = self._rows.get(key) if ended else None
        if known is None:
            known = self._made(run, attempt, number, now, skew)
            if ended:
                self._rows[key] = known
        return known

    def _made(
        self, run: LabRun, attempt: LabAttempt, number: int, now: datetime, skew: timedelta
    ) -> dict[str, str | None]:
        begun, ended = (
            attempt.started <= now,
            attempt.ended if attempt.ended and attempt.ended <= now else None,
        )
        skipped = attempt.outcome is Outcome.skipped
        state = "SCHEDULED" if not begun else "EXECUTING" if ended is None else _STATE[attempt.outcome]
        if ended is not None and run.native_status is not None:
            state = run.native_status
        failed = ended is not None and attempt.outcome in {Outcome.failed, Outcome.timed_out}
        code = {Outcome.timed_out: "000630", Outcome.failed: "100183"}.get(attempt.outcome)
        return {
            "NAME": _name(run.job),
            "DATABASE_NAME": _DATABASE,
            "SCHEMA_NAME": _SCHEMA,
            "STATE": state,
            "ERROR_CODE": code if failed else None,
            "ERROR_MESSAGE": attempt.error if ended is not None and not skipped else None,
            "SCHEDULED_TIME": _text((run.scheduled_for or run.created) + skew),
            "QUERY_START_TIME": None if skipped or not begun else _text(attempt.started + skew),
            "COMPLETED_TIME": None if ended is None else _text(ended + skew),
            "QUERY_ID": None if skipped or not begun else native_uuid("query", _group(run), str(number)),
            "RUN_ID": str(int(run.created.timestamp() * 1000)),
            "ROOT_TASK_ID": native_uuid("task", run.job),
            "GRAPH_RUN_GROUP_ID": _group(run),
            "ATTEMPT_NUMBER": str(number),
            "SCHEDULED_FROM": _FROM[run.trigger],
        }

    def _show_tasks(self, limit: int, behind: str) -> Table:
        columns = [
            "created_on",
            "name",
            "id",
            "database_name",
            "schema_name",
            "owner",
            "comment",
            "warehouse",
            "schedule",
            "predecessors",
            "state",
            "definition",
            "condition",
            "allow_overlapping_execution",
            "error_integration",
            "last_committed_on",
            "last_suspended_on",
            "owner_role_type",
            "config",
            "budget",
            "last_suspended_reason",
        ]
        rows = sorted(
            (self._task(job) for job in self.world.jobs_of(self.platform)), key=lambda row: row["name"] or ""
        )
        rows = [row for row in rows if (row["name"] or "") > behind][:limit]
        return columns, [[row.get(column) for column in columns] for row in rows]

    def _task(self, job: LabJob) -> dict[str, str | None]:
        inside = [self.job_id(other) for other in job.after if other.startswith(f"{self.platform}/")]
        return {
            "created_on": _text(job.created or datetime(2025, 1, 1, tzinfo=UTC)),
            "name": _name(job.job),
            "id": native_uuid("task", job.job),
            "database_name": _DATABASE,
            "schema_name": _SCHEMA,
            "owner": (job.owner or "TRANSFORMER").upper(),
            "comment": job.name,
            "warehouse": "TRANSFORM_WH",
            "schedule": _schedule(job),
            "predecessors": json.dumps(inside),
            "state": "suspended" if job.paused else "started",
            "definition": _definition(job),
            "allow_overlapping_execution": "false",
            "owner_role_type": "ROLE",
            "last_suspended_reason": "USER_SUSPENDED" if job.paused else None,
        }

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────

    def _clock(self) -> datetime:
        """The account's own clock."""
        return self.world.now + self.world.skew(self.platform)

    def _epoch(self) -> float:
        return self._clock().timestamp()

    def _moment(self, expression: str | None, default: datetime) -> datetime:
        """A time argument: a literal, the present, or the greatest of a literal and seven days ago."""
        if expression is None:
            return default
        literals = [datetime.fromisoformat(found) for found in _LITERAL.findall(expression)]
        if expression.startswith("greatest("):
            return max(literals[0], self._clock() - _DAYS + timedelta(minutes=1))
        return literals[0] if literals else self._clock()


def _name(job: str) -> str:
    return job.partition("/")[2].upper().replace("-", "_")


def _quoted(name: str) -> str:
    """``DATABASE.SCHEMA.NAME`` with each part in quotes."""
    return ".".join(f'"{part}"' for part in name.split("."))


def _group(run: LabRun) -> str:
    return str(native_number("graph", run.job, str(run.number), digits=18))


def _text(moment: datetime) -> str:
    """Epoch seconds and nanoseconds, as cells without an output format are."""
    return f"{int(moment.timestamp()):010d}.{moment.microsecond:06d}000"


def _columns(text: str) -> list[str]:
    return [column.strip().upper() for column in text.split(",")]


def _picked(rows: list[dict[str, Any]], columns: list[str]) -> list[list[str | None]]:
    unknown = [column for column in columns if rows and column not in rows[0]]
    if unknown:
        raise SqlRefused("000904", "42000", f"SQL compilation error: invalid identifier '{unknown[0]}'")
    return [[row[column] for column in columns] for row in rows]


def _definition(job: LabJob) -> str:
    """The statement of the task: what it makes of which tables."""
    (target,) = written(job.job, "snowflake")
    sources = read(job)
    if not sources:
        built = f"table({_DATABASE}.{_SCHEMA}.BUILD_{_name(job.job)}())"
        return f"create or replace table {target} as select * from {built}"
    first, *others = sources
    joined = "".join(
        f"\n  left join {table} t{index} on t{index}.ID = t.ID" for index, table in enumerate(others, 1)
    )
    return (
        f"merge into {target} as target using (\n  select t.* from {first} t{joined}\n) as source"
        " on target.ID = source.ID\nwhen matched then update set target.UPDATED_AT = source.UPDATED_AT\n"
        "when not matched then insert (ID, UPDATED_AT) values (source.ID, source.UPDATED_AT)"
    )


def _schedule(job: LabJob) -> str | None:
    if job.every is not None:
        return f"{int(job.every.total_seconds() // 60)} MINUTE"
    return None if job.schedule is None else f"USING CRON {job.schedule} {job.timezone}"
