"""A real Prometheus and a real Alertmanager around a real ``dogwatch watch``: its figures are scraped, the
alerts that ship with it fire, become incidents and end; what is silenced never gets here."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dogwatch.lab.serve import Lab
from support.calling import SECRET
from support.cli import clean
from support.estates import Stopped, shop, world
from support.node import missing
from support.ports import free_port
from support.serve import served

pytestmark = [pytest.mark.real, pytest.mark.slow]

DEPLOY = Path(__file__).parents[2] / "deploy"
PATIENCE = 60.0
SHORTER = (("[5m]", "[6s]"), ("[1h]", "[6s]"), ("for: 5m", "for: 0s"), ("for: 10m", "for: 0s"))
NAMES = {"HighErrorRate", "HighMemoryUsage", "KafkaConsumerLag", "PodRestartLoop"}


@dataclass
class Services:
    """What exporters would say; it counts on by itself."""

    sick: bool = False
    began: float = field(default_factory=time.monotonic)
    failed: float = 0.0
    restarts: float = 0.0
    looked: float = field(default_factory=time.monotonic)

    def text(self) -> str:
        """In Prometheus' format."""
        now = time.monotonic()
        passed, self.looked = now - self.looked, now
        if self.sick:
            self.failed += 50 * passed
            self.restarts += passed
        served_well = 100 * (now - self.began)
        return "\n".join(
            [
                f'http_requests_total{{job="backend",status="200"}} {served_well}',
                f'http_requests_total{{job="backend",status="503"}} {self.failed}',
                f'container_memory_working_set_bytes{{container="api",job="api"}} {95 if self.sick else 40}',
                'container_spec_memory_limit_bytes{container="api",job="api"} 100',
                'container_memory_working_set_bytes{container="free"} 95',
                'container_spec_memory_limit_bytes{container="free"} 0',
                f'kafka_consumergroup_lag{{consumergroup="etl",topic="orders"}} {5000 if self.sick else 3}',
                f'kube_pod_container_status_restarts_total{{pod="loader",job="loader"}} {self.restarts}',
                "",
            ]
        )


@contextmanager
def running(command: list[str], folder: Path, env: dict[str, str] | None = None) -> Iterator[None]:
    file = folder / f"{Path(command[0]).name}-{len(list(folder.iterdir()))}.log"
    with file.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env
        )
        try:
            yield
        finally:
            ended = process.poll()
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
            if ended is not None:
                pytest.fail(f"{command[0]} ended by itself with {ended}: {file.read_text()[-2000:]}")


def found(name: str, required: bool) -> str:
    path = shutil.which(name)
    if path is None:
        missing(
            f"{name} is not installed (Debian: apt-get install prometheus prometheus-alertmanager)", required
        )
    return path


def asked(url: str, body: Any = None) -> Any:
    """What is answered: JSON, or text."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        text = answer.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


def until(what: str, look: Callable[[], Any]) -> Any:
    """The first true answer of ``look``."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = look()
        except OSError as error:
            last = error
        else:
            if last:
                return last
        pause.wait(0.25)
    raise AssertionError(f"not within {PATIENCE:.0f} s: {what}; last: {last!r}"[:2000])


@dataclass
class Yard:
    """Everything that runs."""

    folder: Path
    services: Services
    dogwatch: str
    prometheus: str
    alertmanager: str

    def incidents(self, *more: str) -> list[dict[str, Any]]:
        """What dogwatch says of incidents."""
        command = [sys.executable, "-m", "dogwatch", "incidents", "--format", "json", *more]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=clean(self.folder),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        told: list[dict[str, Any]] = json.loads(done.stdout)["incidents"]
        return told

    def said(self, state: str | None = None) -> set[str]:
        """The alerts that incidents are of."""
        wanted = self.incidents("--all") if state else self.incidents()
        titles = " ".join(one["title"] for one in wanted if state in (None, one["state"]))
        return {name for name in NAMES if name in titles}


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    from conftest import REQUIRE_REAL

    folder = tmp_path_factory.mktemp("yard")
    programs = [found(name, REQUIRE_REAL) for name in ("prometheus", "prometheus-alertmanager")]
    services = Services()

    async def exported(request: Request) -> PlainTextResponse:
        return PlainTextResponse(services.text())

    lab = Lab(world(shop(folder), now=datetime.now(UTC)))
    assert isinstance(lab.world.clock, Stopped)
    ports = [free_port() for _ in range(3)]
    yard = Yard(folder, services, *(f"http://127.0.0.1:{port}" for port in ports))
    with ExitStack() as stack:
        exporter = stack.enter_context(served(Starlette(routes=[Route("/metrics", exported)])))
        config = lab.write_config(folder, stack.enter_context(lab.serve()), history_days=1)
        with config.open("a") as file:
            file.write(f"hooks:\n  alertmanager: {{}}\nwatch:\n  listen: 127.0.0.1:{ports[0]}\n")
            file.write("  gather: 500ms\n  apart: 1s\n".replace("500ms", "0.5s"))
        with (folder / ".env").open("a") as file:
            file.write(f"DOGWATCH_ALERTMANAGER_SECRET={SECRET}\n")
        prepare(folder, exporter, yard)
        watch = [sys.executable, "-m", "dogwatch", "watch"]
        stack.enter_context(running(watch, folder, clean(folder)))
        until("dogwatch ready", lambda: asked(f"{yard.dogwatch}/readyz"))
        alertmanager = [programs[1], "--config.file=alertmanager.yaml", "--storage.path=am"]
        alertmanager += ["--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{ports[2]}"]
        stack.enter_context(running(alertmanager, folder))
        until("Alertmanager ready", lambda: asked(f"{yard.alertmanager}/-/ready"))
        silence(yard)
        prometheus = [programs[0], "--config.file=prometheus.yaml", "--storage.tsdb.path=data"]
        stack.enter_context(running([*prometheus, f"--web.listen-address=127.0.0.1:{ports[1]}"], folder))
        until("Prometheus ready", lambda: asked(f"{yard.prometheus}/-/ready"))
        yield yard


def prepare(folder: Path, exporter: str, yard: Yard) -> None:
    """The files that ship with dogwatch, with addresses of here and in a hurry."""
    rules = (DEPLOY / "alerts.yaml").read_text(encoding="utf-8")
    for long, short in SHORTER:
        rules = rules.replace(long, short)
    (folder / "alerts.yaml").write_text(rules, encoding="utf-8")
    (folder / "secret").write_text(SECRET, encoding="utf-8")
    routes = (DEPLOY / "alertmanager.yaml").read_text(encoding="utf-8")
    for there, here in (
        ("http://dogwatch:8711", yard.dogwatch),
        ("/etc/alertmanager/dogwatch-secret", str(folder / "secret")),
        ("group_wait: 10s", "group_wait: 1s"),
        ("group_interval: 1m", "group_interval: 1s"),
    ):
        assert there in routes
        routes = routes.replace(there, here)
    (folder / "alertmanager.yaml").write_text(routes, encoding="utf-8")
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [url.removeprefix("http://")]}], **more}
        for name, url, more in (
            ("dogwatch", yard.dogwatch, {}),
            ("services", exporter, {"honor_labels": True}),
        )
    ]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yaml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [yard.alertmanager.removeprefix("http://")]}]}]
        },
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yaml").write_text(json.dumps(config), encoding="utf-8")


def silence(yard: Yard) -> None:
    """Nobody wants to hear of consumers that fall behind."""
    now = datetime.now(UTC)
    asked(
        f"{yard.alertmanager}/api/v2/silences",
        {
            "matchers": [
                {"name": "alertname", "value": "KafkaConsumerLag", "isRegex": False, "isEqual": True}
            ],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "sam",
            "comment": "known",
        },
    )


def fires(yard: Yard) -> set[str]:
    told = asked(f"{yard.prometheus}/api/v1/alerts")["data"]["alerts"]
    return {one["labels"]["alertname"] for one in told if one["state"] == "firing"}


def test_alerts_become_incidents_and_end_and_silences_are_respected(yard: Yard) -> None:
    until("Prometheus scrapes", lambda: len(values(yard, "http_requests_total")) == 2)
    assert yard.said() == set()
    yard.services.sick = True
    until("all four fire", lambda: fires(yard) >= NAMES)
    heard = NAMES - {"KafkaConsumerLag"}
    until("incidents", lambda: yard.said() == heard)
    assert {one["state"] for one in yard.incidents()} == {"open"}
    assert not any('container="free"' in json.dumps(one) for one in yard.incidents())
    yard.services.sick = False
    until("nothing fires", lambda: not fires(yard) & NAMES)
    until("incidents are over", lambda: not yard.said())
    assert yard.said("resolved") == heard


def values(yard: Yard, query: str) -> list[Any]:
    told: list[Any] = asked(f"{yard.prometheus}/api/v1/query?query={query}")["data"]["result"]
    return told


def test_its_figures_are_scraped_by_that_prometheus_and_well_formed(yard: Yard) -> None:
    until("scraped", lambda: values(yard, "dogwatch_rounds_total"))
    assert [one["value"][1] for one in values(yard, "up%7Bjob=%22dogwatch%22%7D")] == ["1"]
    assert {one["metric"]["connector"] for one in values(yard, "dogwatch_jobs")} >= {"airbyte", "databricks"}
    text = asked(f"{yard.dogwatch}/metrics")
    checked = subprocess.run(
        [found("promtool", True), "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_every_query_of_the_dashboard_is_of_figures_that_there_are(yard: Yard) -> None:
    board = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    for query in queries:
        asked_for = quote(query)
        assert asked(f"{yard.prometheus}/api/v1/query?query={asked_for}")["status"] == "success"


def test_what_ships_is_accepted_by_the_programs_that_read_it(require_real: bool) -> None:
    for command in (
        [found("promtool", require_real), "check", "rules", "alerts.yaml"],
        [found("promtool", require_real), "check", "config", "--syntax-only", "prometheus.yaml"],
        [found("amtool", require_real), "check-config", "alertmanager.yaml"],
    ):
        done = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
