"""``dogwatch causes``: examine exported incidents offline."""

import gzip
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TypeVar, cast

import click

from dogwatch.causes.classify import classify
from dogwatch.causes.exported import BadRow, read_case, read_head, read_minute
from dogwatch.causes.rank import Background, Case, rank
from dogwatch.causes.replay import Incident, Minute, replay

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, writable=True, path_type=Path)

Row = Mapping[str, object]
T = TypeVar("T")


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
        raise BadRow("'text' must be a string")
    answer = classify(text, str(row.get("platform") or ""))
    return {
        "case": row.get("case"),
        "cause_class": answer.cause_class or "unknown",
        "phrase": answer.phrase,
        "strength": answer.strength,
        "rule": answer.rule,
    }


@command.command("rank")
@click.argument("file", type=FILE)
@click.option("--out", required=True, type=OUT, help="Where the answers go, as JSON lines (.gz too).")
def rank_command(file: Path, out: Path) -> None:
    """Rank the nodes of each incident, the likeliest culprit first.

    FILE holds one JSON object a line, with any of metrics, calls, logs and alerts, and a call graph (see
    docs/causes.md); .gz is accepted. All incidents of the file together tell how rare an alert or a log
    template is. A bad line is reported and left out, and the exit code is then 2.
    """
    reader = _Reader(file)
    cases = list(reader.each(read_case))
    background = Background(cases)
    _write(out, (_ranked(case, background) for case in cases))
    reader.finish()


def _ranked(case: Case, background: Background) -> Row:
    suspects = rank(case, background)
    return {
        "case": case.case,
        "ranking": [suspect.node for suspect in suspects],
        "scores": [round(suspect.score, 4) for suspect in suspects],
        "why": list(suspects[0].reasons),
    }


@command.command("replay")
@click.argument("file", type=FILE)
@click.option("--out", required=True, type=OUT, help="Where the incidents go, as JSON lines (.gz too).")
def replay_command(file: Path, out: Path) -> None:
    """Replay a recorded stream minute by minute, as if it were live, and write the incidents it raises.

    The first line of FILE names nodes, edges and figures, each further line is a minute (see
    docs/causes.md); .gz is accepted. Start and ranking use nothing later than the minute in which an
    incident was raised. A bad line is reported and left out, and the exit code is then 2.
    """
    reader = _Reader(file)
    rows = reader.each(dict[str, object])
    head = next(rows, None)
    if head is None:
        raise click.ClickException(f"{file} is empty")
    try:
        watch = read_head(head)
    except BadRow as why:
        raise click.ClickException(f"{file}, line 1: {why}") from None
    rows.close()
    minutes = _Reader(file, skip=1)
    _write(out, (_told(incident) for incident in replay(watch, _in_order(minutes))))
    minutes.finish()


def _in_order(reader: "_Reader") -> Iterator[Minute]:
    """The minutes of a stream; one that does not come after the one before it is refused."""
    last = float("-inf")

    def read(row: Row) -> Minute:
        nonlocal last
        minute = read_minute(row)
        if minute.at <= last:
            raise BadRow(f"minute {minute.at:.0f} does not come after {last:.0f}")
        last = minute.at
        return minute

    return reader.each(read)


def _told(incident: Incident) -> Row:
    first = incident.suspects[0]
    return {
        "start": incident.start,
        "end": incident.end,
        "nodes": list(incident.nodes),
        "ranking": [suspect.node for suspect in incident.suspects],
        "why": list(first.reasons),
        "raised": "it lasts" if incident.lasting else "a record",
    }


class _Reader:
    """The usable rows of a JSON-lines file; what is not usable is reported as it is met."""

    def __init__(self, file: Path, skip: int = 0) -> None:
        self.file = file
        self.skip = skip
        self.bad = 0

    def each(self, use: Callable[[Row], T]) -> Generator[T, None, None]:
        """What ``use`` makes of each row."""
        for number, line in self._lines():
            if line.strip() and number > self.skip:
                try:
                    yield use(_row(line))
                except BadRow as why:
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
        raise BadRow(f"not JSON ({error})") from None
    if not isinstance(row, dict):
        raise BadRow("not a JSON object")
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
