"""``dogwatch demo``: it needs nothing, finds what it broke, and leaves a folder that is of use."""

import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from dogwatch.app import Dogwatch
from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.run import watch
from dogwatch.lab.scenario import SCENARIOS, load_scenario
from dogwatch.settings import load
from support.cli import process, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo ran."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def shown(folder: Path) -> str:
    """What the demo printed, with a variable of the user's own that must not matter."""
    told = process("demo", cwd=folder, env={"DOGWATCH_AIRBYTE_URL": "http://192.0.2.1", "COLUMNS": "80"})
    assert (told.returncode, told.stderr) == (0, "")
    return told.stdout


@pytest.mark.slow
def test_the_demo_breaks_three_things_and_finds_them(shown: str) -> None:
    assert ": no findings. dogwatch learned the past: " in shown
    assert "● 2 incidents   ◐ 1 platform blind" in shown
    for sentence in (
        "Shipments DHL → RAW failed",
        'password authentication failed for user "airbyte_ro"',
        "hourly_clickstream has run",
        "Power Automate not readable since",
    ):
        assert sentence in " ".join(shown.split())
    assert shown.rstrip().endswith("Your own platforms: dogwatch init airbyte")


@pytest.mark.slow
def test_the_next_command_works_where_the_demo_says(shown: str, folder: Path) -> None:
    command = next(line.split() for line in shown.splitlines() if line.startswith("  dogwatch runs"))
    told = process(*command[1:], cwd=folder / "dogwatch-demo")
    assert told.returncode == 0
    assert "Shipments DHL → RAW" in told.stdout


@pytest.mark.slow
def test_the_demo_may_be_repeated_and_stays_out_of_git(shown: str, folder: Path) -> None:
    assert (folder / "dogwatch-demo" / ".gitignore").read_text().endswith("\n*\n")
    assert sorted(entry.name for entry in folder.iterdir()) == ["dogwatch-demo"]


def test_a_folder_that_is_not_the_demos_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dogwatch-demo").mkdir()
    (tmp_path / "dogwatch-demo" / "dogwatch.db").write_text("mine")
    told = run("demo")
    assert told.exit_code == 2
    assert "was not made by the demo" in told.stderr
    assert (tmp_path / "dogwatch-demo" / "dogwatch.db").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.parametrize("hours", [0.0, 3.99, 9.5, 14.1, 22.6, 26.0 * 24])
def test_the_story_is_the_same_at_every_hour_of_every_day(hours: float) -> None:
    story = load_scenario(SCENARIOS / "demo.yaml").moved(timedelta(hours=hours))
    first, last = watch(replace(story, check_every=story.watch), opened, timer=lambda: 0.0).reports
    assert first.findings == ()
    loud = [finding for finding in last.findings if finding.severity.rank >= 1]
    assert sorted(finding.rule for finding in loud) == ["blind", "failed", "slow"]


def opened(
    folder: Path, clock: SimulatedClock, transport: httpx2.AsyncBaseTransport, rng: random.Random
) -> Dogwatch:
    return Dogwatch(load(folder / "dogwatch.yaml", {}, folder), clock=clock, transport=transport, rng=rng)
