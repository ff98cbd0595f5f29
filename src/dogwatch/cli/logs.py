"""``dogwatch logs``: log lines to templates."""

import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import click

from dogwatch.logs.events import Batch, Events
from dogwatch.logs.miner import Miner
from dogwatch.logs.read import BLOCK, Tally, blocks


@click.group()
def command() -> None:
    """Turn log files into a page of templates: what is said, how often, and what is new."""


@command.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--assign", type=click.Path(dir_okay=False), help="Write the template of every line to this file."
)
def mine(paths: tuple[str, ...], assign: str | None) -> None:
    """Templates with their counts."""
    miner = Miner()
    tally = Tally()

    def take(batch: Batch) -> None:
        if batch.events:
            found = miner.feed(batch.messages)
            if assign:
                leaves.extend(repeated(found, batch.lines))

    leaves = array("I")
    for path in paths:
        events = Events(0.0, tally, details=False)
        for block in blocks(chunks(Path(path)), tally):
            take(events.feed(block))
        take(events.finish())
    mined = miner.mine()
    if assign:
        texts = [template.text.encode("utf-8", "replace") for template in mined.templates]
        texts = [texts[i] for i in mined.of_leaf]
        with Path(assign).open("wb") as out:
            for at in range(0, len(leaves), 100_000):
                out.write(b"\n".join(map(texts.__getitem__, leaves[at : at + 100_000])) + b"\n")
        return
    sys.stdout.write("".join(f"{t.lines:>10,}  {t.id}  {t.text}\n" for t in mined.templates))


def repeated(found: list[int], lines: list[int]) -> list[int]:
    """One leaf per line of the file."""
    return [leaf for leaf, n in zip(found, lines, strict=True) for _ in range(n)] if lines else found


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file."""
    with path.open("rb", buffering=0) as file:
        while data := file.read(BLOCK):
            yield data
