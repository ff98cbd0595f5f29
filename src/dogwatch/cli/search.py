"""``dogwatch search``: whatever has to do with some words. Asks no platform."""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import opened, program, read_settings, server_option, show, tell
from dogwatch.cli.stale import warn_if_stale

if TYPE_CHECKING:
    from dogwatch.model.pages import SearchResult


@click.command("search")
@server_option
@click.argument("words", nargs=-1, required=True)
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], output: str) -> None:
    """Find jobs, incidents, actions and findings by a part of a name, a title or an id.

    The same as the search field of `dogwatch serve`. Asks no platform.
    """
    settings = read_settings(ctx)

    async def look() -> "SearchResult":
        async with opened(ctx, settings) as app:
            await warn_if_stale(ctx, app)
            return await app.pages().search(" ".join(words))

    found = asyncio.run(look())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    else:
        from dogwatch.report.lookups import hits

        show(lambda width: hits(found, width, program(ctx)))
