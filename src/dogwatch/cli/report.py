"""``dogwatch report``: the estate at one glance, as a file for people. Asks no platform."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dogwatch.cli.runs import moment
from dogwatch.cli.shell import opened, program, read_settings, server_option, tell
from dogwatch.cli.stale import warn_if_stale

if TYPE_CHECKING:
    from dogwatch.model.overview import Overview

_FILE = "dogwatch-report.html"


@click.command("report")
@server_option
@click.option(
    "--since", metavar="WHEN", default="24h", show_default=True, help="24h, 7d, 2026-11-20: ended incidents."
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["html", "md", "json"]),
    default="html",
    show_default=True,
    help="A page in one file, for tickets and step summaries, or for programs.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The file to write; - for standard output.  [default: {_FILE}, else standard output]",
)
@click.option(
    "--digest", is_flag=True, help="The daily digest instead, as channels get it: text, or --format json."
)
@click.pass_context
def command(ctx: click.Context, since: str, output: str, out: Path | None, digest: bool) -> None:
    """Write a report that people open: verdict, incidents, timeline, heat map, durations.

    The page is one file without scripts, made to be mailed, printed and kept. Asks no platform.
    """
    settings = read_settings(ctx)
    start = moment(since, datetime.now(UTC), settings.zone)

    async def look() -> "Overview":
        async with opened(ctx, settings) as app:
            await warn_if_stale(ctx, app)
            return await (app.day() if digest else app.overview(start))

    found = asyncio.run(look())
    if digest:
        text, target = _digest(found, output), out or Path("-")
    else:
        text = _rendered(found, output, program(ctx))
        target = out or (Path(_FILE) if output == "html" else Path("-"))
    if str(target) == "-":
        tell(text.rstrip("\n"))
        return
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"cannot write {target}: {error.strerror}", param_hint="--out") from None
    tell(f"written: {target}")


def _digest(found: "Overview", output: str) -> str:
    from dogwatch.report.daily import daily
    from dogwatch.report.plain import text

    message = daily(found, f"daily/{found.at:%Y-%m-%dT%H:%M}")
    return message.model_dump_json(indent=2) if output == "json" else text(message)


def _rendered(found: "Overview", output: str, called: str) -> str:
    if output == "json":
        return found.model_dump_json(indent=2)
    if output == "md":
        from dogwatch.report.digest import digest

        return digest(found, called)
    from dogwatch.report.page import page

    return page(found, called)
