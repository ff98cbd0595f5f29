"""What dogwatch asks of Databricks in order to change something is what the vendor's own client asks."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dogwatch.heal.hands import hands_for
from dogwatch.lab.world import LabRun, Outcome
from dogwatch.wire.acting import Order
from support.serve import served
from support.workspace import ERROR, GOLD, SILVER, Workspace, ran, tried

pytestmark = pytest.mark.real

KEY = "dogwatch-2a73ff0399-1"
FAILED = (tried(60, 50, Outcome.failed, error=ERROR),)
REPAIRED_IN_VAIN = (*FAILED, tried(40, 30, Outcome.failed, error=ERROR, repair=True))
Asked = list[tuple[str, Any]]


class Tap:
    """Remembers the path and the body of everything that is sent to change something."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self.asked: Asked = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()

        async def noted() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            last = message["type"] == "http.request" and not message.get("more_body")
            if last and scope["method"] == "POST" and "/jobs/" in scope["path"]:
                self.asked.append((scope["path"], json.loads(body)))
            return message

        await self._inner(scope, noted, send)


def willing(run: LabRun) -> Workspace:
    """A workspace that takes orders, though its story stays as it is."""
    workspace = Workspace(run)
    workspace.world.life = lambda _: (workspace.world.jobs, workspace.world.runs)
    return workspace


def by_the_sdk(workspace: Workspace, act: Callable[[Any, int, int], object]) -> Asked:
    """What the vendor's client sends; ``act`` gets it with the ids of the job and of its run."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config

    tap = Tap(workspace.app)
    run = workspace.world.runs[0]
    with served(tap) as url:
        config = Config(
            host=url,
            auth_type="pat",
            token=workspace.twin.tokens.personal,
            retry_timeout_seconds=5,
            http_timeout_seconds=5,
        )
        act(
            WorkspaceClient(config=config),
            int(workspace.twin.job_id(run.job)),
            int(workspace.twin.run_id(run)),
        )
    return tap.asked


def by_us(workspace: Workspace, verb: str) -> Asked:
    """What dogwatch sends for the same."""
    tap = Tap(workspace.app)
    workspace.app = tap
    run = workspace.world.runs[0]

    connector = workspace.connector()

    async def acted() -> None:
        jobs = await connector.jobs(workspace.clock.now())
        runs = [one async for page in connector.runs(workspace.ask()) for one in page]
        hands = hands_for("databricks", connector.http, connector.settings, workspace.clock)
        assert hands is not None
        job = next(one for one in jobs if one.job_id == workspace.twin.job_id(run.job))
        about = next(one for one in runs if one.native_run_id == workspace.twin.run_id(run))
        await hands.act(Order(verb, job, about if hands.verbs()[verb].about_run else None, KEY))
        await connector.aclose()

    asyncio.run(acted())
    return tap.asked


def run_now(client: Any, job: int, _: int) -> object:
    return client.jobs.run_now(job, idempotency_token=KEY)


def repair(client: Any, _: int, run: int) -> object:
    return client.jobs.repair_run(run, rerun_all_failed_tasks=True)


def repair_again(client: Any, _: int, run: int) -> object:
    history = client.jobs.get_run(run, include_history=True).repair_history
    return client.jobs.repair_run(run, rerun_all_failed_tasks=True, latest_repair_id=history[-1].id)


def cancel(client: Any, _: int, run: int) -> object:
    return client.jobs.cancel_run(run)


def pause(client: Any, job: int, _: int) -> object:
    from databricks.sdk.service.jobs import JobSettings, PauseStatus

    schedule = client.jobs.get(job).settings.schedule
    schedule.pause_status = PauseStatus.PAUSED
    return client.jobs.update(job, new_settings=JobSettings(schedule=schedule))


@pytest.mark.parametrize(
    ("verb", "tries", "job", "asked"),
    [
        ("rerun", FAILED, SILVER, run_now),
        ("repair", FAILED, SILVER, repair),
        ("repair", REPAIRED_IN_VAIN, SILVER, repair_again),
        ("cancel", (tried(60, -60),), GOLD, cancel),
        ("pause", FAILED, SILVER, pause),
    ],
    ids=["rerun", "repair", "repair again", "cancel", "pause"],
)
def test_dogwatch_asks_what_the_sdk_asks(
    verb: str, tries: Sequence[Any], job: str, asked: Callable[[Any, int, int], object]
) -> None:
    theirs = by_the_sdk(willing(ran(1, *tries, job=job)), asked)
    ours = by_us(willing(ran(1, *tries, job=job)), verb)
    assert len(theirs) == 1
    assert ours == theirs
