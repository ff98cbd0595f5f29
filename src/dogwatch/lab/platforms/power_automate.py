"""Power Automate's twin: the Dataverse Web API v9.2 over flows and their runs, and Entra's token endpoint.

Like the real table, ``flowruns`` holds a run only once it has ended. ``$filter`` understands comparisons
joined by ``and`` and ``or``, which is what a client of this table needs.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from tzlocal.windows_tz import tz_win

from dogwatch.errors import LabError
from dogwatch.lab.tables import read
from dogwatch.lab.twin import Twin
from dogwatch.lab.world import LabJob, LabRun, Outcome, Trigger, World, native_uuid

_TENANT = "7c1a2b60-51f4-4d0e-8f0c-3a1c5a7f9e21"
_CLIENT = "5d8f1f0a-9a63-4c57-a1f2-0b7f6f1f5a10"
_SECRET = "Qx~8Q~lab3vR0tW1cK9uYpZs2bTfLkQeXoJmA"
_LIFETIME = timedelta(seconds=3599)
_PAGE = 500

_STATUS = {
    Outcome.success: "Succeeded",
    Outcome.failed: "Failed",
    Outcome.cancelled: "Cancelled",
    Outcome.timed_out: "TimedOut",
    Outcome.skipped: "Skipped",
}
_TRIGGER = {Trigger.schedule: "Scheduled", Trigger.manual: "Instant", Trigger.after: "Automated"}
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_COMPARISON = re.compile(r"\s*(\w+) (eq|ne|ge|gt|le|lt) ('(?:[^']|'')*'|[^\s']+)\s*")

Row = dict[str, Any]


class PowerAutomate(Twin):
    """Dataverse as far as flows are concerned."""

    platform: ClassVar[str] = "power_automate"
    required: ClassVar[str] = "workflowid"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._epoch = 0
        self._rows: dict[tuple[int, timedelta], Row] = {}

    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's paths."""
        api = "/api/data/v9.2"
        return [
            Route("/entra/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
            Route(f"{api}/flowruns", self._guarded(self._flowruns)),
            Route(f"{api}/workflows", self._guarded(self._workflows)),
            Route(f"{api}/organizations", self._guarded(self._organizations)),
            Route(f"{api}/flowevents", self._guarded(self._flowevents)),
        ]

    def settings(self, base_url: str) -> dict[str, Any]:
        """The environment's address and the app's ids."""
        return {
            "url": base_url,
            "tenant_id": _TENANT,
            "client_id": _CLIENT,
            "environment_id": f"Default-{_TENANT}",
            "entra_url": f"{base_url}/entra",
        }

    def credentials(self) -> dict[str, str]:
        """The client secret."""
        return {"client_secret": _SECRET}

    def job_id(self, job: str) -> str:
        """The flow's guid."""
        return native_uuid("flow", job)

    def run_id(self, run: LabRun) -> str:
        """A Logic Apps run name: descending digits, so that newer ones sort first."""
        return f"0858{10**16 - run.number:016d}{int(native_uuid(run.job, str(run.number))[:8], 16):010d}CU15"

    def revoke(self) -> None:
        """Tokens carry the epoch they were issued in."""
        self._epoch += 1

    # ── Entra ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if form.get("grant_type") != "client_credentials":
            return _entra_error(
                400, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type."
            )
        if form.get("client_id") != _CLIENT or form.get("client_secret") != _SECRET:
            return _entra_error(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        if not str(form.get("scope", "")).endswith("/.default"):
            return _entra_error(
                400, "invalid_scope", "AADSTS1002012: The provided value for scope is not valid."
            )
        ends = int((self.world.now + _LIFETIME).timestamp())
        claims = base64.urlsafe_b64encode(json.dumps({"exp": ends, "epoch": self._epoch}).encode()).decode()
        token = f"eyJ0eXAiOiJKV1QifQ.{claims.rstrip('=')}.bGFi"
        seconds = int(_LIFETIME.total_seconds())
        return JSONResponse(
            {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
        )

    def _guarded(self, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def guarded(request: Request) -> Response:
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not self._valid(token):
                challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
                return Response("", 401, challenge)
            try:
                return handler(request)
            except _BadQuery as error:
                return JSONResponse({"error": {"code": "0x80060888", "message": str(error)}}, 400)

        return guarded

    def _valid(self, token: str) -> bool:
        try:
            payload = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (IndexError, ValueError):
            return False
        return bool(claims["epoch"] == self._epoch and claims["exp"] > self.world.now.timestamp())

    # ── tables ──────────────────────────────────────────────────────────────────────────────────────────────

    def _flowruns(self, request: Request) -> Response:
        now = self.world.now
        ended = [run for run in self.world.runs_of(self.platform) if run.ended_at(now) is not None]
        since = _earliest_end(request.query_params.get("$filter"))
        if since is not None:
            since -= self.world.skew(self.platform)
            ended = [run for run in ended if (end := run.attempts[-1].ended) is None or end >= since]
        return self._table("flowruns", [self._flowrun(run) for run in ended], "starttime", request)

    def _workflows(self, request: Request) -> Response:
        jobs = self.world.jobs_of(self.platform)
        children: dict[str, list[str]] = {}
        """The flows that run because another one runs them."""
        for job in jobs:
            for above in dict.fromkeys(job.after):
                children.setdefault(above, []).append(self.job_id(job.job))
        rows = [self._workflow(job, children.get(job.job, [])) for job in jobs]
        return self._table("workflows", rows, "name", request)

    def _organizations(self, request: Request) -> Response:
        row = {"organizationid": native_uuid("organization"), "flowruntimetoliveinseconds": 2_419_200}
        return self._table("organizations", [row], "organizationid", request)

    def _flowevents(self, request: Request) -> Response:
        return self._table("flowevents", [], "createdon", request)

    def _table(self, name: str, rows: list[Row], by: str, request: Request) -> Response:
        """Filter, order, page and project, as OData wants it."""
        query = request.query_params
        wanted = _filter(query.get("$filter"))
        field, _, direction = query.get("$orderby", f"{by} asc").partition(" ")
        key = f"{name[:-1]}id" if name != "flowruns" else "flowrunid"
        found = sorted((row for row in rows if wanted(row)), key=lambda row: (row[field], row[key]))
        if direction == "desc":
            found.reverse()
        after = _position(query.get("$skiptoken"))
        if after is not None:
            found = [row for row in found if _beyond([row[field], row[key]], after, direction == "desc")]
        size = min(_page_size(request), int(query.get("$top", "5000")))
        page = found[:size]
        body: Row = {
            "@odata.context": f"{request.base_url}api/data/v9.2/$metadata#{name}",
            "value": [_projected(row, query.get("$select")) for row in page],
        }
        if len(found) > size and "$top" not in query:
            token = base64.urlsafe_b64encode(json.dumps([page[-1][field], page[-1][key]]).encode()).decode()
            body["@odata.nextLink"] = str(request.url.include_query_params(**{"$skiptoken": token}))
        return JSONResponse(body, headers={"OData-Version": "4.0"})

    def _flowrun(self, run: LabRun) -> Row:
        key = (run.number, self.world.skew(self.platform))
        known = self._rows.get(key)
        if known is None:
            last = run.attempts[-1]
            failed = last.outcome in {Outcome.failed, Outcome.timed_out}
            ended = last.ended or last.started
            known = {
                "flowrunid": native_uuid("flowrun", run.job, str(run.number)),
                "name": self.run_id(run),
                "status": run.native_status or _STATUS[last.outcome],
                "starttime": self._time(run.attempts[0].started),
                "endtime": self._time(ended),
                "duration": int((ended - run.attempts[0].started).total_seconds()),
                "triggertype": _TRIGGER[run.trigger],
                "errorcode": "ActionFailed" if failed else None,
                "errormessage": last.error if failed else None,
                "workflowid": self.job_id(run.job),
                "_workflow_value": self.job_id(run.job),
                "parentrunid": None,
                "isprimary": 1,
                "partitionid": native_uuid("owner", run.job),
            }
            self._rows[key] = known
        return known

    def _workflow(self, job: LabJob, children: list[str]) -> Row:
        return {
            "workflowid": self.job_id(job.job),
            "workflowidunique": native_uuid("unique", job.job),
            "name": job.name,
            "category": 5,
            "type": 1,
            "statecode": 0 if job.paused else 1,
            "statuscode": 1 if job.paused else 2,
            "clientdata": json.dumps(_definition(job, children)),
            "_ownerid_value": native_uuid("owner", job.owner or ""),
            "_ownerid_value@OData.Community.Display.V1.FormattedValue": job.owner or "# svc-flows",
        }

    def _time(self, moment: datetime) -> str:
        shifted = (moment + self.world.skew(self.platform)).astimezone(timezone(self.world.offset))
        return shifted.isoformat(timespec="seconds").replace("+00:00", "Z")


class _BadQuery(Exception):
    """The query is not OData that this table understands."""


def _entra_error(status: int, code: str, text: str) -> Response:
    return JSONResponse(
        {"error": code, "error_description": text, "error_codes": [int(re.findall(r"\d+", text)[0])]}, status
    )


def _filter(text: str | None) -> Callable[[Row], bool]:
    """``a ge 1 or b eq 'x' and c ne 2``: ``and`` binds tighter, as in OData."""
    if not text:
        return lambda row: True
    either = [[_comparison(part) for part in side.split(" and ")] for side in text.split(" or ")]
    return lambda row: any(all(test(row) for test in side) for side in either)


def _earliest_end(text: str | None) -> datetime | None:
    """No run that ended before this passes the filter; None if it does not say so. It only saves looking."""
    bounds: list[datetime] = []
    for side in (text or "").split(" or "):
        named = [match.groups() for part in side.split(" and ") if (match := _COMPARISON.fullmatch(part))]
        starts = [
            _literal(literal)
            for field, operator, literal in named
            if field in {"starttime", "endtime"} and operator in {"ge", "gt"}
        ]
        if not starts or not all(isinstance(start, datetime) for start in starts):
            return None
        bounds.append(max(starts))
    return min(bounds)


def _comparison(text: str) -> Callable[[Row], bool]:
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise _BadQuery(f"Syntax error at position 0 in '{text}'.")
    field, operator, literal = match.groups()
    wanted: Any = _literal(literal)
    tests: Mapping[str, Callable[[Any], bool]] = {
        "eq": lambda value: value == wanted,
        "ne": lambda value: value != wanted,
        "ge": lambda value: value >= wanted,
        "gt": lambda value: value > wanted,
        "le": lambda value: value <= wanted,
        "lt": lambda value: value < wanted,
    }

    def test(row: Row) -> bool:
        if field not in row:
            raise _BadQuery(f"Could not find a property named '{field}' on type 'Microsoft.Dynamics.CRM'.")
        value = row[field]
        if value is None:
            return operator == "ne"
        if isinstance(wanted, datetime):
            value = datetime.fromisoformat(value)
        return tests[operator](value)

    return test


def _literal(text: str) -> Any:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _position(token: str | None) -> list[Any] | None:
    if token is None:
        return None
    try:
        position: list[Any] = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        raise _BadQuery("Skip token is malformed.") from None
    return position


def _beyond(place: list[Any], after: list[Any], descending: bool) -> bool:
    return place < after if descending else place > after


def _page_size(request: Request) -> int:
    asked = re.search(r"odata\.maxpagesize=(\d+)", request.headers.get("prefer", ""))
    return min(int(asked.group(1)) if asked else _PAGE, 5000)


def _projected(row: Row, select: str | None) -> Row:
    if select is None:
        return row
    columns = select.split(",")
    unknown = [column for column in columns if column not in row]
    if unknown:
        raise _BadQuery(f"Could not find a property named '{unknown[0]}' on type 'Microsoft.Dynamics.CRM'.")
    return {key: value for key, value in row.items() if key.partition("@")[0] in columns}


# ── flow definitions ────────────────────────────────────────────────────────────────────────────────────────


def _definition(job: LabJob, children: Sequence[str]) -> Row:
    timing = recurrence(job)
    trigger: Row = {"type": "Request", "kind": "Button", "inputs": {}}
    if timing is not None:
        trigger = {"type": "Recurrence", "recurrence": timing}
    elif job.after:
        trigger = {"type": "OpenApiConnectionWebhook", "inputs": {}}
    name = {"Recurrence": "Recurrence", "Request": "manual"}.get(trigger["type"], "When_an_item_is_created")
    return {
        "properties": {
            "definition": {"triggers": {name: trigger}, "actions": _actions(job, children)},
            "connectionReferences": {},
        },
        "schemaVersion": "1.0.0.0",
    }


def _actions(job: LabJob, children: Sequence[str]) -> Row:
    """What it does, as far as it shows where its data comes from: queries to the warehouse, child flows."""
    actions: Row = {}
    for index, table in enumerate(read(job)):
        databricks = table.startswith("LAKE.")
        api = "shared_databricks" if databricks else "shared_snowflakev2"
        actions[f"Execute_a_SQL_statement{f'_{index}' if index else ''}"] = {
            "type": "OpenApiConnection",
            "inputs": {
                "host": {
                    "apiId": f"/providers/Microsoft.PowerApps/apis/{api}",
                    "connectionName": api,
                    "operationId": "ExecuteStatement" if databricks else "SubmitSqlStatementForExecution",
                },
                "parameters": {"body/statement": f"select * from {table}"},
            },
        }
    for index, child in enumerate(children):
        actions[f"Run_a_Child_Flow{f'_{index}' if index else ''}"] = {
            "type": "Workflow",
            "inputs": {"host": {"workflowReferenceName": child}, "body": {}},
        }
    return actions


def recurrence(job: LabJob) -> Row | None:
    """The schedule as the flow designer would have written it. Raises LabError for one that it cannot."""
    if job.every is not None:
        minutes = int(job.every.total_seconds() // 60)
        if minutes % 60 == 0:
            return {"frequency": "Hour", "interval": minutes // 60}
        return {"frequency": "Minute", "interval": minutes}
    if job.schedule is None:
        return None
    zone = tz_win.get(job.timezone, "UTC")
    minute, hour, day, _, weekdays = job.schedule.split()
    if minute.startswith("*/") and hour == "*":
        return {"frequency": "Minute", "interval": int(minute[2:])}
    if hour == "*" and minute.isdecimal():
        return {
            "frequency": "Hour",
            "interval": 1,
            "timeZone": zone,
            "startTime": f"2025-01-01T00:{int(minute):02d}:00Z",
        }
    times = {"hours": _numbers(hour, 24), "minutes": _numbers(minute, 60)}
    if day != "*":
        if not day.isdecimal() or weekdays != "*":
            raise LabError(f"{job.job}: a flow of the lab runs on one day of every month, or on weekdays")
        start = f"2025-01-{int(day):02d}T{times['hours'][0]:02d}:{times['minutes'][0]:02d}:00"
        return {"frequency": "Month", "interval": 1, "timeZone": zone, "startTime": start}
    if weekdays == "*":
        return {"frequency": "Day", "interval": 1, "timeZone": zone, "schedule": times}
    names = [_WEEKDAYS[number % 7] for number in _numbers(weekdays, 7)]
    return {"frequency": "Week", "interval": 1, "timeZone": zone, "schedule": {**times, "weekDays": names}}


def _numbers(field: str, top: int) -> list[int]:
    """A cron field of numbers, lists, ranges and steps."""
    found: list[int] = []
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        low = 0 if first == "*" else int(first)
        high = top - 1 if first == "*" or (step and not last) else int(last or first)
        found += range(low, high + 1, int(step or 1))
    return found
