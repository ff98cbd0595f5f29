"""``dogwatch halt``: the switch that stops every action."""

import asyncio
import getpass

import click

from dogwatch.cli.shell import program, read_settings, tell


@click.command("halt")
@click.option("--off", is_flag=True, help="Let actions go on.")
@click.option("--by", metavar="NAME", help="Who decides.  [default: your name on this machine]")
@click.pass_context
def command(ctx: click.Context, off: bool, by: str | None) -> None:
    """Stop every action everywhere at once, whatever was allowed or approved.

    Watching and telling go on. It holds for everything that uses this store, until `dogwatch halt --off`.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch

    async def run() -> None:
        async with Dogwatch(settings) as app:
            await app.halt(by or getpass.getuser(), off=off)

    asyncio.run(run())
    tell("actions go on" if off else f"halted: nothing is done until {program(ctx)} halt --off")
