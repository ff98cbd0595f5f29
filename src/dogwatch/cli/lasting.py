"""What commands share that run for months: their log, their signals, and what becomes of mistakes."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from dogwatch.settings import Settings

BROKEN = 30.0
"""Seconds after which it is begun anew if dogwatch itself broke."""


class Lasting(Protocol):
    """Runs until ``stopping`` is set; ``reload`` asks for another look at the configuration."""

    stopping: asyncio.Event
    reload: asyncio.Event

    async def run(self, settings: "Settings") -> None:
        """Raises DogwatchError if it cannot even begin."""
        ...


async def forever(watch: Lasting, settings: "Settings") -> None:
    """Run until stopped. If dogwatch itself breaks, say so and begin anew: no night ends by one mistake."""
    from dogwatch.errors import DogwatchError

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, watch.stopping.set)
    loop.add_signal_handler(signal.SIGHUP, watch.reload.set)
    while not watch.stopping.is_set():
        try:
            await watch.run(settings)
        except DogwatchError:
            raise
        except Exception as error:
            say("dogwatch broke", kind=type(error).__name__, again_in=BROKEN)
            try:
                await asyncio.wait_for(watch.stopping.wait(), BROKEN)
            except TimeoutError:
                continue


def marks(home: Path, config: Path | None) -> Callable[[], object]:
    """Another value whenever a file of the configuration is another one."""
    files = [config or home / "dogwatch.yaml", home / ".env", home / "policy.yaml"]

    def marks() -> object:
        found: list[object] = []
        for file in files:
            try:
                state = file.stat()
                found.append((state.st_mtime_ns, state.st_size, state.st_ino))
            except OSError:
                found.append(None)
        return found

    return marks


def say(event: str, /, **fields: object) -> None:
    """One line of the log: JSON, or for a person at a terminal.

    A log that cannot be written, on a full disk or to a pipe that nobody reads any more, ends nothing.
    """
    with suppress(OSError):
        _write(event, fields)


def _write(event: str, fields: Mapping[str, object]) -> None:
    now = datetime.now(UTC)
    told = {key: value for key, value in fields.items() if value not in (None, "", [], ())}
    if sys.stdout.isatty():
        rest = "  ".join(f"{key}={_shown(value)}" for key, value in told.items())
        click.echo(f"{now.astimezone():%H:%M:%S}  {event:<20} {rest}".rstrip())
    else:
        line = {"at": now.isoformat(timespec="milliseconds"), "event": event, "pid": os.getpid(), **told}
        click.echo(json.dumps(line, default=_shown, ensure_ascii=False))
    sys.stdout.flush()


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    from dogwatch.model.text import one_line

    return one_line(str(value), 500)
