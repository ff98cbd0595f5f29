"""``dogwatch logs``: log files to a page of templates, a triage report, a difference, or a live view."""

import gc
import json
import os
import shutil
import sys
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from dogwatch.cli.shell import tell
from dogwatch.errors import SettingsError
from dogwatch.logs.events import Batch, Events
from dogwatch.logs.miner import Miner
from dogwatch.logs.read import BLOCK, Tally, blocks

if TYPE_CHECKING:
    from dogwatch.logs.book import Book, Entry
    from dogwatch.logs.trend import Baseline, Change

_STDIN = "-"
_SPOOLED = 16 << 20
_WIDEST = 200
_POLL_SECONDS = 1.0

Take = Callable[[Batch], None]

format_option = click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people or for programs.",
)
log_format_option = click.option(
    "--log-format", metavar="NAME", help="How the lines are written.  [default: by the first lines]"
)
paths_argument = click.argument("paths", nargs=-1, required=True)


@click.group("logs")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Turn log files into a page of templates: what is said, how often, and what is new.

    PATH is a file, packed or not, a directory, a pattern in quotes, or - for what is piped in.
    """
    gc.disable()  # millions of objects are made here, and none of them in a circle
    ctx.call_on_close(gc.enable)


# ── mine ──────────────────────────────────────────────────────────────────────────────────────────────────


@command.command()
@paths_argument
@click.option(
    "--assign", type=click.Path(dir_okay=False, path_type=Path), help="Write the template of every line here."
)
@format_option
@log_format_option
def mine(paths: tuple[str, ...], assign: Path | None, output: str, log_format: str | None) -> None:
    """The templates with their counts, when they were seen, and how bad they are."""
    tally = Tally()
    if assign is not None:
        _assign(paths, assign, log_format, tally)
        _say_bad(tally)
        return
    book = _read(paths, log_format, tally)
    entries = [entry for entry in book.entries() if entry.lines]
    if output == "json":
        tell(
            json.dumps({"templates": [_as_json(entry) for entry in entries], **_tally_json(tally)}, indent=2)
        )
        return
    from dogwatch.logs.page import table

    _print(table(entries, _width()))
    _say_bad(tally)


def _assign(paths: Iterable[str], assign: Path, log_format: str | None, tally: Tally) -> None:
    """One template per line of the files, in their order. The numbers of the leaves wait in a file."""
    from tempfile import SpooledTemporaryFile

    miner = Miner()
    with SpooledTemporaryFile(max_size=_SPOOLED) as spool:

        def take(batch: Batch) -> None:
            leaves = miner.feed(batch.messages)
            if batch.lines:
                leaves = [leaf for leaf, n in zip(leaves, batch.lines, strict=True) for _ in range(n)]
            spool.write(array("I", leaves).tobytes())

        _each_batch(paths, log_format, tally, take, details=False)
        mined = miner.mine()
        texts = [template.text.replace("\n", " ").encode("utf-8", "replace") for template in mined.templates]
        of_leaf = [texts[number] + b"\n" for number in mined.of_leaf]
        spool.seek(0)
        with assign.open("wb") as out:
            while numbers := spool.read(BLOCK):
                out.write(b"".join(map(of_leaf.__getitem__, array("I", numbers))))


# ── triage ────────────────────────────────────────────────────────────────────────────────────────────────


@command.command()
@paths_argument
@format_option
@log_format_option
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Compare with what is remembered in this file, and remember what was read.",
)
@click.option(
    "--component",
    "components",
    metavar="NAME=PATTERN",
    multiple=True,
    help="A part of the pipeline, by what its lines look like (RE2).",
)
def triage(
    paths: tuple[str, ...],
    output: str,
    log_format: str | None,
    baseline: Path | None,
    components: tuple[str, ...],
) -> None:
    """What went wrong: the errors, worst first, and what is new, surging or gone."""
    from dogwatch.logs import triage as report

    tally = Tally()
    book = _read(paths, log_format, tally, components, hourly=baseline is not None)
    changes: list[Change] = []
    if baseline is not None:
        changes, remembered = _load_baseline(baseline).compare(book)
        _save(baseline, remembered.dump())
    found = report.triage(book.entries(), changes)
    if output == "json":
        tell(json.dumps(found, indent=2, ensure_ascii=False))
        return
    from dogwatch.logs.page import change_line, fit

    width = _width()
    lines = [found["summary"], ""]
    lines += [change_line(change, width) for change in changes]
    for error in found["errors"]:
        head = f"● {error['severity']:<8}  {error['timestamp'] or '-':<24}  {error['component'] or '-'}  "
        lines.append(head + fit(error["message"], width - len(head)))
    _print(lines)
    _say_bad(tally)


def _load_baseline(path: Path) -> "Baseline":
    from dogwatch.logs.trend import Baseline

    return Baseline.load(path.read_text("utf-8")) if path.exists() else Baseline()


def _save(path: Path, text: str) -> None:
    """Whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, "utf-8")
    new.replace(path)


# ── diff ──────────────────────────────────────────────────────────────────────────────────────────────────


@command.command()
@click.argument("before")
@click.argument("after")
@format_option
@log_format_option
def diff(before: str, after: str, output: str, log_format: str | None) -> None:
    """What is new, gone, more and less in AFTER, compared with BEFORE."""
    from dogwatch.logs.diff import difference
    from dogwatch.logs.page import fit

    tally = Tally()
    rows = difference(_read([before], log_format, tally), _read([after], log_format, tally))
    if output == "json":
        tell(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
        return
    width = _width()
    lines: list[str] = []
    for row in rows:
        head = f"{row.kind:<5} {row.before:>10,} → {row.after:>10,}  {row.severity:<8}  "
        lines.append(head + fit(row.template, width - len(head)))
    _print(lines or ["Nothing is different."])
    _say_bad(tally)


# ── tail ──────────────────────────────────────────────────────────────────────────────────────────────────


@command.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@log_format_option
def tail(path: Path, log_format: str | None) -> None:
    """Follow a file: each kind of message is shown once, when it is first said. Ends with Ctrl-C."""
    from dogwatch.logs.tail import Tail

    width = _width()
    live = Tail(time.time(), log_format)
    with path.open("rb") as file:
        for line in live.known(_chunks(file)):
            tell(line)
        while True:
            for line in live.more(_chunks(file), width):
                tell(line)
            time.sleep(_POLL_SECONDS)


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────


def _read(
    paths: Iterable[str],
    log_format: str | None,
    tally: Tally,
    components: Iterable[str] = (),
    *,
    hourly: bool = False,
) -> "Book":
    from dogwatch.logs.book import Book
    from dogwatch.logs.judge import Components

    patterns: dict[str, str] = {}
    for option in components:
        name, equals, pattern = option.partition("=")
        if not equals:
            raise SettingsError(f"--component {option} names no pattern", "write it as NAME=PATTERN")
        patterns[name] = pattern
    book = Book(Components(patterns), hourly=hourly)
    _each_batch(paths, log_format, tally, book.add, details=True)
    return book


def _each_batch(
    paths: Iterable[str], log_format: str | None, tally: Tally, take: Take, *, details: bool
) -> None:
    files = list(_files(paths))
    now = time.time()
    with Progress(sum(file.stat().st_size for file in files if file is not None)) as progress:
        for file in files:
            events = Events(now, tally, log_format, details=details)
            with _open(file) as stream:
                for block in blocks(progress.watch(_chunks(stream)), tally):
                    batch = events.feed(block)
                    if batch.events:
                        take(batch)
            batch = events.finish()
            if batch.events:
                take(batch)


def _files(paths: Iterable[str]) -> Iterator[Path | None]:
    """The files that are meant; None for standard input. Raises SettingsError if there is none."""
    for given in paths:
        path = Path(given)
        if given == _STDIN:
            yield None
        elif path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        elif path.exists():
            yield path
        else:
            import glob

            matching = sorted(Path(p) for p in glob.glob(given, recursive=True) if Path(p).is_file())  # noqa: PTH207  # absolute patterns too
            if not matching:
                raise SettingsError(
                    f"there is no file {given}", "name a file, a directory or a pattern in quotes"
                )
            yield from matching


def _open(file: Path | None) -> IO[bytes]:
    try:
        return sys.stdin.buffer if file is None else file.open("rb", buffering=0)
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from error


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while data := stream.read(BLOCK):
        yield data


class Progress:
    """One line on stderr with the rate and the time left, gone when all is read."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._done = 0
        self._shown = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._started = self._last = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks as they are, counted."""
        for chunk in chunks:
            yield chunk
            self._done += len(chunk)
            now = time.monotonic()
            if self._shown and now - self._last > 0.2:
                self._last = now
                self._draw(now - self._started)

    def _draw(self, seconds: float) -> None:
        rate = self._done / seconds
        left = f" · {(self._size - self._done) / rate:.0f} s left" if self._size > self._done else ""
        sys.stderr.write(f"\r\x1b[2Kreading · {self._done / 1e6:,.0f} MB · {rate / 1e6:,.0f} MB/s{left}")
        sys.stderr.flush()


# ── telling ───────────────────────────────────────────────────────────────────────────────────────────────


def _width() -> int:
    """The columns there are: 80 where nobody tells, no more than can be read."""
    return min(shutil.get_terminal_size().columns, _WIDEST)


def _print(lines: list[str]) -> None:
    tell("\n".join(lines))


def _say_bad(tally: Tally) -> None:
    from dogwatch.logs.page import bad_lines

    for line in bad_lines(tally):
        click.echo(f"bad: {line}", err=True)


def _tally_json(tally: Tally) -> dict[str, Any]:
    from dogwatch.logs.redact import redact

    samples = {what: [redact(line) for line in lines] for what, lines in tally.samples.items()}
    return {"lines": tally.lines, "bytes": tally.size, "bad": dict(tally.bad), "bad_samples": samples}


def _as_json(entry: "Entry") -> dict[str, Any]:
    return {
        "id": entry.template.id,
        "template": entry.template.text,
        "lines": entry.lines,
        "severity": entry.severity,
        "severities": dict(entry.severities),
        "components": {name: lines for name, lines in entry.components.items() if name},
        "first": _iso(entry.first),
        "last": _iso(entry.last),
        "trend": sorted(entry.buckets.items()) if entry.first is not None else [],
        "samples": [sample.text for sample in entry.samples],
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
