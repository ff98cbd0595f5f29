"""A small Databricks workspace of the lab, and the connector that reads it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx2
from pydantic import SecretStr
from starlette.requests import Request

from dogwatch.connectors.databricks import Databricks, DatabricksSettings
from dogwatch.errors import ConnectorError
from dogwatch.lab.platforms import databricks as lab
from dogwatch.lab.twin import Gate
from dogwatch.lab.world import LabAttempt, LabJob, LabRun, Outcome, PlatformFault, Trigger, World
from dogwatch.model import Run
from dogwatch.wire.connector import Ask
from dogwatch.wire.http import Doors, Pace
from support.clock import NOON, JumpingClock
from support.door import Script, doors, ok

URL = "http://databricks.lab"
SILVER = "databricks/silver"
GOLD = "databricks/gold"
ERROR = "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `region` cannot be resolved. SQLSTATE: 42703"
_MINUTE = timedelta(minutes=1)

JOBS = (
    LabJob(
        SILVER, "silver_orders", schedule="30 3 * * *", timezone="Europe/Berlin", owner="data@shop.example"
    ),
    LabJob(GOLD, "gold_sales", every=timedelta(hours=2), paused=True),
    LabJob("databricks/report", "Report", after=(GOLD,)),
)


def at(minutes: float) -> datetime:
    """So many minutes before noon; negative ones lie after it."""
    return NOON - minutes * _MINUTE


def tried(
    begin: float,
    end: float | None,
    outcome: Outcome = Outcome.success,
    *,
    error: str | None = None,
    repair: bool = False,
) -> LabAttempt:
    """An attempt, its times in minutes before noon."""
    return LabAttempt(at(begin), None if end is None else at(end), outcome, error, repair=repair)


def ran(number: int, *attempts: LabAttempt, job: str = SILVER, **changes: Any) -> LabRun:
    """A scheduled run, made when its first attempt began."""
    values: dict[str, Any] = {"trigger": Trigger.schedule, "created": attempts[0].started, **changes}
    return LabRun(job, number, attempts=attempts, **values)


class Workspace:
    """A world at noon, its twin, and a way to it without a network."""

    def __init__(
        self,
        *runs: LabRun,
        jobs: Sequence[LabJob] = JOBS,
        faults: Sequence[PlatformFault] = (),
        now: datetime = NOON,
        name: str = "workspace",
    ) -> None:
        self.clock = JumpingClock(now)
        self.world = World(
            id=name,
            timezone="UTC",
            jobs={job.job: job for job in jobs},
            runs=sorted(runs, key=lambda run: run.created),
            clock=self.clock,
            platform_faults=faults,
        )
        self.twin = lab.Databricks(self.world)
        self.asked: list[httpx2.URL] = []
        app = self.twin.app()
        assert isinstance(app, Gate)
        app.before = self._note
        self.gate = app
        self.app: Any = app

    def _note(self, request: Request) -> None:
        self.asked.append(httpx2.URL(str(request.url)))

    @property
    def paths(self) -> list[str]:
        """What was asked, without the prefix of the API."""
        return [url.path.removeprefix("/api/2.2/") for url in self.asked]

    def client(self) -> httpx2.AsyncClient:
        """A bare client with a good token."""
        headers = {"Authorization": f"Bearer {self.twin.tokens.personal}"}
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url=URL, headers=headers)

    def doors(self) -> Doors:
        """Doors that lead here, in no hurry and with little patience."""
        return Doors(
            clock=self.clock, transport=httpx2.ASGITransport(self.app), pace=Pace(per_second=0, tries=2)
        )

    def connector(self, **settings: Any) -> Databricks:
        """The connector with what a user would write for this twin, or with other settings."""
        settings = settings or self.twin.settings(URL) | {
            key: SecretStr(value) for key, value in self.twin.credentials().items()
        }
        return Databricks("databricks", DatabricksSettings(**{"url": URL, **settings}), self.doors())

    def ask(self, known: Sequence[Run] = (), **changes: Any) -> Ask:
        """Everything of the last three days, with all details."""
        values: dict[str, Any] = {"since": self.clock.now() - timedelta(days=3), **changes}
        values.setdefault("details_since", values["since"])
        values.setdefault("broken", frozenset(run.job_id for run in known if run.status.bad))
        return Ask(now=self.clock.now(), known={run.native_run_id: run for run in known}, **values)


async def read(databricks: Databricks, ask: Ask) -> tuple[list[Run], ConnectorError | None]:
    """All runs that it tells, and the error it ends with."""
    runs: list[Run] = []
    try:
        async for batch in databricks.runs(ask):
            runs += batch
    except ConnectorError as error:
        return runs, error
    finally:
        await databricks.aclose()
    return runs, None


START = 1_772_532_000_000  # 10:00 UTC, two hours before noon
WORKLOAD = "failed with message: Workload failed, see run output for details."

LISTED: dict[str, Any] = {
    "job_id": 11223344,
    "run_id": 455644833,
    "run_name": "silver_orders",
    "run_type": "JOB_RUN",
    "trigger": "PERIODIC",
    "run_page_url": "https://adb-1.2.azuredatabricks.net/?o=1#job/11223344/run/455644833",
    "start_time": START,
    "end_time": START + 1_230_000,
    "run_duration": 1_230_000,
    "queue_duration": 4_000,
    "setup_duration": 0,
    "original_attempt_run_id": 455644833,
}


def ended(code: str | None, kind: str | None = "CLIENT_ERROR", message: str = "") -> dict[str, Any]:
    """A ``status`` that has come to its end."""
    return {"state": "TERMINATED", "termination_details": {"code": code, "type": kind, "message": message}}


def record(**changes: Any) -> dict[str, Any]:
    """A run as the listing tells it; a change to ... leaves the key out."""
    told = {**LISTED, "status": ended("SUCCESS", "SUCCESS"), **changes}
    return {key: value for key, value in told.items() if value is not ...}


def page(*records: Any, **more: Any) -> httpx2.Response:
    """One page of runs."""
    return ok({**({"runs": list(records)} if records else {}), **more})


def scripted(*answers: httpx2.Response) -> tuple[Databricks, Script]:
    """A connector with a personal token whose workspace answers from a list."""
    script = Script(*answers)
    settings = DatabricksSettings(url=URL, token=SecretStr("dapi0123456789"))
    return Databricks("databricks", settings, doors(script)), script


def asking(known: Sequence[Run] = (), *, details: bool = False) -> Ask:
    """Runs of the last day; without details unless wanted."""
    since = NOON - timedelta(days=1)
    told = {run.native_run_id: run for run in known}
    return Ask(now=NOON, since=since, details_since=since if details else NOON, known=told)


def told(*records: Any) -> list[Run]:
    """What becomes of one page of runs."""
    runs, error = asyncio.run(read(scripted(page(*records))[0], asking()))
    assert error is None
    return runs


def all_of(workspace: Workspace, known: Sequence[Run] = (), **changes: Any) -> list[Run]:
    """One whole reading that has to succeed, oldest attempt first."""
    runs, error = asyncio.run(read(workspace.connector(), workspace.ask(known, **changes)))
    assert error is None
    return sorted(runs, key=lambda run: (run.began_at, run.attempt))


def fail_on(workspace: Workspace, path: str) -> list[str]:
    """From now on the platform answers 503 to calls of that path; returns those calls."""
    whole: Any = workspace.app
    calls: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith(path):
            calls.append(scope["path"])
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
        else:
            await whole(scope, receive, send)

    workspace.app = app
    return calls


def mend(workspace: Workspace) -> None:
    """All is well again."""
    workspace.app = workspace.gate
