"""``dogwatch logs``: log lines to templates."""

import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import click

from dogwatch.logs.miner import Miner

_BLOCK = 1 << 20


@click.group()
def command() -> None:
    """Turn log files into a page of templates: what is said, how often, and what is new."""


@command.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--assign", type=click.Path(dir_okay=False), help="Write the template of every line to this file.")
def mine(paths: tuple[str, ...], assign: str | None) -> None:
    """Templates with their counts."""
    miner = Miner()
    leaves = array("I")
    for path in paths:
        for block in blocks(Path(path)):
            found = miner.feed(block)
            if assign:
                leaves.extend(found)
    mined = miner.mine()
    if assign:
        texts = [template.text.encode("utf-8", "replace") for template in mined.templates]
        texts = [texts[i] for i in mined.of_leaf]
        with Path(assign).open("wb") as out:
            for at in range(0, len(leaves), 100_000):
                out.write(b"\n".join(map(texts.__getitem__, leaves[at : at + 100_000])) + b"\n")
        return
    sys.stdout.write("".join(f"{t.lines:>10,}  {t.id}  {t.text}\n" for t in mined.templates))


def blocks(path: Path) -> Iterator[bytes]:
    """Blocks of whole lines."""
    rest = b""
    with path.open("rb", buffering=0) as file:
        while data := file.read(_BLOCK):
            end = data.rfind(b"\n")
            if end < 0:
                rest += data
                continue
            yield rest + data[:end]
            rest = data[end + 1 :]
    if rest:
        yield rest
