"""Rounds in processes that are killed, and what their stores hold in the end."""

import asyncio
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dogwatch.lab.serve import Lab
from dogwatch.round import Step
from dogwatch.settings import Settings, load
from support.cli import clean
from support.crash_round import one_round
from support.crash_story import ROUNDS, story
from support.estates import Stopped

_SCRIPT = Path(__file__).parent / "crash_round.py"
_PATIENCE = 60.0

_ROUNDS = frozenset({"rounds", "leases", "alembic_version"})
"""Tables that tell of the rounds themselves."""
_SEEN: Mapping[str, str] = {
    "runs": "observed_at",
    "sources": "first_read_at",
    "findings": "first_seen last_seen cleared_at",
    "job_versions": "valid_from valid_to body",
}
"""Columns that tell when dogwatch looked, not what it saw; the body of a job's version has that time too,
and ``digest`` stands for the rest of it."""

Row = Mapping[str, object]
Memory = Mapping[str, Sequence[Row]]
"""The rows of each table."""


@contextmanager
def looking_into(store: Path) -> Iterator[sqlite3.Connection]:
    """A look at a store that leaves it as it is."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def memory(store: Path) -> Memory:
    """All that a store remembers but when it was observed, and the rounds themselves."""
    with looking_into(store) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: _rows(connection, name) for (name,) in names if name not in _ROUNDS}


def _rows(connection: sqlite3.Connection, table: str) -> list[Row]:
    """What a table tells; of what may come to an end, whether it has (``over``)."""
    ends = {"findings": "cleared_at", "job_versions": "valid_to"}.get(table)
    hidden = _SEEN.get(table, "").split()
    found: list[Row] = []
    for row in connection.execute(f"SELECT * FROM {table}"):
        told = {key: row[key] for key in row.keys() if key not in hidden}  # noqa: SIM118  # a Row is no dict
        found.append(told if ends is None else {**told, "over": row[ends] is not None})
    return sorted(found, key=repr)


def at_present(remembered: Memory) -> Memory:
    """What holds now, without what is over, and of the evidence what is cited now."""
    now = {name: [row for row in rows if not row.get("over")] for name, rows in remembered.items()}
    cited = {key for row in now["findings"] for key in json.loads(str(row["body"]))["evidence"]}
    return {**now, "evidence": [row for row in now["evidence"] if row["id"] in cited]}


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

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends within that time."""
        handle = os.pidfd_open(self.process.pid)
        try:
            return bool(select.select([handle], [], [], seconds)[0])
        finally:
            os.close(handle)

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
