"""A round: what it leaves for a later one, and when it leaves nothing."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx2
from pydantic import SecretStr

from dogwatch.app import Dogwatch
from dogwatch.connectors.databricks import DatabricksSettings
from dogwatch.gather.matters import is_urgent
from dogwatch.lab.world import LabJob, Outcome
from dogwatch.model import ActionState
from dogwatch.model.call import Call
from dogwatch.settings import ConnectorConfig, Settings
from dogwatch.store import open_store
from dogwatch.wire.http import Pace
from support.actions import an_action
from support.clock import NOON
from support.workspace import ERROR, SILVER, URL, Workspace, at, ran, tried


def call(store: Path, *touches: str) -> None:
    """Somebody says that something happened there."""
    opened = open_store(store)
    opened.keep_calls([Call(key="-".join(touches), hook="lake", received_at=NOON, touches=touches)])
    opened.close()


def looked_up(workspace: Workspace, settings: Settings) -> list[str]:
    """The runs that a round looks up one by one, a quarter of an hour after the last round."""
    workspace.asked.clear()
    workspace.clock.time += timedelta(minutes=15)

    async def one() -> None:
        transport = httpx2.ASGITransport(workspace.app)
        pace = Pace(per_second=0, tries=1)
        async with Dogwatch(settings, clock=workspace.clock, transport=transport, pace=pace) as dog:
            await dog.check()

    asyncio.run(one())
    return [url.params["run_id"] for url in workspace.asked if url.path.endswith("runs/get")]


def test_old_failures_are_looked_up_in_turn_and_all_of_them_once_somebody_called(tmp_path: Path) -> None:
    jobs = [LabJob(f"databricks/job-{number}", f"Job {number}") for number in range(12)]
    broke = tried(600, 590, Outcome.failed, error=ERROR)
    runs = [ran(number, broke, job=job.job) for number, job in enumerate(jobs)]
    workspace = Workspace(*runs, ran(99, tried(90, 85)), jobs=[*jobs, LabJob(SILVER, "Silver")], now=at(15))
    way_in = {key: SecretStr(value) for key, value in workspace.twin.credentials().items()}
    given = DatabricksSettings(**workspace.twin.settings(URL), **way_in)
    lake = ConnectorConfig(name="lake", kind="databricks", settings=given)
    settings = Settings(timezone="UTC", store=str(tmp_path / "d.db"), connectors={"lake": lake})
    everyone = set(looked_up(workspace, settings))
    first, second = looked_up(workspace, settings), looked_up(workspace, settings)
    assert (len(everyone), len(first), len(second)) == (12, 8, 8)
    assert {*first, *second} == everyone
    call(tmp_path / "d.db", "another")
    assert len(looked_up(workspace, settings)) == 8
    call(tmp_path / "d.db", "lake")
    assert set(looked_up(workspace, settings)) == everyone


def test_where_one_of_our_actions_is_under_way_nothing_is_left_for_later(tmp_path: Path) -> None:
    store = open_store(tmp_path / "d.db")
    (action,) = store.propose([an_action(state=ActionState.approved)])
    assert not is_urgent(store, action.connector)
    store.settle_action(action, ActionState.performed, NOON, by="test", why="the platform took it")
    assert is_urgent(store, action.connector)
    assert not is_urgent(store, "another")
    store.close()
