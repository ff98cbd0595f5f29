"""The tutorial and the how-tos, typed as they stand, before a small company of the lab."""

import os
import re
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli import run
from support.programs import PATIENCE, running
from support.walk import DOCS, blocks, differs, steps

pytestmark = pytest.mark.slow
LAB = "dogwatch lab serve tutorial --folder night"
ELSEWHERE = {
    "dogwatch notify test slack": "needs a Slack",
    "dogwatch logs tail run.log": "goes on until it is interrupted",
}
"""Commands of how-tos that cannot be run here, and why."""
LINES = "2026-11-20 02:04:0{} ERROR orders: connection to db-{} timed out\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder in which somebody begins the tutorial, and what the first terminal says. Beside it stands a
    copy of the company's folder after a first round, in which the incident is open."""
    place = tmp_path_factory.mktemp("tutorial")
    command = [sys.executable, "-m", "dogwatch", *shlex.split(LAB)[1:-1], str(place / "night")]
    with running("the lab", command, "Ctrl-C ends the lab.") as log:
        shutil.copytree(place / "night", place / "looked")
        typed("dogwatch check", place / "looked")
        yield place, "\n".join(log).replace(str(place / "night"), "night")


@pytest.fixture(scope="module")
def night(served: tuple[Path, str]) -> Path:
    """The copy."""
    return served[0] / "looked"


def typed(line: str, folder: Path) -> str:
    """What a command of ours prints there; it must not be an error."""
    there = Path.cwd()
    os.chdir(folder)
    try:
        done = run(*shlex.split(line)[1:], env={"COLUMNS": "80"})
    finally:
        os.chdir(there)
    assert done.exit_code in (0, 1), f"{line}: {done.output}"
    assert "error:" not in done.stderr, f"{line}: {done.stderr}"
    return done.stdout


def test_the_tutorial_goes_as_it_says(served: tuple[Path, str]) -> None:
    place, first_terminal = served
    folder, action = place, ""
    for step in steps("tutorial.md"):
        told = ""
        for line in step.commands:
            if line == LAB:
                told += first_terminal
            elif line.startswith("cd "):
                folder = folder / line.removeprefix("cd ")
            else:
                told += typed(line.replace("…", action), folder)
        if "● 0 incidents" in step.shown:  # as it says: check again until the last task is through
            pause, deadline = threading.Event(), time.monotonic() + 2 * PATIENCE
            while "● 0 incidents" not in told and time.monotonic() < deadline:
                pause.wait(1.0)
                told = typed("dogwatch check", folder)
        assert differs(step.shown, told) == ""
        action = next(iter(re.findall(r"dogwatch actions approve (\S+)", told)), action)


HOW_TO = sorted(path.relative_to(DOCS).as_posix() for path in (DOCS / "how-to").glob("*.md"))


@pytest.mark.parametrize("page", HOW_TO)
def test_the_commands_of_a_how_to_can_be_typed_one_after_the_other(
    page: str, night: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "night"
    shutil.copytree(night, folder)
    prepare(page, folder)
    finding = re.findall(r"dogwatch explain (\w+)", typed("dogwatch incident show INC-1", night))[0]
    for step in steps(page):
        for line in step.commands:
            if line == "cp .env.example .env":
                fill_in(night, folder)
            elif line not in ELSEWHERE:
                typed(line.replace("0e238044", finding), folder)


def fill_in(night: Path, folder: Path) -> None:
    """What somebody does after `dogwatch init airbyte`: the address and the credentials."""
    address = re.findall(r"airbyte:\n +url: (\S+)", (night / "dogwatch.yaml").read_text())[0]
    config = folder / "dogwatch.yaml"
    begun = config.read_text()
    config.write_text(re.sub(r"^  airbyte:.*$", f"  airbyte:\n    url: {address}", begun, flags=re.MULTILINE))
    secrets = (night / ".env").read_text().splitlines()
    (folder / ".env").write_text("\n".join(line for line in secrets if line.startswith("DOGWATCH_AIRBYTE_")))


def prepare(page: str, folder: Path) -> None:
    """Put there what the page takes for granted or tells to write."""
    written = "".join(blocks(page, "yaml"))
    config = folder / "dogwatch.yaml"
    match page.removeprefix("how-to/"):
        case "policy.md":
            (folder / "policy.yaml").write_text(written)
        case "maintenance.md":
            config.write_text(config.read_text() + written)
        case "platform.md":
            config.unlink()
            (folder / ".env").unlink()
        case "backup.md":
            (folder / "elsewhere.yaml").write_text(config.read_text().replace("dogwatch.db", "elsewhere.db"))
        case "log.md":
            for name in ("run", "yesterday", "today"):
                (folder / f"{name}.log").write_text("".join(LINES.format(n, n) for n in range(9)))


def test_every_command_that_is_left_out_stands_in_a_how_to() -> None:
    told = {line for page in HOW_TO for step in steps(page) for line in step.commands}
    assert set(ELSEWHERE) - told == set()
