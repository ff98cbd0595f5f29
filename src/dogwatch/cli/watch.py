"""``dogwatch watch``: keep the watch for months."""

import asyncio
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dogwatch.cli.lasting import forever, marks, say
from dogwatch.cli.shell import Given, read_settings

if TYPE_CHECKING:
    from dogwatch.engine.face import Face
    from dogwatch.settings import Settings


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
    from dogwatch.engine.house import House
    from dogwatch.engine.watch import Watch
    from dogwatch.wire.clock import SystemClock

    config = ctx.find_root().ensure_object(Given).config
    house = House(
        lambda: _with_address(read_settings(ctx), listen),
        Dogwatch,
        SystemClock(),
        say,
        changed=marks(Path(settings.home), config),
        listener=lambda found: _face(found, config, listen),
    )
    asyncio.run(forever(Watch(house, name or socket.gethostname()), settings))


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
        await listen(settings, settings.watch.listen, lambda text: say("listener", told=text))

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
