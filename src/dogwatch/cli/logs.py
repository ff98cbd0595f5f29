"""``dogwatch logs``: log files to a page of templates, a triage report, a difference, or a live view."""

import gc
import json
import shutil
import time
from array import array
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dogwatch.cli.logs_reading import SinceType, Wanted, each_batch, iso, settings_if_any
from dogwatch.cli.logs_said import said_command
from dogwatch.cli.shell import shared, tell
from dogwatch.errors import SettingsError
from dogwatch.logs.events import Batch
from dogwatch.logs.miner import Miner
from dogwatch.logs.read import BLOCK, Tally

if TYPE_CHECKING:
    from dogwatch.logs.book import Book, Entry
    from dogwatch.logs.trend import Baseline, Change

_SPOOLED = 16 << 20
_WIDEST = 200

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
since_option = click.option(
    "--since",
    type=SinceType(),
    metavar="DURATION",
    help="Leave out files and objects not written in the last 90s, 10m, 2h or 3d; of Cloud Logging, "
    "entries.  [default: all; of Cloud Logging 1h]",
)
paths_argument = click.argument("paths", nargs=-1, required=True)


@click.group("logs")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Turn log files into a page of templates: what is said, how often, and what is new.

    PATH is a file, packed or not, a directory, a pattern in quotes, - for what is piped in, or a place:
    gs://BUCKET/PREFIX, s3://BUCKET/PREFIX, logging://PROJECT (Cloud Logging).
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
@since_option
def mine(
    paths: tuple[str, ...],
    assign: Path | None,
    output: str,
    log_format: str | None,
    since: timedelta | None,
) -> None:
    """The templates with their counts, when they were seen, and how bad they are."""
    tally, wanted = Tally(), Wanted(paths, log_format, since)
    if assign is not None:
        _assign(wanted, assign, tally)
        _say_bad(tally)
        return
    book = _read(wanted, tally)
    entries = [entry for entry in book.entries() if entry.lines]
    if output == "json":
        tell(
            json.dumps({"templates": [_as_json(entry) for entry in entries], **_tally_json(tally)}, indent=2)
        )
        return
    from dogwatch.logs.page import table

    _print(table(entries, _width()))
    _say_bad(tally)


def _assign(wanted: Wanted, assign: Path, tally: Tally) -> None:
    """One template per line of the files, in their order. The numbers of the leaves wait in a file."""
    from tempfile import SpooledTemporaryFile

    miner = Miner()
    with SpooledTemporaryFile(max_size=_SPOOLED) as spool:

        def take(batch: Batch) -> None:
            leaves = miner.feed(batch.messages)
            if batch.lines:
                leaves = [leaf for leaf, n in zip(leaves, batch.lines, strict=True) for _ in range(n)]
            spool.write(array("I", leaves).tobytes())

        each_batch(wanted, tally, take, details=False)
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
    help="A part of the pipeline, by what its lines look like (RE2).  [default: log_components in "
    "dogwatch.yaml]",
)
@since_option
def triage(
    paths: tuple[str, ...],
    output: str,
    log_format: str | None,
    baseline: Path | None,
    components: tuple[str, ...],
    since: timedelta | None,
) -> None:
    """What went wrong: the errors, worst first, and what is new, surging or gone."""
    from dogwatch.logs import triage as report

    tally = Tally()
    wanted = Wanted(paths, log_format, since)
    book = _read(wanted, tally, _patterns(components), hourly=baseline is not None)
    changes: list[Change] = []
    if baseline is not None:
        changes, remembered = _load_baseline(baseline).compare(book)
        _save(baseline, remembered.dump())
    found = report.triage(book.entries(), changes)
    if output == "json":
        tell(json.dumps(found, indent=2, ensure_ascii=False))
        _say_bad(tally)
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
@since_option
def diff(before: str, after: str, output: str, log_format: str | None, since: timedelta | None) -> None:
    """What is new, gone, more and less in AFTER, compared with BEFORE."""
    from dogwatch.logs.diff import difference
    from dogwatch.logs.page import fit

    tally = Tally()
    books = [_read(Wanted((path,), log_format, since), tally) for path in (before, after)]
    rows = difference(*books)
    if output == "json":
        tell(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
        _say_bad(tally)
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
@click.argument("path")
@log_format_option
@since_option
def tail(path: str, log_format: str | None, since: timedelta | None) -> None:
    """Follow a file, or logging://PROJECT: each kind of message is shown once, when it is first said.

    A file that is moved away or emptied is followed under its name. Ends with Ctrl-C.
    """
    from dogwatch.cli.logs_reading import following
    from dogwatch.logs.tail import Tail

    width = _width()
    live = Tail(time.time(), log_format)
    with following(path, since) as (fresh, seconds):
        for line in live.known(fresh()):
            tell(line)
        while True:
            for line in live.more(fresh(), width):
                tell(line)
            time.sleep(seconds)


command.add_command(shared(said_command))


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────


def _read(
    wanted: Wanted, tally: Tally, patterns: Mapping[str, str] | None = None, *, hourly: bool = False
) -> "Book":
    from dogwatch.logs.book import Book
    from dogwatch.logs.judge import Components

    book = Book(Components(patterns or {}), hourly=hourly)
    each_batch(wanted, tally, book.add, details=True)
    return book


def _patterns(options: tuple[str, ...]) -> Mapping[str, str]:
    """The patterns of components: those of the command line, else those of dogwatch.yaml."""
    if not options:
        settings = settings_if_any()
        return settings.log_components if settings is not None else {}
    patterns: dict[str, str] = {}
    for option in options:
        name, equals, pattern = option.partition("=")
        if not equals:
            raise SettingsError(f"--component {option} names no pattern", "write it as NAME=PATTERN")
        patterns[name] = pattern
    return patterns


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
        "first": iso(entry.first),
        "last": iso(entry.last),
        "trend": sorted(entry.buckets.items()) if entry.first is not None else [],
        "samples": [sample.text for sample in entry.samples],
    }
