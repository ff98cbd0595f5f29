"""``dogwatch token``: who may come in by web."""

import asyncio
import getpass
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import read_settings, shared, show, tell, text_or_json

if TYPE_CHECKING:
    from dogwatch.model.door import Token, TokenList

SCOPES = ("read", "approve", "admin")
"""The words of ``model.door.Scope`` (a test compares)."""


@click.group("token", invoke_without_command=True)
@text_or_json
@click.pass_context
def command(ctx: click.Context, output: str) -> None:
    """List, make and revoke the tokens with which people and programs come in by web."""
    if ctx.invoked_subcommand is not None:
        return
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch
    from dogwatch.report.tokens import tokens

    async def look() -> "TokenList":
        async with Dogwatch(settings) as app:
            return await app.doorkeeper().tokens()

    found = asyncio.run(look())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    else:
        show(lambda width: tokens(found, width))


@shared
@command.command("new")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    metavar="SCOPE",
    help="May be given several times: read, approve, admin.  [default: read]",
)
@click.option("--days", type=click.IntRange(1, 3650), help="It ends after so many.  [default: never]")
@click.option("--by", metavar="WHO", help="Who makes it.  [default: your name on this machine]")
@click.pass_context
def new(ctx: click.Context, name: str, scopes: tuple[str, ...], days: int | None, by: str | None) -> None:
    """Make a token for NAME and print it, once.

    NAME is how the record names its holder, and how policy.yaml does under people:. Only its hash is kept.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch
    from dogwatch.model.door import Scope

    wanted = [Scope(word) for word in scopes or ("read",)]
    lasts = None if days is None else timedelta(days=days)

    async def make() -> "tuple[Token, str]":
        async with Dogwatch(settings) as app:
            who = f"user:{by or getpass.getuser()}"
            return await app.doorkeeper().issue(name, wanted, who, lasts)

    token, text = asyncio.run(make())
    click.echo(f"{token.id}: {token.name} may {', '.join(token.scopes)}. It is shown only now:", err=True)
    tell(text)


@shared
@command.command("revoke")
@click.argument("token", metavar="ID")
@click.option("--by", metavar="WHO", help="Who does so.  [default: your name on this machine]")
@click.pass_context
def revoke(ctx: click.Context, token: str, by: str | None) -> None:
    """End a token, and every browser session that was opened with it."""
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch

    async def end() -> None:
        async with Dogwatch(settings) as app:
            await app.doorkeeper().revoke(token, f"user:{by or getpass.getuser()}")

    asyncio.run(end())
    tell(f"{token} opens nothing any more")
