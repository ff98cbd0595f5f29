"""``dogwatch demo``: a simulated estate breaks, and dogwatch looks at it as it would look at a real one."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from dogwatch.cli.check import perform
from dogwatch.cli.progress import ProgressLine
from dogwatch.cli.shell import program_anywhere, show
from dogwatch.errors import SettingsError

if TYPE_CHECKING:
    from dogwatch.lab.scenario import Scenario
    from dogwatch.model.report import CheckReport
    from dogwatch.settings import Settings

_FOLDER = Path("dogwatch-demo")
_MARK = "# Made by `dogwatch demo`, which may overwrite everything here.\n*\n"
_AHEAD = timedelta(hours=1)
_BREAKS = {
    "run_fails": "its runs fail",
    "run_hangs": "a run never ends",
    "auth_revoked": "our credential is revoked",
}


@click.command("demo")
def command() -> None:
    """Break a simulated estate in three places and watch dogwatch find out.

    Needs no account and no network: the platforms are simulated, but speak their vendors' real APIs on
    127.0.0.1. What dogwatch learns stays in the folder dogwatch-demo. Exit code 0.
    """
    from dogwatch.lab.scenario import SCENARIOS, load_scenario
    from dogwatch.wire.clock import SystemClock

    scenario = load_scenario(SCENARIOS / "demo.yaml")
    scenario = scenario.moved(SystemClock().now() - scenario.now)
    _prepare(_FOLDER)
    began = time.monotonic()
    learned = _learn(scenario)
    program = program_anywhere()
    _tell(_story(scenario, learned, time.monotonic() - began, program))
    _check(scenario, program)
    _tell(_ending(program))


def _story(scenario: "Scenario", learned: "CheckReport", seconds: float, program: str) -> list[str]:
    """What happened up to now, for people."""
    from dogwatch import connectors
    from dogwatch.report.words import clock

    zone = ZoneInfo(learned.timezone)
    jobs = sum(platform.jobs for platform in learned.platforms)
    runs = sum(platform.runs_read for platform in learned.platforms)
    first = f"{clock(learned.at, scenario.now, zone)}: {len(learned.findings) or 'no'} findings"
    past = f"{runs:,} runs of {scenario.history.days} days in {seconds:.1f} s"
    company = f"The lab: a company with {jobs} jobs on {len(learned.platforms)} platforms."
    lines = [
        f"{company} They are simulated, but speak their vendors' real APIs.",
        "",
        f"1. {first}. dogwatch learned the past: {past}.",
        "2. Then three things broke:",
    ]
    for fault in scenario.faults:
        job = scenario.estate.jobs.get(fault.on)
        name = job.name if job is not None else connectors.load(fault.on).title
        lines.append(f"     {name}: {_BREAKS[fault.kind]}")
    return [*lines, f"3. {clock(scenario.now, scenario.now, zone)}: cd {_FOLDER} && {program} check", ""]


def _ending(program: str) -> list[str]:
    """What to type next."""
    return [
        "",
        "The lab is closed now: links into it lead nowhere. What dogwatch learned is kept. Look further:",
        "",
        f"  cd {_FOLDER}",
        f"  {program} runs --status failed --since 24h",
        "",
        f"Your own platforms: {program} init airbyte",
    ]


def _tell(lines: Sequence[str]) -> None:
    """Print paragraphs, each line indented as it came and wrapped at the terminal's edge."""
    from rich.text import Text

    from dogwatch.report.lines import page, wrap

    def render(width: int) -> Text:
        pieces: list[Text] = []
        for line in lines:
            indent = " " * (len(line) - len(line.lstrip()))
            pieces += [Text(f"{indent}{piece}".rstrip()) for piece in wrap(line, width - len(indent))]
        return page(pieces)

    show(render)


def _prepare(folder: Path) -> None:
    """An empty folder of ours that git does not see."""
    mark = folder / ".gitignore"
    try:
        if folder.exists() and (not mark.exists() or mark.read_text() != _MARK):
            raise SettingsError(f"{folder} exists and was not made by the demo", "move it, or go elsewhere")
        folder.mkdir(exist_ok=True)
        mark.write_text(_MARK)
        for old in folder.glob("dogwatch.db*"):
            old.unlink()
    except OSError as error:
        raise SettingsError(f"cannot write {folder}: {error.strerror}", "go to another folder") from error


def _learn(scenario: "Scenario") -> "CheckReport":
    """The first round, hours ago, on simulated time: the baseline."""
    from dogwatch.app import Dogwatch
    from dogwatch.lab.clock import LabLoop, SimulatedClock
    from dogwatch.lab.serve import Lab

    clock = SimulatedClock(scenario.rounds()[0])
    lab = Lab(scenario.world(clock))
    settings = _settings(lab.write_config(_FOLDER, history_days=scenario.history.days, told=scenario.told))

    async def first_round() -> "CheckReport":
        with ProgressLine(settings.connectors) as progress:
            async with Dogwatch(settings, clock=clock, transport=lab.transport()) as app:
                return await app.check(progress)

    with asyncio.Runner(loop_factory=LabLoop) as runner:
        return runner.run(first_round())


def _check(scenario: "Scenario", program: str) -> None:
    """The round of now, over sockets, as ``dogwatch check`` makes it."""
    from dogwatch.lab.clock import RunningClock
    from dogwatch.lab.serve import Lab
    from dogwatch.wire.clock import SystemClock

    clock = RunningClock(SystemClock(), scenario.now, end=scenario.now + _AHEAD)
    lab = Lab(scenario.world(clock, ahead=_AHEAD))
    with lab.serve() as urls:
        perform(
            _settings(lab.write_config(_FOLDER, urls, scenario.history.days, scenario.told)), "text", program
        )


def _settings(config: Path) -> "Settings":
    """The demo's configuration alone: nothing of the user's own may lead it to a real platform."""
    from dogwatch.settings import load
    from dogwatch.settings.model import PREFIX

    environ: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith(PREFIX)
    }
    return load(config, environ, Path.cwd())
