"""``dogwatch doctor``: can each platform be read, and if not, what to do."""

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import format_option, read_settings, show, tell

if TYPE_CHECKING:
    from dogwatch.model.keeping import StoreView


@click.command("doctor")
@click.argument("connectors", nargs=-1, metavar="[CONNECTOR]...")
@format_option
@click.pass_context
def command(ctx: click.Context, connectors: tuple[str, ...], output: str) -> None:
    """Say whether each platform can be reached and read, and what to do if not.

    Nothing is remembered and no run is read. Exit code: 0 all can be read, 3 some cannot, 2 dogwatch could
    not run.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Diagnosis, Dogwatch

    async def visit() -> tuple[list[Diagnosis], "StoreView"]:
        async with Dogwatch(settings) as app:
            return await app.doctor(connectors), await app.keeper().state()

    diagnoses, kept = asyncio.run(visit())
    if output == "json":
        found = [one.model_dump(mode="json") for one in diagnoses]
        store = kept.model_dump(mode="json")
        tell(json.dumps({"format": "dogwatch.doctor/1", "store": store, "connectors": found}, indent=2))
    elif output == "md":
        from dogwatch.report import markdown

        tell(markdown.doctor(diagnoses, kept))
    else:
        from dogwatch.report.doctor import ward

        show(lambda width: ward(diagnoses, settings.zone, datetime.now(UTC), width, kept))
    ctx.exit(0 if all(one.ok for one in diagnoses) else 3)
