"""What is shown may be old: then every command that shows what is remembered says so."""

from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import program

if TYPE_CHECKING:
    from dogwatch.app import Dogwatch
    from dogwatch.remote import Remote


async def warn_if_stale(ctx: click.Context, app: "Dogwatch | Remote") -> None:
    """One line on stderr if the last round of everything is too old; results stay as they are."""
    from dogwatch.app import Dogwatch

    pulse = await (app.watchkeeping().pulse() if isinstance(app, Dogwatch) else app.pulse())
    if not pulse.stale or pulse.last_round_at is None:
        return
    from dogwatch.model.text import span

    ended = pulse.last_round_at.astimezone()
    if isinstance(app, Dogwatch):
        ended = ended.astimezone(app.settings.zone)
    ago = span((pulse.at - pulse.last_round_at).total_seconds())
    said = f"the last round ended {ago} ago ({ended:%d %b %H:%M}); nobody knows what happened since"
    click.echo(f"{click.style(' note:', fg='yellow', bold=True)} {said}", err=True)
    click.echo(f"{click.style(' next:', bold=True)} {program(ctx)} check", err=True)
