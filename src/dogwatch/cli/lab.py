"""``dogwatch lab``: simulated platforms for trying dogwatch out and for measuring it."""

import json
import random
import signal
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from dogwatch.cli.shell import tell, text_or_json
from dogwatch.errors import LabError

if TYPE_CHECKING:
    import httpx2

    from dogwatch.app import Dogwatch
    from dogwatch.lab.clock import SimulatedClock
    from dogwatch.lab.estate import Told
    from dogwatch.lab.run import Night
    from dogwatch.lab.serve import Lab
    from dogwatch.lab.world import LabClock, World
    from dogwatch.model.report import CheckReport

_HISTORY = timedelta(days=30)
_AHEAD = timedelta(days=30)
"""Simulated time for which a served lab goes on."""
_MARK = ".dogwatch-lab"
"""In a folder that the lab may write."""


@click.group("lab")
def command() -> None:
    """Simulated platforms: serve them, run scenarios, score dogwatch."""


@command.command()
@click.argument("what", default="audit", metavar="[NAME|FILE]")
@click.option(
    "--port",
    type=click.IntRange(0, 65000),
    default=0,
    help="Port of the first platform; the others follow.  [default: any free ones]",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 100_000, min_open=True),
    default=1.0,
    show_default=True,
    help="How many seconds pass in the lab for each real one.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where dogwatch.yaml and .env for it are written, and stay.  [default: a temporary folder]",
)
def serve(what: str, port: int, speed: float, folder: Path | None) -> None:
    """Serve an estate's platforms on this machine until Ctrl-C.

    NAME is that of a shipped estate (audit) or of a shipped scenario (tutorial), whose story ends now. FILE
    is an estate or a scenario; a scenario is moved by whole days, so that it ends within the last 24 hours.
    """
    from dogwatch.lab.clock import RunningClock
    from dogwatch.lab.serve import Lab
    from dogwatch.model.text import plural
    from dogwatch.wire.clock import SystemClock

    wall = SystemClock()
    now = wall.now()
    world, told = _served(what, now, RunningClock(wall, now, speed=speed, end=now + _AHEAD))
    lab = Lab(world)
    with _kept(folder) as kept, lab.serve(port) as urls:
        config = lab.write_config(kept, urls, _HISTORY.days, told)
        for platform, url in urls.items():
            jobs = sum(job.platform == platform for job in lab.world.jobs.values())
            holds = plural(jobs, "job") if jobs else "logs, metrics or changes"
            tell(f"{platform:16} {url:28} {holds}")
        for platform in lab.unserved:
            tell(f"{platform:16} simulated, but not served: it has no twin")
        check = f"dogwatch check --config {config}" if folder is None else f"cd {folder} && dogwatch check"
        tell(f"\nnext: {check}\nCtrl-C ends the lab.")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


@contextmanager
def _kept(folder: Path | None) -> Generator[Path]:
    """The folder that the user means, if it is empty or a lab's; otherwise one for as long as it is needed.

    Raises LabError.
    """
    if folder is None:
        with TemporaryDirectory(prefix="dogwatch-lab-") as made:
            yield Path(made)
        return
    try:
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()) and not (folder / _MARK).exists():
            raise LabError(f"{folder} holds what is not the lab's", "name another --folder")
        (folder / _MARK).write_text("Made by `dogwatch lab serve`, which begins anew in it each time.\n")
        for old in folder.glob("dogwatch.db*"):
            old.unlink()
    except OSError as error:
        raise LabError(f"cannot write {folder}: {error.strerror}", "name another --folder") from error
    yield folder


def _served(what: str, now: datetime, clock: "LabClock") -> "tuple[World, Told]":
    """The world of an estate or a scenario, and what dogwatch is told of it."""
    from dogwatch.lab.estate import load_estate, shipped_estates
    from dogwatch.lab.scenario import load_scenario, named_scenarios
    from dogwatch.lab.simulate import simulate
    from dogwatch.lab.yamlfile import did_you_mean, read

    shipped = named_scenarios()
    path = Path(what)
    if what in shipped and not path.is_file():
        scenario = load_scenario(shipped[what])
        scenario = scenario.moved(now - scenario.now)
        return scenario.world(clock, ahead=_AHEAD), scenario.told
    if what not in shipped_estates() and path.is_file() and "jobs" not in read(path).mapping():
        scenario = load_scenario(path)
        scenario = scenario.moved(timedelta(days=(now - scenario.now).days))
        return scenario.world(clock, ahead=now - scenario.now + _AHEAD), scenario.told
    if what not in shipped_estates() and not path.is_file():
        names = [*shipped_estates(), *(name for name in sorted(shipped) if name[:2] != "s-")]
        said = f"no estate {what!r:.200}" + did_you_mean(what, names)
        raise LabError(said, "give one of these names or the path of a file")
    estate = load_estate(what)
    return simulate(estate, seed=1, start=now - _HISTORY, end=now + _AHEAD, clock=clock), estate.told


@command.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def run(file: Path) -> None:
    """Watch a scenario unfold, round by round."""
    from dogwatch.lab.run import watch
    from dogwatch.lab.scenario import load_scenario
    from dogwatch.lab.score import score
    from dogwatch.model.text import span

    scenario = load_scenario(file)
    count = len(scenario.rounds())
    every = span(scenario.check_every.total_seconds())
    tell(f"{scenario.id}: {count} rounds over {scenario.estate.id}, one every {every}")
    night = watch(scenario, opener, timer=time.perf_counter, seen=_Unfolding(scenario.estate.timezone))
    row = score(night)
    tell("\n" + "\n".join(_row_lines(night, row)))


@command.command("score")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@text_or_json
@click.option(
    "--model",
    type=click.Choice(["hostile", "useless"]),
    help="Let agents investigate in every round, with a model that does what injected lines ask for, or one "
    "that knows nothing.",
)
def score_command(folder: Path, output: str, model: str | None) -> None:
    """Play every scenario in DIR and say how well dogwatch watched.

    Exit code: 0, whatever the score; 2 if a file is wrong.
    """
    from dogwatch.lab.run import watch
    from dogwatch.lab.scenario import load_scenario, scenario_files
    from dogwatch.lab.score import score, summary

    scenarios = [load_scenario(path) for path in scenario_files(folder)]
    opened = opener if model is None else partial(opener_with, model)
    rows: list[dict[str, Any]] = []
    with click.progressbar(
        scenarios, label="scenarios", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as playing:
        for scenario in playing:
            rows.append(score(watch(scenario, opened, timer=time.perf_counter)))
    found = summary(rows)
    tell(json.dumps(found, indent=2, ensure_ascii=False) if output == "json" else _table(found))


def opener(
    folder: Path, clock: "SimulatedClock", transport: "httpx2.AsyncBaseTransport", rng: random.Random
) -> "Dogwatch":
    """dogwatch as it stands, on the lab's clock and transport."""
    from dogwatch.app import Dogwatch
    from dogwatch.settings import load

    return Dogwatch(load(None, {}, folder), clock=clock, transport=transport, rng=rng, holder="lab")


def opener_with(
    model: str,
    folder: Path,
    clock: "SimulatedClock",
    transport: "httpx2.AsyncBaseTransport",
    rng: random.Random,
) -> "Dogwatch":
    """The same with agents at work in every round, whose model is a script (``agents.scripted``)."""
    from dogwatch.agents.scripted import runtime
    from dogwatch.app import Dogwatch
    from dogwatch.model import Severity
    from dogwatch.settings import load
    from dogwatch.settings.agents import AgentsSettings

    agents = AgentsSettings(rounds=True, severity=Severity.INFO, per_round=20)
    settings = load(None, {}, folder).model_copy(update={"agents": agents})
    return Dogwatch(settings, clock=clock, transport=transport, rng=rng, holder="lab", runtime=runtime(model))


class _Unfolding:
    """Prints what is new and what is over in each round."""

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)
        self._open: dict[str, str] = {}

    def __call__(self, lab: "Lab", report: "CheckReport") -> None:
        at = report.at.astimezone(self._zone)
        found = {finding.fingerprint: finding for finding in report.findings}
        tell(f"{at:%a %H:%M}  {len(found)} open" if found else f"{at:%a %H:%M}  all is well")
        for fingerprint, finding in found.items():
            if fingerprint not in self._open:
                tell(f"           {finding.severity.value:8} {finding.summary}")
        for fingerprint, title in self._open.items():
            if fingerprint not in found:
                tell(f"           over     {title}")
        self._open = {fingerprint: finding.summary for fingerprint, finding in found.items()}


def _row_lines(night: "Night", row: dict[str, Any]) -> list[str]:
    expect = night.scenario.expect
    if expect.incidents is None:
        return ["nothing is expected of this scenario"]
    lines = [] if expect.incidents else ["expected  nothing"]
    for incident in row["incidents"]:
        minutes = incident["minutes_to_detect"]
        when = "" if minutes is None else f", {minutes:g} min after its first sign"
        lines.append(
            f"expected  {incident['culprit']}: {'found' if incident['detected'] else 'missed'}{when}"
        )
    lines += [f"false     {name}" for name in row["false_alarms_on"]]
    return [*lines, f"took      {night.wall_seconds:.1f} s"]


def _table(found: dict[str, Any]) -> str:
    """The figures that say something, one line each, a column for the mean."""
    rows: Sequence[dict[str, Any]] = found["scenarios"]
    means: dict[str, float | None] = found["means"]
    lines = [f"{len(rows)} scenarios", ""]
    for key, mean in means.items():
        scored = sum(row[key] is not None for row in rows)
        shown = "-" if mean is None else f"{mean:.3f}"
        lines.append(f"{key:24} {shown:>10}   over {scored}")
    troubled = [
        f"{row['id']}: missed {incident['culprit']}"
        for row in rows
        for incident in row["incidents"]
        if not incident["detected"]
    ]
    troubled += [f"{row['id']}: false alarm on {name}" for row in rows for name in row["false_alarms_on"]]
    return "\n".join([*lines, *([""] if troubled else []), *troubled])
