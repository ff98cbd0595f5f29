"""``dogwatch actions``: what could be done, what waits for consent, and the consent itself."""

import asyncio
import getpass
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import opened, program, read_settings, server_option, shared, show, tell, text_or_json

if TYPE_CHECKING:
    from dogwatch.model import Action

_by = click.option("--by", metavar="NAME", help="Who decides.  [default: your name on this machine]")
_digest = click.option(
    "--digest", metavar="HEX", help="Decide only if the action still has this digest (see --format json)."
)


@click.group("actions", invoke_without_command=True)
@server_option
@click.option("--all", "everything", is_flag=True, help="Those that are over too.")
@click.option("--incident", "incident", metavar="ID", help="Only of this incident, INC-7 or 7.")
@text_or_json
@click.pass_context
def command(ctx: click.Context, everything: bool, incident: str | None, output: str) -> None:
    """Show what could be done and what waits for consent; approve it or reject it.

    Nothing is done that policy.yaml does not allow or a person has not approved.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = read_settings(ctx)

    from dogwatch.model.actions import ActionList
    from dogwatch.report.actions import actions

    number = None if incident is None else _number(incident)

    async def look() -> ActionList:
        async with opened(ctx, settings) as app:
            return await app.actions(everything=everything, incident=number)

    found = asyncio.run(look())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    else:
        show(lambda width: actions(found, width, program(ctx)))


@shared
@command.command("approve")
@click.argument("action", metavar="ID")
@_digest
@_by
@text_or_json
@click.pass_context
def approve(ctx: click.Context, action: str, digest: str | None, by: str | None, output: str) -> None:
    """Consent to one exact action, once; it is done at once.

    Exit code: 0 it was done, 3 something stands in its way at the moment, 2 it could not be consented to.
    """
    done = _decide(ctx, action, by, digest, yes=True)
    _tell(ctx, done, output)
    ctx.exit(3 if done.state.value in ("approved", "failed") else 0)


@shared
@command.command("reject")
@click.argument("action", metavar="ID")
@_digest
@_by
@text_or_json
@click.pass_context
def reject(ctx: click.Context, action: str, digest: str | None, by: str | None, output: str) -> None:
    """Say no to an action."""
    _tell(ctx, _decide(ctx, action, by, digest, yes=False), output)


def _decide(ctx: click.Context, id_: str, by: str | None, digest: str | None, *, yes: bool) -> "Action":
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch

    async def run() -> "Action":
        async with Dogwatch(settings) as app:
            return await app.consent(id_, by or getpass.getuser(), yes=yes, digest=digest)

    return asyncio.run(run())


def _tell(ctx: click.Context, action: "Action", output: str) -> None:
    if output == "json":
        tell(action.model_dump_json(indent=2))
        return
    from dogwatch.report.actions import decided

    tell(decided(action, f"{action.verb} {action.target_name}"))
    if action.state.value == "performed":
        tell(f"  what comes of it shows in the next rounds: {program(ctx)} actions --all")


def _number(text: str) -> int:
    digits = text.upper().removeprefix("INC-")
    if not digits.isdecimal():
        raise click.BadParameter(f"{text!r:.40} is no incident: write INC-7 or 7")
    return int(digits)
