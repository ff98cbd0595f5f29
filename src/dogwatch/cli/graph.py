"""``dogwatch graph``: what depends on what."""

import asyncio
import json
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import opened, read_settings, server_option, show, tell

if TYPE_CHECKING:
    from dogwatch.lookup.graph import Chart


@click.command("graph")
@server_option
@click.argument("what", required=False, metavar="[PIPELINE|JOB]")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "mermaid", "svg", "json"]),
    default="text",
    show_default=True,
    help="For a terminal, for Markdown that draws Mermaid, as a picture, or for programs.",
)
@click.pass_context
def command(ctx: click.Context, what: str | None, output: str) -> None:
    """Draw what depends on what: everything, one pipeline, or what concerns one job.

    Edges come from the platforms, from tables that one job writes and another reads, from dogwatch.yaml and
    the lineage files that it names; what only habit suggests is marked and never concluded from. Asks no
    platform. What is odd about the declared pipelines is told below the drawing; with svg and mermaid it goes
    to stderr.
    """
    settings = read_settings(ctx)

    async def look() -> "Chart":
        async with opened(ctx, settings) as app:
            return await app.graph(what)

    _render(asyncio.run(look()), output)


def _render(chart: "Chart", output: str) -> None:
    from dogwatch.pipelines import draw

    if output == "json":
        tell(
            json.dumps(
                draw.as_json(chart.picture, chart.warnings, chart.heading), indent=2, ensure_ascii=False
            )
        )
    elif output == "text":
        from dogwatch.report.graph import drawing

        show(lambda width: drawing(chart.picture, chart.heading, chart.warnings, width))
    else:
        if output == "mermaid":
            tell(draw.mermaid(chart.picture))
        else:
            from dogwatch.pipelines.svg import svg

            tell(svg(chart.picture, chart.heading))
        for said in chart.warnings:
            click.echo(f"warning: {said}", err=True)
