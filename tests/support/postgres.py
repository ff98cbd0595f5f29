"""A real PostgreSQL server for tests: started once for each test process, thrown away afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg

from support.node import missing
from support.ports import free_port

_PATIENCE = 60.0
_USER = "postgres"
"""The role in the database, and the system user that the server runs as where the tests run as root."""
_QUICK = ("fsync=off", "full_page_writes=off", "max_connections=60")


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that listens on loopback only."""

    port: int
    data: Path
    programs: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, database: str = "postgres") -> str:
        """The address of a database, as libpq and SQLAlchemy read it."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """The address of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def restart(self) -> None:
        """Stop the server at once, cutting off whoever is connected, and start it again."""
        self.control("restart", "-m", "immediate")

    def control(self, *args: str) -> None:
        """Let ``pg_ctl`` do this with the server, and wait for it."""
        command = [str(self.programs / "pg_ctl"), "-D", str(self.data), "-w", "-s", *args]
        log = self.data.parent / "said"
        with log.open("wb") as said:  # a pipe would stay open as long as the server lives
            done = subprocess.run(
                _as_user(command), cwd=self.data.parent, stdout=said, stderr=said, timeout=_PATIENCE
            )
        assert done.returncode == 0, log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def running(required: bool) -> Iterator[Postgres]:
    """PostgreSQL on a free port with nothing in it; skips the test, or fails it, if it is not installed."""
    programs = _programs()
    if programs is None:
        missing("PostgreSQL is not installed (Debian: apt-get install postgresql)", required)
    folder = Path(tempfile.mkdtemp(prefix="dogwatch-pg-"))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_USER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        making = [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", _USER, "-N", "-E", "UTF8"]
        making.append("--wal-segsize=1")
        subprocess.run(
            _as_user([*making, "--locale=C"]), cwd=folder, check=True, capture_output=True, timeout=_PATIENCE
        )
        port = free_port()
        server = Postgres(port, data, programs)
        listening = ("listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}")
        options = " ".join(f"-c {one}" for one in (*listening, *_QUICK))
        server.control("-l", str(folder / "log"), "-o", options, "start")
        try:
            yield server
        finally:
            server.control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """The folder of the server's programs: Debian keeps them off the PATH."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    return found[-1].parent if found else None


def _as_user(command: Sequence[str]) -> list[str]:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", *command]
