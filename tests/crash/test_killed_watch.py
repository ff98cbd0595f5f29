"""SIGKILL at random moments of ``dogwatch watch`` while others call: no call that was answered is lost, every
alert is one finding, every message arrives once or is known to have been tried twice."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dogwatch.lab.serve import Lab
from support.calling import SECRET, alerts
from support.cli import clean
from support.estates import shop, world
from support.serve import served

pytestmark = pytest.mark.slow

KILLS = 2
BETWEEN = 3
"""Alerts between two kills, each of something else."""
PATIENCE = 60.0
BACK_WITHIN = 20.0
"""Seconds from a start to the first round it makes, on a machine that is busy; idle it is two."""


class Site:
    """A configuration, the watch over it, and those who call."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.answered: set[str] = set()
        """Alerts of which somebody was told that they were taken."""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dogwatch", "watch", "--name", "one"],
                cwd=self.folder,
                env=clean(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def call(self, name: str) -> bool:
        """One alert; whether it was taken."""
        told = {"fingerprint": name, "labels": {"alertname": name, "severity": "critical", "job": name}}
        request = urllib.request.Request(
            f"{self.url}/hooks/alertmanager", alerts(told), {"Authorization": f"Bearer {SECRET}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5):
                self.answered.add(name)
        except OSError:
            return False
        return True

    def keep_calling(self, name: str) -> None:
        """As Alertmanager does: again until it is taken."""
        pause, deadline = threading.Event(), time.monotonic() + PATIENCE
        while not self.call(name):
            assert time.monotonic() < deadline, (self.folder / "log").read_text(encoding="utf-8")[-3000:]
            pause.wait(0.1)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        try:
            with closing(sqlite3.connect(self.folder / "dogwatch.db")) as connection:
                return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    def until(self, query: str, wanted: object) -> float:
        """Seconds until the first cell is that."""
        pause, began = threading.Event(), time.monotonic()
        while (found := self.rows(query)) != [(wanted,)]:
            log = (self.folder / "log").read_text(encoding="utf-8")
            assert time.monotonic() < began + PATIENCE, f"{found!r}\n{log[-3000:]}"
            pause.wait(0.05)
        return time.monotonic() - began


@contextmanager
def receiver(arrived: Counter[str]) -> Iterator[str]:
    """A webhook of somebody who counts what comes."""

    async def take(request: Request) -> PlainTextResponse:
        arrived[request.headers["idempotency-key"]] += 1
        return PlainTextResponse("ok")

    with served(Starlette(routes=[Route("/", take, methods=["POST"])])) as url:
        yield url


@contextmanager
def site(folder: Path, arrived: Counter[str]) -> Iterator[Site]:
    lab = Lab(world(shop(folder), now=datetime.now(UTC)))
    with lab.serve() as urls, receiver(arrived) as told:
        config = lab.write_config(folder, urls, history_days=1)
        port = 20_000 + random.SystemRandom().randrange(10_000)
        with config.open("a") as file:
            file.write(f"channels:\n  webhook: {{url: {told}/}}\nhooks:\n  alertmanager: {{}}\n")
            file.write(f"watch: {{listen: '127.0.0.1:{port}', gather: 0.2s, apart: 0.5s}}\n")
            file.write("budget: {alerts_per_hour: 1000, critical_per_hour: 1000}\n")
        with (folder / ".env").open("a") as file:
            file.write(f"DOGWATCH_ALERTMANAGER_SECRET={SECRET}\nDOGWATCH_WEBHOOK_SECRET={SECRET}\n")
        made = Site(folder, f"http://127.0.0.1:{port}")
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.end(signal.SIGKILL)


def test_nothing_that_was_answered_is_lost_however_the_watch_is_killed(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    kills = pytestconfig.getoption("kills", None) or KILLS
    rng, arrived = random.Random(7), Counter[str]()
    with site(tmp_path, arrived) as one:
        one.start()
        for kill in range(kills):
            for number in range(BETWEEN):
                one.keep_calling(f"alert-{kill}-{number}")
            threading.Event().wait(rng.uniform(0.0, 1.5))
            assert one.end(signal.SIGKILL) == -signal.SIGKILL
            one.start()
            rounds = one.rows("SELECT coalesce(max(id), 0) FROM rounds")[0][0]
            one.keep_calling(f"after-{kill}")
            more = f"SELECT max(id) > {rounds} FROM rounds WHERE ended_at IS NOT NULL"
            assert one.until(more, 1) < BACK_WITHIN
        one.until("SELECT count(*) FROM calls WHERE state != 'done'", 0)
        one.until("SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')", 0)
        assert one.end(signal.SIGTERM) == 0
        found = {json.loads(str(body))["subject"] for (body,) in one.rows("SELECT body FROM findings")}
        assert {f"component/{name}" for name in one.answered} <= found
        assert one.rows("SELECT count(*) FROM findings WHERE rule = 'alert'") == [(len(one.answered),)]
        sent = one.rows("SELECT key, attempts FROM outbox WHERE state = 'sent'")
        tried_again = {key for key, attempts in sent if isinstance(attempts, int) and attempts > 1}
        assert {key for key, _ in sent} <= set(arrived)
        assert {key for key, times in arrived.items() if times > 1} <= tried_again
        assert one.rows("SELECT count(*) FROM leases") == [(0,)]
