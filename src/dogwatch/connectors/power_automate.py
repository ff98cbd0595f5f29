"""Power Automate cloud flows, as Dataverse remembers them (Web API v9.2).

Runs are rows of the elastic table ``flowrun``, flows are rows of ``workflow`` with category 5. A run's row is
written when the run has ended; only flows inside solutions are recorded; ingestion is best effort. Facts:
MicrosoftDocs ``cloud-flow-run-metadata``, ``manage-flows-with-code`` and the ``flowrun`` entity reference.
There is no supported app-only way to see running flows or to cancel and resubmit runs.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, JsonValue, SecretStr, TypeAdapter, ValidationError
from tzlocal.windows_tz import win_tz

from dogwatch.errors import AuthError, ConnectorError, UnexpectedAnswer
from dogwatch.model import Job, JobState, Run, Schedule, ScheduleKind, Status, UtcTime, run_uid
from dogwatch.model.text import bounded, plural
from dogwatch.wire.answer import Answer
from dogwatch.wire.connector import Ask, Connector, ConnectorSettings
from dogwatch.wire.http import Doors, Http, Pace
from dogwatch.wire.login import TokenLogin
from dogwatch.wire.records import salvage
from dogwatch.wire.tables import MOST_TABLES, in_json, values_of

PLATFORM = "power_automate"

STATUS: Mapping[str, Status] = {
    "succeeded": Status.success,
    "success": Status.success,  # Microsoft's pages use both spellings
    "failed": Status.failed,
    "aborted": Status.failed,
    "faulted": Status.failed,
    "cancelled": Status.cancelled,
    "running": Status.running,
    "waiting": Status.running,
    "suspended": Status.pending,
    "skipped": Status.skipped,
    "ignored": Status.skipped,
    "timedout": Status.timed_out,
}
"""``flowrun.status`` and the Logic Apps words behind it, lower case. Anything else is ``unknown``."""

_STATE = {0: JobState.paused, 1: JobState.active, 2: JobState.suspended}
"""``workflow.statecode``: off, on, suspended."""

_HEADERS = {
    "Prefer": 'odata.maxpagesize=500,odata.include-annotations="OData.Community.Display.V1.FormattedValue"',
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
}
_RUN_COLUMNS = (
    "flowrunid,name,status,starttime,endtime,triggertype,errorcode,errormessage,workflowid,parentrunid"
)
_FLOW_COLUMNS = "workflowid,name,statecode,statuscode,clientdata,_ownerid_value"
_INGESTION_TROUBLE = {
    "TtlSettingEqual0": "keeping flow runs is switched off (FlowRunTimeToLiveInSeconds is 0)",
    "IngestionDisabledByOrgSettings": "recording flow runs is switched off for this environment",
    "ElasticTableStorageCapacityReached": "the environment's storage is full: runs are not recorded",
    "ElasticTablePartitionLimitReached": "an owner's partition is full: runs are not recorded",
    "IngestionRateDataLoss": "so many flows run that Dataverse drops some of their records",
    "ElasticTableNoRoleForUser": "some flow owners may not read FlowRun: their runs are not recorded",
}
"""``flowevent.eventcode`` of type FlowRunIngestion."""
_DLP_VIOLATION = 3
_ASKED_TOGETHER = 40
"""Ids in one filter; a URL must stay below 8 KB."""

PACE = Pace(per_second=10.0, concurrency=4)
"""Service protection allows 6,000 requests in five minutes and 52 at once for one user."""


class PowerAutomateSettings(ConnectorSettings):
    """How to reach the Dataverse of one Power Platform environment."""

    url: str
    """The environment's Dataverse address, e.g. https://contoso.crm4.dynamics.com: Power Platform admin
    center > Environments > your environment > Environment URL."""
    tenant_id: str
    """The directory (tenant) id: Microsoft Entra admin center > App registrations > your app > Overview."""
    client_id: str
    """The application (client) id of the same page. Add the app as an application user of the environment
    (Power Platform admin center > Environments > Settings > Users + permissions > Application users) with a
    security role that has organization-level Read on the tables Flow Run and Process, and nothing else."""
    client_secret: SecretStr
    """App registrations > your app > Certificates & secrets > New client secret."""
    environment_id: str | None = None
    """Only for links: the id behind /environments/ in make.powerautomate.com."""
    entra_url: str = "https://login.microsoftonline.com"
    """Where Microsoft Entra answers; other than this in sovereign clouds only."""


# ── what Dataverse says ─────────────────────────────────────────────────────────────────────────────────────


class _FlowRun(BaseModel):
    flowrunid: str
    name: str | None = None
    status: str
    starttime: UtcTime
    endtime: UtcTime | None = None
    triggertype: str | None = None
    errorcode: str | None = None
    errormessage: str | None = None
    workflowid: str
    parentrunid: str | None = None


class _Flow(BaseModel):
    workflowid: str
    name: str | None = None
    statecode: int
    statuscode: int | None = None
    clientdata: str | None = None
    owner: str | None = Field(None, alias="_ownerid_value@OData.Community.Display.V1.FormattedValue")


class _Page(BaseModel):
    next_link: str | None = Field(None, alias="@odata.nextLink")


class _RunsPage(_Page):
    value: list[_FlowRun]


class _FlowsPage(_Page):
    value: list[_Flow]


class _Event(BaseModel):
    eventcode: str | None = None


class _EventsPage(_Page):
    value: list[_Event]


class _Organization(BaseModel):
    flowruntimetoliveinseconds: int | None = None


class _OrganizationsPage(_Page):
    value: list[_Organization]


class _Recurrence(BaseModel):
    """Azure Logic Apps' recurrence trigger (schema 2016-06-01)."""

    frequency: str
    interval: int = Field(1, ge=1, le=10_000)
    timeZone: str = "UTC"  # noqa: N815  # the wire's spelling
    startTime: str | None = None  # noqa: N815  # the wire's spelling
    schedule: dict[str, Any] = {}


_RUNS = TypeAdapter(_RunsPage)
_RUN = TypeAdapter(_FlowRun)
_FLOWS = TypeAdapter(_FlowsPage)
_EVENTS = TypeAdapter(_EventsPage)
_ORGANIZATIONS = TypeAdapter(_OrganizationsPage)
_client_data = lru_cache(maxsize=1)(TypeAdapter(dict[str, Any]).validate_json)  # each is asked for twice
_RECURRENCE = TypeAdapter(_Recurrence)


# ── the connector ───────────────────────────────────────────────────────────────────────────────────────────


class PowerAutomate(Connector[PowerAutomateSettings]):
    """Reads the flows of one environment and what became of their runs."""

    Settings = PowerAutomateSettings
    title = "Power Automate"
    overlap: ClassVar[timedelta] = timedelta(hours=3)
    """Rows are written when runs end, and Dataverse may take its time."""

    def __init__(self, name: str, settings: PowerAutomateSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        doors.secrets.add(settings.client_secret.get_secret_value())
        login = TokenLogin(self._buy, clock=doors.clock, secrets=doors.secrets)
        self._http = doors.open(f"{settings.url.rstrip('/')}/api/data/v9.2", login=login, pace=PACE)

    @property
    def http(self) -> Http:
        """The door to Dataverse."""
        return self._http

    async def check(self) -> str:
        """How many flows can be read and whether runs are recorded, or a ConnectorError."""
        flows = await self._flows()
        probe: dict[str, str | int] = {"$select": "flowrunid,name,status,starttime,workflowid", "$top": 1}
        answer = await self._http.get("flowruns", probe, headers=_HEADERS)
        seen = "runs readable" if answer.parse(_RUNS).value else "no run recorded yet"
        on = sum(flow.statecode == 1 for flow in flows)
        return f"Power Automate · {plural(len(flows), 'solution flow')}, {on} switched on · {seen}"

    async def caveats(self) -> Sequence[str]:
        """What Dataverse does not show, and what it says is wrong with its own recording."""
        told = [
            "Runs still going are not shown: Dataverse records a run when it ends.",
            "Flows outside solutions are not recorded.",
        ]
        try:
            told += await self._recording_trouble()
        except (AuthError, UnexpectedAnswer):
            told.append(
                "Whether Dataverse records every run cannot be told: no Read on Organization, Flow Event."
            )
        return told

    async def jobs(self, now: datetime) -> Sequence[Job]:
        """All cloud flows in solutions: on, off and suspended."""
        return [self._job(flow, now) for flow in await self._flows()]

    async def runs(self, ask: Ask) -> AsyncIterator[Sequence[Run]]:
        """Runs that started or ended since ``ask.since``, newest first; then the open ones by id.

        A long run appears late, when it ends: asking for the end as well finds it whenever it began.
        """
        since = ask.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        recent = f"starttime ge {since} or endtime ge {since}"
        seen: set[str] = set()
        bad: ConnectorError | None = None
        async for rows, error in self._run_pages(recent):
            bad = bad or error
            runs = [self._run(row, ask) for row in rows]
            seen.update(run.native_run_id for run in runs)
            yield runs
        still_open = [key for key, run in ask.known.items() if run.status.open and key not in seen]
        for start in range(0, len(still_open), _ASKED_TOGETHER):
            chosen = still_open[start : start + _ASKED_TOGETHER]
            quoted = ("'" + key.replace("'", "''") + "'" for key in chosen)
            async for rows, error in self._run_pages(" or ".join(f"name eq {key}" for key in quoted)):
                bad = bad or error
                yield [self._run(row, ask) for row in rows]
        if bad is not None:
            raise bad

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _buy(self, http: Http) -> Answer:
        """Entra v2 client credentials; the scope is the environment itself."""
        settings = self.settings
        return await http.exchange(
            f"{settings.entra_url.rstrip('/')}/{settings.tenant_id}/oauth2/v2.0/token",
            form={
                "grant_type": "client_credentials",
                "client_id": settings.client_id,
                "client_secret": settings.client_secret.get_secret_value(),
                "scope": f"{settings.url.rstrip('/')}/.default",
            },
        )

    async def _run_pages(
        self, condition: str
    ) -> AsyncIterator[tuple[Sequence[_FlowRun], ConnectorError | None]]:
        """Pages of runs, each with what was wrong with one of its records."""
        link: str | None = "flowruns"
        params: dict[str, str | int] | None = {
            "$select": _RUN_COLUMNS,
            "$filter": condition,
            "$orderby": "starttime desc",
        }
        seen: set[str] = set()
        while link:
            seen.add(link)
            answer = await self._http.get(link, params, headers=_HEADERS)
            try:
                page = answer.parse(_RUNS)
                link, params = page.next_link, None
                yield page.value, None
            except UnexpectedAnswer as error:
                rows, whole = salvage(answer, "value", _RUN)
                further = whole.get("@odata.nextLink")
                link, params = further if isinstance(further, str) else None, None
                yield rows, error
            if link in seen:
                raise answer.unexpected("with a next page that was read before")

    async def _flows(self) -> list[_Flow]:
        flows: list[_Flow] = []
        link: str | None = "workflows"
        params: dict[str, str | int] | None = {
            "$select": _FLOW_COLUMNS,
            "$filter": "category eq 5 and type eq 1",
        }
        seen: set[str] = set()
        while link:
            seen.add(link)
            answer = await self._http.get(link, params, headers=_HEADERS)
            page = answer.parse(_FLOWS)
            flows += page.value
            link, params = page.next_link, None
            if link in seen:
                raise answer.unexpected("with a next page that was read before")
        return flows

    async def _recording_trouble(self) -> list[str]:
        settings = {"$select": "flowruntimetoliveinseconds"}
        organizations = (await self._http.get("organizations", settings, headers=_HEADERS)).parse(
            _ORGANIZATIONS
        )
        told: list[str] = []
        for organization in organizations.value:
            kept = organization.flowruntimetoliveinseconds
            if kept:
                told.append(f"Runs are kept for {plural(round(kept / 86_400), 'day')}.")
        since = (self.doors.clock.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        wanted = {
            "$select": "eventcode",
            "$filter": f"eventtype eq 'FlowRunIngestion' and createdon ge {since}",
        }
        events = (await self._http.get("flowevents", wanted, headers=_HEADERS)).parse(_EVENTS)
        codes = sorted({event.eventcode for event in events.value if event.eventcode})
        if organizations.value and organizations.value[0].flowruntimetoliveinseconds == 0:
            codes = sorted({*codes, "TtlSettingEqual0"})
        return told + [
            f"{_INGESTION_TROUBLE[code].capitalize()}." for code in codes if code in _INGESTION_TROUBLE
        ]

    # ── translating ─────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, row: _FlowRun, ask: Ask) -> Run:
        native_id = row.name or row.flowrunid
        status = STATUS.get(row.status.lower(), Status.unknown)
        return Run.told(
            uid=run_uid(PLATFORM, self.name, row.workflowid, native_id, 1),
            platform=PLATFORM,
            instance=self.name,
            job_id=row.workflowid,
            job_name=ask.names.get(row.workflowid, row.workflowid),
            kind="flow",
            native_run_id=native_id,
            trigger=row.triggertype or "",
            status=status,
            native_status=row.status,
            started_at=row.starttime,
            ended_at=None if status.open else row.endtime,
            updated_at=row.endtime,
            error_message=_error(row) if status.bad else None,
            url=self._link(row.workflowid, f"/runs/{native_id}"),
            metadata={"flowrunid": row.flowrunid, **({"parent": row.parentrunid} if row.parentrunid else {})},
            observed_at=ask.now,
        )

    def _job(self, flow: _Flow, now: datetime) -> Job:
        state = _STATE.get(flow.statecode, JobState.unknown)
        reason = "a data loss prevention policy stopped it" if flow.statuscode == _DLP_VIOLATION else ""
        schedule, metadata = _schedule(flow.clientdata)
        metadata |= _uses(flow.clientdata)
        return Job(
            platform=PLATFORM,
            instance=self.name,
            job_id=flow.workflowid,
            name=flow.name or flow.workflowid,
            kind="flow",
            state=state,
            state_reason=reason,
            schedule=schedule,
            owner=flow.owner,
            url=self._link(flow.workflowid, "/details"),
            metadata=metadata,
            observed_at=now,
        )

    def _link(self, flow_id: str, rest: str) -> str | None:
        environment = self.settings.environment_id
        if environment is None:
            return None
        return f"https://make.powerautomate.com/environments/{environment}/flows/{flow_id}{rest}"


def _error(row: _FlowRun) -> str | None:
    """``ActionFailed: An action failed. …``; whatever part of it is told."""
    return bounded(": ".join(part for part in (row.errorcode, row.errormessage) if part)) or None


# ── when a flow runs ────────────────────────────────────────────────────────────────────────────────────────

_SECONDS = {"Second": 1, "Minute": 60, "Hour": 3600, "Day": 86_400, "Week": 604_800}
_IN_EVERY_MONTH, _MOST_WEEKS = 28, 5
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def _schedule(clientdata: str | None) -> tuple[Schedule | None, dict[str, JsonValue]]:
    """The schedule in a flow's definition (``workflow.clientdata``), and what of it we cannot express."""
    try:
        triggers = _client_data(clientdata or "{}")["properties"]["definition"]["triggers"]
        trigger: Mapping[str, Any] = next(iter(triggers.values()))
        kind = str(trigger["type"])
        if kind != "Recurrence":
            manual = kind == "Request" and trigger.get("kind") in {"Button", "PowerApp", "PowerAppV2"}
            return Schedule(kind=ScheduleKind.manual if manual else ScheduleKind.event), {}
        told = _RECURRENCE.validate_python(trigger["recurrence"])
    except (ValidationError, KeyError, TypeError, AttributeError, StopIteration):
        return None, {}
    return _recurrence(told), {"recurrence": told.model_dump(mode="json", exclude_defaults=True)}


def _uses(clientdata: str | None) -> dict[str, JsonValue]:
    """The tables in the SQL that its actions send to a warehouse, and the flows that it runs."""
    try:
        actions = _client_data(clientdata or "{}")["properties"]["definition"]["actions"]
    except (ValidationError, KeyError, TypeError):
        return {}
    starts = [str(flow) for flow in values_of(actions, "host", "workflowReferenceName")]
    told: dict[str, JsonValue] = {"starts": [*starts[:MOST_TABLES]]} if starts else {}
    return {**in_json(actions).metadata(), **told}


def _recurrence(told: _Recurrence) -> Schedule | None:
    """Cron where a wall clock decides, an interval where only time passes, None where we could only guess."""
    zone = win_tz.get(told.timeZone, told.timeZone)
    zone = "UTC" if zone in {"Etc/UTC", "Etc/GMT"} else zone
    cron = _monthly(told, zone) if told.frequency == "Month" else _cron(told)
    if cron is not None:
        return Schedule(kind=ScheduleKind.cron, expression=cron, timezone=zone)
    unit = _SECONDS.get(told.frequency)
    if unit is None or told.schedule:
        return None
    every = float(unit * told.interval)
    text = f"every {told.interval} {told.frequency}" + (f" from {told.startTime}" if told.startTime else "")
    return Schedule(kind=ScheduleKind.interval, expression=text, timezone=zone, every_seconds=every)


def _cron(told: _Recurrence) -> str | None:
    """Daily and weekly recurrences at given hours as five-field cron; they follow the zone's wall clock."""
    numbers = partial(_listed, told.schedule)
    if told.interval != 1 or told.frequency not in {"Day", "Week"}:
        return None
    hours, minutes = numbers("hours"), numbers("minutes")
    days = told.schedule.get("weekDays", [])
    if not hours or (told.frequency == "Week" and not days):
        return None
    try:
        weekdays = ",".join(str(_WEEKDAYS.index(day)) for day in days) or "*"
    except (ValueError, TypeError):
        return None
    return f"{','.join(minutes) or '0'} {','.join(hours)} * * {weekdays}"


def _monthly(told: _Recurrence, zone: str) -> str | None:
    """Monthly recurrences as five-field cron. What the schedule leaves open, the day as well as the hour, is
    that of the first start; None where that is not told, or is a day that not every month has."""
    start = _start(told, zone)
    occurrences: list[Any] = told.schedule.get("monthlyOccurrences") or []
    days = [{"-1": "L"}.get(day, day) for day in _texts(told.schedule, "monthDays")]
    weekdays = [_nth(each) for each in occurrences]
    hours, minutes = _listed(told.schedule, "hours"), _listed(told.schedule, "minutes")
    if start is not None:
        hours, minutes = hours or [str(start.hour)], minutes or [str(start.minute)]
        days = days or ([] if weekdays or start.day > _IN_EVERY_MONTH else [str(start.day)])
    months = _months(told.interval, start)
    known = all(day == "L" or day.isdecimal() for day in days) and None not in weekdays
    if not (months and hours and known and bool(days) != bool(weekdays)):
        return None
    on = (",".join(days) or "*", months, ",".join(map(str, weekdays)) or "*")
    return f"{','.join(minutes) or '0'} {','.join(hours)} {' '.join(on)}"


def _months(interval: int, start: datetime | None) -> str | None:
    """Every so many months from the first on, as far as it is the same months every year."""
    if interval == 1:
        return "*"
    if start is None or 12 % interval:
        return None
    return ",".join(str(month) for month in range(1, 13) if (month - start.month) % interval == 0)


def _start(told: _Recurrence, zone: str) -> datetime | None:
    """When it was to run first, on the zone's wall; None if that is not told."""
    try:
        start = datetime.fromisoformat(told.startTime or "")
        return start if start.tzinfo is None else start.astimezone(ZoneInfo(zone))
    except (ValueError, OSError, KeyError, OverflowError):
        return None


def _nth(told: Any) -> str | None:
    """The second Monday of a month, or its last, in the words of cron."""
    try:
        day, number = _WEEKDAYS.index(str(told["day"]).capitalize()), int(told["occurrence"])
    except (ValueError, TypeError, KeyError):
        return None
    return f"{day}L" if number == -1 else f"{day}#{number}" if 1 <= number <= _MOST_WEEKS else None


def _listed(schedule: Mapping[str, Any], key: str) -> list[str]:
    """Numbers under ``key``; designers write them as numbers or as text, one or several."""
    return [str(int(text)) for text in _texts(schedule, key) if text.isdecimal()]


def _texts(schedule: Mapping[str, Any], key: str) -> list[str]:
    values: Any = schedule.get(key, [])
    listed: list[Any] = [*values] if isinstance(values, list) else [values]  # pyright: ignore[reportUnknownVariableType]  # JSON
    return [str(value) for value in listed]
