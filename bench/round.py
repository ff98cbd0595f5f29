"""A whole round at size, 10,000 jobs and 100,000 runs on four platforms, against the bare fetch of its pages.

The answers are rendered once by the lab's twins and served by a plain server in another process, keyed by
method, path, query and body. In the same run it is measured what it costs merely to fetch those pages
concurrently and parse their JSON; the round also validates, records and detects. Each round is made by a
process of its own that has its code loaded: what that takes is told by bench/start.py.

Every job runs twice a day at its own minute. In the next 72 minutes 1 % new runs appear; a second round reads
and judges them, and what should have come. Our own rate limits are lifted; credentials and logins stay.

    python bench/round.py [--jobs 10000] [--runs 100000]
"""

import argparse
import asyncio
import hashlib
import json
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

from dogwatch import connectors
from dogwatch.app import Dogwatch
from dogwatch.lab.twin import twin_class
from dogwatch.lab.world import LabAttempt, LabJob, LabRun, Outcome, Trigger, World
from dogwatch.settings import ConnectorConfig, Settings
from dogwatch.wire.http import Pace

PLATFORMS = ("airbyte", "databricks", "power_automate", "snowflake")
PREFIXES = {
    "/api/2.2/": "databricks",
    "/oidc": "databricks",
    "/api/v2/": "snowflake",
    "/api/data/": "power_automate",
}
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=72)
HALF_DAY = timedelta(hours=12)
LIFTED = Pace(per_second=0, concurrency=8, timeout=60)
FAILED_SHARE = 0.01


@dataclass
class FixedClock:
    """The present, as told."""

    at: datetime = NOW

    def now(self) -> datetime:
        """The told time."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Nobody sleeps here."""


def made_world(jobs: int, runs: int, clock: FixedClock) -> World:
    """Every job of five days, twice a day at its own minute, and what comes of it until LATER."""
    rng = random.Random(7)
    per_platform = jobs // len(PLATFORMS)
    rounds = runs // jobs
    told: dict[str, LabJob] = {}
    made: list[LabRun] = []
    for platform in PLATFORMS:
        due: list[tuple[datetime, str]] = []
        for number in range(per_platform):
            minute = 720 * number // per_platform
            at = f"{minute % 60} {minute // 60},{minute // 60 + 12} * * *"
            key = f"{platform}/job-{number}"
            told[key] = LabJob(key, f"Job {number}", schedule=at)
            first = NOW - HALF_DAY * rounds + timedelta(minutes=minute)
            due += [(first + HALF_DAY * turn, key) for turn in range(rounds + 1)]
        for number, (slot, key) in enumerate(sorted(due), 1):
            if slot < LATER:
                made.append(one_run(rng, key, number, slot))
    made.sort(key=lambda run: run.created)
    return World("bench", "UTC", told, made, clock)


def one_run(rng: random.Random, key: str, number: int, slot: datetime) -> LabRun:
    """A run that begins within seconds and takes a few minutes; one in a hundred fails."""
    bad = rng.random() < FAILED_SHARE
    start = slot + timedelta(seconds=rng.randint(1, 9))
    attempt = LabAttempt(
        started=start,
        ended=start + timedelta(seconds=rng.randint(30, 240)),
        outcome=Outcome.failed if bad else Outcome.success,
        error='relation "raw.orders" does not exist' if bad else None,
        rows=rng.randint(1_000, 200_000),
    )
    return LabRun(key, number, Trigger.schedule, start, (attempt,), scheduled_for=slot)


@dataclass
class Recorder(httpx2.AsyncBaseTransport):
    """Lets the twins answer and keeps what they said."""

    apps: dict[str, httpx2.ASGITransport]
    kept: dict[bytes, bytes] = field(default_factory=dict)
    order: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer, and remember the answer under the request's key."""
        path = request.url.path
        platform = next((name for prefix, name in PREFIXES.items() if path.startswith(prefix)), "airbyte")
        platform = "power_automate" if path.startswith("/entra/") else platform
        response = await self.apps[platform].handle_async_request(request)
        body = await response.aread()
        dropped = {b"content-length", b"content-encoding", b"date"}
        headers = [(k, v) for k, v in response.headers.raw if k.lower() not in dropped]
        head = b"".join(k + b": " + v + b"\r\n" for k, v in headers)
        raw = (
            b"HTTP/1.1 %d OK\r\n%scontent-length: %d\r\n\r\n" % (response.status_code, head, len(body)) + body
        )
        target = request.url.raw_path.decode()
        self.kept[key_of(request.method, target, request.content)] = raw
        wanted = {k: v for k, v in request.headers.items() if k not in {"host", "content-length"}}
        self.order.append((request.method, target, wanted, request.content))
        return httpx2.Response(response.status_code, headers=headers, content=body)


def key_of(method: str, target: str, body: bytes) -> bytes:
    """Method, path, query and body; the SQL API's requestId is new each time and does not count."""
    path, _, query = target.partition("?")
    kept = sorted(part for part in query.split("&") if not part.startswith("requestId="))
    return hashlib.sha256(f"{method} {path}?{'&'.join(kept)}\n".encode() + body).digest()


def settings_for(base: str, world: World, folder: Path) -> Settings:
    """What a user would have configured, with the twins' credentials."""
    configured: dict[str, ConnectorConfig] = {}
    for platform in PLATFORMS:
        twin = twin_class(platform)(world)
        secrets = {name: SecretStr(value) for name, value in twin.credentials().items()}
        given = connectors.load(platform).Settings(**twin.settings(base), **secrets)
        configured[platform] = ConnectorConfig(name=platform, kind=platform, settings=given)
    return Settings(timezone="UTC", store=str(folder / "bench.db"), history_days=6, connectors=configured)


async def one_round(
    settings: Settings, at: datetime, transport: httpx2.AsyncBaseTransport | None
) -> dict[str, Any]:
    """One round at ``at``; wall and CPU seconds, runs read and requests made."""
    wall, cpu = time.perf_counter(), time.process_time()
    async with Dogwatch(settings, clock=FixedClock(at), transport=transport, pace=LIFTED) as dog:
        report = await dog.check()
    blind = [view for view in report.platforms if view.blind_since]
    if blind:
        raise SystemExit(f"blind: {blind}")
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "runs": sum(view.runs_read for view in report.platforms),
        "requests": sum(view.requests for view in report.platforms),
        "findings": len(report.findings),
        "rss_mb": peak_mb(),
    }


def peak_mb() -> float:
    """This program's own peak memory (getrusage would count the parent's from before exec)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def bare(base: str, requests: list[tuple[str, str, dict[str, str], bytes]]) -> dict[str, Any]:
    """Fetch the same pages with the same client, eight at a time for each platform, and parse the JSON."""
    wall, cpu = time.perf_counter(), time.process_time()
    limits = httpx2.Limits(max_connections=32, max_keepalive_connections=32)
    async with httpx2.AsyncClient(base_url=base, limits=limits, timeout=60) as client:
        queue = list(reversed(requests))

        async def worker() -> None:
            while queue:
                method, target, headers, body = queue.pop()
                answer = await client.request(method, target, headers=headers, content=body)
                json.loads(answer.content)

        await asyncio.gather(*(worker() for _ in range(32)))
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "requests": len(requests)}


async def recorded(world: World, clock: FixedClock, base: str, folder: Path) -> list[Recorder]:
    """Both rounds played once against the twins, each with its own record."""
    settings = settings_for(base, world, folder)
    records: list[Recorder] = []
    apps = {name: httpx2.ASGITransport(twin_class(name)(world).app()) for name in PLATFORMS}
    for at in (NOW, LATER):
        clock.at = at
        recorder = Recorder(apps)
        await one_round(settings, at, recorder)
        records.append(recorder)
    return records


SERVER = r"""
import asyncio, pickle, sys
sys.path.insert(0, sys.argv[3])
from round import key_of
answers = pickle.load(open(sys.argv[2], "rb"))
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            method, target, _ = first.split(" ")
            size = next((int(l.split(":")[1]) for l in lines if l.lower().startswith("content-length:")), 0)
            body = await reader.readexactly(size) if size else b""
            answer = answers.get(key_of(method, target, body))
            writer.write(answer or b"HTTP/1.1 404 Not\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), limit=2**20)
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@contextmanager
def serving(program: str, port: int, *given: object) -> Iterator[None]:
    """A plain server in another process: a program that says when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(port), *map(str, given)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.wait()


def answering(port: int, answers: dict[bytes, bytes], folder: Path) -> AbstractContextManager[None]:
    """A server that gives each request its kept answer."""
    file = folder / "answers.pickle"
    file.write_bytes(pickle.dumps(answers))
    return serving(SERVER, port, file, Path(__file__).parent)


def free_port() -> int:
    """A loopback port nobody uses."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measured(settings: Settings, at: datetime) -> dict[str, Any]:
    """One round in a process of its own, so that its memory is its own."""
    code = (
        "import asyncio, json, pickle, sys; sys.path.insert(0, sys.argv[1]); import round as bench\n"
        "import anyio._backends._asyncio, httpcore2, httpx2, dogwatch.relay\n"
        "settings, at = pickle.loads(sys.stdin.buffer.read())\n"
        "print(json.dumps(asyncio.run(bench.one_round(settings, at, None))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        input=pickle.dumps((settings, at)),
        stdout=subprocess.PIPE,
        check=True,
        env={key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def first_round(settings: Settings, folder: Path) -> dict[str, Any]:
    """A round into an empty store."""
    for file in folder.glob("bench.db*"):
        file.unlink()
    return measured(settings, NOW)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=100_000)
    args = parser.parse_args()
    clock = FixedClock()
    world = made_world(args.jobs, args.runs, clock)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("rendering the answers …", file=sys.stderr)
        (folder / "draft").mkdir()
        first, second = asyncio.run(recorded(world, clock, base, folder / "draft"))
        settings = settings_for(base, world, folder)
        with answering(port, first.kept, folder):
            floor = min(
                (asyncio.run(bare(base, first.order)) for _ in range(3)), key=lambda taken: taken["wall"]
            )
            full = min((first_round(settings, folder) for _ in range(3)), key=lambda taken: taken["cpu"])
        with answering(port, second.kept, folder):
            more = measured(settings, LATER)
    show(floor, full, more)


def show(floor: dict[str, Any], full: dict[str, Any], more: dict[str, Any]) -> None:
    """The figures, each beside its goal."""
    spent = f"{floor['wall']:.2f} s wall, {floor['cpu']:.2f} s CPU"
    print(f"bare fetch + json    {spent}, {floor['requests']} requests")
    print(f"first round          {full['wall']:.2f} s wall, {full['cpu']:.2f} s CPU, {full['runs']} runs")
    print(f"  ratio to bare      {full['wall'] / floor['wall']:.2f}x            (goal <= 4)")
    print(f"  CPU a run          {full['cpu'] / full['runs'] * 1e6:.1f} us        (goal <= 40)")
    print(f"  peak RSS           {full['rss_mb']:.0f} MB         (goal <= 250)")
    print(f"second round         {more['wall']:.2f} s wall, {more['requests']} requests, {more['runs']} runs")
    print(f"  requests           {more['requests'] / full['requests']:.1%}          (goal <= 5 %)")
    print(f"  time               {more['wall'] / full['wall']:.1%}          (goal <= 10 %)")


if __name__ == "__main__":
    main()
