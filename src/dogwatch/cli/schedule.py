"""``dogwatch schedule``: when jobs run next, and what became of their last slots. Asks no platform."""

import asyncio

import click

from dogwatch.cli.shell import format_option, opened, program, read_settings, server_option, show, tell
from dogwatch.cli.stale import warn_if_stale


@click.command("schedule")
@server_option
@click.argument("job", required=False)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many jobs.")
@click.option(
    "--slots", type=click.IntRange(1, 200), default=10, show_default=True, help="Slots of each kind and job."
)
@format_option
@click.pass_context
def command(ctx: click.Context, job: str | None, limit: int, slots: int, output: str) -> None:
    """Show when jobs run next, and what became of their last slots.

    JOB is an id, a subject (platform/id) or a part of a name; without it all jobs are listed. Asks no
    platform: what is shown follows from what the last round read.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Timetable

    async def recall() -> Timetable:
        async with opened(ctx, settings) as app:
            await warn_if_stale(ctx, app)
            return await app.schedule(job, limit=limit, slots=slots)

    found = asyncio.run(recall())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    elif output == "md":
        from dogwatch.report import markdown

        tell(markdown.schedule(found))
    else:
        from dogwatch.report.schedule import timetable

        called = program(ctx)
        show(lambda width: timetable(found, width, called, in_full=job is not None))
