"""``dogwatch incident``: one incident, shown, taken on, muted, resolved, reopened, annotated, written up."""

import asyncio
import getpass
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import (
    format_option,
    opened,
    program,
    read_settings,
    server_option,
    shared,
    show,
    tell,
)

if TYPE_CHECKING:
    from dogwatch.app import Dogwatch, Dossier
    from dogwatch.model import Incident

_SPAN = re.compile(r"(\d{1,4})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

by_option = click.option("--by", metavar="NAME", help="Who decides.  [default: your name on this machine]")
why_option = click.option("--why", metavar="TEXT", default="", help="The reason, kept with the incident.")


@click.group("incident")
def command() -> None:
    """Show one incident, take it on, mute, resolve or reopen it, or write it up.

    An incident is named INC-7 or just 7.
    """


@shared
@command.command("show")
@server_option
@click.argument("incident", metavar="ID")
@format_option
@click.pass_context
def show_command(ctx: click.Context, incident: str, output: str) -> None:
    """Show an incident: cause, harm, evidence, timeline."""
    told = _dossier(ctx, incident)
    if output == "json":
        tell(told.model_dump_json(indent=2))
    elif output == "md":
        from dogwatch.report import markdown

        tell(markdown.dossier(told, program(ctx)))
    else:
        from dogwatch.report.incident import full

        called = program(ctx)
        show(lambda width: full(told, width, called))


@shared
@command.command("ack")
@click.argument("incident", metavar="ID")
@by_option
@click.pass_context
def ack(ctx: click.Context, incident: str, by: str | None) -> None:
    """Take an incident on, so that nobody else is woken for it."""
    _decide(ctx, incident, lambda app, number: app.acknowledge(number, _actor(by)))


@shared
@command.command("mute")
@click.argument("incident", metavar="ID")
@click.option("--for", "span", metavar="SPAN", help="30m, 8h, 2d.  [default: until it is over]")
@why_option
@by_option
@click.pass_context
def mute(ctx: click.Context, incident: str, span: str | None, why: str, by: str | None) -> None:
    """Tell nobody of an incident any more; it is watched all the same."""
    until = None if span is None else datetime.now(UTC) + _span(span)
    _decide(ctx, incident, lambda app, number: app.mute(number, _actor(by), until, why))


@shared
@command.command("unmute")
@click.argument("incident", metavar="ID")
@by_option
@click.pass_context
def unmute(ctx: click.Context, incident: str, by: str | None) -> None:
    """Tell people of an incident again."""
    _decide(ctx, incident, lambda app, number: app.unmute(number, _actor(by)))


@shared
@command.command("resolve")
@click.argument("incident", metavar="ID")
@why_option
@by_option
@click.pass_context
def resolve(ctx: click.Context, incident: str, why: str, by: str | None) -> None:
    """Say that an incident is over.

    Not needed where the evidence says so itself. What is still found then opens nothing again until it was
    gone, or until something else is found too.
    """
    _decide(ctx, incident, lambda app, number: app.resolve(number, _actor(by), why))


@shared
@command.command("reopen")
@click.argument("incident", metavar="ID")
@why_option
@by_option
@click.pass_context
def reopen(ctx: click.Context, incident: str, why: str, by: str | None) -> None:
    """Say that a resolved incident is not over."""
    _decide(ctx, incident, lambda app, number: app.reopen(number, _actor(by), why))


@shared
@command.command("note")
@click.argument("incident", metavar="ID")
@click.argument("text")
@by_option
@click.pass_context
def note(ctx: click.Context, incident: str, text: str, by: str | None) -> None:
    """Keep what you know with an incident; it stands in its timeline."""
    _decide(ctx, incident, lambda app, number: app.note(number, _actor(by), text))


@shared
@command.command("postmortem")
@server_option
@click.argument("incident", metavar="ID")
@click.pass_context
def postmortem(ctx: click.Context, incident: str) -> None:
    """Write the draft of a post-mortem, as Markdown.

    Timeline, impact, cause, evidence and actions are what dogwatch knows; questions are left for people.
    """
    from dogwatch.report.postmortem import draft

    tell(draft(_dossier(ctx, incident), program(ctx)))


def _dossier(ctx: click.Context, incident: str) -> "Dossier":
    settings, number = read_settings(ctx), _number(incident)

    async def recall() -> "Dossier":
        async with opened(ctx, settings) as app:
            return await app.incident(number)

    return asyncio.run(recall())


def _decide(
    ctx: click.Context, incident: str, verb: "Callable[[Dogwatch, int], Awaitable[Incident]]"
) -> None:
    """Do it, and say in one line where the incident stands now."""
    settings, number = read_settings(ctx), _number(incident)

    from dogwatch.app import Dogwatch
    from dogwatch.report.incident import mark, standing

    async def decided() -> "Incident":
        async with Dogwatch(settings) as app:
            return await verb(app, number)

    now = asyncio.run(decided())
    tell(f"{mark(now)} {now.name} {standing(now)}")


def _number(text: str) -> int:
    """7 for ``INC-7``, ``inc-7`` or ``7``. Raises click.BadParameter."""
    found = re.fullmatch(r"(?:inc-?)?(\d{1,9})", text.strip(), re.IGNORECASE)
    if found is None:
        raise click.BadParameter(f"{text!r:.60} is no incident: write INC-7 or 7", param_hint="ID")
    return int(found[1])


def _actor(by: str | None) -> str:
    name = " ".join((by or getpass.getuser()).split())
    return f"user:{name}"


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r:.60} is no time span: give 30m, 8h or 2d", param_hint="--for")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
