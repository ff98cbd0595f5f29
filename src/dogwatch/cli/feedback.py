"""``dogwatch feedback``: how good was what dogwatch said?"""

import asyncio
import getpass

import click

from dogwatch.cli.investigate import number_of
from dogwatch.cli.shell import read_settings, tell


@click.command("feedback")
@click.argument("incident", metavar="ID")
@click.argument("score", type=click.IntRange(0, 100))
@click.option("--why", metavar="TEXT", default="", help="What was good or bad, kept with the score.")
@click.option("--by", metavar="NAME", help="Who says so.  [default: your name on this machine]")
@click.pass_context
def command(ctx: click.Context, incident: str, score: int, why: str, by: str | None) -> None:
    """Say how good what dogwatch said of an incident was: 0 is useless, 100 is exactly right.

    Scores are reviewed with everything else (dogwatch review); of one person the last one counts.
    """
    settings = read_settings(ctx)
    number = number_of(incident)

    from dogwatch.app import Dogwatch

    async def work() -> str:
        async with Dogwatch(settings) as app:
            found = await app.desk().feedback(number, score, why, f"user:{by or getpass.getuser()}")
            return found.name

    tell(f"{asyncio.run(work())}: {score} of 100, noted")
