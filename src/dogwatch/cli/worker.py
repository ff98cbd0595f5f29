"""``dogwatch worker``: make rounds together with others."""

import asyncio
import socket
from pathlib import Path

import click

from dogwatch.cli.lasting import forever, marks, say
from dogwatch.cli.shell import Given, read_settings


@click.command("worker")
@click.option("--name", metavar="NAME", help="This worker's name.  [default: the name of the machine]")
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Steps at a time."
)
@click.pass_context
def command(ctx: click.Context, name: str | None, concurrency: int) -> None:
    """Make rounds together with other workers on a store on PostgreSQL, until stopped.

    Start as many as you like on as many machines: they keep the clock together, each platform is asked by
    one of them at a time, and what one leaves undone others take over within a minute. `dogwatch watch` on
    the same store hears events and leaves rounds to them. Needs the extra `team`.
    """
    settings = read_settings(ctx)
    from dogwatch.app import Dogwatch
    from dogwatch.engine.house import House
    from dogwatch.engine.team import Worker
    from dogwatch.wire.clock import SystemClock

    config = ctx.find_root().ensure_object(Given).config
    house = House(
        lambda: read_settings(ctx),
        Dogwatch,
        SystemClock(),
        say,
        changed=marks(Path(settings.home), config),
    )
    asyncio.run(forever(Worker(house, name or socket.gethostname(), concurrency), settings))
