"""Langfuse, public API: what traced GenAI pipelines cost, how long they take, how they are scored and fail.

Facts: langfuse/langfuse 4.16.0. Recent rows come from ``GET /api/public/v2/observations`` and ``v3/scores``,
which count against the general limit; ``v2/metrics``, of which the smallest plan has 100 calls a day, is
asked only for what was before. Servers that know neither are read by the old ``traces``, ``observations``
and ``v2/scores``. Latencies are seconds in rows and milliseconds in metrics.
"""

import json
import math
import re
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, TypeAdapter

from dogwatch.errors import UnexpectedAnswer
from dogwatch.model import MetricSeries, UtcTime
from dogwatch.model.signal import COMPONENT
from dogwatch.model.text import bounded, one_line, plural
from dogwatch.wire.connector import Connector, ConnectorSettings
from dogwatch.wire.http import Doors, Http, Pace
from dogwatch.wire.login import BasicLogin
from dogwatch.wire.traced import LEAST, WINDOW, Key, Sample, Traced, error_share

PACE = Pace(per_second=0.4, burst=5, concurrency=2, timeout=30.0)
"""The smallest plan allows 30 calls a minute."""
_ROWS_UP_TO = timedelta(hours=6)  # a longer time is asked of v2/metrics
_PAGES = 20
"""Of rows, in one reading; who writes more is read by the minute from ``v2/metrics``."""
_METRIC_CALLS = 40  # in one reading
_ROW_LIMIT = 1000
_MOST_NAMES = 200
_PROJECT = re.compile(r"[\w-]{1,80}", re.ASCII)


class LangfuseSettings(ConnectorSettings):
    """How to reach one project of Langfuse."""

    url: str = "https://cloud.langfuse.com"
    """Where Langfuse is: https://cloud.langfuse.com (EU), https://us.cloud.langfuse.com, or a server of
    your own."""
    public_key: str
    """The project's public key, pk-lf-…"""
    secret_key: SecretStr
    """The project's secret key, sk-lf-…"""
    environments: tuple[str, ...] = ()
    """Only traces of these environments, such as production; left out: all."""
    scores: tuple[str, ...] = ("accuracy",)
    """Numeric or boolean scores from 0 to 1 of which more is better; each is watched as an accuracy."""
    components: Mapping[str, str] = Field(default_factory=dict[str, str])
    """What a trace name stands for where it is not component/<name>: a job such as databricks/620182351,
    or another component."""


# ── what Langfuse says ──────────────────────────────────────────────────────────────────────────────────────


def _number(value: Any) -> float | None:
    """Numbers may come as text; what is none, or not finite, is no number."""
    if isinstance(value, bool):
        return float(value)
    try:
        found = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


Number = Annotated[float | None, BeforeValidator(_number)]


class _Observation(BaseModel):
    traceId: str | None = None  # noqa: N815  # the wire's
    projectId: str = ""  # noqa: N815  # the wire's
    startTime: UtcTime  # noqa: N815  # the wire's
    parentObservationId: str | None = None  # noqa: N815  # the wire's
    isRootObservation: bool | None = None  # noqa: N815  # the wire's
    name: str | None = None
    traceName: str | None = None  # noqa: N815  # the wire's
    level: str | None = None
    statusMessage: str | None = None  # noqa: N815  # the wire's
    totalCost: Number = None  # noqa: N815  # the wire's
    latency: Number = None


class _Cursor(BaseModel):
    cursor: str | None = None


class _Observations(BaseModel):
    data: list[_Observation]
    meta: _Cursor = _Cursor()


class _Subject(BaseModel):
    kind: str = ""
    id: str = ""
    traceId: str | None = None  # noqa: N815  # the wire's


class _Score(BaseModel):
    name: str
    value: Number = None
    timestamp: UtcTime
    subject: _Subject | None = None
    traceId: str | None = None  # noqa: N815  # the wire's

    @property
    def trace(self) -> str:
        """The trace that it judges."""
        if self.subject is None:
            return self.traceId or ""
        return self.subject.id if self.subject.kind == "trace" else self.subject.traceId or ""


class _Scores(BaseModel):
    data: list[_Score]
    meta: _Cursor = _Cursor()


class _OldTrace(BaseModel):
    id: str
    timestamp: UtcTime
    name: str | None = None
    projectId: str = ""  # noqa: N815  # the wire's
    latency: Number = None
    totalCost: Number = None  # noqa: N815  # the wire's


class _OldTraces(BaseModel):
    data: list[_OldTrace]


class _Rows(BaseModel):
    data: list[dict[str, Any]]


class _Health(BaseModel):
    version: str


class _Project(BaseModel):
    id: str = ""
    name: str = ""


class _Projects(BaseModel):
    data: list[_Project]


_OBSERVATIONS = TypeAdapter(_Observations)
_SCORES = TypeAdapter(_Scores)
_OLD_TRACES = TypeAdapter(_OldTraces)
_ROWS = TypeAdapter(_Rows)
_HEALTH = TypeAdapter(_Health)
_PROJECTS = TypeAdapter(_Projects)

_Row = tuple[str, datetime, Mapping[str, Any]]
"""Trace name, when its hour or minute begins, and what was measured."""


class _Asker(Protocol):
    def __call__(
        self, view: str, measures: Sequence[tuple[str, str]], filters: Sequence[Mapping[str, Any]]
    ) -> Awaitable[list[_Row]]: ...


# ── the connector ───────────────────────────────────────────────────────────────────────────────────────────


class Langfuse(Connector[LangfuseSettings]):
    """Reads cost, latency, errors and scores of the pipelines that one project traces."""

    Settings = LangfuseSettings
    title = "Langfuse"
    overlap: ClassVar[timedelta] = timedelta(minutes=15)

    def __init__(self, name: str, settings: LangfuseSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        login = BasicLogin(settings.public_key, settings.secret_key, doors.secrets)
        self._http = doors.open(f"{settings.url.rstrip('/')}/api/public", login=login, pace=PACE)
        self._project = ""
        self._old = False
        self._calls = 0
        self._short = False

    @property
    def http(self) -> Http:
        """The door to Langfuse."""
        return self._http

    async def check(self) -> str:
        """Its version, the project and which pipelines were traced in the last day, or a ConnectorError."""
        version = (await self._http.get("health")).parse(_HEALTH).version
        projects = (await self._http.get("projects")).parse(_PROJECTS).data
        project = projects[0].name if projects else "unnamed"
        now = self.doors.clock.now()
        names = await self._names(now - timedelta(days=1), now)
        told = ", ".join(one_line(name, 30) for name in names[:6]) or "nothing"
        return one_line(
            f"Langfuse {one_line(version, 20)} · project {one_line(project, 40)} · "
            f"{plural(len(names), 'pipeline')} traced lately: {told}",
            190,
        )

    async def caveats(self) -> Sequence[str]:
        """What this server cannot tell, or not within its limits."""
        found: list[str] = []
        if self._old:
            found.append("This server answers the old endpoints only: what is usual is learned from now on.")
        if self._short:
            found.append(
                f"Only a part of the past was read: it would have taken more than {_METRIC_CALLS} calls of "
                "v2/metrics, of which a plan may have only 100 a day."
            )
        return found

    async def query(self, start: datetime, end: datetime, step: timedelta) -> Sequence[MetricSeries]:
        """Cost (USD an hour), latency (95th percentile, seconds), error_rate and accuracy (shares) of each
        trace name; each sample tells of the hour before it. Times of more than six hours have a sample an
        hour whatever ``step`` is, and none on servers that know the old endpoints only."""
        self._calls = 0
        if end - start > _ROWS_UP_TO:
            return self._series(await self._learned(start, end, "hour"))
        told = await self._told(start - WINDOW, end)
        if told is None:
            return self._series(await self._learned(start, end, "minute"))
        count = max(0, int((end - start) / step) + 1)
        said = {name: told.commonest(name, end - WINDOW) for name in told.failures}
        return self._series(told.rolling([start + step * index for index in range(count)]), said)

    # ── rows ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _told(self, start: datetime, end: datetime) -> Traced | None:
        """What was traced and scored in [start, end); None if that is too much to be read by rows."""
        told = Traced()
        try:
            if not await self._observed(start, end, told):
                return None
        except UnexpectedAnswer as error:
            if error.status != 404:
                raise
            await self._observed_of_old(start, end, told)
        await self._scored(start, end, told)
        return told

    async def _observed(self, start: datetime, end: datetime, told: Traced) -> bool:
        where: dict[str, str | int | list[str]] = {
            "fields": "core,basic,usage,metrics,trace_context",
            "limit": 1000,
            **self._between(start, end, "StartTime"),
        }
        seen: set[str] = set()
        for _ in range(_PAGES):
            answer = await self._http.get("v2/observations", where)
            page = answer.parse(_OBSERVATIONS)
            for one in page.data:
                self._project = self._project or one.projectId
                _count(one, told)
            cursor = page.meta.cursor
            if not cursor or not page.data:
                return True
            if cursor in seen:
                raise answer.unexpected("with a next page that was read before")
            seen.add(cursor)
            where["cursor"] = cursor
        return False

    async def _observed_of_old(self, start: datetime, end: datetime, told: Traced) -> None:
        """By the endpoints before v2: traces, and the observations without a parent that failed."""
        self._old = True
        failed: set[str] = set()
        for page in range(1, _PAGES + 1):
            where = {"level": "ERROR", "page": page, "limit": 100, **self._between(start, end, "StartTime")}
            errors = (await self._http.get("observations", where)).parse(_OBSERVATIONS).data
            failed |= {one.traceId or "" for one in errors if not one.parentObservationId}
            if len(errors) < 100:
                break
        for page in range(1, 2 * _PAGES + 1):
            where = {"fields": "core,metrics", "page": page, "limit": 100}
            where |= self._between(start, end, "Timestamp")
            traces = (await self._http.get("traces", where)).parse(_OLD_TRACES).data
            for one in traces:
                self._project = self._project or one.projectId
                name = bounded(one.name or "unnamed", 200)
                told.cost(name, one.timestamp, one.totalCost)
                told.trace(one.id, name, one.timestamp, one.latency, failed=one.id in failed)
            if len(traces) < 100:
                return

    async def _scored(self, start: datetime, end: datetime, told: Traced) -> None:
        """Scores by v3, or one name and page after the other by v2."""
        if not self.settings.scores:
            return
        where: dict[str, str | int | list[str]] = {"limit": 100, **self._between(start, end, "Timestamp")}
        if not self._old:
            where |= {"name": ",".join(self.settings.scores), "fields": "subject"}
            where |= {"dataType": "NUMERIC,BOOLEAN"}
            for _ in range(_PAGES):
                page = (await self._http.get("v3/scores", where)).parse(_SCORES)
                for one in page.data:
                    told.score(one.trace, one.name, one.timestamp, one.value)
                if not page.meta.cursor or page.meta.cursor == where.get("cursor"):
                    return
                where["cursor"] = page.meta.cursor
            return
        for name in self.settings.scores:
            for number in range(1, _PAGES + 1):
                answer = await self._http.get("v2/scores", {**where, "name": name, "page": number})
                scores = answer.parse(_SCORES).data
                for one in scores:
                    told.score(one.trace, one.name, one.timestamp, one.value)
                if len(scores) < 100:
                    break

    async def _names(self, start: datetime, end: datetime) -> list[str]:
        """Trace names among the latest hundred traces."""
        told = Traced()
        where: dict[str, str | int | list[str]] = {"limit": 100}
        try:
            where |= {"fields": "core,basic,trace_context", "isRootObservation": "true"}
            answer = await self._http.get(
                "v2/observations", {**where, **self._between(start, end, "StartTime")}
            )
            for one in answer.parse(_OBSERVATIONS).data:
                _count(one, told)
            return sorted(told.failures)
        except UnexpectedAnswer as error:
            if error.status != 404:
                raise
        self._old = True
        answer = await self._http.get(
            "traces", {"limit": 100, "page": 1, **self._between(start, end, "Timestamp")}
        )
        return sorted({one.name or "unnamed" for one in answer.parse(_OLD_TRACES).data})

    def _between(self, start: datetime, end: datetime, what: str) -> dict[str, str | int | list[str]]:
        found: dict[str, str | int | list[str]] = {f"from{what}": _stamp(start), f"to{what}": _stamp(end)}
        if self.settings.environments:
            found["environment"] = list(self.settings.environments)
        return found

    # ── aggregates ──────────────────────────────────────────────────────────────────────────────────────────

    async def _learned(
        self, start: datetime, end: datetime, granularity: Literal["hour", "minute"]
    ) -> dict[Key, list[Sample]]:
        """The same by ``v2/metrics``; nothing on servers that do not have it."""
        found: dict[Key, list[Sample]] = {}
        ask = partial(self._rows, granularity=granularity, start=start, end=end)
        try:
            await self._learned_of_roots(ask, found)
            for name, at, row in await ask("observations", (("totalCost", "sum"),), []):
                if (cost := _of(row, "totalCost", "sum")) is not None:
                    rate = cost if granularity == "hour" else 60 * cost
                    found.setdefault(("cost", name, ""), []).append((at, rate))
            for score in self.settings.scores:
                measures = (("value", "avg"), ("count", "count"))
                for name, at, row in await ask("scores-numeric", measures, [_is("name", score)]):
                    mean = _of(row, "value", "avg")
                    if mean is not None and (_of(row, "count", "count") or 0.0) >= LEAST:
                        found.setdefault(("accuracy", name, score), []).append((at, mean))
        except UnexpectedAnswer as error:
            if error.status != 404:
                raise
            self._old = True
        return {key: sorted(samples) for key, samples in found.items()}

    async def _learned_of_roots(self, ask: "_Asker", found: dict[Key, list[Sample]]) -> None:
        """Latency and the share of failures."""
        root = {"column": "isRootObservation", "operator": "=", "value": True, "type": "boolean"}
        counts: dict[tuple[str, datetime], float] = {}
        for name, at, row in await ask("observations", (("count", "count"), ("latency", "p95")), [root]):
            count = _of(row, "count", "count") or 0.0
            if count < LEAST:
                continue
            counts[name, at] = count
            if (latency := _of(row, "latency", "p95")) is not None:
                found.setdefault(("latency", name, ""), []).append((at, latency / 1000))
        told = await ask("observations", (("count", "count"),), [root, _is("level", "ERROR")])
        errors = {(name, at): _of(row, "count", "count") or 0.0 for name, at, row in told}
        for (name, at), count in counts.items():
            share = error_share(errors.get((name, at), 0.0), count)
            found.setdefault(("error_rate", name, ""), []).append((at, share))

    async def _rows(
        self,
        view: str,
        measures: Sequence[tuple[str, str]],
        filters: Sequence[Mapping[str, Any]],
        *,
        granularity: str,
        start: datetime,
        end: datetime,
    ) -> list[_Row]:
        """Rows with their trace name and hour. What has more than one answer holds is asked by halves, the
        later first, as long as calls are left."""
        if self._calls >= _METRIC_CALLS:
            self._short = True
            return []
        self._calls += 1
        among = {"column": "environment", "operator": "any of", "type": "stringOptions"}
        chosen = [{**among, "value": list(self.settings.environments)}] if self.settings.environments else []
        question = {
            "view": view,
            "metrics": [{"measure": measure, "aggregation": how} for measure, how in measures],
            "dimensions": [{"field": "traceName"}],
            "filters": [*filters, *chosen],
            "timeDimension": {"granularity": granularity},
            "fromTimestamp": _stamp(start),
            "toTimestamp": _stamp(end),
            "config": {"row_limit": _ROW_LIMIT},
        }
        rows = (await self._http.get("v2/metrics", {"query": json.dumps(question)})).parse(_ROWS).data
        if len(rows) >= _ROW_LIMIT and end - start >= 2 * WINDOW:
            ask = partial(self._rows, view, measures, filters, granularity=granularity)
            middle = _hour_of(start + (end - start) / 2)
            return [*await ask(start=middle, end=end), *await ask(start=start, end=middle)]
        found: list[_Row] = []
        for row in rows:
            at, name = _moment(row.get("time_dimension")), row.get("traceName")
            if at is not None:
                found.append((bounded(str(name or "unnamed"), 200), at, row))
        return found

    # ── translating ─────────────────────────────────────────────────────────────────────────────────────────

    def _series(
        self, told: Mapping[Key, Sequence[Sample]], said: Mapping[str, str] | None = None
    ) -> list[MetricSeries]:
        names = sorted({name for _, name, _ in told})[:_MOST_NAMES]
        base, project = self.settings.url.rstrip("/"), self._project
        url = f"{base}/project/{project}/traces" if _PROJECT.fullmatch(project) else None
        return [
            MetricSeries(
                instance=self.name,
                subject=self.settings.components.get(name, f"{COMPONENT}{name}"),
                metric=metric,
                labels={"trace": name, "score": score} if score else {"trace": name},
                query=_QUERIES[metric].format(what=score),
                samples=tuple(samples),
                said=(said or {}).get(name, "") if metric == "error_rate" else "",
                url=url,
            )
            for (metric, name, score), samples in sorted(told.items())
            if name in names
        ]


_QUERIES = {
    "cost": "sum of totalCost over an hour, USD",
    "latency": "95th percentile of the latency of root observations over an hour, seconds",
    "error_rate": "share of root observations of level ERROR over an hour",
    "accuracy": "mean of the score {what!r} over an hour",
}


def _is(column: str, value: str) -> dict[str, str]:
    return {"column": column, "operator": "=", "value": value, "type": "string"}


def _count(one: _Observation, told: Traced) -> None:
    """Cost counts wherever it stands, the rest only of what began a trace."""
    root = one.isRootObservation if one.isRootObservation is not None else not one.parentObservationId
    name = bounded(one.traceName or (one.name if root else None) or "unnamed", 200)
    told.cost(name, one.startTime, one.totalCost)
    if one.level == "ERROR":
        told.complaint(name, one.startTime, bounded(one.statusMessage or "", 500))
    if root:
        told.trace(one.traceId or "", name, one.startTime, one.latency, failed=one.level == "ERROR")


def _of(row: Mapping[str, Any], measure: str, how: str) -> float | None:
    """A measure of a row; the spelling of keys is not in the specification."""
    for key in (f"{how}_{measure}", f"{measure}_{how}", measure):
        if key in row:
            return _number(row[key])
    return None


def _moment(value: object) -> datetime | None:
    """A bucket's beginning; ClickHouse writes a blank for the T and no zone, and means UTC."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        if found is None:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
