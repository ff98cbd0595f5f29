"""Airbyte's twin: the public API v1 at both its addresses, and the job calls of the Configuration API v1.

It keeps the vendor's habits: jobs come oldest first unless asked otherwise, ``next`` is filled as long as a
page holds anything and names a host inside the cluster, a timestamp on the full minute has no seconds, the
last change of a job is told only once it is terminal, and the public API never says why a sync failed.
"""

import base64
import bisect
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dogwatch.errors import LabError
from dogwatch.lab.airbyte_acts import AirbyteActs, Problem, not_found, posted
from dogwatch.lab.airbyte_attempts import failure, row_width, stream_names, stream_stats
from dogwatch.lab.quartz import to_quartz
from dogwatch.lab.tables import NAMESPACE
from dogwatch.lab.twin import Twin
from dogwatch.lab.world import LabAttempt, LabJob, LabRun, Outcome, World, native_uuid

_CLIENT_ID = "4f9c1d7e-52b0-4f6a-8d0c-6b1e7a3c9f20"
_CLIENT_SECRET = "nJ4yq0ZPZbR6sVx2KfLw8mTgUcHe3aQd"
_LIFETIME = timedelta(minutes=15)
_FIRST_JOB = 48_000_000
_LONG_AGO = 1_704_704_400  # 8 January 2024, for connections that were always there
_HOSTS = {"/v1": "https://api.airbyte.com/v1", "/api/public/v1": "http://airbyte-server-svc:8001/v1"}

_WORDS = {
    Outcome.success: "succeeded",
    Outcome.failed: "failed",
    Outcome.timed_out: "failed",
    Outcome.cancelled: "cancelled",
}
_TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
_STATUSES = frozenset({"pending", "queued", "running", "incomplete"}) | _TERMINAL
_JOB_TYPES = frozenset({"sync", "reset", "refresh", "clear"})
_ORDER = re.compile(r"(createdAt|updatedAt)\|(ASC|DESC)")

Handler = Callable[[Request], Awaitable[Response]]


class AirbyteTwin(Twin):
    """One Airbyte with one workspace."""

    platform: ClassVar[str] = "airbyte"
    required: ClassVar[str] = "jobId"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.workspace = native_uuid("airbyte", "workspace", world.id)
        self._tokens: dict[str, datetime] = {}
        self._issued = 0
        self.renewed()
        self._ids = {job: native_uuid("airbyte", job) for job in world.jobs if job.startswith("airbyte/")}
        for job in world.jobs.values():
            if job.platform == "airbyte":
                _schedule(job)

    def renewed(self) -> None:
        """Airbyte keeps no record of a sync that it did not start."""
        self._runs = [
            run
            for run in self.world.runs
            if run.job.startswith("airbyte/") and run.attempts[0].outcome is not Outcome.skipped
        ]
        self._created = [run.created for run in self._runs]
        self._by_number = {run.number: run for run in self._runs}

    def settings(self, base_url: str) -> dict[str, Any]:
        """A self-managed installation behind ``base_url``."""
        return {"url": base_url}

    def credentials(self) -> dict[str, str]:
        """An application of a workspace reader."""
        return {"client_id": _CLIENT_ID, "client_secret": _CLIENT_SECRET}

    def job_id(self, job: str) -> str:
        """The connection's uuid."""
        return self._ids.get(job) or native_uuid("airbyte", job)

    def run_id(self, run: LabRun) -> str:
        """The job's number."""
        return str(_FIRST_JOB + run.number)

    def revoke(self) -> None:
        """Every token is void."""
        self._tokens.clear()

    def routes(self) -> Sequence[BaseRoute]:
        """The public API under both its addresses, and the Configuration API."""
        acts = AirbyteActs(self.world, self.job_id, self._find, self._public, self._connection_told)
        found: list[BaseRoute] = []
        for base in _HOSTS:
            found += [
                Route(f"{base}/applications/token", self._answering(self._token), methods=["POST"]),
                Route(f"{base}/jobs", self._guarded(self._jobs)),
                Route(f"{base}/jobs", self._guarded(acts.create), methods=["POST"]),
                Route(f"{base}/jobs/{{job_id}}", self._guarded(self._job)),
                Route(f"{base}/jobs/{{job_id}}", self._guarded(acts.cancel), methods=["DELETE"]),
                Route(f"{base}/connections", self._guarded(self._connections)),
                Route(f"{base}/connections/{{connection}}", self._guarded(acts.patch), methods=["PATCH"]),
            ]
        return [
            *found,
            Route("/api/v1/applications/token", self._answering(self._token), methods=["POST"]),
            Route("/api/v1/jobs/get_without_logs", self._guarded(self._job_info), methods=["POST"]),
            Route("/api/v1/jobs/list", self._guarded(self._job_list), methods=["POST"]),
        ]

    # ── the way in ──────────────────────────────────────────────────────────────────────────────────────

    def _answering(self, handler: Handler) -> Handler:
        async def endpoint(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as problem:
                return JSONResponse(problem.body, problem.status, media_type="application/problem+json")

        return endpoint

    def _guarded(self, handler: Handler) -> Handler:
        async def endpoint(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            ends = self._tokens.get(token)
            if scheme.lower() != "bearer" or ends is None or self.world.now >= ends:
                raise Problem(401, "invalid-api-key", "The api key is invalid or has expired.")
            return await handler(request)

        return self._answering(endpoint)

    async def _token(self, request: Request) -> Response:
        body = await request.body()
        try:
            if "json" in request.headers.get("content-type", ""):
                given: dict[str, Any] = json.loads(body)
            else:
                given = {key: values[0] for key, values in parse_qs(body.decode()).items()}
            pair = (given.get("client_id"), given.get("client_secret"))
        except (ValueError, AttributeError):
            raise Problem(400, "bad-request", "The request body could not be read.") from None
        if pair != (_CLIENT_ID, _CLIENT_SECRET):
            raise Problem(401, "invalid-api-key", "The client id or the client secret is not valid.")
        self._issued += 1
        ends = self.world.now + _LIFETIME
        claims = {"sub": _CLIENT_ID, "exp": int(ends.timestamp()), "jti": self._issued}
        token = ".".join(_base64(part) for part in ('{"alg":"none"}', json.dumps(claims), str(self._issued)))
        self._tokens[token] = ends
        seconds = int(_LIFETIME.total_seconds())
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": seconds})

    # ── the public API ──────────────────────────────────────────────────────────────────────────────────

    async def _jobs(self, request: Request) -> Response:
        query = request.query_params
        limit, offset = _window(query)
        self._check_workspaces(request)
        connection = _uuid(query["connectionId"]) if "connectionId" in query else None
        if connection is not None and connection not in self._ids.values():
            raise not_found("connection", connection)
        job_type = _one_of(query.get("jobType"), _JOB_TYPES, "jobType")
        order = _ORDER.fullmatch(query.get("orderBy", "createdAt|ASC"))
        if order is None:
            raise Problem(400, "bad-request", f"Invalid order by clause provided: {query['orderBy']}")
        page = self._select(
            connection=connection,
            status=_one_of(query.get("status"), _STATUSES, "status"),
            times={key: _instant(query.get(key), key) for key in _TIMES},
            order=(order[1], order[2]),
            window=(offset, limit),
        )
        told = [self._public(run) for run in page if job_type in (None, "sync")]
        return self._paged(request, told, limit, offset)

    async def _job(self, request: Request) -> Response:
        return JSONResponse(self._public(self._find(request.path_params["job_id"])))

    async def _connections(self, request: Request) -> Response:
        limit, offset = _window(request.query_params)
        self._check_workspaces(request)
        jobs = self.world.jobs_of("airbyte")[offset : offset + limit]
        return self._paged(request, [self._connection_told(job) for job in jobs], limit, offset)

    def _check_workspaces(self, request: Request) -> None:
        for value in request.query_params.getlist("workspaceIds"):
            for workspace in filter(None, value.split(",")):
                if _uuid(workspace) != self.workspace:
                    raise Problem(403, "forbidden", "User does not have the required permissions.")

    def _paged(self, request: Request, data: Sequence[Any], limit: int, offset: int) -> Response:
        base, _, path = request.url.path.rpartition("/")
        address = f"{_HOSTS[base]}/{path}"
        kept = {
            key: request.query_params[key]
            for key in ("jobType", "connectionId")
            if key in request.query_params
        }

        def link(start: int) -> str:
            return f"{address}?{urlencode({**kept, 'limit': limit, 'offset': start})}"

        previous = link(max(0, offset - limit)) if offset else ""
        return JSONResponse(
            {"previous": previous, "next": link(offset + limit) if data else "", "data": data}
        )

    def _select(
        self,
        *,
        connection: str | None,
        status: str | None,
        times: Mapping[str, datetime | None],
        order: tuple[str, str],
        window: tuple[int, int],
    ) -> Sequence[LabRun]:
        """One page of the jobs that exist now. What a plain listing needs costs no walk over all of them."""
        first, last = 0, bisect.bisect_right(self._created, self.world.now)
        shift = self.world.skew("airbyte")
        after, before = times["createdAtStart"], times["createdAtEnd"]
        if after is not None:
            first = bisect.bisect_left(self._created, after - shift)
        if before is not None:
            last = min(last, bisect.bisect_right(self._created, before - shift))
        indexes: Sequence[int] = range(first, last)
        changed_after, changed_before = times["updatedAtStart"], times["updatedAtEnd"]
        if connection is not None or status is not None or changed_after or changed_before:
            indexes = [
                index
                for index in indexes
                if (connection is None or self.job_id(self._runs[index].job) == connection)
                and (status is None or self._state(self._runs[index])[0] == status)
                and (changed_after is None or self._state(self._runs[index])[1] + shift >= changed_after)
                and (changed_before is None or self._state(self._runs[index])[1] + shift <= changed_before)
            ]
        if order[0] == "updatedAt":
            indexes = sorted(indexes, key=lambda index: self._state(self._runs[index])[1])
        if order[1] == "DESC":
            indexes = indexes[::-1]
        return [self._runs[index] for index in indexes[window[0] : sum(window)]]

    def _find(self, job_id: object) -> LabRun:
        text = str(job_id)
        run = self._by_number.get(int(text) - _FIRST_JOB) if text.isdecimal() and len(text) < 19 else None
        if run is None or run.created > self.world.now:
            raise not_found("job", text)
        return run

    # ── what a job and a connection look like ───────────────────────────────────────────────────────────

    def _state(self, run: LabRun) -> tuple[str, datetime]:
        """Airbyte's word for it now, and when it last changed."""
        now = self.world.now
        begun = run.attempts_at(now)
        ended = run.ended_at(now)
        if ended is not None:
            return run.native_status or _WORDS[begun[-1].outcome], ended
        if not begun:
            return "pending", run.created
        latest = begun[-1]
        if latest.ended is not None and latest.ended <= now:
            return "incomplete", latest.ended
        return "running", latest.started

    def _public(self, run: LabRun) -> dict[str, Any]:
        word, changed = self._state(run)
        told: dict[str, Any] = {
            "jobId": _FIRST_JOB + run.number,
            "status": word,
            "jobType": "sync",
            "startTime": self._stamp(run.created),
            "connectionId": self.job_id(run.job),
        }
        if word in _TERMINAL:
            told["lastUpdatedAt"] = self._stamp(changed)
        if word != "pending":
            told["duration"] = _duration(int(changed.timestamp()) - int(run.created.timestamp()))
        rows = self._committed(run)
        if rows is not None:
            told |= {"bytesSynced": rows * row_width(run.job), "rowsSynced": rows}
        return told

    def _committed(self, run: LabRun) -> int | None:
        """Rows that arrived, None as long as no attempt has come to an end."""
        done = [attempt for attempt in run.attempts_at(self.world.now) if self._over(attempt)]
        return sum(attempt.rows for attempt in done) if done else None

    def _over(self, attempt: LabAttempt) -> bool:
        return attempt.ended is not None and attempt.ended <= self.world.now

    def _stamp(self, moment: datetime) -> str:
        """As Java's ``OffsetDateTime.toString`` has it: seconds only if there are any."""
        local = (moment + self.world.skew("airbyte")).astimezone(timezone(self.world.offset))
        text = local.isoformat(timespec="seconds" if local.second else "minutes")
        return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text

    def _epoch(self, moment: datetime) -> int:
        return int((moment + self.world.skew("airbyte")).timestamp())

    def _connection_told(self, job: LabJob) -> dict[str, Any]:
        return {
            "connectionId": self.job_id(job.job),
            "name": job.name,
            "sourceId": native_uuid("airbyte", "source", job.job),
            "destinationId": native_uuid("airbyte", "destination", self.world.id),
            "workspaceId": self.workspace,
            "status": "inactive" if job.paused else "active",
            "schedule": _schedule(job),
            "nonBreakingSchemaUpdatesBehavior": "propagate_columns",
            "namespaceDefinition": "custom_format",
            "namespaceFormat": NAMESPACE,
            "prefix": "",
            "configurations": {"streams": [_stream(name) for name in stream_names(job.job)]},
            "createdAt": _LONG_AGO if job.created is None else self._epoch(job.created),
            "tags": [],
        }

    # ── the Configuration API ───────────────────────────────────────────────────────────────────────────

    async def _job_info(self, request: Request) -> Response:
        body = await posted(request)
        if not isinstance(body.get("id"), int):
            return _invalid("id: must not be null")
        try:
            run = self._find(body["id"])
        except Problem:
            return JSONResponse({"message": f"Could not find job with id: {body['id']}"}, 404)
        attempts = [{"attempt": attempt, "logType": "formatted"} for attempt in self._attempts(run)]
        return JSONResponse({"job": self._job_read(run), "attempts": attempts})

    async def _job_list(self, request: Request) -> Response:
        body = await posted(request)
        if not isinstance(body.get("configTypes"), list):
            return _invalid("configTypes: must not be null")
        pagination: dict[str, Any] = body.get("pagination") or {}
        page = self._select(
            connection=body.get("configId"),
            status=None,
            times={key: _instant(body.get(key), key) for key in _TIMES},
            order=(body.get("orderByField", "createdAt"), body.get("orderByMethod", "DESC")),
            window=(int(pagination.get("rowOffset", 0)), int(pagination.get("pageSize", 20))),
        )
        jobs = [{"job": self._job_read(run), "attempts": self._attempts(run)} for run in page]
        shown = jobs if "sync" in body["configTypes"] else []
        total = bisect.bisect_right(self._created, self.world.now)
        return JSONResponse({"jobs": shown, "totalJobCount": total if shown else 0})

    def _job_read(self, run: LabRun) -> dict[str, Any]:
        word, changed = self._state(run)
        told: dict[str, Any] = {
            "id": _FIRST_JOB + run.number,
            "configType": "sync",
            "configId": self.job_id(run.job),
            "enabledStreams": [{"name": name} for name in stream_names(run.job)],
            "createdAt": self._epoch(run.created),
            "updatedAt": self._epoch(changed),
            "status": word,
        }
        begun = run.attempts_at(self.world.now)
        if begun:
            told["startedAt"] = self._epoch(begun[0].started)
        return told

    def _attempts(self, run: LabRun) -> list[dict[str, Any]]:
        begun = run.attempts_at(self.world.now)
        return [self._attempt(run, number, attempt) for number, attempt in enumerate(begun)]

    def _attempt(self, run: LabRun, number: int, attempt: LabAttempt) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": number,
            "status": "running",
            "createdAt": self._epoch(attempt.started),
            "updatedAt": self._epoch(attempt.started),
        }
        if attempt.ended is None or not self._over(attempt):
            return told
        good = attempt.outcome is Outcome.success
        ended = self._epoch(attempt.ended)
        told |= {"status": "succeeded" if good else "failed", "updatedAt": ended, "endedAt": ended}
        told |= {"bytesSynced": attempt.rows * row_width(run.job), "recordsSynced": attempt.rows}
        told["streamStats"] = stream_stats(run, number, attempt)
        if not good:
            why = {**failure(attempt), "timestamp": ended * 1000, "fromTraceMessage": True}
            told["failureSummary"] = {"failures": [why], "partialSuccess": attempt.rows > 0}
        return told


# ── small print ─────────────────────────────────────────────────────────────────────────────────────────────

_TIMES = ("createdAtStart", "createdAtEnd", "updatedAtStart", "updatedAtEnd")


def _invalid(why: str) -> Response:
    """The Configuration API's own shape of a refusal."""
    errors = [{"propertyPath": why.partition(":")[0], "message": why}]
    return JSONResponse(
        {"message": f"The received object did not pass validation. {why}", "validationErrors": errors}, 422
    )


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _window(query: Mapping[str, str]) -> tuple[int, int]:
    """``limit`` and ``offset`` within the bounds of the vendor's specification."""
    try:
        limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
    except ValueError:
        raise Problem(400, "bad-request", "limit and offset must be integers") from None
    if not 1 <= limit <= 100:
        raise Problem(400, "bad-request", f"limit: must be between 1 and 100, was {limit}")
    if offset < 0:
        raise Problem(400, "bad-request", "offset: must be greater than or equal to 0")
    return limit, offset


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise Problem(400, "bad-request", "not a uuid") from None


def _one_of(text: str | None, words: frozenset[str], name: str) -> str | None:
    if text is not None and text not in words:
        raise Problem(400, "bad-request", f"{name}: unexpected value {text!r}")
    return text


def _instant(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Problem(400, "bad-request", f"{name}: not a date-time") from None
    if moment.tzinfo is None:
        raise Problem(400, "bad-request", f"{name}: an offset is missing")
    return moment


def _duration(seconds: int) -> str:
    """As Java's ``Duration.toString`` has it: hours, minutes and seconds, what is zero left out."""
    hours, rest = divmod(seconds, 3600)
    parts = zip((hours, *divmod(rest, 60)), "HMS", strict=True)
    return "PT" + ("".join(f"{amount}{unit}" for amount, unit in parts if amount) or "0S")


def _stream(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "syncMode": "incremental_deduped_history",
        "cursorField": ["updated_at"],
        "primaryKey": [["id"]],
    }


def _schedule(job: LabJob) -> dict[str, str]:
    """The schedule as Airbyte tells it: Quartz with the zone behind it, or a basic timing."""
    if job.schedule is not None:
        return {"scheduleType": "cron", "cronExpression": f"{to_quartz(job.schedule)} {job.timezone}"}
    if job.every is None:
        return {"scheduleType": "manual"}
    minutes, odd = divmod(int(job.every.total_seconds()), 60)
    if odd or not minutes:
        raise LabError(f"{job.job}: Airbyte's timings are whole minutes")
    timing = f"Every {minutes // 60} HOURS" if minutes % 60 == 0 else f"Every {minutes} MINUTES"
    return {"scheduleType": "basic", "basicTiming": timing}
