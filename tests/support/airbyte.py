"""A small Airbyte estate: two connections, and one run in every state a job can be in."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx2
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dogwatch.connectors.airbyte import Airbyte, AirbyteSettings
from dogwatch.errors import ConnectorError
from dogwatch.lab.platforms.airbyte import AirbyteTwin
from dogwatch.lab.world import LabAttempt, LabJob, LabRun, Outcome, PlatformFault, Trigger, World
from dogwatch.model import Run
from dogwatch.wire.connector import Ask
from dogwatch.wire.http import Doors, Pace
from support.clock import NOON, JumpingClock
from support.door import Script, doors, ok

T = TypeVar("T")

HOST = "http://airbyte.lab"
HOUR = timedelta(hours=1)
ERROR = 'permission denied for table "orders"'
ORDERS, STOCK = "airbyte/orders", "airbyte/stock"
JOBS = (
    LabJob(ORDERS, "Orders PG → RAW", schedule="0 2 * * 1-5", timezone="Europe/Berlin"),
    LabJob(STOCK, "Stock → RAW", every=timedelta(hours=6), paused=True),
)


def at(hours: float) -> datetime:
    """That many hours before noon."""
    return NOON - timedelta(hours=hours)


def tried(
    begin: float,
    end: float | None,
    outcome: Outcome = Outcome.success,
    error: str | None = None,
    *,
    rows: int = 0,
) -> LabAttempt:
    """An attempt between two times in hours before noon."""
    return LabAttempt(at(begin), None if end is None else at(end), outcome, error, rows)


def ran(
    number: int, created: float, *attempts: LabAttempt, job: str = ORDERS, word: str | None = None
) -> LabRun:
    """A run created that many hours before noon."""
    return LabRun(job, number, Trigger.schedule, at(created), attempts, native_status=word)


EVERY_STATE = (
    ran(1, 9, tried(8.9, 8.5, rows=1200)),
    ran(2, 8, tried(8, 7.8, Outcome.failed, ERROR), tried(7.7, 7.5, Outcome.failed, ERROR, rows=40)),
    ran(3, 7, tried(7, 5, Outcome.timed_out)),
    ran(4, 6, tried(6, 5.5, Outcome.cancelled), job=STOCK),
    ran(5, 5, tried(4.9, None)),
    ran(6, 4, tried(4, 3.5, Outcome.failed, "connection reset by peer"), tried(-1, -2)),
    ran(7, 3, tried(-1, -2), job=STOCK),
    ran(8, 2, tried(2, 1.5, rows=7), word="half_done"),
)


def world(
    runs: Sequence[LabRun] = EVERY_STATE,
    *,
    clock: JumpingClock | None = None,
    faults: Sequence[PlatformFault] = (),
    offset: timedelta = timedelta(0),
    jobs: Sequence[LabJob] = JOBS,
) -> World:
    """The estate with those runs."""
    named = {job.job: job for job in jobs}
    return World("shop", "UTC", named, runs, clock or JumpingClock(), faults, offset)


class Without:
    """An application of which some paths answer with a status and nothing else."""

    def __init__(self, app: ASGIApp, start: str, status: int) -> None:
        self._app, self._start, self._status = app, start, status
        self.refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if Request(scope).url.path.startswith(self._start):
            self.refused += 1
            await Response("{}", self._status, media_type="application/json")(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def connector(
    twin: AirbyteTwin, app: ASGIApp | None = None, *, url: str = HOST, pace: Pace | None = None, **more: Any
) -> Airbyte:
    """The connector, in front of the twin or of another application."""
    assert isinstance(twin.world.clock, JumpingClock)
    doors = Doors(
        clock=twin.world.clock,
        transport=httpx2.ASGITransport(app=app or twin.app()),
        rng=random.Random(7),
        pace=pace,
    )
    return Airbyte(
        "airbyte", AirbyteSettings.model_validate({"url": url, **twin.credentials(), **more}), doors
    )


def ask(**changes: Any) -> Ask:
    """Everything of the last ten days."""
    since = NOON - timedelta(days=10)
    return Ask(**{"now": NOON, "since": since, "details_since": since, **changes})


async def read(airbyte: Airbyte, asked: Ask) -> tuple[list[Run], ConnectorError | None]:
    """All runs, and what went wrong if something did."""
    runs: list[Run] = []
    try:
        async for batch in airbyte.runs(asked):
            runs += batch
    except ConnectorError as error:
        return runs, error
    finally:
        await airbyte.aclose()
    return runs, None


def all_runs(airbyte: Airbyte, asked: Ask | None = None) -> dict[str, Run]:
    """By the twin's run number; the reading has to succeed."""
    runs, error = asyncio.run(read(airbyte, asked or ask()))
    assert error is None, error
    return {str(int(run.native_run_id) - 48_000_000): run for run in runs}


def call(
    twin: AirbyteTwin, path: str, *, body: Any = None, token: str | None = None, **params: Any
) -> httpx2.Response:
    """One request to the twin: a GET, or a POST if there is a body; with a fresh token if none is given."""

    async def conversation() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=twin.app())
        async with httpx2.AsyncClient(transport=transport, base_url=HOST) as client:
            bearer = token
            if bearer is None:
                bought = await client.post("/api/public/v1/applications/token", json=twin.credentials())
                bearer = bought.json()["access_token"]
            headers = {"Authorization": f"Bearer {bearer}"}
            if body is None:
                return await client.get(path, params=params, headers=headers)
            return await client.post(path, json=body, headers=headers)

    return asyncio.run(conversation())


UUID = "744cc0ed-7f05-4949-9e60-2a814f90c035"


def record(**changes: Any) -> dict[str, Any]:
    """One job as Airbyte lists it."""
    return {
        "jobId": 7,
        "status": "succeeded",
        "jobType": "sync",
        "connectionId": "c-1",
        "startTime": "2026-03-03T09:00:00Z",
        "lastUpdatedAt": "2026-03-03T09:30:00Z",
        **changes,
    }


def page(*records: Any) -> httpx2.Response:
    """One page of jobs."""
    return ok({"previous": "", "next": "http://elsewhere/", "data": list(records)})


def scripted(*answers: httpx2.Response) -> tuple[Airbyte, Script]:
    """A connector without authentication whose platform answers from a list."""
    script = Script(*answers)
    return Airbyte("airbyte", AirbyteSettings(url=HOST), doors(script)), script
