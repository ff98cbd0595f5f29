"""``dogwatch logs said``: what the rounds remember of logs. Asks no platform."""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import opened, read_settings, server_option, show, tell
from dogwatch.cli.stale import warn_if_stale

if TYPE_CHECKING:
    from dogwatch.model.pages import LogPage


@click.command("said")
@server_option
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def said_command(ctx: click.Context, output: str) -> None:
    """Tell what the logs say that rounds read, new and surging first.

    The same as the page Logs of `dogwatch serve`. Asks no platform.
    """
    settings = read_settings(ctx)

    async def look() -> "LogPage":
        async with opened(ctx, settings) as app:
            await warn_if_stale(ctx, app)
            return await app.pages().logs()

    found = asyncio.run(look())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    else:
        from dogwatch.report.lookups import said

        show(lambda width: said(found, width))
