"""``dogwatch check``: one round, and the board."""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.progress import ProgressLine
from dogwatch.cli.shell import format_option, program, read_settings, show, tell

if TYPE_CHECKING:
    from dogwatch.settings import Settings


@click.command("check")
@format_option
@click.pass_context
def command(ctx: click.Context, output: str) -> None:
    """Ask all platforms, remember every run, and say what is broken.

    The first time a platform is seen its history is learned, and only what is broken now is told.
    Exit code: 0 all is well, 1 something is wrong, 3 a platform could not be read and nothing else is wrong,
    2 dogwatch could not run.
    """
    ctx.exit(perform(read_settings(ctx), output, program(ctx)))


def perform(settings: "Settings", output: str, program: str) -> int:
    """Make a round, print its answer, and return the exit code; ``program`` begins the commands advised."""
    from dogwatch.app import CheckReport, Dogwatch

    async def one_round() -> CheckReport:
        with ProgressLine(settings.connectors) as progress:
            async with Dogwatch(settings) as app:
                return await app.check(progress)

    report = asyncio.run(one_round())
    if output == "json":
        tell(report.model_dump_json(indent=2))
    elif output == "md":
        from dogwatch.report import markdown

        tell(markdown.check(report, program))
    else:
        from dogwatch.report.board import board

        show(lambda width: board(report, width, program))
    return report.exit_code
