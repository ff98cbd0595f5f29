"""``dogwatch review``: was dogwatch right?"""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import opened, read_settings, server_option, show, tell, text_or_json

if TYPE_CHECKING:
    from dogwatch.model.review import Review


@click.command("review")
@server_option
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="How far back.")
@text_or_json
@click.pass_context
def command(ctx: click.Context, days: int, output: str) -> None:
    """Judge own alerts, causes and actions by what happened later and by feedback; show the trend.

    The figures are kept once a day; those of a --server are only shown.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch

    async def work() -> "Review":
        async with opened(ctx, settings) as app:
            return await (app.desk().review(days) if isinstance(app, Dogwatch) else app.review(days))

    found = asyncio.run(work())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    else:
        from dogwatch.report.review import terminal

        show(lambda width: terminal(found, width))
