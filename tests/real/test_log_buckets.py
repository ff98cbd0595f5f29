"""Logs in buckets, as other people's code keeps them: the Cloud Storage emulator and moto's S3, filled over
HTTP and by boto3, read by our connectors; by one process, and by several workers on a real PostgreSQL."""

import asyncio
import gzip
import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx2
import pytest

from dogwatch.app import Dogwatch
from dogwatch.connectors import load
from dogwatch.engine.house import House
from dogwatch.engine.team import Worker
from dogwatch.errors import Unreachable
from dogwatch.logwatch import LogSight, read_logs
from dogwatch.settings import ConnectorConfig, Settings
from dogwatch.store import Store, StoreThread, open_store
from dogwatch.store.copying import backup
from dogwatch.wire.connector import AnyConnector
from dogwatch.wire.http import Doors, Pace
from support.cli import run
from support.clock import JumpingClock
from support.crash_memory import Memory, differences
from support.estates import Stopped
from support.ports import free_port
from support.postgres import Postgres
from support.team import told_by

pytestmark = pytest.mark.real
DAY = datetime(2026, 11, 20, tzinfo=UTC)
LOG = "run.googleapis.com/stderr"


@dataclass(frozen=True)
class Bucket:
    """A bucket of somebody else's making."""

    kind: str
    name: str
    url: str
    put: Callable[[str, bytes], None]

    @property
    def settings(self) -> dict[str, Any]:
        """What a user would have configured."""
        if self.kind == "gcs":
            return {"bucket": self.name, "url": self.url, "logs": [LOG]}
        keys = {"access_key_id": "AKIAMOTO", "secret_access_key": "moto-takes-any-key"}
        layout = "{log}/{yyyy}/{mm}/{dd}/"
        return {"bucket": self.name, "url": self.url, "logs": [LOG], "layout": layout, **keys}

    @property
    def address(self) -> str:
        """As the command line calls it."""
        return f"{'gs' if self.kind == 'gcs' else 's3'}://{self.name}/{LOG}/"

    @property
    def environ(self) -> dict[str, str]:
        """What opens it for the command line."""
        told = {f"DOGWATCH_{self.kind.upper()}_URL": self.url}
        if self.kind == "s3":
            told |= {"AWS_ACCESS_KEY_ID": "AKIAMOTO", "AWS_SECRET_ACCESS_KEY": "moto-takes-any-key"}
        return told


@contextmanager
def running(words: list[str], url: str) -> Iterator[None]:
    """A server, from the moment it answers."""
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            try:
                httpx2.get(url)
                break
            except httpx2.HTTPError:
                time.sleep(0.05)  # another program starts; there is nothing else to wait for
        yield
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module", params=["gcs", "s3"])
def served(request: pytest.FixtureRequest, require_real: bool) -> Iterator[tuple[str, str]]:
    """(which store, where it answers)."""
    names = {"gcs": "gcp-storage-emulator", "s3": "moto_server"}
    program = shutil.which(names[request.param], path=str(Path(sys.executable).parent))
    if program is None:
        assert not require_real, f"{names[request.param]} is missing: uv sync --group real"
        pytest.skip(f"{names[request.param]} is not installed: uv sync --group real")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    words = {
        "gcs": [program, "start", "--port", str(port), "--host", "127.0.0.1", "--in-memory"],
        "s3": [program, "-H", "127.0.0.1", "-p", str(port)],
    }
    with running(words[request.param], url):
        yield request.param, url


@pytest.fixture
def bucket(served: tuple[str, str]) -> Bucket:
    """An empty bucket."""
    kind, url = served
    name = f"logs-{uuid4().hex[:8]}"
    if kind == "s3":
        boto3 = import_module("boto3")
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="AKIAMOTO",
            aws_secret_access_key="moto-takes-any-key",
        )
        client.create_bucket(Bucket=name)
        return Bucket(kind, name, url, lambda key, body: client.put_object(Bucket=name, Key=key, Body=body))
    assert httpx2.post(f"{url}/storage/v1/b", json={"name": name}).status_code == 200

    def put(key: str, body: bytes) -> None:
        answer = httpx2.post(
            f"{url}/upload/storage/v1/b/{name}/o?uploadType=media&name={quote(key, safe='')}",
            content=body,
            headers={"Content-Type": "text/plain"},  # it would take JSON apart
        )
        assert answer.status_code == 200, answer.text

    return Bucket(kind, name, url, put)


def lines(hour: int, numbers: range) -> bytes:
    """Entries of an hour."""
    found: list[dict[str, Any]] = [
        {
            "insertId": f"{hour}-{number}",
            "logName": "projects/shop/logs/run.googleapis.com%2Fstderr",
            "resource": {"type": "cloud_run_revision", "labels": {"service_name": "extractor"}},
            "timestamp": (DAY + timedelta(hours=hour, seconds=number % 3600))
            .isoformat()
            .replace("+00:00", "Z"),
            "severity": "WARNING",
            "textPayload": f"retrying document {number}",
        }
        for number in numbers
    ]
    return b"".join(json.dumps(one).encode() + b"\n" for one in found)


def object_name(hour: int, shard: str = "S0") -> str:
    return f"{LOG}/{DAY:%Y/%m/%d}/{hour:02d}:00:00_{hour:02d}:59:59_{shard}.json"


class Cable(httpx2.AsyncHTTPTransport):
    """The network, pulled out after so many requests."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self.left = requests

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """As the network does, as long as it holds."""
        self.left -= 1
        if self.left < 0:
            raise httpx2.ReadError("pulled")
        return await super().handle_async_request(request)


def round_at(bucket: Bucket, store: Store, hour: float, requests: int = 10_000) -> LogSight:
    """What a round reads, with a network that holds for so many requests."""

    async def read() -> LogSight:
        clock = JumpingClock(DAY + timedelta(hours=hour))
        kind = load(bucket.kind)
        doors = Doors(clock, transport=Cable(requests))
        connector: AnyConnector = kind(bucket.kind, kind.Settings.model_validate(bucket.settings), doors)
        sight, thread = LogSight(bucket.kind), StoreThread()
        try:
            await read_logs(connector, store, thread, clock.now(), {}, sight)
        finally:
            await connector.aclose()
            await doors.transport.aclose() if doors.transport else None
            thread.close()
        return sight

    return asyncio.run(read())


def test_every_line_is_read_once_late_ones_included(bucket: Bucket, tmp_path: Path) -> None:
    store = open_store(tmp_path / "logs.db")
    bucket.put(object_name(2), lines(2, range(1_000)))
    assert round_at(bucket, store, 3.5).lines == 1_000
    assert round_at(bucket, store, 3.6).lines == 0
    bucket.put(object_name(3), lines(3, range(500)))
    bucket.put(object_name(2, "A0:1795140000"), lines(2, range(1_000, 1_007)))
    assert round_at(bucket, store, 4.5).lines == 507
    assert store.log_shelf(bucket.kind).lines == 1_507
    store.close()


def test_a_large_object_is_read_in_pieces(bucket: Bucket, tmp_path: Path) -> None:
    store = open_store(tmp_path / "logs.db")
    body = lines(2, range(40_000))
    assert len(body) > 9 << 20
    bucket.put(object_name(2), body)
    assert round_at(bucket, store, 3.5).lines == 40_000
    store.close()


def test_what_was_interrupted_goes_on_without_a_line_lost_or_counted_twice(
    bucket: Bucket, tmp_path: Path
) -> None:
    store = open_store(tmp_path / "logs.db")
    for hour in range(6):
        bucket.put(object_name(hour), gzip.compress(lines(hour, range(200))))
    counted = [0]
    for requests in (3, 5, 6, 7, 8, 8, 9, 9, 10_000):
        with suppress(Unreachable):
            round_at(bucket, store, 7, requests)
        counted.append(store.log_shelf(bucket.kind).lines)
    assert counted == sorted(counted)
    assert len(set(counted)) > 3
    assert counted[-1] == 1_200
    assert all(lines % 200 == 0 for lines in counted)
    store.close()


def test_the_command_line_mines_the_same_wherever_the_files_are(bucket: Bucket, tmp_path: Path) -> None:
    for hour in range(3):
        bucket.put(object_name(hour), lines(hour, range(300)))
        (tmp_path / f"{hour}.json").write_bytes(lines(hour, range(300)))
    words = ["logs", "mine", "--format", "json"]
    local = json.loads(run(*words, str(tmp_path)).stdout)
    told = run(*words, bucket.address, env=bucket.environ)
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout) == local
    assert local["lines"] == 900


class StandingClock(Stopped):
    """Sleeping takes real time, and the clock does not show it."""

    async def sleep(self, seconds: float) -> None:
        """Let others do something."""
        await asyncio.sleep(min(seconds, 0.05))


def by_workers(settings: Settings, clock: StandingClock, names: str) -> Counter[str]:
    """One round by so many workers; which of them mined how many shares."""
    done, over = Counter[str](), asyncio.Event()

    def say(name: str, event: str, /, **fields: object) -> None:
        assert event not in {"step failed", "store failed", "queue failed"}, fields
        done[name] += str(fields.get("step")).startswith("mine")
        if fields.get("step") == "follow":
            over.set()

    async def life() -> None:
        def opened(found: Settings) -> Dogwatch:
            return Dogwatch(found, clock=clock, pace=Pace(per_second=0), rng=random.Random(1))

        workers = [
            Worker(
                House(lambda: settings, opened, clock, partial(say, name), poll=0.05),
                name,
                2,
                beat=0.2,
                stale=5.0,
                share=len(lines(0, range(100))),
            )
            for name in names
        ]
        running = [asyncio.ensure_future(one.run(settings)) for one in workers]
        async with asyncio.timeout(60):
            await over.wait()
            for one in workers:
                one.stopping.set()
            await asyncio.gather(*running)

    asyncio.run(life())
    return done


@pytest.mark.slow
def test_what_several_workers_read_of_one_bucket_is_what_one_process_remembers(
    bucket: Bucket, tmp_path: Path, postgres: Postgres
) -> None:
    for hour in range(6):
        for shard in range(4):
            first = 1_000 * shard
            bucket.put(object_name(hour, f"S{shard}"), lines(hour, range(first, first + 90 + 10 * hour)))
    given = load(bucket.kind).Settings.model_validate(bucket.settings)
    known = {bucket.kind: ConnectorConfig(name=bucket.kind, kind=bucket.kind, settings=given)}
    clock = StandingClock(DAY + timedelta(hours=7))
    one = Settings(timezone="UTC", store=str(tmp_path / "one.db"), connectors=known)

    async def alone() -> None:
        async with Dogwatch(one, clock=clock, pace=Pace(per_second=0)) as app:
            await app.check()

    asyncio.run(alone())
    many = one.model_copy(update={"store": postgres.fresh()})
    done = by_workers(many, clock, "abc")
    assert done.total() > 10
    assert len(+done) > 1
    store = open_store(many.store)
    backup(store, tmp_path / "many.db")
    assert store.log_shelf(bucket.kind).lines == sum(4 * (90 + 10 * hour) for hour in range(6))
    store.close()
    wanted = without_skew(told_by(tmp_path / "one.db"))
    assert differences(without_skew(told_by(tmp_path / "many.db")), wanted) == []
    assert len(wanted["log_books"]) == 1


def without_skew(remembered: Memory) -> Memory:
    """The other side's clock is the machine's."""
    return {**remembered, "sources": [{**row, "skew_seconds": 0} for row in remembered["sources"]]}
