"""``dogwatch incidents``: what is wrong and what was, as remembered. Asks no platform."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dogwatch.cli.runs import moment
from dogwatch.cli.shell import format_option, opened, program, read_settings, server_option, show, tell
from dogwatch.cli.stale import warn_if_stale

if TYPE_CHECKING:
    from dogwatch.app import IncidentList

STATES = ("open", "acknowledged", "mitigated", "resolved", "merged")
"""The words of ``model.IncidentState``; told here so that ``--help`` need not import the model (a test
compares)."""
_LIVE = STATES[:3]


@click.command("incidents")
@server_option
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(STATES),
    metavar="STATE",
    help=f"May be given several times: {', '.join(STATES)}.  [default: those that are not over]",
)
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--platform", metavar="NAME", help="A connector's name: incidents that concern it.")
@click.option("--since", metavar="WHEN", help="Live since then: 24h, 7d, 2026-11-20 or 2026-11-20T02:00.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@format_option
@click.pass_context
def command(
    ctx: click.Context,
    states: tuple[str, ...],
    everything: bool,
    platform: str | None,
    since: str | None,
    limit: int,
    output: str,
) -> None:
    """List incidents, worst first.

    Without --state, --all or --since only those that are not over. Asks no platform: what is shown is what
    the last round found out.
    """
    settings = read_settings(ctx)
    now = datetime.now(UTC)

    from dogwatch.app import IncidentFilter
    from dogwatch.model import IncidentState

    wanted_states = states or (() if everything or since else _LIVE)
    wanted = IncidentFilter(
        states=tuple(IncidentState(word) for word in wanted_states),
        platform=platform,
        since=None if since is None else moment(since, now, settings.zone),
        limit=limit,
    )

    async def recall() -> "IncidentList":
        async with opened(ctx, settings) as app:
            await warn_if_stale(ctx, app)
            return await app.incidents(wanted)

    found = asyncio.run(recall())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    elif output == "md":
        from dogwatch.report import markdown

        tell(markdown.incidents(found))
    else:
        from dogwatch.report.incident import listing

        called = program(ctx)
        show(lambda width: listing(found, width, called))
