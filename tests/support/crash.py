"""Rounds in processes that are killed, and what their stores hold in the end."""

import asyncio
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dogwatch.lab.serve import Lab
from dogwatch.round import Step
from dogwatch.settings import Settings, load
from support.cli import clean
from support.crash_memory import looking_into
from support.crash_round import one_round
from support.crash_story import ROUNDS, story
from support.estates import Stopped

_SCRIPT = Path(__file__).parent / "crash_round.py"
_PATIENCE = 60.0


@dataclass
class Estate:
    """The story, served, and stores in which it is remembered."""

    clock: Stopped
    folder: Path
    urls: Mapping[str, str]
    lab: Lab

    def store(self, name: str) -> "Watch":
        """A configuration with a store of its own."""
        config = self.lab.write_config(self.folder / name, self.urls, history_days=2)
        return Watch(self.clock, config)


@contextmanager
def served_story(folder: Path, *, ordinary: bool = True) -> Iterator[Estate]:
    """The twins of the story on loopback sockets."""
    clock = Stopped(ROUNDS[0])
    lab = Lab(story(clock, ordinary=ordinary))
    with lab.serve() as urls:
        yield Estate(clock, folder, urls, lab)


@dataclass
class Watch:
    """Somebody who watches the estate: a configuration, and the store beside it."""

    clock: Stopped
    config: Path

    @property
    def store(self) -> Path:
        """The SQLite file."""
        return self.config.parent / "dogwatch.db"

    @property
    def settings(self) -> Settings:
        """As dogwatch reads them."""
        return load(self.config, {}, self.config.parent)

    def round(self, at: datetime, progress: Callable[[Step], None] = lambda step: None) -> None:
        """A whole round in this process, at exactly that moment.

        If somebody who died holds the lease, it begins earlier and waits until the lease has run out.
        """
        self.clock.at = at
        early = timedelta(seconds=10) if self.held() else timedelta(0)
        report = asyncio.run(one_round(self.settings, at - early, progress))
        assert report.at == at

    def child(self, begin: datetime, stop: str = "") -> "Child":
        """A round in a process of its own."""
        return Child(self.config, begin, stop)

    def held(self) -> bool:
        """Whether somebody, dead or alive, holds the lease on rounds."""
        return self._one("SELECT holder FROM leases") is not None

    def open_rounds(self) -> int:
        """Rounds that were begun and not ended."""
        return int(str(self._one("SELECT count(*) FROM rounds WHERE ended_at IS NULL") or 0))

    def ended(self, begin: datetime) -> bool | None:
        """Whether the round of that moment came to its end; None if it did not begin."""
        ended = self._one(
            "SELECT ended_at IS NOT NULL FROM rounds WHERE started_at = ?",
            begin.isoformat(timespec="microseconds"),
        )
        return None if ended is None else bool(ended)

    def _one(self, query: str, *values: str) -> object:
        """The first cell of the answer; None if there is none, or no store."""
        if not self.store.exists():
            return None
        with looking_into(self.store) as connection:
            try:
                row = connection.execute(query, values).fetchone()
            except sqlite3.OperationalError:  # killed before the tables were made
                return None
            return None if row is None else row[0]


class Child:
    """A process that makes one round."""

    def __init__(self, config: Path, begin: datetime, stop: str) -> None:
        self._command = [sys.executable, "-W", "error", str(_SCRIPT), str(config), begin.isoformat(), stop]
        self._home = config.parent
        self.begin = begin
        self.lines: list[str] = []
        """What it has said so far, as far as it was read."""

    def __enter__(self) -> "Child":
        self.process = subprocess.Popen(
            self._command,
            env=clean(self._home) | {"PYTHONPATH": str(_SCRIPT.parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        assert self.process.stdout is not None
        self._said = self.process.stdout
        self.until("begins")
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left of it."""
        self.process.kill()
        self.process.communicate()

    def more(self) -> bool:
        """Read one more line; False if it says no more."""
        line = self._said.readline().decode()
        if line:
            self.lines.append(line.rstrip("\n"))
        return bool(line)

    def until(self, start: str) -> None:
        """Read what it says up to a line that begins so."""
        while not (self.lines and self.lines[-1].startswith(start)):
            if not self.more():
                raise AssertionError(f"it ended without {start!r}: {self.last_words()}")

    def last_words(self) -> str:
        """Wait for its end, read the rest of what it says, and return its complaints."""
        out, complaints = self.process.communicate(timeout=_PATIENCE)
        self.lines += out.decode().splitlines()
        return complaints.decode()

    def silent_for(self, seconds: float) -> None:
        """Wait that long, or until it says one more line (its end counts as one)."""
        select.select([self._said], [], [], seconds)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def say(self) -> None:
        """Let it go on behind the step at which it waits."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")


class Other:
    """A process that does with a store what it is told."""

    _SCRIPT = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    connection.execute(line)
    print("done", flush=True)
"""

    def __init__(self, store: Path) -> None:
        self._store = store

    def __enter__(self) -> "Other":
        self._process = subprocess.Popen(
            [sys.executable, "-c", self._SCRIPT, str(self._store)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left of it."""
        self._process.communicate(timeout=_PATIENCE)

    def sql(self, statement: str) -> None:
        """Let it execute that, and wait until it has."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{statement}\n")
        assert self._process.stdout.readline() == "done\n"
