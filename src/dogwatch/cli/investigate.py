"""``dogwatch investigate``: what the rules and the agents say of one incident, side by side."""

import asyncio
import re
from typing import TYPE_CHECKING

import click

from dogwatch.cli.progress import ProgressLine
from dogwatch.cli.shell import format_option, read_settings, show, tell

if TYPE_CHECKING:
    from dogwatch.model.investigation import Investigation


@click.command("investigate")
@click.argument("incident", metavar="ID")
@click.option("--kept", is_flag=True, help="Ask no model; show what agents said last, in a round or here.")
@format_option
@click.pass_context
def command(ctx: click.Context, incident: str, kept: bool, output: str) -> None:
    """Let agents look into an incident; what they say stands beside what the rules say.

    Every claim cites evidence of the incident, and is dropped if the evidence does not hold it. Agents can
    only read, propose and ask. Without a model (agents.model in dogwatch.yaml) the rules answer alone. What
    agents said is kept in the record.
    """
    settings = read_settings(ctx)
    number = number_of(incident)

    from dogwatch.app import Dogwatch

    async def work() -> "Investigation":
        with ProgressLine(()) as line:
            async with Dogwatch(settings) as app:
                if kept:
                    return await app.investigated(number)
                return await app.investigate(number, lambda said: line.note("at work", said))

    found = asyncio.run(work())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    elif output == "md":
        from dogwatch.report.investigation import markdown

        tell(markdown(found))
    else:
        from dogwatch.report.investigation import terminal

        show(lambda width: terminal(found, width))


def number_of(incident: str) -> int:
    """7 for INC-7, inc-7 or 7. Raises BadParameter."""
    match = re.fullmatch(r"(?:INC-)?(\d{1,9})", incident.strip(), re.IGNORECASE)
    if match is None:
        raise click.BadParameter(f"{incident[:40]!r} is no incident; name it INC-7 or 7")
    return int(match[1])
