"""``dogwatch lab``: what each command prints, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from support.cli import clean, process, run
from support.estates import SHOP

SCENARIO = """
id: s-0001
estate: own.yaml
now: 2026-03-03T06:30:00Z
history_days: 2
watch_hours: 1
check_every: 30m
faults:
  - {at: 2026-03-03T06:00:00Z, on: databricks/hourly, kind: run_fails, error: "no such table"}
expect:
  incidents: [{culprit: databricks/hourly, min_severity: ERROR}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one scenario and its estate."""
    (tmp_path / "own.yaml").write_text(SHOP)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    return tmp_path


def test_a_scenario_unfolds_round_by_round(folder: Path) -> None:
    told = run("lab", "run", str(folder / "s.yaml"))
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert lines[0] == "s-0001: 3 rounds over shop, one every 30 min"
    assert lines[1] == "Tue 06:30  all is well"
    assert lines[3:5] == ["Tue 07:30  1 open", "           ERROR    hourly failed: no such table"]
    assert lines[6].startswith("expected  databricks/hourly: found, ")


def test_the_score_is_told_to_programs(folder: Path) -> None:
    told = run("lab", "score", str(folder), "--format", "json")
    assert (told.exit_code, told.stderr) == (0, "")
    score = json.loads(told.stdout)
    assert [row["id"] for row in score["scenarios"]] == ["s-0001"]
    assert score["means"]["detection_recall"] == 1.0


def test_the_score_is_told_to_people(folder: Path) -> None:
    (folder / "s.yaml").write_text(SCENARIO.replace("databricks/hourly, min", "airbyte/users, min"))
    told = run("lab", "score", str(folder))
    assert told.exit_code == 0
    assert "detection_recall              0.000   over 1" in told.stdout
    assert "s-0001: missed airbyte/users" in told.stdout
    assert "s-0001: false alarm on databricks/hourly" in told.stdout


@pytest.mark.parametrize("command", [("run", "s.yaml"), ("score", ".")])
def test_an_invalid_file_is_named_and_exits_2(command: tuple[str, str], folder: Path) -> None:
    (folder / "s.yaml").write_text(SCENARIO.replace("kind: run_fails", "kind: run_fail"))
    told = run("lab", command[0], str(folder / command[1]))
    assert told.exit_code == 2
    assert (
        "error: s.yaml:9: faults[0].kind: unknown word 'run_fail'; did you mean 'run_fails'?" in told.stderr
    )


def test_an_unknown_estate_is_named_and_exits_2() -> None:
    told = run("lab", "serve", "adit")
    assert told.exit_code == 2
    assert "no estate 'adit'; did you mean 'audit'?" in told.stderr


@contextmanager
def serving(what: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """``dogwatch lab serve`` and the lines it says before it waits."""
    server = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "dogwatch", "lab", "serve", what, "--speed", "60"],
        cwd=cwd,
        env=clean(cwd) | {"PYTHONUNBUFFERED": "1", "TMPDIR": str(cwd)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    guard = threading.Timer(60, server.kill)
    guard.start()
    try:
        assert server.stdout is not None
        lines: list[str] = []
        for line in server.stdout:
            lines.append(line.rstrip())
            if line.startswith("Ctrl-C"):
                break
        yield server, lines
    finally:
        guard.cancel()
        server.kill()
        server.communicate()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_served_scenario_is_read_by_dogwatch_itself(end: signal.Signals, folder: Path) -> None:
    with serving("s.yaml", folder) as (server, lines):
        served = [line.split()[0] for line in lines if "http://" in line]
        assert {"airbyte", "databricks", "power_automate", "prometheus", "snowflake"} <= set(served)
        assert lines[0].endswith("3 jobs")
        url = next(line.split()[1] for line in lines if line.startswith("databricks"))
        assert httpx2.get(f"{url}/api/2.2/jobs/list").status_code in {401, 403}
        config = next(line for line in lines if line.startswith("next:")).split()[-1]
        told = process("doctor", "--config", config, cwd=folder)
        assert told.returncode == 0, told.stdout + told.stderr
        server.send_signal(end)
        out, err = server.communicate(timeout=30)
        assert (server.returncode, out, err) == (0, "", "")
    assert not list(folder.glob("dogwatch-lab-*"))
    assert "DOGWATCH_AIRBYTE_CLIENT_SECRET" not in os.environ
