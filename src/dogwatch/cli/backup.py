"""``dogwatch backup``: everything that is remembered, in one file."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import read_settings, show, tell, text_or_json

if TYPE_CHECKING:
    from dogwatch.model.keeping import BackupView


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@text_or_json
@click.pass_context
def command(ctx: click.Context, file: Path, output: str) -> None:
    """Write everything that is remembered into one new file.

    Rounds go on meanwhile; the file holds what the store held at one moment. It is a SQLite store, whatever
    the store is, so that `dogwatch restore` makes a store of either kind from it. It holds no credentials.
    Exit code: 0 written, 2 not written, and then there is no file.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch
    from dogwatch.cli.progress import ProgressLine

    async def copy() -> "BackupView":
        with ProgressLine(()) as progress:
            async with Dogwatch(settings) as app:
                return await app.keeper().backup(file, lambda table, rows: progress.note(table, f"{rows:,}"))

    view = asyncio.run(copy())
    if output == "json":
        tell(view.model_dump_json(indent=2))
    else:
        from dogwatch.report.keeping import backup

        show(lambda width: backup(view, "written", width))
