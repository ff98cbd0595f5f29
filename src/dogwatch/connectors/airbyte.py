"""Airbyte, Cloud and self-managed.

Jobs and connections come from the public API v1 (``GET /jobs``, ``/jobs/{id}``, ``/connections``). Why a
sync failed stands in the Configuration API v1 alone (``POST /jobs/get_without_logs``), which Airbyte calls
internal: where it does not answer, runs keep their status and have no reason. Facts by the vendor's OpenAPI
files and server source of August 2026.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    Field,
    JsonValue,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from dogwatch.errors import AuthError, ConnectorError, UnexpectedAnswer
from dogwatch.model import Job, JobState, Run, Schedule, ScheduleKind, Status, UtcTime, run_uid
from dogwatch.model.text import bounded, plural
from dogwatch.wire.answer import Answer
from dogwatch.wire.connector import Ask, Connector, ConnectorSettings
from dogwatch.wire.http import Doors, Http, Pace
from dogwatch.wire.login import TokenLogin
from dogwatch.wire.paging import Where, by_offset
from dogwatch.wire.tables import Tables

T = TypeVar("T")

STATUS: Mapping[str, Status] = {
    "pending": Status.pending,
    "queued": Status.pending,  # the organisation has no data worker free
    "running": Status.running,
    "incomplete": Status.running,  # an attempt failed, Airbyte may try again
    "succeeded": Status.success,
    "failed": Status.failed,
    "cancelled": Status.cancelled,
}
"""Airbyte's words (``JobStatusEnum``). Anything else is ``unknown`` and keeps its native word."""

_STATE = {
    "active": JobState.active,
    "inactive": JobState.paused,
    "locked": JobState.suspended,
    "deprecated": JobState.deleted,
}
_UNITS = {"MINUTE": 60, "HOUR": 3600, "DAY": 86_400, "WEEK": 604_800, "MONTH": 2_592_000}
"""Seconds by time unit of a basic schedule; Airbyte's month has 30 days (``ScheduleHelpers``)."""
_EVERY = re.compile(rf"Every ([1-9][0-9]{{0,5}}) ({'|'.join(_UNITS)})S?")
_TIMEOUTS = frozenset({"heartbeat_timeout", "destination_timeout"})
"""Airbyte has no status for it: what timed out is ``failed`` with one of these types."""

PACE = Pace(per_second=10.0, concurrency=8, unhinted_429=60.0)
"""No quota is published. Load shedding answers 429 without Retry-After and lasts for minutes."""

_PAGE = 100  # the most that one page may hold
_TOGETHER = 8  # failure reasons asked for at once
_MOST_STREAMS = 50

CLOUD_URL = "https://api.airbyte.com/v1"
_CLOUD_HOSTS = frozenset({"api.airbyte.com", "cloud.airbyte.com"})


class AirbyteSettings(ConnectorSettings):
    """How to reach one Airbyte."""

    url: str = CLOUD_URL
    """Airbyte Cloud: leave it out. Self-managed: the address of the web interface, e.g.
    https://airbyte.example.com; its API is then read under /api/public/v1."""
    config_url: str | None = None
    """Where the Configuration API answers, from which the reasons of failed syncs are read; needed only if
    it is not at its usual place (Cloud: https://cloud.airbyte.com/api/v1, self-managed: /api/v1)."""
    client_id: SecretStr | None = None
    """Of an application: User settings > Applications > Create an application. It may do what the user who
    made it may: Workspace Reader on the workspaces to watch is enough. Leave out id and secret where a
    self-managed Airbyte runs without authentication."""
    client_secret: SecretStr | None = None
    """Shown beside the client id."""
    workspace_ids: tuple[UUID, ...] = ()
    """Watch these workspaces alone (the uuid behind /workspaces/ in the browser). Left out: all that the
    application can read."""

    @model_validator(mode="after")
    def _complete(self) -> "AirbyteSettings":
        cloud = urlsplit(self.url).hostname in _CLOUD_HOSTS
        if (self.client_id is None) != (self.client_secret is None):
            raise ValueError("client_id and client_secret belong together: give both or none")
        if self.client_id is None and cloud:
            raise ValueError("Airbyte Cloud needs client_id and client_secret")
        return self

    @property
    def bases(self) -> tuple[str, str | None, str | None]:
        """The API, the Configuration API and the web pages; None for what the settings do not tell."""
        url = self.url.strip().rstrip("/")
        root = url.removesuffix("/api/public/v1").removesuffix("/api/v1")
        if urlsplit(url).hostname in _CLOUD_HOSTS:
            root = "https://cloud.airbyte.com"
            return CLOUD_URL, self.config_url or f"{root}/api/v1", root
        if root == url and url.endswith("/v1"):  # the layout of some gateway
            return url, self.config_url, None
        return f"{root}/api/public/v1", self.config_url or f"{root}/api/v1", root


class _Wire(BaseModel, alias_generator=to_camel):
    """Lenient: what we do not know is ignored, what may be missing has a default."""


class _Page(_Wire, Generic[T]):
    data: list[T]


class _Sync(_Wire):
    """What Airbyte calls a job: one run of a connection (``JobResponse``)."""

    job_id: int
    status: str
    job_type: str = ""
    connection_id: str
    start_time: UtcTime  # when it was created
    last_updated_at: UtcTime | None = None  # told of terminal ones alone
    duration: str | None = None  # ISO 8601, from creation to the last change
    bytes_synced: int | None = None
    rows_synced: int | None = None

    def changed_at(self) -> datetime | None:
        """When it last changed; None if that is not told, or makes no sense."""
        if self.last_updated_at is not None or self.duration is None:
            return self.last_updated_at
        try:
            return self.start_time + _DURATION.validate_python(self.duration)
        except (ValidationError, OverflowError):
            return None


class _Stream(_Wire):
    name: str = Field(validation_alias=AliasChoices("streamName", "name"))
    namespace: str | None = Field(None, validation_alias=AliasChoices("streamNamespace", "namespace"))
    emitted: int | None = Field(None, validation_alias=AliasPath("stats", "recordsEmitted"))
    committed: int | None = Field(None, validation_alias=AliasPath("stats", "recordsCommitted"))


class _Connection(_Wire):
    connection_id: str
    name: str
    status: str
    status_reason: str | None = None
    workspace_id: str
    source_id: str | None = None
    destination_id: str | None = None
    schedule_type: str | None = Field(None, validation_alias=AliasPath("schedule", "scheduleType"))
    cron_expression: str | None = Field(None, validation_alias=AliasPath("schedule", "cronExpression"))
    basic_timing: str | None = Field(None, validation_alias=AliasPath("schedule", "basicTiming"))
    streams: list[_Stream] | None = Field(None, validation_alias=AliasPath("configurations", "streams"))
    namespace_definition: str | None = None
    namespace_format: str | None = None
    prefix: str | None = None

    def schedule(self) -> Schedule | None:
        """Its schedule as ours; None if none is told that we understand."""
        match self.schedule_type:
            case "manual":
                return Schedule(kind=ScheduleKind.manual)
            case "cron":
                return _quartz(self.cron_expression or "")
            case "basic":
                return _interval(self.basic_timing or "")
            case _:
                return None

    def table(self, stream: _Stream) -> str:
        """Where a stream lands, ``namespace.table``; the table alone where the destination decides."""
        own, form = stream.namespace or "", self.namespace_format or ""
        spaces = {"source": own, "custom_format": form.replace("${SOURCE_NAMESPACE}", own)}
        space = spaces.get(self.namespace_definition or "", "")
        return f"{space}{'.' if space else ''}{self.prefix or ''}{stream.name}"


def _quartz(told: str) -> Schedule | None:
    """Quartz's six or seven fields with the zone behind them: ``0 0 2 * * ? UTC``."""
    fields = told.split()
    last_is_zone = len(fields) >= 7 and any(character.isalpha() for character in fields[-1])
    zone = fields.pop() if last_is_zone else "UTC"
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        return None
    known = len(fields) in {6, 7}
    return Schedule(kind=ScheduleKind.quartz, expression=" ".join(fields), timezone=zone) if known else None


def _interval(told: str) -> Schedule | None:
    """``Every 24 HOURS``."""
    match = _EVERY.fullmatch(told)
    seconds = float(int(match[1]) * _UNITS[match[2]]) if match else None
    return Schedule(kind=ScheduleKind.interval, expression=told, every_seconds=seconds) if match else None


class _Failure(_Wire):
    failure_origin: str | None = None
    failure_type: str | None = None
    external_message: str | None = Field(None, exclude=True)
    internal_message: str | None = Field(None, exclude=True)
    retryable: bool | None = None


class _Attempt(_Wire):
    id: int = Field(validation_alias=AliasPath("attempt", "id"))
    failures: list[_Failure] | None = Field(
        None, validation_alias=AliasPath("attempt", "failureSummary", "failures")
    )
    streams: list[_Stream] | None = Field(None, validation_alias=AliasPath("attempt", "streamStats"))


class _Details(_Wire):
    """``JobInfoRead`` of the Configuration API."""

    attempts: list[_Attempt]


_SYNC = TypeAdapter(_Sync)
_SYNCS = TypeAdapter(_Page[_Sync])
_CONNECTION = TypeAdapter(_Connection)
_CONNECTIONS = TypeAdapter(_Page[_Connection])
_DETAILS = TypeAdapter(_Details)
_DURATION = TypeAdapter(timedelta)


class Airbyte(Connector[AirbyteSettings]):
    """Runs, jobs, and the reasons of failed runs where the installation tells them."""

    Settings = AirbyteSettings
    title = "Airbyte"

    def __init__(self, name: str, settings: AirbyteSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        self._api, config, self._web = settings.bases
        login = _login(self._api, settings, doors)
        self._http = doors.open(self._api, login=login, pace=PACE)
        short = replace(PACE, tries=2, timeout=10.0)  # a round can do without
        self._config = None if config is None else doors.open(config, login=login, pace=short)
        self._reasons = _Reasons(self._config)
        self._where: Where = {"workspaceIds": [str(workspace) for workspace in settings.workspace_ids]}

    @property
    def http(self) -> Http:
        """The door to the public API."""
        return self._http

    async def aclose(self) -> None:
        """Close both doors."""
        await self._http.aclose()
        if self._config is not None:
            await self._config.aclose()

    async def check(self) -> str:
        """What can be read: connections, workspaces, and whether failure reasons are told."""
        connections = await self._connections()
        workspaces = {connection.workspace_id for connection in connections}
        name = "Airbyte Cloud" if self._api == CLOUD_URL else f"Airbyte at {urlsplit(self._api).hostname}"
        read = f"{plural(len(connections), 'connection')} in {plural(len(workspaces), 'workspace')}"
        reasons = await self._tried_reasons()
        told = reasons.why_not or ("available" if reasons.answered else "not tried: no jobs yet")
        return f"{name} · {read} readable · failure reasons {told}"

    async def caveats(self) -> Sequence[str]:
        """Whether failure reasons cannot be read here, and why."""
        try:
            why_not = (await self._tried_reasons()).why_not
        except UnexpectedAnswer:
            return ()  # whoever reads jobs will tell
        return () if why_not is None else (f"why syncs fail is {why_not}",)

    async def _tried_reasons(self) -> "_Reasons":
        """The Configuration API, asked about the newest job if it was not asked about failed ones."""
        if not self._reasons.answered and self._reasons.why_not is None:
            params = {**self._where, "orderBy": "createdAt|DESC", "limit": 1}
            newest = (await self._http.get("jobs", params)).parse(_SYNCS).data
            await self._reasons.read([str(sync.job_id) for sync in newest])
        return self._reasons

    async def jobs(self, now: datetime) -> Sequence[Job]:
        """All connections that are not deleted."""
        return [
            self._job(connection, now)
            for connection in await self._connections()
            if _STATE.get(connection.status) is not JobState.deleted
        ]

    async def runs(self, ask: Ask) -> AsyncIterator[Sequence[Run]]:
        """Jobs created since ``ask.since``, newest first; then the open ones that were not among them.

        A page that grows while it is read only repeats jobs, because new ones come first. A bad record is
        told at the end, after everything else has been read.
        """
        reasons = self._reasons = _Reasons(self._config)
        seen: set[str] = set()
        since = ask.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        params = {**self._where, "orderBy": "createdAt|DESC", "createdAtStart": since}
        bad: UnexpectedAnswer | None = None
        async for page, problem in self._pages("jobs", params, _SYNCS, _SYNC):
            bad = bad or problem
            runs = [self._run(sync, ask) for sync in page]
            seen.update(run.native_run_id for run in runs)
            yield await _explained(runs, ask, reasons)
        rest = [run for run in ask.known.values() if run.native_run_id not in seen]
        again = (self._again(run, ask) for run in rest if run.status.open)
        outcomes = await asyncio.gather(*again, return_exceptions=True)
        yield await _explained([run for run in outcomes if isinstance(run, Run)], ask, reasons)
        yield await _explained([run for run in rest if _lacks_reason(run, ask)], ask, reasons)
        for outcome in (*outcomes, bad):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _again(self, known: Run, ask: Ask) -> Run | None:
        """An open run that the listing does not hold, asked by id; None if it is gone: then Airbyte says 404,
        or 403 because it no longer finds the connection. That we may read was shown by the listing."""
        try:
            answer = await self._http.get(f"jobs/{quote(known.native_run_id, safe='')}")
        except (UnexpectedAnswer, AuthError) as error:
            if error.status in {403, 404}:
                return None
            raise
        return self._run(answer.parse(_SYNC), ask)

    async def _connections(self) -> list[_Connection]:
        connections: list[_Connection] = []
        async for page, bad in self._pages("connections", self._where, _CONNECTIONS, _CONNECTION):
            if bad is not None:
                raise bad
            connections += page
        return connections

    def _pages(
        self, path: str, where: Where, page: TypeAdapter[_Page[T]], record: TypeAdapter[T]
    ) -> AsyncIterator[tuple[list[T], UnexpectedAnswer | None]]:
        """By our own offset: the ``next`` of a self-managed server may name a host that exists in its
        cluster alone, and it is filled even on the last page."""
        return by_offset(
            self._http, path, where, page, lambda found: found.data, key="data", record=record, size=_PAGE
        )

    def _run(self, sync: _Sync, ask: Ask) -> Run:
        """One job as a run. When its work began Airbyte does not tell, only when it was created."""
        native_id = str(sync.job_id)
        status = STATUS.get(sync.status, Status.unknown)
        changed = sync.changed_at()
        metrics = {"rows": sync.rows_synced, "bytes": sync.bytes_synced}
        only = self.settings.workspace_ids  # a job does not tell its workspace
        return Run.told(
            uid=run_uid("airbyte", self.name, sync.connection_id, native_id, 1),
            platform="airbyte",
            instance=self.name,
            job_id=sync.connection_id,
            job_name=ask.names.get(sync.connection_id, sync.connection_id),
            kind=sync.job_type,
            native_run_id=native_id,
            status=status,
            native_status=sync.status,
            queued_at=sync.start_time,
            started_at=sync.start_time,
            ended_at=None if status.open else changed,
            updated_at=changed,
            metrics={name: float(value) for name, value in metrics.items() if value is not None},
            url=self._page(str(only[0]), sync.connection_id) if len(only) == 1 else None,
            observed_at=ask.now,
        )

    def _page(self, workspace_id: str, connection_id: str) -> str | None:
        workspace, connection = quote(workspace_id, safe=""), quote(connection_id, safe="")
        return self._web and f"{self._web}/workspaces/{workspace}/connections/{connection}"

    def _job(self, connection: _Connection, now: datetime) -> Job:
        streams = connection.streams or []
        metadata: dict[str, JsonValue] = {
            **connection.model_dump(include={"workspace_id", "source_id", "destination_id", "prefix"}),
            "namespace": connection.namespace_format or connection.namespace_definition,
            "streams": [stream.name for stream in streams[:_MOST_STREAMS]],
            "stream_count": len(streams),
            **Tables(writes=tuple(connection.table(stream) for stream in streams)).metadata(),
        }
        return Job(
            platform="airbyte",
            instance=self.name,
            job_id=connection.connection_id,
            name=connection.name,
            kind="connection",
            state=_STATE.get(connection.status, JobState.unknown),
            state_reason=connection.status_reason or "",
            schedule=connection.schedule(),
            url=self._page(connection.workspace_id, connection.connection_id),
            metadata={key: value for key, value in metadata.items() if value not in (None, "")},
            observed_at=now,
        )


def _login(api: str, settings: AirbyteSettings, doors: Doors) -> TokenLogin | None:
    """Client credentials buy a token of about 15 minutes; None where authentication is switched off."""
    if settings.client_id is None or settings.client_secret is None:
        return None
    body = {
        "client_id": settings.client_id.get_secret_value(),
        "client_secret": settings.client_secret.get_secret_value(),
        "grant_type": "client_credentials",
    }
    doors.secrets.add(body["client_id"])
    doors.secrets.add(body["client_secret"])

    async def buy(http: Http) -> Answer:
        return await http.exchange(f"{api}/applications/token", json=body)

    return TokenLogin(buy, clock=doors.clock, secrets=doors.secrets)


@dataclass(slots=True)
class _Reasons:
    """The Configuration API during one round: asked until it refuses, and never the cause of a failure."""

    http: Http | None
    refusal: ConnectorError | None = None
    answered: bool = False

    @property
    def why_not(self) -> str | None:
        """What stands in the way of reading reasons, as far as was tried."""
        if self.http is None:
            return "not readable: config_url is not set"
        return None if self.refusal is None else f"not readable: {self.refusal}"

    async def read(self, native_ids: Sequence[str]) -> dict[str, _Details]:
        """What it tells of these jobs. One is asked first, several at once after it has answered."""
        found: dict[str, _Details] = {}
        rest = list(native_ids)
        while rest and self.http is not None and self.refusal is None:
            width = _TOGETHER if self.answered else 1
            batch, rest = rest[:width], rest[width:]
            answers = await asyncio.gather(*(self._one(self.http, native_id) for native_id in batch))
            found |= {key: told for key, told in zip(batch, answers, strict=True) if told is not None}
        return found

    async def _one(self, http: Http, native_id: str) -> _Details | None:
        try:
            told = (await http.ask("jobs/get_without_logs", {"id": int(native_id)})).parse(_DETAILS)
        except ConnectorError as error:
            # One job of which it makes no sense, after others of which it did, speaks for itself alone.
            if not (self.answered and isinstance(error, UnexpectedAnswer)):
                self.refusal = error
            return None
        self.answered = True
        return told


async def _explained(runs: Sequence[Run], ask: Ask, reasons: _Reasons) -> Sequence[Run]:
    """The runs, failed ones with their reason: the one already known, else asked for if recent enough."""
    told = {run.native_run_id: _as_known(run, ask) for run in runs}
    wanted = [key for key, run in told.items() if _lacks_reason(run, ask)]
    for key, details in (await reasons.read(wanted)).items():
        told[key] = _with_reason(told[key], details)
    return list(told.values())


def _lacks_reason(run: Run, ask: Ask) -> bool:
    recent = run.status.bad and (run.ended_at or run.began_at) >= ask.details_since
    return recent and run.error_message is None and "attempts" not in run.metadata


def _as_known(run: Run, ask: Ask) -> Run:
    """A failed run that did not change since its reason was read keeps it, and its status with it: the
    listing calls a timeout ``failed``."""
    known = ask.known.get(run.native_run_id) if run.status.bad else None
    if known is None or not known.status.bad or known.version != run.version:
        return run
    return known.model_copy(update={"observed_at": ask.now, "job_name": run.job_name, "url": run.url})


def _with_reason(run: Run, details: _Details) -> Run:
    """The run with what its last attempt says. ``metadata["attempts"]`` marks that it was asked."""
    metadata: dict[str, JsonValue] = {"attempts": len(details.attempts)}
    update: dict[str, Any] = {"metadata": metadata}
    if details.attempts:
        last = max(details.attempts, key=lambda attempt: attempt.id)
        update["metrics"] = {**run.metrics, "retries": float(len(details.attempts) - 1)}
        if last.streams:
            worst = sorted(last.streams, key=lambda it: (it.committed or 0) - (it.emitted or 0))
            metadata["streams"] = [stream.model_dump() for stream in worst[:_MOST_STREAMS]]
            metadata["stream_count"] = len(worst)
        # What follows a timeout is its consequence; else the first failure is the one that Airbyte shows.
        timeouts = [failure for failure in last.failures or [] if failure.failure_type in _TIMEOUTS]
        for failure in (timeouts or last.failures or [])[:1]:
            texts = [text for text in (failure.external_message, failure.internal_message) if text]
            metadata |= failure.model_dump(exclude_none=True)
            if len(set(texts)) == 2:
                metadata["internal_message"] = bounded(texts[1])
            update["error_message"] = bounded(texts[0]) if texts else None
            update["status"] = Status.timed_out if timeouts else run.status
    return run.model_copy(update=update)
