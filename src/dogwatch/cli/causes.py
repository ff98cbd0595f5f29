"""``dogwatch causes``: examine exported incidents offline."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, cast

import click

from dogwatch.causes.classify import classify

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, writable=True, path_type=Path)

Row = Mapping[str, object]


class _BadLine(Exception):
    """A line that cannot be used; the message says why."""


@click.group()
def command() -> None:
    """Examine exported incidents offline: classify errors, rank culprits, replay a stream."""


@command.command("classify")
@click.argument("file", type=FILE)
@click.option("--out", required=True, type=OUT, help="Where the answers go, as JSON lines (.gz too).")
def classify_command(file: Path, out: Path) -> None:
    """Name the class of cause of each error text.

    FILE holds one JSON object a line: {"case": "1", "platform": "airbyte", "text": "..."}; .gz is accepted.
    Each answer has the class (or "unknown") and the phrase that decided it. A bad line is reported and left
    out, and the exit code is then 2.
    """
    reader = _Reader(file)
    _write(out, reader.each(_classified))
    reader.finish()


def _classified(row: Row) -> Row:
    text = row.get("text")
    if not isinstance(text, str):
        raise _BadLine("'text' must be a string")
    answer = classify(text, str(row.get("platform") or ""))
    return {
        "case": row.get("case"),
        "cause_class": answer.cause_class or "unknown",
        "phrase": answer.phrase,
        "strength": answer.strength,
        "rule": answer.rule,
    }


class _Reader:
    """The usable rows of a JSON-lines file; what is not usable is reported as it is met."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.bad = 0

    def each(self, use: Callable[[Row], Row]) -> Iterator[Row]:
        """What ``use`` makes of each row."""
        for number, line in self._lines():
            if line.strip():
                try:
                    yield use(_row(line))
                except _BadLine as why:
                    self.bad += 1
                    click.echo(f"{self.file}, line {number}: {why}", err=True)

    def finish(self) -> None:
        """Exit 2 if any line was left out."""
        if self.bad:
            noun = "line was" if self.bad == 1 else "lines were"
            click.echo(f"{self.bad} {noun} left out; the answers to the others are written.", err=True)
            raise click.exceptions.Exit(2)

    def _lines(self) -> Iterator[tuple[int, str]]:
        try:
            with _open(self.file, "rt") as stream:
                yield from enumerate(stream, 1)
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise click.FileError(str(self.file), hint=f"cannot be read: {error}") from error


def _row(line: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _BadLine(f"not JSON ({error})") from None
    if not isinstance(row, dict):
        raise _BadLine("not a JSON object")
    return cast("Row", row)


def _open(path: Path, mode: str) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, mode, encoding="utf-8"))
    return cast("IO[str]", path.open(mode, encoding="utf-8"))


def _write(out: Path, rows: Iterable[Row]) -> None:
    try:
        with _open(out, "wt") as stream:
            for row in rows:
                stream.write(json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=str) + "\n")
    except OSError as error:
        raise click.FileError(str(out), hint=f"cannot be written: {error}") from error
