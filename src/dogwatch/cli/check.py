"""``dogwatch check``: one round, and the board."""

import asyncio

import click

from dogwatch.cli.progress import ProgressLine
from dogwatch.cli.shell import format_option, read_settings, show, tell


@click.command("check")
@format_option
@click.pass_context
def command(ctx: click.Context, output: str) -> None:
    """Ask all platforms, remember every run, and say what is broken.

    The first time a platform is seen its history is learned, and only what is broken now is told.
    Exit code: 0 all is well, 1 something is wrong, 3 a platform could not be read and nothing else is wrong,
    2 dogwatch could not run.
    """
    settings = read_settings(ctx)

    from dogwatch.app import CheckReport, Dogwatch

    async def round_trip() -> CheckReport:
        with ProgressLine(settings.connectors) as progress:
            async with Dogwatch(settings) as app:
                return await app.check(progress)

    report = asyncio.run(round_trip())
    if output == "json":
        tell(report.model_dump_json(indent=2))
    elif output == "md":
        from dogwatch.report import markdown

        tell(markdown.check(report))
    else:
        from dogwatch.report.board import board

        show(lambda width: board(report, width))
    ctx.exit(report.exit_code)
