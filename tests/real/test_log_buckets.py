"""Logs in buckets, as other people's code keeps them: the Cloud Storage emulator, read by our connector."""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from dogwatch.connectors import load
from dogwatch.logwatch import LogSight, read_logs
from dogwatch.store import Store, StoreThread, open_store
from dogwatch.wire.connector import AnyConnector
from dogwatch.wire.http import Doors
from support.clock import JumpingClock

pytestmark = pytest.mark.real
DAY = datetime(2026, 11, 20, tzinfo=UTC)
LOG = "run.googleapis.com/stderr"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def emulator(require_real: bool) -> Iterator[str]:
    program = shutil.which("gcp-storage-emulator", path=str(Path(sys.executable).parent))
    if program is None:
        assert not require_real, "gcp-storage-emulator is missing: uv sync --group real"
        pytest.skip("gcp-storage-emulator is not installed: uv sync --group real")
    port = free_port()
    server = subprocess.Popen(
        [
            program,
            "start",
            "--port",
            str(port),
            "--host",
            "127.0.0.1",
            "--in-memory",
            "--default-bucket",
            "logs",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                if httpx2.get(f"{url}/storage/v1/b/logs").status_code == 200:
                    break
            except httpx2.HTTPError:
                pass
            time.sleep(0.05)  # another program starts; there is nothing else to wait for
        yield url
    finally:
        server.terminate()
        server.wait(10)


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


def put(url: str, name: str, body: bytes) -> None:
    answer = httpx2.post(
        f"{url}/upload/storage/v1/b/logs/o?uploadType=media&name={quote(name, safe='')}",
        content=body,
        headers={"Content-Type": "text/plain"},  # it would take JSON apart
    )
    assert answer.status_code == 200, answer.text


def object_name(hour: int, shard: str = "S0") -> str:
    return f"{LOG}/{DAY:%Y/%m/%d}/{hour:02d}:00:00_{hour:02d}:59:59_{shard}.json"


def round_at(url: str, store: Store, hour: float) -> LogSight:
    """What a round reads."""

    async def read() -> LogSight:
        clock = JumpingClock(DAY + timedelta(hours=hour))
        gcs = load("gcs")
        connector: AnyConnector = gcs(
            "gcs", gcs.Settings.model_validate({"bucket": "logs", "url": url}), Doors(clock)
        )
        sight, thread = LogSight("gcs"), StoreThread()
        try:
            await read_logs(connector, store, thread, clock.now(), {}, sight)
        finally:
            await connector.aclose()
            thread.close()
        return sight

    return asyncio.run(read())


def test_every_line_is_read_once_late_ones_included(emulator: str, tmp_path: Path) -> None:
    store = open_store(tmp_path / "logs.db")
    put(emulator, object_name(2), lines(2, range(1_000)))
    assert round_at(emulator, store, 3.5).lines == 1_000
    assert round_at(emulator, store, 3.6).lines == 0
    put(emulator, object_name(3), lines(3, range(500)))
    put(emulator, object_name(2, "A0:1795140000"), lines(2, range(1_000, 1_007)))
    assert round_at(emulator, store, 4.5).lines == 507
    assert store.log_shelf("gcs").lines == 1_507
    store.close()


def test_a_large_object_is_read_in_pieces(emulator: str, tmp_path: Path) -> None:
    store = open_store(tmp_path / "logs.db")
    body = lines(2, range(60_000))
    assert len(body) > 10 << 20
    put(emulator, object_name(2), body)
    assert round_at(emulator, store, 3.5).lines == 60_000
    store.close()
