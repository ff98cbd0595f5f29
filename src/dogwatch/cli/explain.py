"""``dogwatch explain``: a finding with the numbers it rests on. Asks no platform."""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import format_option, opened, program, read_settings, server_option, show, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dogwatch.app import Explanation

_NAMED = 5


@click.command("explain")
@server_option
@click.argument("finding")
@format_option
@click.pass_context
def command(ctx: click.Context, finding: str, output: str) -> None:
    """Show the numbers that a finding rests on, with a small picture.

    FINDING is its fingerprint or the beginning of it, as `dogwatch check` shows it; it need not be open any
    more. Asks no platform.
    """
    settings = read_settings(ctx)

    async def recall() -> "list[Explanation]":
        async with opened(ctx, settings) as app:
            return await app.explain(finding)

    told = _only(asyncio.run(recall()), finding, ctx)
    if output == "json":
        tell(told.model_dump_json(indent=2))
    elif output == "md":
        from dogwatch.report import markdown

        tell(markdown.explanation(told, program(ctx)))
    else:
        from dogwatch.report.explain import explanation

        called = program(ctx)
        show(lambda width: explanation(told, width, called))


def _only(found: "Sequence[Explanation]", prefix: str, ctx: click.Context) -> "Explanation":
    """The one that is meant. Raises click.UsageError."""
    if not found:
        raise click.UsageError(f"no finding begins with {prefix!r:.80}; `dogwatch check` names them", ctx)
    if len(found) > 1:
        names = ", ".join(f"{one.finding.fingerprint[:8]} ({one.finding.rule})" for one in found[:_NAMED])
        raise click.UsageError(
            f"{len(found)} findings begin with {prefix!r:.80}: {names}; give more of it", ctx
        )
    return found[0]
