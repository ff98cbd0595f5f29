"""Langfuse's twin: the public API over the traces of the lab's pipelines, behind the keys of one project.

It knows the current endpoints (v2 observations and metrics, v3 scores) and those before them, takes scores
and OpenTelemetry traces from clients, and keeps to the limits of the smallest plan: 30 calls a minute, 100 of
``v2/metrics`` a day. Like the real server it shows a trace some seconds after it ended, tells latencies in
seconds in rows and in milliseconds in metrics, and writes times of metrics as its database does.
"""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dogwatch.lab.ingest import Ingest
from dogwatch.lab.traces import Trace, Traces
from dogwatch.lab.twin import Jobless
from dogwatch.lab.world import World, native_uuid

_PUBLIC = "pk-lf-0b6f6f0e-3a55-4a52-9b1d-8d9f0a7c1e42"
_SECRET = "sk-lf-c2a1e7d4-5f09-4f7e-8a6b-2e4d9b7c3f10"
_VERSION = "4.16.0"
_PROJECT = "cmf2k1x9t0001ad07shopdocs"
_LAG = timedelta(seconds=20)
"""Ingestion is asynchronous."""
_A_MINUTE = 30
_MOST_WRITTEN = 40_000
_METRICS_A_DAY = 100
_GROUPS = frozenset(
    ("core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics", "trace_context")
)
_HIGH = frozenset({"id", "traceId", "userId", "sessionId", "parentObservationId", "observationId"})
_BUCKETS = {"minute": 60, "hour": 3600, "day": 86400}


class _Bad(Exception):
    """What the API refuses, in its words."""


class Langfuse(Jobless):
    """One project of Langfuse."""

    platform: ClassVar[str] = "langfuse"
    required: ClassVar[str] = "startTime"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._traces = Traces(world)
        self._calls: Counter[tuple[str, int]] = Counter()
        self._written: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self.taken = Ingest(lambda: world.now)
        """What clients sent."""

    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's paths."""
        api = "/api/public"
        return [
            Route(f"{api}/health", self._health),
            Route(f"{api}/projects", self._guarded(self._projects)),
            Route(f"{api}/v2/observations", self._guarded(self._observations)),
            Route(f"{api}/v2/metrics", self._guarded(self._metrics)),
            Route(f"{api}/v3/scores", self._guarded(self._scores)),
            Route(f"{api}/traces", self._guarded(self._old_traces)),
            Route(f"{api}/observations", self._guarded(self._old_observations)),
            Route(f"{api}/v2/scores", self._guarded(self._old_scores)),
            Route(f"{api}/scores", self._sent(self.taken.score), methods=["POST"]),
            Route(f"{api}/otel/v1/traces", self._sent(self.taken.spans), methods=["POST"]),
        ]

    def settings(self, base_url: str) -> dict[str, Any]:
        """The address and the public key."""
        return {"url": base_url, "public_key": _PUBLIC}

    def told(self, subject: Callable[[str], str | None]) -> dict[str, Any]:
        """Nothing: a component is called as its traces are."""
        return {}

    def credentials(self) -> dict[str, str]:
        """The secret key."""
        return {"secret_key": _SECRET}

    def revoke(self) -> None:
        """Keys are fixed."""

    # ── answering ───────────────────────────────────────────────────────────────────────────────────────────

    def _guarded(self, handler: Callable[[Request], Any]) -> Callable[[Request], Response]:
        def guarded(request: Request) -> Response:
            refusal = self._refused(request)
            if refusal is not None:
                return refusal
            try:
                return JSONResponse(handler(request))
            except _Bad as error:
                return JSONResponse({"message": "Invalid request data", "error": str(error)}, 400)

        return guarded

    def _sent(self, taker: Callable[[bytes, Mapping[str, str]], Response]) -> Any:
        async def sent(request: Request) -> Response:
            refusal = self._refused(request)
            return refusal or taker(await request.body(), request.headers)

        return sent

    def _refused(self, request: Request) -> Response | None:
        """401 without the project's keys, 429 beyond the plan."""
        given = base64.b64encode(f"{_PUBLIC}:{_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {given}":
            problem = {"message": "Invalid credentials. Confirm that you've configured the correct host."}
            return JSONResponse(problem, 401)
        seconds = self.world.now.timestamp()
        if request.url.path.endswith("/v2/metrics"):
            what, length, most = "metrics", 86_400, _METRICS_A_DAY
        elif request.method == "POST":
            return None
        else:
            what, length, most = "general", 60, _A_MINUTE
        slot = (what, int(seconds // length))
        self._calls[slot] += 1
        if self._calls[slot] <= most:
            return None
        after = max(1, round(length - seconds % length))
        details: dict[str, Any] = {"retryAfterSeconds": after, "limit": most, "remaining": 0}
        limited = {"message": "Rate limit exceeded", "code": "rate_limited", "details": details}
        return JSONResponse(
            limited,
            429,
            {"Retry-After": str(after), "X-RateLimit-Limit": str(most), "X-RateLimit-Remaining": "0"},
        )

    def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "OK", "version": _VERSION})

    def _projects(self, request: Request) -> Any:
        organization = {"id": "cmf2k0q8r0000ad07shop", "name": "shop"}
        project = {"id": _PROJECT, "name": "shop-documents", "organization": organization, "metadata": {}}
        return {"data": [project]}

    # ── rows ────────────────────────────────────────────────────────────────────────────────────────────────

    def _seen(self, start: datetime, end: datetime) -> Iterator[Trace]:
        """Traces that began in [start, end) and have arrived."""
        now = self.world.now - _LAG
        return (one for one in self._traces.between(start, min(end, now)) if one.ended <= now)

    def _observations(self, request: Request) -> Any:
        said = request.query_params
        groups = {"core", *(said.get("fields") or "core,basic").split(",")}
        if not groups <= _GROUPS:
            raise _Bad(f"Invalid field groups: {sorted(groups - _GROUPS)}")
        limit = _limit(said, 50, 1000)
        start, end = self._span(said, "StartTime")
        rows = [row for row in self._spans(start, end) if _fits(row, said)]
        rows += [row for row in self.taken.observations if _fits(row, said)]
        rows.sort(key=lambda row: (row["startTime"], row["id"]), reverse=True)
        page, cursor = _page(rows, said.get("cursor"), limit, "startTime")
        return {"data": [_only(row, groups) for row in page], "meta": {"cursor": cursor} if cursor else {}}

    def _spans(self, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        for one in self._seen(start, end):
            key = (one.place, one.number)
            if key not in self._written:
                if len(self._written) >= _MOST_WRITTEN:
                    self._written.clear()
                self._written[key] = list(_rows_of(one))
            yield from self._written[key]

    def _scores(self, request: Request) -> Any:
        said = request.query_params
        limit = _limit(said, 50, 100)
        unknown = set(filter(None, (said.get("fields") or "").split(","))) - {
            "details",
            "subject",
            "annotation",
        }
        if unknown:
            raise _Bad(f"Unknown field groups: {sorted(unknown)}")
        start, end = self._span(said, "Timestamp")
        names = set(filter(None, (said.get("name") or "").split(",")))
        found = [row for row in self._judged(start, end) if not names or row["name"] in names]
        found.sort(key=lambda row: (row["timestamp"], row["id"]), reverse=True)
        page, cursor = _page(found, said.get("cursor"), limit, "timestamp")
        if "subject" not in (said.get("fields") or ""):
            page = [{key: value for key, value in row.items() if key != "subject"} for row in page]
        return {"data": page, "meta": {"limit": limit, **({"cursor": cursor} if cursor else {})}}

    def _judged(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        found = [
            _score(one) for one in self._seen(start - timedelta(minutes=30), end) if start <= one.ended < end
        ]
        return found + [row for row in self.taken.scores if _stamp(start) <= row["timestamp"] < _stamp(end)]

    def _span(self, said: Mapping[str, str], what: str) -> tuple[datetime, datetime]:
        start = _moment(said.get(f"from{what}")) or self.world.now - timedelta(days=30)
        return start, _moment(said.get(f"to{what}")) or self.world.now

    # ── the endpoints before ────────────────────────────────────────────────────────────────────────────────

    def _old_traces(self, request: Request) -> Any:
        start, end = self._span(request.query_params, "Timestamp")
        rows = [
            {
                "id": one.id,
                "timestamp": _stamp(one.started),
                "name": one.name,
                "projectId": _PROJECT,
                "htmlPath": f"/project/{_PROJECT}/traces/{one.id}",
                "latency": one.latency.total_seconds(),
                "totalCost": one.cost,
            }
            for one in self._seen(start, end)
        ]
        return _numbered(
            sorted(rows, key=lambda row: str(row["timestamp"]), reverse=True), request.query_params
        )

    def _old_observations(self, request: Request) -> Any:
        said = request.query_params
        start, end = self._span(said, "StartTime")
        return _numbered([row for row in self._spans(start, end) if _fits(row, said)], said)

    def _old_scores(self, request: Request) -> Any:
        said = request.query_params
        start, end = self._span(said, "Timestamp")
        wanted = said.get("name")
        rows = [
            {**row, "traceId": row["subject"]["id"]}
            for row in self._judged(start, end)
            if wanted in {None, row["name"]}
        ]
        return _numbered(rows, said)

    # ── metrics ─────────────────────────────────────────────────────────────────────────────────────────────

    def _metrics(self, request: Request) -> Any:
        try:
            asked: dict[str, Any] = json.loads(request.query_params.get("query", ""))
            start, end = _moment(asked["fromTimestamp"]), _moment(asked["toTimestamp"])
            granularity = asked["timeDimension"]["granularity"]
            fields = [one["field"] for one in asked["dimensions"]]
            measures = [(one["measure"], one["aggregation"]) for one in asked["metrics"]]
        except (ValueError, KeyError, TypeError) as error:
            raise _Bad(f"Invalid query: {error!r}"[:200]) from None
        if start is None or end is None or granularity not in _BUCKETS or set(fields) & _HIGH:
            raise _Bad("Invalid query: unknown granularity, missing times or a dimension of high cardinality")
        limit = asked.get("config", {}).get("row_limit", 100)
        if not 1 <= limit <= 1000:
            raise _Bad("config.row_limit must be between 1 and 1000")
        rows = (
            self._spans(start, end)
            if asked["view"] == "observations"
            else iter(self._judged_named(start, end))
        )
        width = _BUCKETS[granularity]
        groups: dict[tuple[int, tuple[str, ...]], list[dict[str, Any]]] = {}
        for row in rows:
            if all(_holds(row, one) for one in asked.get("filters", [])):
                at = datetime.fromisoformat(row.get("startTime") or row["timestamp"]).timestamp()
                key = (int(at // width), tuple(str(row.get(name)) for name in fields))
                groups.setdefault(key, []).append(row)
        data = [
            {
                "time_dimension": f"{datetime.fromtimestamp(bucket * width, UTC):%Y-%m-%d %H:%M:%S}",
                **dict(zip(fields, names, strict=True)),
                **{f"{how}_{measure}": _aggregate(members, measure, how) for measure, how in measures},
            }
            for (bucket, names), members in sorted(groups.items())
        ]
        return {"data": data[:limit]}

    def _judged_named(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        names = {one.id: one.name for one in self._seen(start - timedelta(minutes=30), end)}
        return [{**row, "traceName": names.get(row["subject"]["id"])} for row in self._judged(start, end)]


def _rows_of(one: Trace) -> Iterator[dict[str, Any]]:
    """A trace's root and the call of the model within."""
    tokens_in, tokens_out = one.tokens
    common: dict[str, Any] = {
        "traceId": one.id,
        "projectId": _PROJECT,
        "environment": "production",
        "userId": None,
        "sessionId": None,
        "traceName": one.name,
        "tags": [],
        "release": None,
        "level": "ERROR" if one.error else "DEFAULT",
        "statusMessage": one.error,
        "endTime": _stamp(one.ended),
        "createdAt": _stamp(one.ended + _LAG),
        "updatedAt": _stamp(one.ended + _LAG),
        "modelId": None,
        "inputPrice": None,
        "outputPrice": None,
        "totalPrice": None,
    }
    root = f"{one.id[:16]}"
    yield {
        **common,
        "id": root,
        "startTime": _stamp(one.started),
        "parentObservationId": None,
        "isRootObservation": True,
        "type": "SPAN",
        "name": one.name,
        "latency": one.latency.total_seconds(),
        "totalCost": 0.0,
        "usageDetails": {},
        "costDetails": {},
    }
    yield {
        **common,
        "id": f"{one.id[16:]}",
        "startTime": _stamp(one.call_starts),
        "parentObservationId": root,
        "isRootObservation": False,
        "type": "GENERATION",
        "name": "model call",
        "latency": round((one.ended - one.call_starts).total_seconds(), 3),
        "providedModelName": "gpt-5-mini",
        "totalCost": one.cost,
        "usageDetails": {"input": tokens_in, "output": tokens_out},
        "costDetails": {"input": round(one.cost / 2, 6), "output": round(one.cost - one.cost / 2, 6)},
    }


_GROUP_OF = {
    **dict.fromkeys(("usageDetails", "costDetails", "totalCost"), "usage"),
    **dict.fromkeys(("latency", "timeToFirstToken"), "metrics"),
    **dict.fromkeys(("tags", "release", "traceName"), "trace_context"),
    **dict.fromkeys(("completionStartTime", "createdAt", "updatedAt"), "time"),
    **dict.fromkeys(("input", "output"), "io"),
    **dict.fromkeys(("metadata",), "metadata"),
    **dict.fromkeys(("providedModelName", "internalModelId", "modelParameters"), "model"),
    **dict.fromkeys(
        (
            "name",
            "level",
            "statusMessage",
            "version",
            "environment",
            "userId",
            "sessionId",
            "isRootObservation",
        ),
        "basic",
    ),
}


def _only(row: Mapping[str, Any], groups: set[str]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if _GROUP_OF.get(key, "core") in groups}


def _fits(row: Mapping[str, Any], said: Any) -> bool:
    """By the plain parameters of a listing."""
    for name in ("name", "type", "traceId", "level", "userId", "sessionId"):
        if said.get(name) and row.get(name) != said[name]:
            return False
    root = said.get("isRootObservation")
    if root and row.get("isRootObservation") is not (root.lower() == "true"):
        return False
    environments = said.getlist("environment")
    if environments and row.get("environment") not in environments:
        return False
    first, last = said.get("fromStartTime"), said.get("toStartTime")
    return (not first or row["startTime"] >= _stamp(_moment(first) or datetime.min.replace(tzinfo=UTC))) and (
        not last or row["startTime"] < _stamp(_moment(last) or datetime.max.replace(tzinfo=UTC))
    )


def _holds(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    value = row.get(wanted["column"])
    if wanted["operator"] == "any of":
        return value in wanted["value"]
    if wanted["operator"] not in {"=", "<>"}:
        raise _Bad(f"the lab does not know the operator {wanted['operator']!r}")
    return (value == wanted["value"]) is (wanted["operator"] == "=")


def _aggregate(rows: Sequence[Mapping[str, Any]], measure: str, how: str) -> Any:
    """Counts are text, as ClickHouse writes whole numbers of 64 bits."""
    if measure == "count":
        return str(len(rows))
    scale = 1000 if measure == "latency" else 1
    values = sorted(float(row.get(measure) or 0) * scale for row in rows)
    if how == "sum":
        return sum(values)
    if how == "avg":
        return sum(values) / len(values)
    if how.startswith("p"):
        return values[min(len(values) - 1, int(len(values) * int(how[1:]) / 100))]
    raise _Bad(f"Invalid aggregation {how!r}")


def _score(one: Trace) -> dict[str, Any]:
    at = _stamp(one.ended)
    return {
        "id": native_uuid("score", one.id),
        "projectId": _PROJECT,
        "name": "accuracy",
        "value": one.accuracy,
        "dataType": "NUMERIC",
        "source": "EVAL",
        "timestamp": at,
        "environment": "production",
        "createdAt": at,
        "updatedAt": at,
        "subject": {"kind": "trace", "id": one.id},
    }


def _limit(said: Mapping[str, str], usual: int, most: int) -> int:
    text = said.get("limit", str(usual))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise _Bad(f"limit must be between 1 and {most}")
    return int(text)


def _page(
    rows: Sequence[dict[str, Any]], cursor: str | None, limit: int, by: str
) -> tuple[list[dict[str, Any]], str | None]:
    """What follows the cursor in rows that are sorted the latest first."""
    if cursor:
        try:
            last = json.loads(base64.urlsafe_b64decode(cursor))
        except ValueError:
            raise _Bad("Invalid cursor") from None
        rows = [row for row in rows if (row[by], row["id"]) < (last["at"], last["id"])]
    page = list(rows[:limit])
    if len(rows) <= limit:
        return page, None
    told = json.dumps({"at": page[-1][by], "id": page[-1]["id"]})
    return page, base64.urlsafe_b64encode(told.encode()).decode()


def _numbered(rows: Sequence[dict[str, Any]], said: Mapping[str, str]) -> dict[str, Any]:
    limit, page = _limit(said, 50, 100), max(1, int(said.get("page", "1")))
    meta = {
        "page": page,
        "limit": limit,
        "totalItems": len(rows),
        "totalPages": -(-len(rows) // limit),
    }
    return {"data": list(rows[(page - 1) * limit : page * limit]), "meta": meta}


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Bad(f"Invalid datetime {text!r}") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
