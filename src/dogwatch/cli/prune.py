"""``dogwatch prune``: forget what is over, now instead of after the next round."""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import read_settings, show, tell, text_or_json

if TYPE_CHECKING:
    from dogwatch.model.keeping import PruneView


@click.command("prune")
@click.option(
    "--compact", is_flag=True, help="Also give back to the disk what was freed; rounds wait for it."
)
@text_or_json
@click.pass_context
def command(ctx: click.Context, compact: bool, output: str) -> None:
    """Forget what is older than `keep` in dogwatch.yaml allows.

    Rounds do so by themselves once a day. What an incident cites stays as long as the incident, and the
    record of what was decided and done for ever. A file keeps its size, and what was freed is used again,
    unless --compact writes it anew, for which as much space again has to be free.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch

    async def forget() -> "PruneView":
        async with Dogwatch(settings) as app:
            return await app.keeper().prune(compact=compact)

    view = asyncio.run(forget())
    if output == "json":
        tell(view.model_dump_json(indent=2))
    else:
        from dogwatch.report.keeping import pruned

        show(lambda width: pruned(view, width))
