"""A team in processes of its own, which are killed and stopped, and one process that nobody disturbs."""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dogwatch.app import Dogwatch
from dogwatch.lab.scenario import load_scenario
from dogwatch.lab.serve import Lab
from dogwatch.model.call import Call
from dogwatch.settings import load
from dogwatch.store import open_store
from dogwatch.store.copying import backup
from dogwatch.wire.http import Pace
from support.cli import clean
from support.clock import JumpingClock
from support.crash_memory import Memory, Row, memory
from support.estates import Stopped
from support.ports import free_ports
from support.serve import served
from support.team_member import hold

MEMBER = Path(__file__).parent / "team_member.py"
SECRET = "a-secret-of-sixteen-characters"
PATIENCE = 120.0
EVERY = timedelta(minutes=20)
FIRST = datetime(2026, 3, 4, 9, 0, 2, tzinfo=UTC)
"""Two seconds after a time of the clock, as rounds begin up to a second late."""
DAWN = timedelta(seconds=20)
CALLED, GATHERED = timedelta(minutes=2), timedelta(minutes=2, seconds=10)
"""After a round: when others call, and when a round of what they named is due."""
ASKED = "databricks"
_PID = re.compile(r" pid (\d+) ")

ESTATE = """
id: own
timezone: Europe/Berlin
jobs:
  airbyte/orders: {name: Orders, schedule: "5 * * * *", duration: 6m, spread: 0.1, rows: 90000}
  airbyte/items: {name: Items, schedule: "12 * * * *", duration: 4m, spread: 0.1, rows: 1000}
  databricks/load: {name: Load, schedule: "20 * * * *", duration: 8m, spread: 0.1, rows: 500}
  databricks/marts: {name: Marts, schedule: "40 * * * *", duration: 5m, spread: 0.1, rows: 500}
  power_automate/mail: {name: Mail, schedule: "30 * * * *", duration: 1m, spread: 0.1, rows: 5}
  snowflake/sums: {name: SUMS, schedule: "50 * * * *", duration: 3m, spread: 0.1, rows: 50}
components:
  component/archive:
    platform: gcs
    rate: 1/m
    templates: ["archived {doc} under retention class {word}", "WARNING checksum of bundle {id} recomputed"]
"""
PLATFORMS = 7
"""That serve this estate: those that it names, and GitHub and Prometheus as in every one."""
SCENARIO = """
id: s
estate: own.yaml
seed: 5
now: {end}
history_days: 3
watch_hours: {hours}
faults:
{faults}
"""
FAULTS = """
  - {{on: databricks/load, kind: run_fails, at: {0}, until: {1}, error: connection timed out}}
  - {{on: databricks/marts, kind: run_fails, at: {2}, until: {3}, error: connection timed out}}
  - {{on: power_automate, kind: auth_revoked, at: {4}, until: {5}, status: 401}}
  - {{on: snowflake/sums, kind: run_missing, at: {6}, until: {7}}}
  - {{on: airbyte/orders, kind: run_fails, at: {8}, until: {9}, error: permission denied for table orders}}
"""
WHEN = (15, 30, 35, 50, 25, 45, 45, 55, 60, 70)
"""Minutes after 09:00, and after every fifth hour from then on."""
POLICY = "rules: [{then: allow, verbs: [repair], jobs: '*', why: it is harmless}]\n"
STAMP = "%Y-%m-%dT%H:%M:%SZ"
HIDDEN = frozenset({"calls", "watchers", "steps"})
"""Tables of the watch itself."""
MESSAGE = "message.sent"
TRIED = frozenset(
    ["attempts", "doubtful", "doubled", "holder", "held_until", "landed", "error", "next_at", "finished_at"]
)
"""Of a message: how often it was tried, by whom, and until when."""


def moments(rounds: int) -> list[tuple[datetime, bool]]:
    """When rounds are made, and whether they are of everything."""
    found: list[tuple[datetime, bool]] = []
    for number in range(rounds):
        at = FIRST + number * EVERY
        found.append((at, True))
        if number % 2:
            found.append((at + GATHERED, False))
    return found


@dataclass
class Place:
    """The estate, served, with a receiver of messages and a configuration."""

    folder: Path
    clock: Stopped
    lab: Lab
    config: Path
    arrived: Counter[str]
    """By idempotency key, how often a message came."""

    def asked(self) -> list[object]:
        """What was done on the platforms."""
        return list(self.lab.world.asked)


def some_ports() -> int:
    """The first of as many ports in a row as the estate has platforms."""
    return free_ports(PLATFORMS)


@contextmanager
def place(folder: Path, store: str, rounds: int, port: int) -> Iterator[Place]:
    """The estate; always the same, at the same addresses too, as they are part of what is remembered."""
    folder.mkdir()
    (folder / "own.yaml").write_text(ESTATE, encoding="utf-8")
    hours = 2 + rounds * EVERY // timedelta(hours=1)
    end = FIRST + timedelta(hours=hours)
    faults = ""
    for begin in range(0, hours, 5):
        shift = FIRST.replace(second=0) + timedelta(hours=begin)
        faults += FAULTS.format(*(f"{shift + timedelta(minutes=one):{STAMP}}" for one in WHEN))
    text = SCENARIO.format(end=f"{end:{STAMP}}", hours=hours, faults=faults)
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    clock = Stopped(FIRST)
    lab = Lab(load_scenario(folder / "s.yaml").world(clock))
    arrived = Counter[str]()

    async def take(request: Request) -> PlainTextResponse:
        arrived[request.headers["idempotency-key"]] += 1
        return PlainTextResponse("ok")

    with (
        lab.serve(port) as urls,
        served(Starlette(routes=[Route("/", take, methods=["POST"])])) as told,
    ):
        assert len(urls) == PLATFORMS, list(urls)
        config = lab.write_config(folder / "home", urls, history_days=2)
        lines = [line for line in config.read_text().splitlines() if not line.startswith("store:")]
        lines += [
            f"store: {store}",
            "watch: {cron: '*/20 * * * *', jitter: 1s, gather: 3s, apart: 5s}",
            f"channels:\n  webhook: {{url: {told}/}}",
            "budget: {alerts_per_hour: 1000, critical_per_hour: 1000}",
        ]
        config.write_text("\n".join(lines) + "\n")
        (config.parent / "policy.yaml").write_text(POLICY)
        with (config.parent / ".env").open("a") as file:
            file.write(f"DOGWATCH_WEBHOOK_SECRET={SECRET}\n")
        yield Place(folder, clock, lab, config, arrived)


def undisturbed(folder: Path, rounds: int, port: int) -> tuple[Memory, list[object], Counter[str]]:
    """What one process on a file of its own makes of it: what it remembers, did, and said."""
    with place(folder, "dogwatch.db", rounds, port) as here:
        settings = load(here.config, {}, here.config.parent)

        async def one(at: datetime, whole: bool) -> None:
            clock = JumpingClock(at)
            here.clock.at = at
            pace, rng = Pace(per_second=0.0), random.Random(1)
            async with Dogwatch(settings, clock=clock, pace=pace, rng=rng) as app:
                await app.check(only=None if whole else frozenset({ASKED}))

        for at, whole in moments(rounds):
            asyncio.run(one(at, whole))
        return told_by(here.config.parent / "dogwatch.db"), here.asked(), here.arrived


def told_by(store: Path) -> Memory:
    """What a store remembers but how often a message was tried, and what the watch remembers of itself."""
    found = {name: rows for name, rows in memory(store).items() if name not in HIDDEN}
    # A transaction that came to nothing takes a number along.
    mail = [{key: row[key] for key in row if key not in TRIED | {"id"}} for row in found["outbox"]]
    return {**found, "outbox": sorted(mail, key=repr), "events": _in_order(found["events"])}


def _in_order(events: Sequence[Row]) -> list[Row]:
    """What happened, numbered without the messages: one whose sender died is sent later than it was due."""
    rest = [row for row in events if row["kind"] != MESSAGE]
    rest.sort(key=lambda row: int(str(row["seq"])))
    sent = [row for row in events if row["kind"] == MESSAGE]
    told = [{"kind": MESSAGE, "subject": row["subject"], "detail": _untried(row["detail"])} for row in sent]
    return [*({**row, "seq": place} for place, row in enumerate(rest)), *sorted(told, key=repr)]


def _untried(detail: object) -> str:
    said = json.loads(str(detail))
    return json.dumps({key: said[key] for key in said if key not in TRIED})


@dataclass
class Member:
    """A process of the team."""

    kind: str
    name: str
    process: subprocess.Popen[bytes]


@dataclass
class Team:
    """Workers and watchers over one place, and the hand that stops them."""

    here: Place
    url: str
    workers: int
    watchers: int
    rng: random.Random
    share: int
    """Bytes of a log that one worker mines at a time."""
    members: list[Member] = field(default_factory=list[Member])
    killed: Counter[str] = field(default_factory=Counter[str])
    """By what was under way."""
    stopped: list[Member] = field(default_factory=list[Member])

    @property
    def log(self) -> Path:
        """What all of them said."""
        return self.here.folder / "log"

    def start(self, kind: str, name: str) -> None:
        home = self.here.config.parent
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    str(MEMBER),
                    kind,
                    name,
                    str(self.here.config),
                    str(self._clock),
                    str(self.share),
                ],
                cwd=home,
                env=clean(home) | {"PYTHONPATH": str(MEMBER.parents[1])},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.members.append(Member(kind, name, process))

    def __enter__(self) -> "Team":
        self._clock = self.here.folder / "clock"
        self._show(FIRST)
        open_store(self.url).close()
        for number in range(self.workers):
            self.start("worker", f"w{number}")
        self.until("workers", lambda: self._awake(FIRST))  # before that a watcher makes rounds itself
        for number in range(self.watchers):
            self.start("watch", f"h{number}")
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.members:
            one.process.send_signal(signal.SIGCONT)
            one.process.terminate()
        for one in self.members:
            try:
                one.process.wait(30)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait(30)

    def _show(self, at: datetime) -> None:
        self.here.clock.at = at
        hold(self._clock, at)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, options="-c search_path=dogwatch") as connection:
            return connection.execute(query.encode(), values).fetchall()

    def until(self, what: str, true: Callable[[], bool]) -> None:
        pause, deadline = threading.Event(), time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                said = self.log.read_text(encoding="utf-8", errors="replace")[-6000:]
                steps = self.rows(
                    "SELECT round, kind, about, state, tries, holder FROM steps WHERE state='waiting'"
                )
                raise AssertionError(f"waited for {what}\n{steps}\n{said}")
            pause.wait(0.05)

    # ── what happens ────────────────────────────────────────────────────────────────────────────────────

    def play(self, at: datetime, whole: bool, trouble: Callable[["Team"], None]) -> None:
        """One round at that moment, with trouble in its midst. Before it everybody gives a sign of life: to
        a watcher whose clock jumps ahead workers seem asleep, and it makes a round itself."""
        if whole and at != FIRST:
            self._show(at - DAWN)
            self.until("everybody to be awake", lambda: self._awake(at - DAWN))
        elif not whole:
            self._show(at - GATHERED + CALLED)
            self.until("everybody to be awake", lambda: self._awake(at - GATHERED + CALLED))
            self._call(at - GATHERED + CALLED)
        self._show(at)
        trouble(self)
        self.until(f"the round of {at}", lambda: self._over(at))

    def _awake(self, since: datetime) -> bool:
        names = {row[0] for row in self.rows("SELECT name FROM watchers WHERE seen_at >= %s", since)}
        return {one.name if one.kind == "watch" else f"worker {one.name}" for one in self.members} <= names

    def _call(self, at: datetime) -> None:
        """Somebody calls, as the listener writes it down; many at once are one round."""
        store = open_store(self.url)
        names = [f"{at.isoformat()} {number}" for number in range(5)]
        store.keep_calls([Call(key=name, hook="own", received_at=at, touches=(ASKED,)) for name in names])
        store.close()

    def _over(self, at: datetime) -> bool:
        ended = "SELECT count(*) FROM rounds WHERE started_at = %s AND ended_at IS NOT NULL"
        return self.rows(ended, at) == [(1,)] and not self._busy()

    def _busy(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT kind, about, holder FROM steps WHERE state = 'waiting' ORDER BY kind")

    def _at_work(self, wanted: str = "") -> tuple[Member, str] | None:
        """A member that is in the midst of a step now, and of which; of that kind, if one is wanted."""
        pids = {one.process.pid: one for one in self.members}
        found = [
            (pids[int(told[1])], kind)
            for kind, _, holder in self._busy()
            if (told := _PID.search(holder)) and int(told[1]) in pids and wanted in ("", kind)
        ]
        return self.rng.choice(found) if found else None

    def wait_for_work(self) -> tuple[Member, str] | None:
        """The same, as soon as there is one; None if everything is over before."""
        deadline = time.monotonic() + self.rng.uniform(0.0, 1.5)
        found = None
        while time.monotonic() < deadline or found is None:
            found = self._at_work() or found
            if found and time.monotonic() >= deadline:
                return self._at_work() or found
            if time.monotonic() > deadline + 5.0:
                break
            threading.Event().wait(0.01)
        return found

    def wait_for(self, kind: str) -> tuple[Member, str]:
        """A member in the midst of a step of that kind, as soon as there is one."""
        found: list[tuple[Member, str]] = []

        def seen() -> bool:
            found.extend(one for one in [self._at_work(kind)] if one)
            return bool(found)

        self.until(f"somebody to {kind}", seen)
        return found[0]

    def kill(self, member: Member, doing: str) -> None:
        """Kill it, and start another one of that name, as a supervisor does."""
        self.killed[doing] += 1
        member.process.kill()
        member.process.wait(30)
        self.members.remove(member)
        self.start(member.kind, member.name)

    def stop(self, member: Member, doing: str) -> None:
        """Stop it in the midst of a step until somebody else has taken that over, and let it go on."""
        pid = member.process.pid
        member.process.send_signal(signal.SIGSTOP)
        self.killed[f"{doing} (stopped)"] += 1
        self.until("a takeover", lambda: not any(f" pid {pid} " in row[2] for row in self._busy()))
        member.process.send_signal(signal.SIGCONT)

    def remembered(self) -> Memory:
        """What the team's store remembers."""
        file = self.here.folder / "team.db"
        store = open_store(self.url)
        backup(store, file)
        store.close()
        return told_by(file)

    def said(self, event: str) -> list[dict[str, object]]:
        """Lines of the log of that event."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{") and os.sep != line]
        return [line for line in told if line["event"] == event]
