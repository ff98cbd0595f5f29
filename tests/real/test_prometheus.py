"""A real Prometheus with a past that was written beforehand: what the connector reads of it."""

import asyncio
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dogwatch.connectors.prometheus import Prometheus, PrometheusSettings
from dogwatch.errors import UnexpectedAnswer
from dogwatch.model import Severity
from dogwatch.wire.clock import SystemClock
from dogwatch.wire.http import Doors
from support.node import missing
from support.ports import free_port

pytestmark = pytest.mark.real

_PATIENCE = 30.0
MINUTE = timedelta(minutes=1)
RULES = {
    "groups": [
        {
            "name": "services",
            "interval": "1s",
            "rules": [
                {"record": "service:request_errors:ratio_rate5m", "expr": "request_errors_share"},
                {"record": "service:request_latency_seconds:p95", "expr": "request_latency_p95"},
                {
                    "alert": "ErrorsHigh",
                    "expr": "request_errors_share > 0.05",
                    "labels": {"severity": "critical"},
                    "annotations": {"summary": "{{ $labels.service }} fails too often"},
                },
                {"alert": "NeverThere", "expr": "absent_metric > 1"},
            ],
        }
    ]
}


def past(now: datetime) -> str:
    """OpenMetrics: three hours of two services, one of which has been failing for half an hour."""
    lines: list[str] = []
    for name, usual, broken in (("request_errors_share", 0.002, 0.2), ("request_latency_p95", 0.3, 0.3)):
        lines += [f"# HELP {name} x", f"# TYPE {name} gauge"]
        for service in ("extractor", "classifier"):
            for back in range(180, -1, -1):
                bad = service == "extractor" and back < 30
                at = (now - MINUTE * back).timestamp()
                lines.append(f'{name}{{service="{service}"}} {broken if bad else usual} {at:.3f}')
    return "\n".join([*lines, "# EOF", ""])


def _found(name: str, required: bool) -> str:
    path = shutil.which(name)
    if path is None:
        missing(f"{name} is not installed (Debian: apt-get install prometheus)", required)
    return path


@contextmanager
def running(folder: Path, now: datetime, required: bool) -> Iterator[str]:
    """Prometheus with that past on a free port; yields its address."""
    server, tool = _found("prometheus", required), _found("promtool", required)
    (folder / "past.txt").write_text(past(now), encoding="utf-8")
    (folder / "rules.yml").write_text(json.dumps(RULES), encoding="utf-8")
    (folder / "prometheus.yml").write_text(
        json.dumps({"global": {"evaluation_interval": "1s"}, "rule_files": ["rules.yml"]}), encoding="utf-8"
    )
    made = [tool, "tsdb", "create-blocks-from", "openmetrics", "past.txt", "data"]
    subprocess.run(made, cwd=folder, check=True, capture_output=True, timeout=60)
    port = free_port()
    command = [
        server,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log: list[str] = []
    settled = threading.Event()
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:

        def follow() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                log.append(line)
                if "ready to receive web requests" in line:
                    settled.set()
            settled.set()

        reader = threading.Thread(target=follow, daemon=True)
        reader.start()
        try:
            if not settled.wait(_PATIENCE) or process.poll() is not None:
                pytest.fail("prometheus did not start: " + "".join(log[-10:]))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(_PATIENCE)
            reader.join(_PATIENCE)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, datetime]]:
    from conftest import REQUIRE_REAL

    now = datetime.now(UTC).replace(microsecond=0)
    with running(tmp_path_factory.mktemp("prometheus"), now, REQUIRE_REAL) as url:
        yield url, now


def does(url: str, work: Any, **more: Any) -> Any:
    """What a connector of that address does."""

    async def life() -> Any:
        settings = PrometheusSettings(url=url, **more)
        connector = Prometheus("prometheus", settings, Doors(SystemClock()))
        try:
            return await work(connector)
        finally:
            await connector.aclose()

    return asyncio.run(life())


def test_the_rules_say_what_there_is_to_watch(address: tuple[str, datetime]) -> None:
    line = does(address[0], lambda connector: connector.check())
    assert line.endswith("2 metrics by recording rules: error_rate, response_time")


def test_the_past_is_read_with_its_labels_and_times(address: tuple[str, datetime]) -> None:
    url, now = address
    asked = {"error_rate": "max by (service) (request_errors_share)"}
    told = does(url, lambda one: one.query(now - 60 * MINUTE, now, MINUTE), queries=asked)
    found = {one.subject: dict(one.samples) for one in told}
    assert found.keys() == {"component/extractor", "component/classifier"}
    assert all(len(samples) == 61 for samples in found.values())
    assert {value for at, value in found["component/extractor"].items() if at > now - 29 * MINUTE} == {0.2}
    assert {value for at, value in found["component/extractor"].items() if at <= now - 31 * MINUTE} == {0.002}


def test_what_fires_is_told(address: tuple[str, datetime]) -> None:
    url, now = address
    pause = threading.Event()
    for _ in range(100):
        told = does(url, lambda one: one.alerts(now))
        if told:
            break
        pause.wait(0.2)
    (alert,) = told
    assert (alert.name, alert.subject) == ("ErrorsHigh", "component/extractor")
    assert alert.severity is Severity.CRITICAL
    assert alert.summary == "extractor fails too often"


def test_a_query_that_it_cannot_parse_is_refused_in_its_words(address: tuple[str, datetime]) -> None:
    url, now = address
    with pytest.raises(UnexpectedAnswer, match="parse error"):
        does(url, lambda one: one.query(now - MINUTE, now, MINUTE), queries={"cpu": "rate("})
