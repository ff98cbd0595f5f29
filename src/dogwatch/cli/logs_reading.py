"""What the log commands read: files, folders, patterns, what is piped in, buckets and Cloud Logging."""

import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from dogwatch.errors import SettingsError
from dogwatch.logs.events import Batch, Events
from dogwatch.logs.read import BLOCK, Tally, blocks

if TYPE_CHECKING:
    from dogwatch.settings import Settings

Take = Callable[[Batch], None]
_STDIN = "-"
_POLL_FILE, _POLL_REMOTE = 1.0, 15.0
"""Seconds. Cloud Logging may be asked sixty times a minute, by everybody in the project."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command was asked to read."""

    paths: tuple[str, ...]
    log_format: str | None
    """How the lines are written; None: by the first lines of each file."""
    since: timedelta | None
    """Leave out what is older."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One file, wherever it is."""

    name: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


class SinceType(click.ParamType[timedelta]):
    """``90s``, ``10m``, ``1h30m`` or ``2d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """A click type's hook."""
        from dogwatch.settings.watching import duration

        try:
            found = duration(value)
        except ValueError as error:
            self.fail(f"{value} {error}", param, ctx)
        assert isinstance(found, timedelta)
        return found


def each_batch(wanted: Wanted, tally: Tally, take: Take, *, details: bool) -> None:
    """Hand over everything that is to be read. Raises SettingsError, or the error of a platform."""
    now = time.time()
    with ExitStack() as stack:
        sources = list(_sources(wanted, now, stack))
        progress = stack.enter_context(Progress(sum(source.size for source in sources)))
        for source in sources:
            events = Events(now, tally, wanted.log_format, details=details)
            for block in blocks(progress.watch(source.chunks()), tally):
                batch = events.feed(block)
                if batch.events:
                    take(batch)
            batch = events.finish()
            if batch.events:
                take(batch)


def settings_if_any() -> "Settings | None":
    """What dogwatch.yaml says, if there is one. Raises SettingsError if it is wrong."""
    from dogwatch.cli.shell import Given, read_settings

    ctx = click.get_current_context()
    if ctx.find_root().ensure_object(Given).config is None and not Path("dogwatch.yaml").exists():
        return None
    return read_settings(ctx)


def _sources(wanted: Wanted, now: float, stack: ExitStack) -> Iterator[_Source]:
    for given in wanted.paths:
        if "://" in given:
            yield from _remote(given, wanted.since, stack)
        elif given == _STDIN:
            yield _Source(given, 0, lambda: pieces(sys.stdin.buffer))
        else:
            for path in _files(given):
                told = path.stat()
                if wanted.since is None or told.st_mtime >= now - wanted.since.total_seconds():
                    yield _Source(str(path), told.st_size, lambda path=path: _content(path))  # type: ignore[misc]  # bound here


def _remote(url: str, since: timedelta | None, stack: ExitStack) -> Iterator[_Source]:
    from dogwatch.logsource import open_source
    from dogwatch.wire.clock import SystemClock

    source = stack.enter_context(open_source(url, settings_if_any(), os.environ, since, SystemClock()))
    for file in source.files():
        yield _Source(file.name, file.size, lambda file=file: source.chunks(file))  # type: ignore[misc]  # bound here


def _files(given: str) -> Iterator[Path]:
    """The files that are meant. Raises SettingsError if there is none."""
    path = Path(given)
    if path.is_dir():
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


def _content(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=0) as stream:
            yield from pieces(stream)
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error


@contextmanager
def following(path: str, since: timedelta | None) -> Generator[tuple[Callable[[], Iterator[bytes]], float]]:
    """What gives the bytes that came since it was called last, and how many seconds to wait between calls."""
    if "://" in path:
        from dogwatch.logsource import open_source
        from dogwatch.wire.clock import SystemClock

        if not path.startswith("logging://"):
            raise SettingsError(f"{path} cannot be followed", "follow a file, or logging://PROJECT")
        with open_source(path, settings_if_any(), os.environ, since, SystemClock()) as source:
            yield source.fresh, _POLL_REMOTE
        return
    if not Path(path).is_file():
        raise SettingsError(f"there is no file {path}", "follow a file, or logging://PROJECT")
    with ExitStack() as stack:
        yield _Followed(Path(path), stack).fresh, _POLL_FILE


class _Followed:
    """A file under its name: rotated or emptied, reading goes on with what stands there now."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._stream = stack.enter_context(path.open("rb"))

    def fresh(self) -> Iterator[bytes]:
        """What was written since the last call."""
        yield from pieces(self._stream)
        try:
            there = self._path.stat()
        except OSError:
            return  # moved away, and nothing stands there yet
        if there.st_ino != os.fstat(self._stream.fileno()).st_ino:
            self._stream.close()
            self._stream = self._stack.enter_context(self._path.open("rb"))
        elif there.st_size < self._stream.tell():
            self._stream.seek(0)
        else:
            return
        yield from pieces(self._stream)


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """What is left of a stream, piece by piece."""
    while data := stream.read(BLOCK):
        yield data


def iso(at: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601; None stays None."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()


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
