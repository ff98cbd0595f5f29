"""``dogwatch restore``: a store from a backup, or only whether the backup is whole."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import read_settings, show, tell, text_or_json

if TYPE_CHECKING:
    from dogwatch.model.keeping import BackupView


@click.command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--verify", "only_verify", is_flag=True, help="Restore nothing; only say whether it is whole.")
@text_or_json
@click.pass_context
def command(ctx: click.Context, file: Path, only_verify: bool, output: str) -> None:
    """Fill the store, which has to be empty, from a backup.

    The store in dogwatch.yaml may be a file or a PostgreSQL database, whichever the backup was made of. Every
    page, every row and the chain of the record are checked first, and the copy is compared with the backup;
    all of it is restored or nothing. Exit code: 0 whole, 2 not whole or not restored.
    """
    from dogwatch.report.keeping import backup

    if only_verify:
        from dogwatch.keeper import verified

        view, done = verified(file), "whole"
    else:
        view, done = asyncio.run(_fill(ctx, file)), "restored"
    if output == "json":
        tell(view.model_dump_json(indent=2))
    else:
        show(lambda width: backup(view, done, width))


async def _fill(ctx: click.Context, file: Path) -> "BackupView":
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch
    from dogwatch.cli.progress import ProgressLine

    with ProgressLine(()) as progress:
        async with Dogwatch(settings) as app:
            return await app.keeper().restore(file, lambda table, rows: progress.note(table, f"{rows:,}"))
