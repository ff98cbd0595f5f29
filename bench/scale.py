"""Rounds over few and over many jobs, by one process and by workers: what a job costs, and what workers add.

Answers are rendered once by the lab's twins and served by a plain server in another process (see round.py);
every job has run five times, at its own minute twice a day. Two rounds are made of each estate, each with a
store of its own: the first into an empty store, the second after 72 minutes more. They are made by one
process on a SQLite file, by one process on PostgreSQL, and by 1, 2 and 4 workers as `dogwatch worker` starts
them, four steps at a time each. Told are the time that a round takes, the processor time of all dogwatch
processes and of the server, both for each job, and whether all stores hold the same in the end, observation
times apart; and of a team's round the time after the last platform was read, when one worker works alone.

Everything shares one machine: the platforms, PostgreSQL and the workers. Needs a PostgreSQL server's programs
(Debian: postgresql).

    python bench/scale.py [--jobs 2000 20000] [--workers 1 2 4]

Exit code 1 if a job costs over 20 % more in the largest estate than in the smallest, or results differ.
"""

import argparse
import asyncio
import hashlib
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from bench import round as one_round  # noqa: E402

from dogwatch.app import Dogwatch  # noqa: E402
from dogwatch.engine.house import House  # noqa: E402
from dogwatch.engine.team import Worker  # noqa: E402
from dogwatch.model.call import Call  # noqa: E402
from dogwatch.settings import Settings  # noqa: E402
from dogwatch.settings.watch import WatchSettings  # noqa: E402
from dogwatch.store import open_store, schema  # noqa: E402
from dogwatch.store.ways import engine_of, reader_of  # noqa: E402
from support.postgres import Postgres, running  # noqa: E402

RUNS_EACH = 5
FLAT = 1.2
AT_A_TIME = 4
PATIENCE = 300.0
TIMES = (one_round.NOW, one_round.LATER)
WATCH = WatchSettings(catch_up="skip")
"""Nothing is due by the clock, which stands still: a call starts each round."""
TABLES = {
    schema.runs: {"observed_at", "changed_in"},
    schema.job_versions: {"body"},
    schema.expectations: set[str](),
    schema.looks: set[str](),
    schema.findings: set[str](),
    schema.evidence: set[str](),
    schema.incidents: set[str](),
    schema.incident_findings: set[str](),
}
"""What has to be the same whoever made the rounds, and which columns do not count (the digest of a job's
body does)."""


@dataclass(frozen=True)
class Cost:
    """What one round took."""

    wall: float
    """Seconds from its beginning to the end of its last step."""
    cpu: float
    """Seconds of processor time of all dogwatch processes."""
    server: float = 0.0
    """The same of the PostgreSQL server."""
    memory: float = 0.0
    """Peak MB of the largest dogwatch process."""
    alone: float = 0.0
    """Of a team's round the seconds after the last platform was read: what one worker does alone."""

    @property
    def work(self) -> float:
        """All processor time."""
        return self.cpu + self.server


class StillClock(one_round.FixedClock):
    """Tells always the same time, but who sleeps sleeps."""

    async def sleep(self, seconds: float) -> None:
        """Really."""
        await asyncio.sleep(seconds)


# ── a worker's process ──────────────────────────────────────────────────────────────────────────────────────


def say(what: str, /, **told: object) -> None:
    """One line for the parent."""
    spent = {"cpu": time.process_time(), "memory": one_round.peak_mb()}
    line = {"at": time.monotonic(), "what": what, **spent, **told}
    print(json.dumps(line, default=str), flush=True)


async def work(settings: Settings, at: datetime, name: str) -> None:
    """One worker, until it is told to stop."""
    clock = StillClock(at)
    house = House(
        lambda: settings,
        lambda given: Dogwatch(given, clock=clock, pace=one_round.LIFTED),
        clock,
        say,
    )
    worker = Worker(house, name, AT_A_TIME)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stopping.set)
    await worker.run(settings)


# ── the legs ────────────────────────────────────────────────────────────────────────────────────────────────


def alone(settings: Settings, at: datetime, server: Postgres | None) -> Cost:
    """A round by one process."""
    before = server_seconds(server)
    told = one_round.measured(settings, at)
    return Cost(told["wall"], told["cpu"], server_seconds(server) - before, told["rss_mb"])


@dataclass
class Child:
    """A worker and what it says."""

    process: subprocess.Popen[str]
    lines: "queue.Queue[dict[str, Any]]"
    last: dict[str, Any]
    begun: dict[str, Any]

    def listen(self, heard: "queue.Queue[dict[str, Any]]") -> None:
        """Hand on each line until there are no more."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.last = json.loads(line)
            if self.last["what"] == "worker begins":
                self.begun = self.last
            heard.put(self.last)


def team(settings: Settings, at: datetime, workers: int, server: Postgres) -> Cost:
    """A round by so many workers."""
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    children = [started(settings, at, f"worker-{number}", heard) for number in range(workers)]
    try:
        for _ in children:
            until(heard, lambda line: line["what"] == "worker begins")
        time.sleep(1.5)  # until they listen
        before = server_seconds(server)
        store = open_store(settings.store)
        call = Call(key=f"bench {at}", hook="bench", received_at=at - timedelta(minutes=1), everything=True)
        store.keep_calls([call])
        store.close()
        began = until(heard, lambda line: line["what"] == "round begins")
        read = [until(heard, lambda line: done(line, "read ")) for _ in settings.connectors]
        ended = until(heard, lambda line: done(line, "follow"))
        spent = server_seconds(server) - before
    finally:
        for child in children:
            child.process.send_signal(signal.SIGTERM)
        for child in children:
            child.process.wait(60)
    cpu = sum(child.last["cpu"] - child.begun["cpu"] for child in children)
    alone = ended["at"] - max(line["at"] for line in read)
    memory = max(child.last["memory"] for child in children)
    return Cost(ended["at"] - began["at"], cpu, spent, memory, alone)


def started(settings: Settings, at: datetime, name: str, heard: "queue.Queue[dict[str, Any]]") -> Child:
    """A worker's process, listened to."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--work"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
    )
    assert process.stdin is not None
    process.stdin.write(pickle.dumps((settings, at, name)).hex())
    process.stdin.close()
    child = Child(process, heard, {"cpu": 0.0}, {"cpu": 0.0})
    threading.Thread(target=child.listen, args=(heard,), daemon=True).start()
    return child


def until(heard: "queue.Queue[dict[str, Any]]", wanted: Any) -> dict[str, Any]:
    """The first line of any worker that is wanted; what failed is told."""
    deadline = time.monotonic() + PATIENCE
    while True:
        line = heard.get(timeout=max(0.1, deadline - time.monotonic()))
        if line["what"] in {"step failed", "store failed", "queue failed"}:
            print(line, file=sys.stderr)
        if wanted(line):
            return line


def done(line: dict[str, Any], step: str) -> bool:
    """Whether it tells that such a step was done."""
    return line["what"] == "step" and line["outcome"] == "done" and str(line["step"]).startswith(step)


def server_seconds(server: Postgres | None) -> float:
    """Processor time of the server so far, of all its processes that live or lived."""
    if server is None:
        return 0.0
    main = int((server.data / "postmaster.pid").read_text().split()[0])
    ticks = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(entry.name) == main:
                ticks += sum(map(int, fields[11:15]))
            elif int(fields[1]) == main:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


# ── the estates ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Estate:
    """So many jobs, and what their platforms answer."""

    jobs: int
    settings: Settings
    answers: Sequence[one_round.Recorder]
    port: int
    folder: Path


@contextmanager
def estate(jobs: int) -> Iterator[Estate]:
    """An estate with all its answers rendered."""
    clock = one_round.FixedClock()
    world = one_round.made_world(jobs, jobs * RUNS_EACH, clock)
    port = one_round.free_port()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "draft").mkdir()
        print(f"rendering the answers of {jobs:,} jobs …", file=sys.stderr)
        answers = asyncio.run(one_round.recorded(world, clock, base, folder / "draft"))
        settings = one_round.settings_for(base, world, folder).model_copy(update={"watch": WATCH})
        yield Estate(jobs, settings, answers, port, folder)


def measured(given: Estate, server: Postgres, workers: Sequence[int]) -> dict[str, tuple[list[Cost], str]]:
    """By who made them, the costs of both rounds and what the store holds then."""
    legs: dict[str, tuple[int, str]] = {
        "one process, SQLite": (0, str(given.folder / "bench.db")),
        "one process, PostgreSQL": (0, server.fresh()),
        **{f"{number} worker{'s' if number > 1 else ''}": (number, server.fresh()) for number in workers},
    }
    costs: dict[str, list[Cost]] = {name: [] for name in legs}
    for at, answers in zip(TIMES, given.answers, strict=True):
        with one_round.answering(given.port, answers.kept, given.folder):
            for name, (number, where) in legs.items():
                settings = given.settings.model_copy(update={"store": where})
                behind = None if name.endswith("SQLite") else server
                cost = team(settings, at, number, server) if number else alone(settings, at, behind)
                costs[name].append(cost)
                print(f"  {name}: {cost.wall:.2f} s", file=sys.stderr)
    return {name: (costs[name], contents(where)) for name, (_, where) in legs.items()}


def contents(where: str) -> str:
    """A digest of what a store holds of an estate."""
    engine = engine_of(where)
    whole = hashlib.sha256()
    try:
        with reader_of(engine).begin() as connection:
            for table, but in TABLES.items():
                columns = [column for column in table.columns if column.name not in but]
                rows = sorted(repr(tuple(row)) for row in connection.execute(sa.select(*columns)))
                whole.update("\n".join([table.name, *rows]).encode("utf-8", "surrogatepass"))
    finally:
        engine.dispose()
    return whole.hexdigest()[:12]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        asyncio.run(work(*pickle.loads(bytes.fromhex(sys.stdin.read()))))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server and the workers go as well
    found: dict[int, dict[str, tuple[list[Cost], str]]] = {}
    with running(required=True) as server:
        for jobs in args.jobs:
            with estate(jobs) as given:
                found[jobs] = measured(given, server, args.workers)
            show(jobs, found[jobs])
    return verdict(found)


def show(jobs: int, legs: dict[str, tuple[list[Cost], str]]) -> None:
    """The figures of one estate."""
    base = next((costs for name, (costs, _) in legs.items() if name == "1 worker"), None)
    print(f"\n{jobs:,} jobs, {jobs * RUNS_EACH:,} runs")
    for place, called in enumerate(("first round", "second round")):
        heads = f"{'wall':>9}{'a job':>10}{'CPU a job':>12}{'server':>10}{'memory':>9}"
        print(f"  {called:26}{heads}{'÷ 1 worker':>12}{'by one':>9}")
        for name, (costs, _) in legs.items():
            one = costs[place]
            faster = "" if base is None else f"{base[place].wall / one.wall:.2f}x"
            by_one = f"{one.alone:.2f} s" if one.alone else ""
            print(
                f"  {name:26}{one.wall:>7.2f} s{one.wall / jobs * 1e6:>7.0f} us"
                f"{one.cpu / jobs * 1e6:>9.0f} us{one.server / jobs * 1e6:>7.0f} us{one.memory:>6.0f} MB"
                f"{faster:>12}{by_one:>9}"
            )
    same = len({digest for _, digest in legs.values()}) == 1
    print(f"  stores in the end: {'all the same' if same else 'DIFFERENT'}")


def verdict(found: dict[int, dict[str, tuple[list[Cost], str]]]) -> int:
    """Whether a job costs the same in all estates, and everybody found the same."""
    few, many = min(found), max(found)
    good = all(len({digest for _, digest in legs.values()}) == 1 for legs in found.values())
    if few != many:
        print(f"\ncost of a job, {many:,} ÷ {few:,} jobs (goal <= {FLAT}): CPU with the server, and wall")
        for name in found[many]:
            told = []
            for place in range(len(TIMES)):
                small, large = found[few][name][0][place], found[many][name][0][place]
                work = large.work / many / (small.work / few)
                told.append(f"{work:.2f}, {large.wall / many / (small.wall / few):.2f}")
                good = good and work <= FLAT
            print(f"  {name:26} first {told[0]:14} second {told[1]}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
