"""A configuration, `dogwatch watch` over it as a process of its own, and those who call."""

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dogwatch.lab.serve import Lab
from support.calling import SECRET, alerts
from support.cli import clean
from support.estates import shop, world
from support.ports import free_port
from support.serve import served

PATIENCE = 60.0
PROGRAM = ("-m", "dogwatch")


@dataclass
class Post:
    """The watch and its store."""

    folder: Path
    url: str
    store: str = ""
    """The address of its database by a way that is never cut; nothing for a file."""
    program: Sequence[str] = PROGRAM
    """What Python runs."""
    env: dict[str, str] = field(default_factory=dict[str, str])
    """What is in its environment beside the least."""
    answered: set[str] = field(default_factory=set[str])
    """Alerts of which somebody was told that they were taken."""
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start the watch."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "watch", "--name", "one"],
                cwd=self.folder,
                env=clean(self.folder) | self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def end(self, how: signal.Signals) -> int:
        """Send it a signal; its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def lives(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def call(self, name: str) -> bool:
        """One alert; whether it was taken."""
        told = {"fingerprint": name, "labels": {"alertname": name, "severity": "critical", "job": name}}
        request = urllib.request.Request(
            f"{self.url}/hooks/alertmanager", alerts(told), {"Authorization": f"Bearer {SECRET}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=8):
                self.answered.add(name)
        except OSError:
            return False
        return True

    def keep_calling(self, name: str) -> None:
        """As Alertmanager does: again until it is taken."""
        pause, deadline = threading.Event(), time.monotonic() + PATIENCE
        while not self.call(name):
            assert self.lives(), self.log()[-3000:]
            assert time.monotonic() < deadline, self.log()[-3000:]
            pause.wait(0.1)

    def ready(self) -> tuple[int, Any]:
        """What /readyz says."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=8) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Ask its store."""
        if self.store:
            options = "-c search_path=dogwatch"
            with psycopg.connect(self.store, options=options) as connection:
                return connection.execute(query.encode()).fetchall()
        try:
            with closing(sqlite3.connect(self.folder / "dogwatch.db")) as file:
                return file.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    def until(self, query: str, wanted: object) -> float:
        """Seconds until the first cell is that."""
        pause, began = threading.Event(), time.monotonic()
        while (found := self.rows(query)) != [(wanted,)]:
            assert time.monotonic() < began + PATIENCE, f"{found!r}\n{self.log()[-3000:]}"
            pause.wait(0.05)
        return time.monotonic() - began

    def rests(self) -> None:
        """Wait until nothing is left to do."""
        self.until("SELECT count(*) FROM calls WHERE state != 'done'", 0)
        self.until("SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')", 0)

    def nothing_lost_or_doubled(self, arrived: "Counter[str]") -> None:
        """Every alert that was taken is one finding, every message came once or is known to have been tried
        twice."""
        bodies = self.rows("SELECT CAST(body AS text) FROM findings")
        found = {json.loads(str(body))["subject"] for (body,) in bodies}
        assert {f"component/{name}" for name in self.answered} <= found
        assert self.rows("SELECT count(*) FROM findings WHERE rule = 'alert'") == [(len(self.answered),)]
        sent = self.rows("SELECT key, attempts FROM outbox WHERE state = 'sent'")
        tried_again = {key for key, attempts in sent if isinstance(attempts, int) and attempts > 1}
        assert {key for key, _ in sent} <= set(arrived)
        assert {key for key, times in arrived.items() if times > 1} <= tried_again
        assert self.rows("SELECT count(*) FROM leases") == [(0,)]


@contextmanager
def receiver(arrived: "Counter[str]") -> Iterator[str]:
    """A webhook of somebody who counts what comes."""

    async def take(request: Request) -> PlainTextResponse:
        arrived[request.headers["idempotency-key"]] += 1
        return PlainTextResponse("ok")

    with served(Starlette(routes=[Route("/", take, methods=["POST"])])) as url:
        yield url


@contextmanager
def post(folder: Path, arrived: "Counter[str]", way: str = "", **more: Any) -> Iterator[Post]:
    """A watch over the shop, not started yet; ``way`` is the address of its database as it knows it."""
    lab = Lab(world(shop(folder), now=datetime.now(UTC)))
    with lab.serve() as urls, receiver(arrived) as told:
        config = lab.write_config(folder, urls, history_days=1)
        port = free_port()
        with config.open("a") as file:
            file.write(f"channels:\n  webhook: {{url: {told}/}}\nhooks:\n  alertmanager: {{}}\n")
            file.write(f"watch: {{listen: '127.0.0.1:{port}', gather: 0.2s, apart: 0.5s}}\n")
            file.write("budget: {alerts_per_hour: 1000, critical_per_hour: 1000}\n")
        with (folder / ".env").open("a") as file:
            file.write(f"DOGWATCH_ALERTMANAGER_SECRET={SECRET}\nDOGWATCH_WEBHOOK_SECRET={SECRET}\n")
            file.write(f"DOGWATCH_STORE={way}\n" if way else "")
        made = Post(folder, f"http://127.0.0.1:{port}", **more)
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.end(signal.SIGKILL)
