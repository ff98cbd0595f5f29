"""``dogwatch doctor``: can each platform be read, and if not, what to do."""

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import format_option, read_settings, show, tell

if TYPE_CHECKING:
    from dogwatch.model.call import Organ
    from dogwatch.model.keeping import StoreView


@click.command("doctor")
@click.argument("connectors", nargs=-1, metavar="[CONNECTOR]...")
@click.option("--deep", is_flag=True, help="Also look at the watch itself: rounds, watchers, record, disk.")
@format_option
@click.pass_context
def command(ctx: click.Context, connectors: tuple[str, ...], deep: bool, output: str) -> None:
    """Say whether each platform can be reached and read, and what to do if not.

    Nothing is remembered and no run is read. Exit code: 0 all can be read, 3 some cannot, 2 dogwatch could
    not run.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Diagnosis, Dogwatch

    async def visit() -> tuple[list[Diagnosis], "StoreView", "list[Organ]"]:
        async with Dogwatch(settings) as app:
            found = await app.doctor(connectors), await app.keeper().state()
            return *found, await app.watchkeeping().examine() if deep else []

    diagnoses, kept, organs = asyncio.run(visit())
    if output == "json":
        found = [one.model_dump(mode="json") for one in diagnoses]
        store = kept.model_dump(mode="json")
        told = {"format": "dogwatch.doctor/1", "store": store, "connectors": found}
        if deep:
            told["watch"] = [one.model_dump(mode="json") for one in organs]
        tell(json.dumps(told, indent=2))
    elif output == "md":
        from dogwatch.report import markdown

        tell(markdown.doctor(diagnoses, kept, organs))
    else:
        from dogwatch.report.doctor import ward

        show(lambda width: ward(diagnoses, settings.zone, datetime.now(UTC), width, kept, organs))
    well = all(one.ok for one in diagnoses) and all(one.ok for one in organs)
    ctx.exit(0 if well else 3)
