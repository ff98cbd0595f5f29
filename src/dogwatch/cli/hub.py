"""``dogwatch hub``: the copy of the audit trail in a warehouse."""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import program, read_settings, shared, show, tell, text_or_json

if TYPE_CHECKING:
    from dogwatch.model.hub import HubVerdict, HubView


@click.group("hub")
def command() -> None:
    """The copy of the audit trail in Snowflake or PostgreSQL: set it up, fill it, compare it."""


@command.command("ddl")
@click.pass_context
def ddl(ctx: click.Context) -> None:
    """Print the statements that make the tables and grant what is needed.

    Nothing is executed. Run them as the owner of the schema; running them again does no harm.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch
    from dogwatch.report.hub import statements

    async def look() -> str:
        async with Dogwatch(settings) as app:
            return statements(*await app.registration().ddl())

    tell(asyncio.run(look()))


@command.command("sync")
@click.option("--all", "afresh", is_flag=True, help="Everything, whatever the hub has confirmed already.")
@text_or_json
@click.pass_context
def sync(ctx: click.Context, afresh: bool, output: str) -> None:
    """Send what the hub has not confirmed, without waiting for the next round.

    Every record has one key, so that sending it again changes nothing. Exit code: 0 the hub has everything,
    3 it does not, 2 dogwatch could not run.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch
    from dogwatch.cli.progress import ProgressLine

    async def send() -> "HubView":
        with ProgressLine(["runs"]) as line:
            async with Dogwatch(settings) as app:
                return await app.registration().sync(
                    lambda name, rows: line.note(name, f"{rows:,} confirmed"), afresh=afresh
                )

    ctx.exit(_tell_view(ctx, asyncio.run(send()), output))


@command.command("status")
@text_or_json
@click.pass_context
def status(ctx: click.Context, output: str) -> None:
    """Say what the hub has confirmed, what waits, and why.

    The hub is not asked. Exit code: 0 it has everything or there is none, 3 something waits, 2 dogwatch could
    not run.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch

    async def look() -> "HubView":
        async with Dogwatch(settings) as app:
            return await app.registration().status()

    ctx.exit(_tell_view(ctx, asyncio.run(look()), output))


@command.command("verify")
@text_or_json
@click.pass_context
def verify(ctx: click.Context, output: str) -> None:
    """Compare every record on both sides, by count and checksum, and name those that differ.

    Exit code: 0 the same, 1 records are missing, different or doubled, 3 some were not sent yet, 2 dogwatch
    could not run or the hub did not answer.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch

    async def look() -> "HubVerdict":
        async with Dogwatch(settings) as app:
            return await app.registration().verify()

    found = asyncio.run(look())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    else:
        from dogwatch.report.hub import verdict

        show(lambda width: verdict(found, width, program(ctx)))
    ctx.exit(1 if found.differing else 3 if found.waiting else 0)


def _tell_view(ctx: click.Context, view: "HubView", output: str) -> int:
    """Shows how the hub stands; returns the exit code."""
    if output == "json":
        tell(view.model_dump_json(indent=2))
    else:
        from dogwatch.report import hub

        show(lambda width: hub.status(view, width, program(ctx)))
    return 0 if view.state in ("whole", "none") else 3


for _command in (ddl, sync, status, verify):
    shared(_command)
