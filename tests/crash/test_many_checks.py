"""Eight processes check one new store at once: one after the other they get their turn, and agree."""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from dogwatch.lab.serve import Lab
from support import cli
from support.crash_memory import Memory, Row, looking_into, memory
from support.estates import faults, shop, world
from support.serve import served

if TYPE_CHECKING:
    from support.postgres import Postgres

pytestmark = pytest.mark.slow

MANY = 8
TOKENS = {"airbyte", "databricks"}
"""Platforms whose twin sells every process a token of its own, by which one knows who asks."""
TELLING_RUNS = TOKENS | {"power_automate", "snowflake"}
LOGS = {"log_cursors", "log_books"}
"""Logs go on being written while the checks run, by the clock of the machine."""


@dataclass
class Visitors:
    """Who asked the platforms, and when."""

    seen: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Moments of the requests that a token was used for."""

    def at(self, app: ASGIApp) -> ASGIApp:
        """The application, with somebody at its door who takes notes."""

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            headers: Mapping[bytes, bytes] = dict(scope.get("headers", []))
            kind, _, token = headers.get(b"authorization", b"").decode().partition(" ")
            if kind == "Bearer":
                self.seen.setdefault(token, []).append(time.monotonic())
            await app(scope, receive, send)
            if kind == "Bearer":
                self.seen[token].append(time.monotonic())

        return noted

    def stays(self) -> list[tuple[float, float]]:
        """From the first question to the last answer of each token, in order."""
        return sorted((min(moments), max(moments)) for moments in self.seen.values())


@contextmanager
def estate(folder: Path, now: datetime) -> Iterator[dict[str, Visitors]]:
    """The shop as it is now, served, and the configuration that reads it in a folder."""
    told = shop(folder)
    hours_ago = (now - timedelta(hours=3)).isoformat()
    broken = f"- {{at: '{hours_ago}', on: airbyte/stock, kind: run_fails, error: no such table}}\n"
    lab = Lab(world(told, faults(broken, told, folder), now=now))
    visitors = {platform: Visitors() for platform in lab.twins}
    with ExitStack() as stack:
        urls = {
            platform: stack.enter_context(served(visitors[platform].at(twin.app())))
            for platform, twin in lab.twins.items()
        }
        lab.write_config(folder, urls, history_days=30)
        yield visitors


def start(folder: Path, store: str = "dogwatch.db") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "dogwatch", "check", "--format", "json"],
        cwd=folder,
        env={**cli.clean(folder), "DOGWATCH_STORE": store},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def reads_until_all_end(checks: list[subprocess.Popen[str]]) -> int:
    """``dogwatch runs``, again and again; returns how often it answered."""
    readings = 0
    while any(check.poll() is None for check in checks):
        told = cli.run("runs", "--format", "json")
        readings += 1
        assert told.exit_code == 0, told.output
        assert json.loads(told.stdout)["format"] == "dogwatch.runs/1"
    return readings


def apart(intervals: list[tuple[float, float]]) -> bool:
    """Whether none begins before the one before it has ended."""
    return all(before[1] <= after[0] for before, after in itertools.pairwise(intervals))


def timeless(remembered: Memory, now: datetime) -> Memory:
    """Without what the clock of the machine has to do with; that of the lab stands still at ``now``, so that
    nothing meets a slot that falls due while the rounds are made. An hour may turn meanwhile: levels are
    learned of other moments then."""
    clocked = dict.fromkeys(("skew_seconds", "read_until", "judged_until"))
    sources = [{**row, **clocked, **_at_no_time(row)} for row in remembered["sources"]]
    told = [{part: row[part] for part in ("kind", "destination", "key")} for row in remembered["outbox"]]
    rest = {name: rows for name, rows in remembered.items() if name not in {"looks", *LOGS}}
    due = [row for row in remembered["expectations"] if str(row["scheduled_for"]) <= now.isoformat()]
    levels = [{"key": key} for key in sorted({str(row["key"]) for row in remembered["levels"]})]
    return {**rest, "sources": sources, "outbox": told, "expectations": due, "levels": levels}


def _at_no_time(source: Row) -> Row:
    """What only tells up to when metrics, logs and changes were asked for."""
    return {} if source["platform"] in TELLING_RUNS else {"watermark": None}


def lines_of_logs(remembered: Memory) -> int:
    return sum(int(str(row["lines"])) for row in remembered["log_cursors"])


def test_eight_checks_of_one_new_store_make_eight_rounds_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    now = datetime.now(UTC)
    with estate(tmp_path, now) as visitors:
        checks = [start(tmp_path) for _ in range(MANY)]
        readings = reads_until_all_end(checks)
        answers = [check.communicate(timeout=60) for check in checks]
        assert [(check.returncode, said[1]) for check, said in zip(checks, answers, strict=True)] == (
            [(1, "")] * MANY
        )
        stays = {platform: visitors[platform].stays() for platform in TOKENS}
        alone = tmp_path / "alone.db"
        assert cli.run("check", env={"DOGWATCH_STORE": str(alone)}).exit_code == 1

    assert {platform: len(found) for platform, found in stays.items()} == dict.fromkeys(TOKENS, MANY)
    assert all(apart(found) for found in stays.values())
    with looking_into(tmp_path / "dogwatch.db") as connection:
        rounds = connection.execute("SELECT started_at, ended_at FROM rounds ORDER BY id").fetchall()
        assert connection.execute("SELECT count(*) FROM leases").fetchone()[0] == 0
    moments = [datetime.fromisoformat(moment).timestamp() for pair in rounds for moment in pair]
    assert len(moments) == 2 * MANY
    assert moments == sorted(moments)
    together, by_itself = memory(tmp_path / "dogwatch.db"), memory(alone)
    assert timeless(together, now) == timeless(by_itself, now)
    assert lines_of_logs(together) == pytest.approx(lines_of_logs(by_itself), rel=0.01)
    reports = [json.loads(said[0]) for said in answers]
    seen_first = [one["instance"] for report in reports for one in report["platforms"] if one["baseline"]]
    assert sorted(seen_first) == sorted(one["instance"] for one in reports[0]["platforms"])
    assert readings > 2 * MANY  # whoever reads does not wait for rounds to end


@pytest.mark.real
def test_two_checks_on_one_server_leave_what_one_leaves_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: "Postgres"
) -> None:
    monkeypatch.chdir(tmp_path)
    server = {"DOGWATCH_STORE": postgres.fresh()}
    now = datetime.now(UTC)
    with estate(tmp_path, now) as visitors:
        checks = [start(tmp_path, server["DOGWATCH_STORE"]) for _ in range(2)]
        said = [check.communicate(timeout=60)[1] for check in checks]
        assert [(check.returncode, words) for check, words in zip(checks, said, strict=True)] == [(1, "")] * 2
        stays = {platform: visitors[platform].stays() for platform in TOKENS}
        assert cli.run("check", env={"DOGWATCH_STORE": str(tmp_path / "alone.db")}).exit_code == 1
        assert cli.run("backup", "together.db", env=server).exit_code == 0
    assert all(apart(found) for found in stays.values())
    together, by_itself = memory(tmp_path / "together.db"), memory(tmp_path / "alone.db")
    assert timeless(together, now) == timeless(by_itself, now)
