"""A person before a terminal: a folder, a configuration, platforms, and what dogwatch prints."""

import asyncio
import io
import random
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dogwatch.app import Dogwatch
from dogwatch.cli.shell import complain
from dogwatch.connectors import load
from dogwatch.errors import DogwatchError
from dogwatch.lab.world import PlatformFault
from dogwatch.model.report import CheckReport, Diagnosis
from dogwatch.report.board import board
from dogwatch.report.doctor import ward
from dogwatch.settings import ConnectorConfig, Settings
from dogwatch.wire.http import Pace
from support.cli import run
from support.clock import NOON, JumpingClock
from support.stage import Host, Stage
from support.worlds import runs_every, world

CONFIG = "timezone: UTC\nconnectors:\n  airbyte:\n    url: http://127.0.0.1:9\n"
SNOWFLAKE = """connectors:
  snowflake:
    account: MYORG-MYACCOUNT
    user: DOGWATCH
    warehouse: MONITOR_WH
    database: ANALYTICS
"""
_WIDTH = 80
_BERLIN = ZoneInfo("Europe/Berlin")
_QUICK = Pace(per_second=0, tries=3, timeout=0.2, patience=5.0)


@dataclass
class Scene:
    """Everything within one folder, which is the current one; the clock jumps instead of waiting."""

    folder: Path
    host: Host
    patch: pytest.MonkeyPatch
    clock: JumpingClock

    def config(self, text: str = CONFIG, env_file: str = "") -> None:
        """Write dogwatch.yaml and .env."""
        (self.folder / "dogwatch.yaml").write_text(text, encoding="utf-8")
        (self.folder / ".env").write_text(env_file, encoding="utf-8")

    @property
    def store(self) -> Path:
        """Where dogwatch remembers."""
        return self.folder / "dogwatch.db"

    def types(self, *args: str, env: Mapping[str, str] | None = None) -> str:
        """What ``dogwatch args`` prints."""
        told = run(*args, env=env)
        return told.stdout + told.stderr

    def stage(self, kind: str, *strikes: str, **fields: object) -> Stage:
        """A platform with a few runs, struck by faults of these kinds for the last five minutes."""
        begun = NOON - timedelta(minutes=5)
        faults = [PlatformFault(kind, strike, at=begun, until=None, fields=fields) for strike in strikes]
        told = world(kind, runs_every(kind, timedelta(hours=1), 12), clock=self.clock, faults=faults)
        return Stage(kind, told, self.clock, self.host)

    def app(self, stage: Stage, **changes: Any) -> Dogwatch:
        """dogwatch with that platform alone, as a user would have configured it but for the changes."""
        given = {**stage.twin.settings(stage.url), **stage.twin.credentials(), **changes}
        given = {key: value for key, value in given.items() if value is not None}
        filled = load(stage.kind).Settings.model_validate(given)
        config = ConnectorConfig(name=stage.kind, kind=stage.kind, settings=filled)
        settings = Settings(
            timezone=_BERLIN.key, store=str(self.store), connectors={stage.kind: config}, history_days=3
        )
        return Dogwatch(settings, clock=self.clock, pace=_QUICK, rng=random.Random(1))

    def doctor(self, stage: Stage, **changes: Any) -> str:
        """What ``dogwatch doctor`` prints of that platform."""

        async def visit() -> list[Diagnosis]:
            async with self.app(stage, **changes) as app:
                return await app.doctor()

        try:
            return ward(asyncio.run(visit()), _BERLIN, self.clock.now(), _WIDTH).plain
        except DogwatchError as error:
            return said_of(error)

    def check(self, stage: Stage) -> str:
        """What ``dogwatch check`` prints of that platform."""

        async def one_round() -> CheckReport:
            async with self.app(stage) as app:
                return await app.check()

        try:
            return board(asyncio.run(one_round()), _WIDTH, "dogwatch").plain
        except DogwatchError as error:
            return said_of(error)


def said_of(error: DogwatchError) -> str:
    """What the command line says of an error."""
    with redirect_stderr(io.StringIO()) as shown:
        complain(error, verbose=False)
    return shown.getvalue()


def complaint(work: Callable[[], object]) -> str:
    """What the command line says of the error in which ``work`` ends."""
    try:
        work()
    except DogwatchError as error:
        return said_of(error)
    raise AssertionError("nothing went wrong")


class Troubles(dict[str, Callable[[Scene], str]]):
    """By name, what provokes a trouble and returns what is printed."""

    def note(self, provoke: Callable[[Scene], str]) -> Callable[[Scene], str]:
        """Enter it under its own name, with hyphens."""
        self[provoke.__name__.replace("_", "-")] = provoke
        return provoke
