"""Databricks on any cloud: jobs and their runs by the Jobs API 2.2.

Wire facts: databricks-sdk 0.156 to 0.162 (``service/jobs.py``, ``oauth.py``, ``errors/overrides.py``). What
that leaves open was seen in issues of projects that call the live service: an ended or unknown token is
answered 403 "Invalid access token", and ``tasks`` of runs/get holds every try of a task.

The run listing tells one state for a run however often it was repaired, so a run that changed after it had
ended is looked up with its history: attempt 1 is the original, 2 and up are the repairs.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    TypeAdapter,
    field_validator,
    model_validator,
)

from dogwatch.errors import AuthError, ConnectorError, UnexpectedAnswer
from dogwatch.model import Job, JobState, Run, Schedule, ScheduleKind, Status, run_uid
from dogwatch.model.text import bounded, plural
from dogwatch.wire.answer import Answer
from dogwatch.wire.connector import Ask, Connector, ConnectorSettings
from dogwatch.wire.http import Doors, Http, Pace
from dogwatch.wire.login import FixedToken, TokenLogin
from dogwatch.wire.oauth import entra_token, exchanged_token, github_id_token
from dogwatch.wire.paging import Where, by_token
from dogwatch.wire.rota import whose_turn
from dogwatch.wire.tables import MOST_TABLES, in_json, together, values_of

STATE: Mapping[str, Status] = {
    **dict.fromkeys(("BLOCKED", "PENDING", "QUEUED", "WAITING"), Status.pending),
    **dict.fromkeys(("RUNNING", "TERMINATING"), Status.running),
}
"""``status.state``; TERMINATED is decided by the termination code, anything else is ``unknown``."""

CODE: Mapping[str, Status] = {
    "SUCCESS": Status.success,
    "SUCCESS_WITH_FAILURES": Status.warned,  # some tasks failed, the last ones did not
    "USER_CANCELED": Status.cancelled,
    "CANCELED": Status.cancelled,  # by the platform; timed_out if it took too long, see _terminated
    "SKIPPED": Status.skipped,
    "DISABLED": Status.skipped,
    "MAX_CONCURRENT_RUNS_EXCEEDED": Status.skipped,
    "MAX_JOB_QUEUE_SIZE_EXCEEDED": Status.skipped,
}
"""``status.termination_details.code``. All others are failures, those still to come too: see _terminated."""

LIFE_CYCLE: Mapping[str, Status] = {
    **STATE,
    "WAITING_FOR_RETRY": Status.pending,
    "SKIPPED": Status.skipped,
    "INTERNAL_ERROR": Status.failed,
}
"""``state.life_cycle_state``, deprecated; TERMINATED is decided by the result."""

CONSEQUENCES = frozenset({"EXCLUDED", "UPSTREAM_FAILED", "UPSTREAM_CANCELED"})
"""What befell a task because of another one; never a cause."""

RESULT: Mapping[str, Status] = {
    "SUCCESS": Status.success,
    "SUCCESS_WITH_FAILURES": Status.warned,
    "FAILED": Status.failed,
    "TIMEDOUT": Status.timed_out,
    "CANCELED": Status.cancelled,
    "MAXIMUM_CONCURRENT_RUNS_REACHED": Status.skipped,
    "DISABLED": Status.skipped,
    **dict.fromkeys(CONSEQUENCES, Status.skipped),
}
"""``state.result_state``, deprecated."""

PACE = Pace(per_second=30.0, concurrency=8)
"""runs/list is said to stand 30 requests a second per workspace, runs/get-output 20."""

_ENDED_TOKEN = re.compile(rb"access token|token expired|token is expir", re.IGNORECASE)
_GONE = re.compile(r"does not exist|doesn't exist", re.IGNORECASE)
_TOOK_TOO_LONG = re.compile(r"tim(?:ed|e) ?-?out|(?:maximum|max) (?:run )?duration", re.IGNORECASE)
_RUNS, _JOBS = 25, 100
"""The most runs and jobs that a page may hold; the service may send fewer and still have more."""
_PAGES_OF_A_RUN = 50
"""Each holds 100 of its tasks."""
_OUTPUTS = 3
"""Failed tasks of one attempt whose output is read."""
_TASKS_TOLD = 50
_REPAIR_GAP = 10_000
"""Milliseconds by which a run may outlast its own account of its duration before we look for repairs."""
_AZURE_DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
"""The application in Microsoft Entra, the same for everybody."""


class DatabricksSettings(ConnectorSettings):
    """How to reach one workspace. Which way in is taken follows from the credentials that are set."""

    url: str
    """The workspace as the browser shows it, e.g. https://adb-1234567890123456.7.azuredatabricks.net or
    https://dbc-a1b2c3d4-e5f6.cloud.databricks.com."""
    token: SecretStr | None = None
    """A personal access token: Settings > Developer > Access tokens. It may do what its owner may, so make it
    for a service principal that has CAN VIEW on the jobs to watch and nothing else."""
    client_id: str | None = None
    """Instead of a token: the application id of a service principal (Settings > Identity and access > Service
    principals) that has CAN VIEW on the jobs to watch; more is not needed."""
    client_secret: SecretStr | None = None
    """An OAuth secret of that service principal (its page > Secrets > Generate secret). With azure_tenant_id:
    a client secret of its app registration in Microsoft Entra. In a GitHub Actions job with
    permission id-token: write leave it out: a federation policy of the service principal does."""
    azure_tenant_id: str | None = None
    """Azure only: the directory of the app registration, to log in by Microsoft Entra. The service principal
    has to be added to the workspace and needs CAN VIEW on the jobs to watch."""
    entra_url: str = "https://login.microsoftonline.com"
    """Where Microsoft Entra answers; other than this in sovereign clouds only."""
    id_token_request_url: str | None = Field(
        default=None, json_schema_extra={"environment": "ACTIONS_ID_TOKEN_REQUEST_URL"}
    )
    """GitHub Actions sets it; nobody writes it down."""
    id_token_request_token: SecretStr | None = Field(
        default=None, json_schema_extra={"environment": "ACTIONS_ID_TOKEN_REQUEST_TOKEN"}
    )
    """GitHub Actions sets it; nobody writes it down."""

    @field_validator("url")
    @classmethod
    def _without_query(cls, url: str) -> str:
        """What is copied from a browser ends in ``/?o=…`` or ``/#job/…``."""
        return re.split(r"[?#]", url.strip(), maxsplit=1)[0].rstrip("/")

    @model_validator(mode="after")
    def _one_way_in(self) -> "DatabricksSettings":
        secret, tenant = self.client_secret is not None, self.azure_tenant_id is not None
        in_actions = self.id_token_request_url is not None and self.id_token_request_token is not None
        if self.token is not None and (self.client_id is not None or secret or tenant):
            raise ValueError("token and client_id, client_secret, azure_tenant_id are two ways in: keep one")
        if self.token is None and self.client_id is None:
            missing = "client_id is missing" if secret or tenant else "no credentials"
            raise ValueError(f"{missing}: set token, or client_id and client_secret")
        if self.client_id is not None and not secret and (tenant or not in_actions):
            raise ValueError(
                "client_secret is missing; only a GitHub Actions job with permission id-token: write can do"
                " without, and not with azure_tenant_id"
            )
        return self

    @property
    def auth(self) -> Literal["token", "oauth", "entra", "github"]:
        """The way in that follows from the credentials."""
        if self.token is not None:
            return "token"
        if self.client_secret is None:
            return "github"
        return "oauth" if self.azure_tenant_id is None else "entra"

    @property
    def client(self) -> tuple[str, str]:
        """Id and secret of the service principal, as far as set."""
        return self.client_id or "", self.client_secret.get_secret_value() if self.client_secret else ""


# ── what Databricks says ────────────────────────────────────────────────────────────────────────────────────

_Millis = Annotated[int, Field(le=253_402_300_799_999)]
"""Epoch milliseconds up to the year 9999."""


class _Wire(BaseModel):
    """Lenient: what we do not know is ignored, what may be missing has a default."""


class _Timed(_Wire):
    start_time: _Millis | None = None
    end_time: _Millis | None = None
    current: str | None = Field(None, validation_alias=AliasPath("status", "state"))
    code: str | None = Field(None, validation_alias=AliasPath("status", "termination_details", "code"))
    fault: str | None = Field(None, validation_alias=AliasPath("status", "termination_details", "type"))
    message: str | None = Field(None, validation_alias=AliasPath("status", "termination_details", "message"))
    life_cycle: str | None = Field(None, validation_alias=AliasPath("state", "life_cycle_state"))
    result: str | None = Field(None, validation_alias=AliasPath("state", "result_state"))
    old_message: str | None = Field(None, validation_alias=AliasPath("state", "state_message"))


class _Record(_Timed):
    run_id: int
    job_id: int | None = None
    run_name: str | None = None
    run_type: str | None = None
    trigger: str | None = None
    run_page_url: str | None = None
    queue_duration: int | None = None
    run_duration: int | None = None
    setup_duration: int | None = None
    execution_duration: int | None = None
    original_attempt_run_id: int | None = None


class _Task(_Timed):
    task_key: str
    run_id: int | None = None
    attempt_number: int | None = None


class _Repair(_Timed):
    """The original is one too; only the others have an id."""

    id: int | None = None
    task_run_ids: list[int] | None = None


class _Detail(_Record):
    tasks: list[_Task] | None = None
    repair_history: list[_Repair] | None = None
    next_page_token: str | None = None


class _JobId(_Wire):
    job_id: int


class _Trigger(_Wire):
    """``schedule``, ``trigger``, ``continuous`` and each of ``triggers`` of a job's settings."""

    pause_status: str | None = None
    quartz: str | None = Field(None, validation_alias="quartz_cron_expression")
    timezone_id: str = "UTC"
    interval: int | None = Field(None, validation_alias=AliasPath("periodic", "interval"))
    unit: str | None = Field(None, validation_alias=AliasPath("periodic", "unit"))
    tables: list[str] | None = Field(None, validation_alias=AliasPath("table_update", "table_names"))
    completed: list[_JobId] | None = Field(None, validation_alias=AliasPath("job_completion", "jobs"))
    schedule: "_Trigger | None" = None


class _Job(_Wire):
    job_id: int
    creator_user_name: str | None = None
    name: str | None = Field(None, validation_alias=AliasPath("settings", "name"))
    schedule: _Trigger | None = Field(None, validation_alias=AliasPath("settings", "schedule"))
    trigger: _Trigger | None = Field(None, validation_alias=AliasPath("settings", "trigger"))
    continuous: _Trigger | None = Field(None, validation_alias=AliasPath("settings", "continuous"))
    triggers: list[_Trigger] | None = Field(None, validation_alias=AliasPath("settings", "triggers"))
    tasks: JsonValue = Field(None, validation_alias=AliasPath("settings", "tasks"))
    parameters: JsonValue = Field(None, validation_alias=AliasPath("settings", "parameters"))


class _Page(_Wire):
    """Of jobs or of runs, whose key is absent if there are none; then nothing else may be there either."""

    model_config = ConfigDict(extra="allow")

    jobs: list[_Job] | None = None
    runs: list[_Record] | None = None
    next_page_token: str | None = None
    prev_page_token: JsonValue = None
    has_more: JsonValue = None

    @model_validator(mode="after")
    def _is_a_page(self) -> "_Page":
        if self.jobs is None and self.runs is None and self.model_extra:
            raise ValueError("something else in place of a page")
        return self


class _Output(_Wire):
    error: str | None = None


class _Discovery(_Wire):
    token_endpoint: str


class _Metadata(_Wire):
    audiences: list[str] | None = Field(None, validation_alias="token_federation_default_oidc_audiences")


_PAGE = TypeAdapter(_Page)
_RECORD = TypeAdapter(_Record)
_JOB = TypeAdapter(_Job)
_DETAIL = TypeAdapter(_Detail)
_OUTPUT = TypeAdapter(_Output)
_DISCOVERY = TypeAdapter(_Discovery)
_METADATA = TypeAdapter(_Metadata)
_REMOVED = "REMOVED"  # our word for an open run that the platform no longer knows, and never will again
_UNITS = {"MINUTES": 60, "HOURS": 3600, "DAYS": 86_400, "WEEKS": 604_800}
"""Seconds by ``PeriodicTriggerConfigurationTimeUnit``."""


# ── the connector ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Sight:
    """What one reading of the runs has come to."""

    ask: Ask
    listed: set[str] = field(default_factory=set[str])
    """Native run ids that a listing showed."""
    missed: ConnectorError | None = None
    """The first thing that could not be read; raised when everything else has been told."""
    blocked: ConnectorError | None = None
    """Why runs are no longer looked up one by one."""


class Databricks(Connector[DatabricksSettings]):
    """Reads the jobs of one workspace and their runs."""

    Settings = DatabricksSettings
    title = "Databricks"

    def __init__(self, name: str, settings: DatabricksSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        for secret in (settings.client_secret, settings.id_token_request_token):
            if secret is not None:
                doors.secrets.add(secret.get_secret_value())
        login = (
            TokenLogin(self._buy, clock=doors.clock, secrets=doors.secrets)
            if settings.token is None
            else FixedToken(settings.token, doors.secrets)
        )
        self._http = doors.open(f"{settings.url}/api/2.2", login=login, pace=PACE, ended=_token_ended)
        self.resume = ""

    @property
    def http(self) -> Http:
        """The door to the workspace."""
        return self._http

    async def check(self) -> str:
        """The workspace and how many jobs can be read, or a ConnectorError."""
        page = (await self._http.get("jobs/list", {"limit": _JOBS})).parse(_PAGE)
        count = ("more than " if page.next_page_token else "") + plural(len(page.jobs or ()), "job")
        advice = "" if page.jobs else ": give its identity CAN VIEW on them"
        return f"Databricks workspace {urlsplit(self.settings.url).hostname} · {count} readable{advice}"

    async def jobs(self, now: datetime) -> Sequence[Job]:
        """All jobs that the identity may view, with schedule and state. One-time runs belong to none."""
        where: Where = {"limit": _JOBS, "expand_tasks": "true"}
        jobs: list[Job] = []
        async for found, bad in by_token(
            self._http, "jobs/list", where, _PAGE, _jobs_of, key="jobs", record=_JOB
        ):
            if bad is not None:
                raise bad
            jobs += [self._job(job, now) for job in found]
        return jobs

    async def runs(self, ask: Ask) -> AsyncIterator[Sequence[Run]]:
        """See ``HasRuns``. Repairs are told as further attempts, retries as runs of their own."""
        sight = _Sight(ask)
        listings: list[Where] = [{"limit": _RUNS, "start_time_from": int(ask.since.timestamp() * 1000)}]
        if ask.known or ask.learning:  # runs from before, and repairs of old ones, show up among the active
            listings.append({"limit": _RUNS, "active_only": "true"})
        for where in listings:
            async for records, bad in by_token(
                self._http, "jobs/runs/list", where, _PAGE, _runs_of, key="runs", record=_RECORD
            ):
                sight.missed = sight.missed or bad
                yield await self._told(records, sight)
        unlisted, self.resume = _unlisted(sight)
        for start in range(0, len(unlisted), _RUNS):
            yield await self._looked_up(dict(unlisted[start : start + _RUNS]), sight)
        if sight.missed is not None:
            raise sight.missed

    async def _told(self, records: Sequence[_Record], sight: _Sight) -> list[Run]:
        """The runs of one page; what the listing does not tell rightly is looked up."""
        runs: list[Run] = []
        unsure: dict[str, Run | None] = {}
        for record in records:
            run = self._run(record, sight.ask)
            known = sight.ask.known.get(run.native_run_id)
            need = _need(record, run, known, sight.ask)
            if need is None:
                runs.append(run)
            elif known is not None and need == "known":
                runs.append(known.model_copy(update={"observed_at": sight.ask.now}))
            elif run.native_run_id not in sight.listed:
                unsure[run.native_run_id] = run if need == "reason" else None
            sight.listed.add(run.native_run_id)
        return runs + await self._looked_up(unsure, sight)

    async def _looked_up(self, wanted: Mapping[str, Run | None], sight: _Sight) -> list[Run]:
        """The attempts of the runs with these ids; beside each, what may be told if they cannot be read."""
        runs: list[Run] = []
        found = await asyncio.gather(*(self._attempts(run_id, sight) for run_id in wanted))
        for plain, attempts in zip(wanted.values(), found, strict=True):
            if isinstance(attempts, ConnectorError):
                sight.blocked = attempts  # each further question would cost as much patience
                if plain is None or not attempts.transient:
                    sight.missed = sight.missed or attempts
                attempts = []
            runs += attempts or ([] if plain is None else [plain])
        return runs

    async def _attempts(self, run_id: str, sight: _Sight) -> list[Run] | ConnectorError:
        """The attempts of one run, from the known one on; of a removed one that it is, if it was open."""
        if sight.blocked is not None:
            return sight.blocked
        try:
            detail = await self._detail(run_id)
            if detail is not None:
                return await self._told_apart(detail, sight.ask)
            known = sight.ask.known.get(run_id)
            over = {"status": Status.unknown, "native_status": _REMOVED, "observed_at": sight.ask.now}
            return [known.model_copy(update=over)] if known is not None and known.status.open else []
        except ConnectorError as error:
            return error

    async def _detail(self, run_id: str) -> _Detail | None:
        params = {"run_id": run_id, "include_history": "true"}
        whole: _Detail | None = None
        for _ in range(_PAGES_OF_A_RUN):
            try:
                part = (await self._http.get("jobs/runs/get", params)).parse(_DETAIL)
            except UnexpectedAnswer as error:
                if error.status == 404 or (error.status == 400 and _GONE.search(error.message)):
                    return None
                raise
            if whole is None:
                whole = part
            else:
                whole.tasks = [*(whole.tasks or ()), *(part.tasks or ())]
                whole.repair_history = [*(whole.repair_history or ()), *(part.repair_history or ())]
            if not part.next_page_token:
                break
            params["page_token"] = part.next_page_token
        return whole

    async def _told_apart(self, detail: _Detail, ask: Ask) -> list[Run]:
        """The attempts of a run: the original and its repairs, each with its own times, state and error."""
        known = ask.known.get(str(detail.run_id))
        history = sorted(detail.repair_history or (), key=lambda item: item.start_time or 0)
        last = max(len(history), 1)
        runs: list[Run] = []
        for number in range(1 if known is None else min(known.attempt, last), last + 1):
            item = history[number - 1] if last > 1 else None
            run = self._run(detail if item is None else _at(detail, item, final=number == last), ask, number)
            if known is not None and number == known.attempt and _unchanged(known, run) and _explained(known):
                run = known.model_copy(update={"observed_at": ask.now})
            elif run.status.bad:
                run = await self._with_reason(run, detail.tasks or [], item)
            runs.append(run)
        return runs

    async def _with_reason(self, run: Run, tasks: Sequence[_Task], item: _Repair | None) -> Run:
        """The failed attempt with the state of its tasks and what those that began the trouble said."""
        ids = None if item is None else set(item.task_run_ids or ())
        mine = [task for task in tasks if ids is None or task.run_id in ids]
        mine.sort(key=lambda task: (task.attempt_number or 0, task.start_time or 0))
        latest = {task.task_key: task for task in mine}  # of a task that was retried, the last try counts
        roots = [task for task in latest.values() if _judged(task)[0].bad]
        asked = [(task.task_key, task.run_id, _message(task)) for task in roots[:_OUTPUTS]]
        if not mine and ids:  # an old attempt whose tasks are no longer told
            asked = [("", task_run, None) for task_run in sorted(ids)[:_OUTPUTS]]
        texts = [(key, await self._error(task_run) or message) for key, task_run, message in asked]
        lines = [f"{key}: {text}" if key and len(asked) > 1 else text for key, text in texts if text]
        update: dict[str, object] = {
            "metadata": {
                **run.metadata,
                "tasks": _told_tasks(list(latest.values())),
                "task_count": len(latest),
            }
        }
        if lines:
            update["error_message"] = bounded("\n".join(lines))
        return run.model_copy(update=update)

    async def _error(self, task_run: int | None) -> str | None:
        """What a task run said last; None where its output is not kept, or not shown to us."""
        try:
            answer = await self._http.get("jobs/runs/get-output", {"run_id": task_run or 0})
        except (UnexpectedAnswer, AuthError) as error:
            if error.status in {400, 403, 404}:
                return None
            raise
        return answer.parse(_OUTPUT).error

    def _run(self, record: _Record, ask: Ask, attempt: int = 1) -> Run:
        job_id, run_id = str(record.job_id or record.run_id), str(record.run_id)
        original = str(record.original_attempt_run_id or run_id)
        parent = run_id if attempt > 1 else original
        status, native = _judged(record)
        started = _moment(record.start_time)
        ended = None if status.open and status is not Status.unknown else _moment(record.end_time)
        metadata: dict[str, JsonValue] = {}
        if original != run_id:
            metadata["retry_of"] = original
        if record.fault and record.fault != "SUCCESS":
            metadata["termination_type"] = record.fault
        url = record.run_page_url
        return Run.told(
            uid=run_uid("databricks", self.name, job_id, run_id, attempt),
            platform="databricks",
            instance=self.name,
            job_id=job_id,
            job_name=ask.names.get(job_id) or record.run_name or job_id,
            kind=record.run_type or "",
            native_run_id=run_id,
            attempt=attempt,
            parent_uid=run_uid("databricks", self.name, job_id, parent, 1)
            if attempt > 1 or original != run_id
            else None,
            trigger=record.trigger or "",
            status=status,
            native_status=native,
            started_at=started,
            ended_at=ended,
            updated_at=ended or started,
            error_message=None if status.good or status.open else _message(record),
            metrics=_metrics(record),
            url=url if url and url.startswith(("https://", "http://")) else None,
            metadata=metadata,
            observed_at=ask.now,
        )

    def _job(self, job: _Job, now: datetime) -> Job:
        triggers = [
            trigger.schedule.model_copy(update={"pause_status": trigger.pause_status})
            if trigger.schedule is not None
            else trigger
            for trigger in (job.schedule, job.trigger, job.continuous, *(job.triggers or ()))
            if trigger is not None
        ]
        live = [trigger for trigger in triggers if trigger.pause_status != "PAUSED"]
        paused = bool(triggers) and not live
        follows = [str(one.job_id) for trigger in (live or triggers) for one in trigger.completed or ()]
        alone = len(live or triggers) == 1  # else it also starts for another reason
        return Job(
            platform="databricks",
            instance=self.name,
            job_id=str(job.job_id),
            name=job.name or str(job.job_id),
            state=JobState.paused if paused else JobState.active,
            state_reason="PAUSED" if paused else "",
            schedule=_schedule([*live, *triggers], alone=alone),
            after=tuple(follows) if alone else (),
            owner=job.creator_user_name,
            url=f"{self.settings.url}/jobs/{job.job_id}",
            metadata=_uses(job, triggers, () if alone else follows),
            observed_at=now,
        )

    async def _buy(self, http: Http) -> Answer:
        """A token by whatever way in the settings give."""
        settings = self.settings
        if settings.auth == "entra":
            tenant = settings.azure_tenant_id or ""
            return await entra_token(http, settings.entra_url, tenant, settings.client, _AZURE_DATABRICKS)
        discovery = await http.exchange(
            f"{settings.url}/oidc/.well-known/oauth-authorization-server", method="GET"
        )
        endpoint = discovery.parse(_DISCOVERY).token_endpoint
        if urlsplit(endpoint)[:2] != urlsplit(settings.url)[:2]:
            raise UnexpectedAnswer(
                "the workspace names a token endpoint on another host; no credentials were sent there",
                "write the workspace's own URL in dogwatch.yaml",
            )
        if settings.auth == "github":
            url, bearer = (
                settings.id_token_request_url or "",
                settings.id_token_request_token or SecretStr(""),
            )
            audience = await self._audience(http) or endpoint
            id_token = await github_id_token(http, url, bearer.get_secret_value(), audience)
            return await exchanged_token(http, endpoint, settings.client[0], id_token, "all-apis")
        form = {"grant_type": "client_credentials", "scope": "all-apis"}
        return await http.exchange(endpoint, form=form, basic=settings.client)

    async def _audience(self, http: Http) -> str | None:
        """For whom an ID token has to be made out: the account, where the workspace tells which it is."""
        try:
            answer = await http.exchange(f"{self.settings.url}/.well-known/databricks-config", method="GET")
            return next(iter(answer.parse(_METADATA).audiences or ()), None)
        except UnexpectedAnswer:
            return None


# ── what it means ───────────────────────────────────────────────────────────────────────────────────────────


def _token_ended(answer: Answer) -> bool:
    return answer.status == 401 or (answer.status == 403 and bool(_ENDED_TOKEN.search(answer.content)))


def _jobs_of(page: _Page) -> tuple[list[_Job], str | None]:
    return page.jobs or [], page.next_page_token


def _runs_of(page: _Page) -> tuple[list[_Record], str | None]:
    return page.runs or [], page.next_page_token


def _need(
    record: _Record, run: Run, known: Run | None, ask: Ask
) -> Literal["known", "reason", "history"] | None:
    """What a listed run lacks before it can be told: nothing; to be told as known, because it did not change
    since it was looked up; the reason of its failure; or its history, because its state may be a repair's."""
    recent = run.began_at >= ask.details_since
    if known is None:
        if run.status.bad:
            return "reason" if recent else None
        unclear = run.began_at < ask.since if run.status.open else recent and _outlasts(record)
        return "history" if unclear else None
    if known.attempt == 1 and known.status.open and (run.status.open or not _told_twice(record, run)):
        return None
    if _unchanged(known, run):
        return "known" if _explained(known) or not recent else "reason"
    return "history"


def _unchanged(known: Run, run: Run) -> bool:
    return known.status == run.status and known.ended_at == run.ended_at


def _explained(run: Run) -> bool:
    return not run.status.bad or "tasks" in run.metadata


def _told_twice(record: _Record, run: Run) -> bool:
    """Whether a run that was seen running may have failed and been repaired since."""
    return run.status.bad or not record.run_duration or _outlasts(record)


def _outlasts(record: _Record) -> bool:
    """Whether the run took longer than it says: ``run_duration`` leaves out the pause before a repair."""
    if not (record.start_time and record.end_time and record.run_duration):
        return False
    accounted = record.run_duration + (record.queue_duration or 0) + _REPAIR_GAP
    return record.end_time - record.start_time > accounted


def _unlisted(sight: _Sight) -> tuple[list[tuple[str, Run | None]], str]:
    """Runs to look up by id because no listing showed them, the known one beside those that lack no more than
    their reason: open ones, failures whose tasks could not be read so far, and in turn each broken job's last
    one; and where the next round goes on."""
    ask = sight.ask
    wanted: dict[str, Run | None] = {}
    for run_id, run in ask.known.items():
        if run.status.open:
            wanted |= {} if run.native_status == _REMOVED else {run_id: None}
        elif not _explained(run) and run.began_at >= ask.details_since:
            wanted[run_id] = run
    chosen, resume = whose_turn(ask, sight.listed)
    wanted |= dict.fromkeys(chosen)
    return [(run_id, plain) for run_id, plain in wanted.items() if run_id not in sight.listed], resume


def _judged(record: _Timed) -> tuple[Status, str]:
    """Our word and the platform's most telling one, by ``status`` or else by the deprecated ``state``."""
    if record.result in CONSEQUENCES:
        return Status.skipped, record.result
    if record.current and record.current != "TERMINATED":
        return STATE.get(record.current, Status.unknown), record.current
    if record.current and record.code:
        return _terminated(record, record.code), record.code
    if record.life_cycle == "TERMINATED" and record.result:
        return RESULT.get(record.result, Status.unknown), record.result
    native = record.result or record.life_cycle or record.current or ""
    return LIFE_CYCLE.get(record.life_cycle or "", Status.unknown), native


def _terminated(record: _Timed, code: str) -> Status:
    """An unknown code is a success only if its type says so: the vendor announces that more will come."""
    if code == "CANCELED" and (record.result == "TIMEDOUT" or _TOOK_TOO_LONG.search(record.message or "")):
        return Status.timed_out
    return CODE.get(code, Status.success if record.fault == "SUCCESS" else Status.failed)


def _told_tasks(tasks: Sequence[_Task]) -> list[JsonValue]:
    """The state of a failed run's tasks; of very many, those that did not go well first."""
    judged = [(task, *_judged(task)) for task in tasks]
    if len(judged) > _TASKS_TOLD:
        judged.sort(key=lambda told: told[1].good)
    return [
        {
            "task_key": task.task_key[:100],
            "status": status.value,
            "native": native,
            "attempt": (task.attempt_number or 0) + 1,
            "run_id": str(task.run_id),
        }
        for task, status, native in judged[:_TASKS_TOLD]
    ]


def _at(detail: _Detail, item: _Repair, *, final: bool) -> _Record:
    """The run as one of its attempts; the last one's state may be told of the run alone."""
    told = {name: getattr(item, name) for name in _Timed.model_fields}
    if final and item.current is None and item.life_cycle is None:
        told = {"start_time": item.start_time, "end_time": item.end_time}
    durations = dict.fromkeys(("queue_duration", "run_duration", "setup_duration", "execution_duration"))
    return detail.model_copy(update={**told, **durations})


def _message(record: _Timed) -> str | None:
    return bounded(record.message or record.old_message or "") or None


def _metrics(record: _Record) -> dict[str, float]:
    told = {
        "queue_seconds": record.queue_duration,
        "duration_seconds": record.run_duration,
        "setup_seconds": record.setup_duration,
        "execution_seconds": record.execution_duration,
    }
    return {name: millis / 1000 for name, millis in told.items() if millis}


def _schedule(triggers: Sequence[_Trigger], *, alone: bool) -> Schedule | None:
    """How the first of the triggers makes the job run; manual if there is none."""
    if not triggers:
        return Schedule(kind=ScheduleKind.manual)
    first = triggers[0]
    if first.quartz:
        return Schedule(kind=ScheduleKind.quartz, expression=first.quartz, timezone=first.timezone_id)
    if first.completed and alone:
        return Schedule(kind=ScheduleKind.after)
    if first.interval is None:  # files, tables, models, or again and again
        return Schedule(kind=ScheduleKind.event)
    seconds = _UNITS.get(first.unit or "")
    if seconds is None:
        return None
    return Schedule(kind=ScheduleKind.interval, every_seconds=first.interval * seconds)


def _uses(job: _Job, triggers: Sequence[_Trigger], follows: Sequence[str]) -> dict[str, JsonValue]:
    """The tables that its parameters name, those whose update starts it, the jobs that its tasks start."""
    tables = together((in_json(job.tasks), in_json({"parameters": job.parameters})))
    awaited = [name for trigger in triggers for name in trigger.tables or ()]
    starts = [str(number) for number in values_of(job.tasks, "run_job_task", "job_id")]
    told = {"awaits": awaited, "starts": starts, "follows": follows}
    rest: dict[str, JsonValue] = {key: [*names[:MOST_TABLES]] for key, names in told.items() if names}
    return {**tables.metadata(), **rest}


def _moment(millis: int | None) -> datetime | None:
    return datetime.fromtimestamp(millis / 1000, UTC) if millis and millis > 0 else None
