"""Webhooks under load: Alertmanager's posts to `dogwatch watch`, and to a bare handler that writes one row.

python bench/hooks.py [--rate 1000] [--seconds 30]

Both are served by uvicorn in a process of their own and called from this one over 64 connections, at fixed
times whether or not an answer came (so a stall counts for all that it delays). Both have what they took on
the disk before they answer 2xx (SQLite, synchronous = FULL). dogwatch's also checks the secret, reads the
alert, and the watch beside it makes rounds of what comes. Prints p50, p99 and the ratio of the two.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SECRET = "a-secret-for-the-bench-0123456789"  # of nobody
_LANES = 64
_BARE = """
import asyncio, sqlite3, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("PRAGMA journal_mode = WAL")
store.execute("PRAGMA synchronous = FULL")
store.execute("CREATE TABLE calls (number INTEGER PRIMARY KEY, body BLOB)")
async def take(request):
    body = await request.body()
    store.execute("INSERT INTO calls (body) VALUES (?)", (body,))
    return JSONResponse({"taken": True}, 202)
app = Starlette(routes=[Route("/hooks/alertmanager", take, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[2]), log_config=None, access_log=False, lifespan="off", ws="none")
"""


@dataclass
class Taken:
    """What came of the posts."""

    latencies: list[float] = field(default_factory=list[float])
    """Seconds from the time at which a post was due to its 2xx."""
    other: int = 0
    """Answers that were no 2xx, and connections that broke."""


def post(number: int, port: int) -> bytes:
    """One of Alertmanager's posts, each of an alert of its own."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "HighErrorRate", "severity": "critical", "job": f"backend-{number % 50}"},
        "annotations": {"summary": "High error rate detected"},
        "startsAt": "2026-11-20T02:59:31.2Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": f"{number % 50:016x}",
    }
    told = {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="HighErrorRate"}}/{number}',
        "status": "firing",
        "receiver": "dogwatch",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": alert["labels"],
        "commonAnnotations": alert["annotations"],
        "externalURL": "http://alertmanager:9093",
        "alerts": [alert],
    }
    body = json.dumps(told).encode()
    head = (
        f"POST /hooks/alertmanager HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {_SECRET}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Lane(asyncio.Protocol):
    """One connection; answers come in the order of the posts."""

    def __init__(self, taken: Taken) -> None:
        self.taken = taken
        self.due: deque[float] = deque()
        self.transport: asyncio.Transport
        self._left = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Whole answers, by their Content-Length."""
        self._left += data
        while (end := self._left.find(b"\r\n\r\n")) >= 0:
            head = self._left[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(self._left) < end + 4 + length:
                return
            self._left = self._left[end + 4 + length :]
            due = self.due.popleft()
            if head.split(b" ", 2)[1].startswith(b"2"):
                self.taken.latencies.append(time.perf_counter() - due)
            else:
                self.taken.other += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """What was not answered is none."""
        self.taken.other += len(self.due)
        self.due.clear()


async def flood(port: int, rate: int, seconds: float) -> Taken:
    """So many posts a second, spread over the lanes."""
    taken = Taken()
    loop = asyncio.get_running_loop()
    lanes = [(await loop.create_connection(lambda: Lane(taken), "127.0.0.1", port))[1] for _ in range(_LANES)]
    posts = [post(number, port) for number in range(int(rate * seconds))]
    begin = time.perf_counter() + 0.2
    for number, text in enumerate(posts):
        due = begin + number / rate
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        elif number % 20 == 0:
            await asyncio.sleep(0)
        lane = min((lanes[(number + step) % _LANES] for step in range(4)), key=lambda one: len(one.due))
        lane.due.append(due)
        lane.transport.write(text)
    deadline = time.perf_counter() + 30
    while any(lane.due for lane in lanes) and time.perf_counter() < deadline:
        await asyncio.sleep(0.05)
    for lane in lanes:
        lane.transport.close()
    await asyncio.sleep(0.1)
    return taken


@contextlib.contextmanager
def started(command: Sequence[str], port: int, folder: Path) -> Iterator[None]:
    """A process that listens on the port."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("DOGWATCH_")}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, env=env) as process,
    ):
        try:
            for _ in range(400):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            time.sleep(5)
            yield
        finally:
            process.terminate()
            process.wait(60)


def free_port() -> int:
    """A port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def rows(store: Path) -> int:
    """Calls that are written down."""
    with contextlib.closing(sqlite3.connect(store)) as connection:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


def dogwatch(folder: Path, rate: int, seconds: float) -> tuple[Taken, int, int]:
    """The flood on `dogwatch watch`: what came of it, the rows, and the rounds that were made meanwhile."""
    port = free_port()
    (folder / "dogwatch.yaml").write_text(
        f"connectors:\n  prometheus:\n    url: http://127.0.0.1:{free_port()}\n"
        f"hooks:\n  alertmanager: {{}}\nwatch:\n  listen: 127.0.0.1:{port}\n",
        encoding="utf-8",
    )
    (folder / ".env").write_text(f"DOGWATCH_ALERTMANAGER_SECRET={_SECRET}\n", encoding="utf-8")
    with started([sys.executable, "-m", "dogwatch", "watch"], port, folder):
        taken = asyncio.run(flood(port, rate, seconds))
    store = folder / "dogwatch.db"
    with contextlib.closing(sqlite3.connect(store)) as connection:
        made = connection.execute("SELECT count(*) FROM rounds WHERE ended_at IS NOT NULL").fetchone()[0]
    return taken, rows(store), int(made)


def bare(folder: Path, rate: int, seconds: float) -> tuple[Taken, int]:
    """The same flood on a handler that does nothing but write a row."""
    port, store = free_port(), folder / "bare.db"
    with started([sys.executable, "-c", _BARE, str(store), str(port)], port, folder):
        taken = asyncio.run(flood(port, rate, seconds))
    return taken, rows(store)


def share(latencies: Sequence[float], at: float) -> float:
    """A quantile in milliseconds; infinite if nothing arrived."""
    ordered = sorted(latencies)
    return 1000 * ordered[min(len(ordered) - 1, int(at * len(ordered)))] if ordered else float("inf")


def main() -> None:
    """Measure both and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        plain, plain_rows = bare(Path(one), given.rate, given.seconds)
        ours, our_rows, made = dogwatch(Path(two), given.rate, given.seconds)
    sent = int(given.rate * given.seconds)
    print(f"{given.rate} posts a second for {given.seconds:g} s, {sent} in all, fsync on")
    for name, taken, written in (("bare Starlette", plain, plain_rows), ("dogwatch watch", ours, our_rows)):
        print(
            f"{name:<15} 2xx {len(taken.latencies):>6}  other {taken.other}  rows {written}  "
            f"p50 {share(taken.latencies, 0.5):.1f} ms  p99 {share(taken.latencies, 0.99):.1f} ms  "
            f"max {share(taken.latencies, 1):.0f} ms"
        )
    ratio = share(ours.latencies, 0.99) / share(plain.latencies, 0.99)
    lost = len(ours.latencies) - our_rows
    print(f"ratio of p99: {ratio:.2f}; lost after a 2xx: {max(0, lost)}; rounds meanwhile: {made}")


if __name__ == "__main__":
    main()
