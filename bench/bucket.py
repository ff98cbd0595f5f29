"""A bucket of logs read by rounds: how much a machine reads in a second, and what of it is mining.

Objects of Cloud Logging entries of 20 services, as a sink exports them, are served by a plain server in
another process, which gives the parts that are asked for. A first round meets a quarter of them and learns
what the services say; a second one reads the others: lists, fetches, takes the entries apart, mines their
templates, remembers, judges. A third one finds nothing new. The peer has all objects in memory and only mines
them. Each round is made by a process of its own that has its code loaded.

The second round is also made by workers as `dogwatch worker` starts them, who mine shares of the objects, on
a PostgreSQL server on this machine, and all stores are compared. Needs that server's programs (Debian:
postgresql).

    python bench/bucket.py [--mb 512] [--workers 1 2]

Exit code 1 if a store holds something else than the others.
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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from bench import round as one_round  # noqa: E402
from bench import scale  # noqa: E402

from dogwatch import connectors  # noqa: E402
from dogwatch.app import Dogwatch  # noqa: E402
from dogwatch.logs.events import Events  # noqa: E402
from dogwatch.logs.judge import Components  # noqa: E402
from dogwatch.logs.memory import Memory  # noqa: E402
from dogwatch.logs.read import Tally, blocks  # noqa: E402
from dogwatch.settings import ConnectorConfig, Settings  # noqa: E402
from dogwatch.store import schema  # noqa: E402
from dogwatch.store.ways import engine_of, reader_of  # noqa: E402
from support.logs_corpus import SYSTEMS, corpus  # noqa: E402
from support.postgres import Postgres, running  # noqa: E402

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)
LOG = "run.googleapis.com/stderr"
OBJECT_MB = 32
SERVICES = 20

SERVER = r"""
import asyncio, json, re, sys
from pathlib import Path
from urllib.parse import unquote
folder = Path(sys.argv[2])
async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path, _, query = head.split(" ", 2)[1].partition("?")
            name = unquote(path.partition("/o/")[2])
            status, extra = "200 OK", ""
            if name:
                body = (folder / name.replace("/", "|")).read_bytes()
                asked = re.search(r"range: bytes=(\d+)-(\d+)", head, re.I)
                if asked:
                    begin, end = int(asked[1]), min(int(asked[2]) + 1, len(body))
                    extra = f"content-range: bytes {begin}-{end - 1}/{len(body)}\r\n"
                    status, body = "206 Partial Content", memoryview(body)[begin:end]
            else:
                prefix = unquote(re.search(r"prefix=([^&]*)", query)[1])
                items = [{"name": name, "generation": "1", "size": str(file.stat().st_size)}
                         for file in folder.iterdir()
                         if (name := file.name.replace("|", "/")).startswith(prefix)]
                body = json.dumps({"items": items}).encode()
            writer.write(f"HTTP/1.1 {status}\r\n{extra}content-length: {len(body)}\r\n\r\n".encode())
            writer.write(body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def written(folder: Path, mb: int) -> tuple[int, int]:
    """Objects of about so many megabytes in all; bytes and entries."""
    rng = random.Random(5)
    said_by = [corpus(system, 2_000).messages for system in (sorted(SYSTEMS) * 2)[:SERVICES]]
    size = lines = 0
    for number in range(max(1, mb // OBJECT_MB)):
        hour = NOW - timedelta(hours=1 + number % 24)
        body = bytearray()
        while len(body) < OBJECT_MB << 20:
            at = hour + timedelta(seconds=3600 * len(body) / (OBJECT_MB << 20) * 0.999)
            service = rng.randrange(SERVICES)
            text = rng.choice(said_by[service])
            said = {
                "insertId": f"{rng.getrandbits(64):016x}",
                "textPayload": text,
                "labels": {"instanceId": f"{rng.getrandbits(128):032x}"},
                "logName": "projects/shop-prod/logs/run.googleapis.com%2Fstderr",
                "resource": {
                    "type": "cloud_run_revision",
                    "labels": {
                        "project_id": "shop-prod",
                        "location": "europe-west1",
                        "service_name": f"service-{service}",
                        "revision_name": "service-00042-abc",
                    },
                },
                "severity": "ERROR" if "rror" in text or "ail" in text else "INFO",
                "timestamp": at.isoformat().replace("+00:00", "Z"),
                "receiveTimestamp": (at + timedelta(seconds=1)).isoformat().replace("+00:00", "Z"),
            }
            body += json.dumps(said).encode() + b"\n"
            lines += 1
        name = f"{LOG}/{hour:%Y/%m/%d/%H}:00:00_{hour:%H}:59:59_S{number // 24}.json"
        (folder / name.replace("/", "|")).write_bytes(body)
        size += len(body)
    return size, lines


async def a_round(settings: Settings, at: datetime) -> dict[str, Any]:
    """One round at ``at``: seconds, processor seconds and memory."""
    wall, cpu = time.perf_counter(), time.process_time()
    clock = one_round.FixedClock(at)
    async with Dogwatch(settings, clock=clock, pace=one_round.LIFTED) as dog:
        report = await dog.check()
    if any(view.blind_since for view in report.platforms):
        raise SystemExit(f"blind: {report.platforms}")
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return {**spent, "rss_mb": one_round.peak_mb()}


def in_memory(folder: Path) -> dict[str, Any]:
    """The same objects only mined."""
    bodies = [file.read_bytes() for file in sorted(folder.iterdir())]
    before = one_round.peak_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    memory, tally = Memory(Components({}), {}, NOW.timestamp()), Tally()
    for body in bodies:
        events = Events(NOW.timestamp(), tally)
        for block in blocks(iter([body]), tally):
            memory.add(events.feed(block))
        memory.add(events.finish())
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return {**spent, "lines": memory.lines, "rss_mb": one_round.peak_mb() - before}


def apart(*given: object) -> dict[str, Any]:
    """What a process of its own makes of it."""
    done = subprocess.run(
        [sys.executable, __file__, "--inner"],
        input=pickle.dumps(given),
        stdout=subprocess.PIPE,
        check=True,
        env={key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def inner() -> None:
    """A measurement in a process of its own."""
    import httpx2  # noqa: F401

    import dogwatch.relay  # noqa: F401

    given = pickle.loads(sys.stdin.buffer.read())
    told = in_memory(*given) if len(given) == 1 else asyncio.run(a_round(*given))
    print(json.dumps(told))


def remembered(where: str) -> str:
    """A digest of what a store holds of a log."""
    engine = engine_of(where)
    whole = hashlib.sha256()
    try:
        with reader_of(engine).begin() as connection:
            for table in (schema.log_cursors, schema.log_books, schema.findings, schema.evidence):
                rows = sorted(repr(tuple(row)) for row in connection.execute(sa.select(table)))
                whole.update("\n".join([table.name, *rows]).encode("utf-8", "surrogatepass"))
    finally:
        engine.dispose()
    return whole.hexdigest()[:12]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mb", type=int, default=512)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inner:
        inner()
        return 0
    with tempfile.TemporaryDirectory() as name, running(required=True) as server:
        folder = Path(name)
        shown, hidden = folder / "shown", folder / "hidden"
        shown.mkdir()
        hidden.mkdir()
        size, lines = written(hidden, args.mb)
        files = sorted(hidden.iterdir())
        quarter = files[: max(1, len(files) // 4)]
        for file in quarter:
            file.rename(shown / file.name)
        learned = sum(file.stat().st_size for file in shown.iterdir())
        port = one_round.free_port()
        settings = settings_for(port, folder)
        stores = {0: settings.store, **{number: server.fresh() for number in args.workers}}
        legs = {number: settings.model_copy(update={"store": where}) for number, where in stores.items()}
        with one_round.serving(SERVER, port, shown):
            for leg in legs.values():
                apart(leg, NOW)
            for file in hidden.iterdir():
                file.rename(shown / file.name)
            second = apart(settings, LATER)
            teams = {number: team(legs[number], number, server) for number in args.workers}
            held = {remembered(where) for where in stores.values()}
            third = apart(settings, LATER + timedelta(minutes=15))
        mined = apart(shown)
    print(f"{size / 1e9:.2f} GB, {lines:,} entries of {size / lines:.0f} bytes")
    tell("a round", second, (size - learned) / 1e9)
    for number, told in teams.items():
        tell(f"by {number} worker{'s' * (number > 1)}", told, (size - learned) / 1e9)
    tell("only mined", mined, size / 1e9)
    print(f"nothing new     {third['wall']:7.2f} s, {third['cpu']:.2f} s of CPU")
    a_day = second["cpu"] / (size - learned) * 1e12 / 86_400
    print(f"1 TB a day      {a_day:7.1%} of one core")
    print(f"stores          {'all the same' if len(held) == 1 else 'DIFFERENT'}")
    return 0 if len(held) == 1 else 1


def team(settings: Settings, workers: int, server: Postgres) -> dict[str, Any]:
    """The second round by so many workers."""
    cost = scale.team(settings, LATER, workers, server)
    return {"wall": cost.wall, "cpu": cost.cpu, "server": cost.server, "rss_mb": cost.memory}


def settings_for(port: int, folder: Path) -> Settings:
    """One bucket, at a door that asks for no credentials."""
    given = connectors.load("gcs").Settings.model_validate(
        {"bucket": "shop-prod-logs", "logs": [LOG], "url": f"http://127.0.0.1:{port}"}
    )
    return Settings(
        timezone="UTC",
        store=str(folder / "bench.db"),
        watch=scale.WATCH,
        connectors={"gcs": ConnectorConfig(name="gcs", kind="gcs", settings=given)},
    )


def tell(called: str, told: dict[str, Any], gb: float) -> None:
    """One line of the table."""
    print(
        f"{called:16}{gb * 1000 / told['wall']:7.0f} MB/s, {told['cpu'] / gb:5.2f} s of CPU a GB,"
        f" {told['rss_mb']:.0f} MB"
        + (f", {told['server'] / gb:.2f} s of the server's" if "server" in told else "")
    )


if __name__ == "__main__":
    sys.exit(main())
