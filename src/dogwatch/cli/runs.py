"""``dogwatch runs``: what the store remembers. Asks no platform."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click

from dogwatch.cli.shell import format_option, opened, read_settings, server_option, show, tell
from dogwatch.cli.stale import warn_if_stale

STATUSES = (
    "pending",
    "running",
    "success",
    "warned",
    "failed",
    "cancelled",
    "skipped",
    "timed_out",
    "unknown",
)
"""The words of ``model.Status``; told here so that ``--help`` need not import the model (a test compares)."""
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.command("runs")
@server_option
@click.option("--platform", metavar="NAME", help="A connector's name, or its kind.")
@click.option("--job", metavar="TEXT", help="A part of the job's name, or its whole id.")
@click.option(
    "--status",
    multiple=True,
    type=click.Choice(STATUSES),
    metavar="STATUS",
    help=f"May be given several times: {', '.join(STATUSES)}.",
)
@click.option("--since", metavar="WHEN", help="24h, 7d, 2026-11-20 or 2026-11-20T02:00.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@format_option
@click.pass_context
def command(
    ctx: click.Context,
    platform: str | None,
    job: str | None,
    status: tuple[str, ...],
    since: str | None,
    limit: int,
    output: str,
) -> None:
    """List remembered runs, newest first.

    Asks no platform: what is shown is what the last round read.
    """
    settings = read_settings(ctx)
    now = datetime.now(UTC)

    from dogwatch.app import RunFilter
    from dogwatch.model import Run, Status

    wanted = RunFilter(
        platform=platform,
        job=job,
        status=tuple(Status(word) for word in status),
        since=None if since is None else moment(since, now, settings.zone),
        limit=limit,
    )

    async def recall() -> list[Run]:
        async with opened(ctx, settings) as app:
            await warn_if_stale(ctx, app)
            return await app.runs(wanted)

    found = asyncio.run(recall())
    if output == "json":
        kept = [run.model_dump(mode="json") for run in found]
        tell(json.dumps({"format": "dogwatch.runs/1", "runs": kept}, indent=2))
    elif output == "md":
        from dogwatch.report import markdown

        tell(markdown.runs(found, settings.zone))
    else:
        from dogwatch.report.runs import listing

        show(lambda width: listing(found, settings.zone, now, width))


def moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """``24h`` before now, or a date or time in the reader's zone.

    Raises click.BadParameter.
    """
    ago = re.fullmatch(r"(\d{1,5})\s*([mhdw])", text.strip())
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        told = datetime.fromisoformat(text.strip())
        return (told if told.tzinfo else told.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no time: give 90m, 24h, 7d, 2026-11-20 or 2026-11-20T02:00", param_hint="--since"
        ) from None
