"""The vendor's own client reads the twin over HTTP: what it accepts, the real service would send."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dogwatch.lab.databricks_records import chain_of
from dogwatch.lab.world import Outcome
from support.serve import served
from support.workspace import ERROR, SILVER, Workspace, at, ran, tried

pytestmark = pytest.mark.real


@contextmanager
def client_of(workspace: Workspace, **login: Any) -> Iterator[Any]:
    """A WorkspaceClient of the real SDK on a real socket, with that login and nothing from a profile."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config

    with served(workspace.app) as url:
        yield WorkspaceClient(
            config=Config(host=url, retry_timeout_seconds=5, http_timeout_seconds=5, **login)
        )


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The SDK looks for credentials in many places; here it finds none of them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))


def pat(workspace: Workspace) -> dict[str, str]:
    """A personal access token."""
    return {"auth_type": "pat", "token": workspace.twin.tokens.personal}


def test_the_sdk_lists_jobs_and_all_pages_of_runs() -> None:
    runs = [ran(number, tried(100 - number, 99.5 - number)) for number in range(70)]
    workspace = Workspace(*runs)
    with client_of(workspace, **pat(workspace)) as client:
        jobs = {job.job_id: job for job in client.jobs.list(expand_tasks=True)}
        listed = list(client.jobs.list_runs(limit=25))
        filtered = list(client.jobs.list_runs(active_only=True))
    silver = jobs[int(workspace.twin.job_id(SILVER))]
    assert silver.settings.schedule.quartz_cron_expression == "0 30 3 * * ?"
    assert [task.task_key for task in silver.settings.tasks] == [key for key, _ in chain_of(SILVER)]
    assert {str(run.run_id) for run in listed} == {workspace.twin.run_id(run) for run in runs}
    assert [run.start_time for run in listed] == sorted((run.start_time for run in listed), reverse=True)
    assert filtered == []


def test_the_sdk_reads_a_repaired_run_with_history_and_the_output_of_its_task() -> None:
    from databricks.sdk.errors import ResourceDoesNotExist
    from databricks.sdk.service.jobs import (
        RepairHistoryItemType,
        RunResultState,
        TerminationCodeCode,
        TriggerType,
    )

    tries = (tried(60, 50, Outcome.failed, error=ERROR), tried(40, 30, repair=True))
    workspace = Workspace(ran(1, *tries))
    with client_of(workspace, **pat(workspace)) as client:
        run = client.jobs.get_run(int(workspace.twin.run_id(workspace.world.runs[0])), include_history=True)
        original, repair = run.repair_history
        tasks = {task.run_id: task for task in run.tasks}
        failed = [
            tasks[number]
            for number in original.task_run_ids
            if tasks[number].state.result_state == RunResultState.FAILED
        ]
        output = client.jobs.get_run_output(failed[0].run_id)
        with pytest.raises(ResourceDoesNotExist):
            client.jobs.get_run(4711)
        with pytest.raises(ResourceDoesNotExist):
            client.jobs.get(4711)
    assert run.trigger == TriggerType.PERIODIC
    assert run.status.termination_details.code == TerminationCodeCode.SUCCESS
    assert (original.type, repair.type) == (RepairHistoryItemType.ORIGINAL, RepairHistoryItemType.REPAIR)
    assert original.status.termination_details.code == TerminationCodeCode.RUN_EXECUTION_ERROR
    assert output.error == ERROR
    assert output.metadata.run_id == failed[0].run_id


def test_the_sdk_logs_in_as_a_service_principal() -> None:
    workspace = Workspace(ran(1, tried(60, 50)), now=at(0))
    tokens = workspace.twin.tokens
    login = {"auth_type": "oauth-m2m", "client_id": tokens.client_id, "client_secret": tokens.client_secret}
    with client_of(workspace, **login) as client:
        assert len(list(client.jobs.list_runs())) == 1
    assert "/oidc/v1/token" in workspace.paths


def test_the_sdk_exchanges_the_id_token_of_a_github_job(monkeypatch: pytest.MonkeyPatch) -> None:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config

    workspace = Workspace(ran(1, tried(60, 50)))
    tokens = workspace.twin.tokens
    with served(workspace.app) as url:
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{url}/actions/id-token?api-version=2.0")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", tokens.id_token_request_token)
        client = WorkspaceClient(config=Config(host=url, auth_type="github-oidc", client_id=tokens.client_id))
        assert len(list(client.jobs.list_runs())) == 1


def test_the_sdk_is_told_of_a_wrong_token_as_the_service_would_tell_it() -> None:
    from databricks.sdk.errors import PermissionDenied

    workspace = Workspace()
    with (
        client_of(workspace, auth_type="pat", token="dapi00000000") as client,
        pytest.raises(PermissionDenied),
    ):
        list(client.jobs.list())
