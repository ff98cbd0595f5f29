"""``dogwatch watch``: keep the watch for months."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import Given, read_settings

if TYPE_CHECKING:
    from dogwatch.engine.face import Face
    from dogwatch.engine.watch import Watch
    from dogwatch.settings import Settings

_BROKEN = 30.0
"""Seconds after which the watch is begun anew if dogwatch itself broke."""


@click.command("watch")
@click.option("--name", metavar="NAME", help="This watcher's name.  [default: the name of the machine]")
@click.option("--listen", metavar="HOST:PORT", help="Where others may call, whatever dogwatch.yaml says.")
@click.option("--listener", is_flag=True, hidden=True, help="Only listen; ends when standard input does.")
@click.pass_context
def command(ctx: click.Context, name: str | None, listen: str | None, listener: bool) -> None:
    """Keep the watch: rounds by the clock and by events, until stopped.

    Whenever it is killed it goes on where it was. SIGTERM or Ctrl-C stops it after what is under way, SIGHUP
    or a change of dogwatch.yaml, .env or policy.yaml has it read them again. Lines of its log are JSON unless
    it is started on a terminal. Several on one store: one leads, the others stand by.
    """
    settings = _with_address(read_settings(ctx), listen)
    if listener:
        _listen(settings)
        return
    from dogwatch.app import Dogwatch
    from dogwatch.engine.watch import House, Watch
    from dogwatch.wire.clock import SystemClock

    config = ctx.find_root().ensure_object(Given).config
    house = House(
        lambda: _with_address(read_settings(ctx), listen),
        Dogwatch,
        SystemClock(),
        _say,
        changed=_marks(Path(settings.home), config),
        listener=lambda found: _face(found, config, listen),
    )
    asyncio.run(_forever(Watch(house, name or socket.gethostname()), settings))


async def _forever(watch: "Watch", settings: "Settings") -> None:
    """Watch; if dogwatch itself breaks, say so and begin anew: a night watch does not end by one mistake."""
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
            _say("dogwatch broke", kind=type(error).__name__, again_in=_BROKEN)
            try:
                await asyncio.wait_for(watch.stopping.wait(), _BROKEN)
            except TimeoutError:
                continue


def _with_address(settings: "Settings", listen: str | None) -> "Settings":
    if listen is None:
        return settings
    from dogwatch.settings.watch import WatchSettings

    try:
        WatchSettings(listen=listen)
    except ValueError:
        raise click.BadParameter(f"{listen!r} is no address: write 127.0.0.1:8711") from None
    watch = settings.watch.model_copy(update={"listen": listen})
    return settings.model_copy(update={"watch": watch})


def _listen(settings: "Settings") -> None:
    from dogwatch.web.listener import listen

    async def serve() -> None:
        await listen(settings, settings.watch.listen, lambda text: _say("listener", told=text))

    asyncio.run(serve())


def _face(settings: "Settings", config: Path | None, listen: str | None) -> "Face | None":
    """The process that listens, if any does."""
    from dogwatch.engine.face import Face

    if not settings.watch.listen:
        return None
    command = [sys.executable, "-m", "dogwatch"]
    if config is not None:
        command += ["--config", str(config)]
    command += ["watch", "--listener"]
    if listen is not None:
        command += ["--listen", listen]
    return Face(command)


def _marks(home: Path, config: Path | None) -> Callable[[], object]:
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


def _say(event: str, /, **fields: object) -> None:
    """One line of the log: JSON, or for a person at a terminal."""
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
