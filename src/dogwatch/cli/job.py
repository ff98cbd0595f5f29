"""``dogwatch job``: one job in full. Asks no platform."""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import opened, program, read_settings, server_option, show, tell
from dogwatch.cli.stale import warn_if_stale
from dogwatch.errors import SettingsError

if TYPE_CHECKING:
    from dogwatch.model.pages import JobFile
    from dogwatch.pages import Pages
    from dogwatch.remote import Remote

_NAMED = 5


@click.command("job")
@server_option
@click.argument("name", metavar="JOB")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def command(ctx: click.Context, name: str, output: str) -> None:
    """Show one job: incidents, what is usual, errors by what they say, slots, runs.

    JOB is its subject such as airbyte/1f3a…, its id, or a part of its name. Asks no platform.
    """
    settings = read_settings(ctx)

    async def look() -> "JobFile":
        async with opened(ctx, settings) as app:
            await warn_if_stale(ctx, app)
            return await app.pages().job(*await _key(app.pages(), name))

    found = asyncio.run(look())
    if output == "json":
        tell(found.model_dump_json(indent=2))
    else:
        from dogwatch.report.lookups import job

        show(lambda width: job(found, width, program(ctx)))


async def _key(pages: "Pages | Remote", name: str) -> tuple[str, str]:
    """Whose job it is, and its id there. Raises SettingsError if none or several are called so."""
    instance, slash, job_id = name.partition("/")
    found = (await pages.jobs(None, job_id if slash else name, "", 50)).jobs
    exact = [one for one in found if name in (one.subject, one.job_id, one.name)]
    chosen = exact or ([] if slash else list(found))
    if len(chosen) == 1:
        return chosen[0].instance, chosen[0].job_id
    if not chosen and slash:
        return instance, job_id  # which may be gone from its platform
    if not chosen:
        raise SettingsError(f"no job is called {name!r}", "dogwatch schedule")
    names = ", ".join(one.subject for one in chosen[:_NAMED])
    raise SettingsError(f"{len(chosen)} jobs are called {name!r}", f"name one of {names}")
