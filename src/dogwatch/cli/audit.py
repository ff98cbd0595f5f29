"""``dogwatch audit``: the record of everything that was decided or done, shown, exported, verified."""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import opened, read_settings, server_option, shared, show, tell, text_or_json

if TYPE_CHECKING:
    from dogwatch.model.actions import AuditTrail, AuditVerdict


@click.group("audit", invoke_without_command=True)
@server_option
@click.option("--on", "subject", metavar="SUBJECT", help="Only on INC-7, an action's id, or another subject.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="From behind the event of this number.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "jsonl"]),
    default="text",
    show_default=True,
    help="For people, for programs, or one event a line.",
)
@click.pass_context
def command(ctx: click.Context, subject: str | None, after: int, limit: int, output: str) -> None:
    """Show the record of everything that was decided or done.

    Append-only: each event holds the hash of the one before it. With --format jsonl and a high --limit it
    is exported.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = read_settings(ctx)

    async def look() -> "AuditTrail":
        async with opened(ctx, settings) as app:
            return await app.audit(subject, after=after, limit=limit)

    found = asyncio.run(look())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    elif output == "jsonl":
        for event in found.events:
            tell(event.model_dump_json())
    else:
        from dogwatch.report.actions import trail

        show(lambda width: trail(found, width))


@shared
@command.command("verify")
@server_option
@text_or_json
@click.pass_context
def verify(ctx: click.Context, output: str) -> None:
    """Say whether the record is as it was written: no event edited, removed or put in.

    That the last events were cut off shows only to who kept the last hash. Exit code: 0 whole, 1 changed.
    """
    settings = read_settings(ctx)

    async def look() -> "AuditVerdict":
        async with opened(ctx, settings) as app:
            return await app.verify_audit()

    found = asyncio.run(look())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    else:
        from dogwatch.report.actions import verified

        tell(verified(found.events, found.broken_at, found.last_hash))
    ctx.exit(0 if found.whole else 1)
