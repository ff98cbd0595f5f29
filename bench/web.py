"""How quickly pages answer and are painted when much is remembered, and how heavy they are.

    python bench/web.py [--jobs 5000] [--runs 1000000] [--incidents 10000] [--looks 40]
                        [--on sqlite|postgresql] [--folder F] [--postgres URL]

A store on SQLite, and then one on PostgreSQL, is filled with that many jobs on four platforms, their runs of
30 days, incidents, twelve of them live, and the log of two days. Then every page is asked for, over a socket
as a browser asks, once to warm up and so many times after it, with a round's news before every tenth, so that
what is kept from look to look is made anew as well. At last Chromium opens every page three times, each time
with nothing kept, and says how long it was from the first byte to the first paint. Exit code 1 if a page's
p95 exceeds 150 ms, its weight (the page, its style and its script) 250 KB, or its slowest paint 1 s.

With ``--folder`` and ``--postgres`` the filled stores are kept and used again; without the latter a server of
one's own is started and thrown away.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx2
import psycopg

from dogwatch.app import Dogwatch
from dogwatch.logs.events import Batch
from dogwatch.logs.judge import Components
from dogwatch.logs.memory import Memory
from dogwatch.model import (
    Affected,
    Cause,
    CauseClass,
    Confidence,
    Evidence,
    EvidenceKind,
    Harm,
    Incident,
    IncidentState,
    Job,
    JobState,
    Run,
    Schedule,
    ScheduleKind,
    Severity,
    Status,
    Turn,
    TurnKind,
    run_uid,
)
from dogwatch.model.report import PlatformView, Sight
from dogwatch.settings import load
from dogwatch.store import Store, open_store, schema
from dogwatch.store.incidents import Casebook
from dogwatch.store.logbooks import LogShelf
from dogwatch.store.rows import run_row

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support import postgres
from support.browser import chromium
from support.serve import served
from support.site import site_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLATFORMS = ("airbyte", "databricks", "power_automate", "snowflake")
MOST_MS, MOST_KB, MOST_PAINT_MS = 150.0, 250.0, 1000.0
OPENED = 3
COMPONENTS = 12
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LIVE = 12
NOW = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
CONFIG = "timezone: Europe/Berlin\nconnectors:\n  airbyte:\n    url: http://127.0.0.1:9\n"
PAINTED = """() => new Promise(done => {
  const told = () => {
    const seen = performance.getEntriesByName('first-contentful-paint')[0];
    if (!seen) return setTimeout(told, 10);
    done(seen.startTime - performance.getEntriesByType('navigation')[0].responseStart);
  };
  told();
})"""
"""Milliseconds from the first byte of the page to the first paint of content (PerformancePaintTiming)."""
ANCHORS = """
As their users report: Uptime Kuma 15 s at 882 monitors, Marquez 10 to 15 s for a lineage graph."""


class Clock:
    """The same morning all the time."""

    def now(self) -> datetime:
        """06:30 UTC."""
        return NOW

    async def sleep(self, seconds: float) -> None:
        """No time passes."""
        await asyncio.sleep(0)


def jobs_of(number: int) -> list[Job]:
    """Jobs on four platforms; one in three waits for the one before it."""
    return [
        Job(
            platform=PLATFORMS[at % 4],
            instance=PLATFORMS[at % 4],
            job_id=f"job-{at:05}",
            name=f"load_{('orders', 'payments', 'customers', 'events', 'stock')[at % 5]}_{at:05}",
            state=JobState.active,
            schedule=Schedule(kind=ScheduleKind.cron, expression=f"{at % 60} * * * *"),
            after=(f"job-{at - 4:05}",) if at % 3 == 0 and at > 4 else (),
            observed_at=NOW,
        )
        for at in range(number)
    ]


def runs_of(jobs: Sequence[Job], number: int) -> Iterator[list[Run]]:
    """Their runs of 30 days, spread evenly; one in fifty failed."""
    rng = random.Random(11)
    each, step = number // len(jobs), timedelta(days=30) / (number // len(jobs))
    batch: list[Run] = []
    for at, job in enumerate(jobs):
        for turn in range(each):
            began = NOW - step * turn - timedelta(minutes=at % 60 + 2)
            bad = rng.random() < 0.02
            native = f"{at}-{turn}"
            batch.append(
                Run.told(
                    uid=run_uid(job.platform, job.instance, job.job_id, native, 1),
                    platform=job.platform,
                    instance=job.instance,
                    job_id=job.job_id,
                    job_name=job.name,
                    native_run_id=native,
                    status=Status.failed if bad else Status.success,
                    native_status="failed" if bad else "succeeded",
                    started_at=began,
                    ended_at=began + timedelta(seconds=rng.uniform(60, 600)),
                    error_message=f"permission denied for table t_{turn}" if bad else None,
                    metrics={"rows": float(rng.randrange(1000, 5000))},
                    observed_at=NOW,
                )
            )
            if len(batch) >= 20_000:
                yield batch
                batch = []
    yield batch


def incident_of(number: int, total: int, jobs: Sequence[Job]) -> tuple[Incident, Turn, Evidence]:
    """One incident; the last few are live."""
    job, hit = jobs[number * 7 % len(jobs)], jobs[(number * 7 + 4) % len(jobs)]
    live = number > total - LIVE
    began = NOW - timedelta(minutes=5 * (total - number))
    proof = Evidence.of(
        EvidenceKind.run,
        source=f"{job.instance}: runs",
        subject=job.subject,
        content={"native_run_id": str(number), "error_message": "permission denied for table orders"},
        at=began,
    )
    cause = Cause(
        claim=f"{job.name} lost its right to read the table orders",
        cause_class=CauseClass.auth_permission,
        subject=job.subject,
        confidence=Confidence.likely,
        cites=(proof.id,),
    )
    one = Incident(
        number=number,
        key=f"key-{number}",
        state=IncidentState.open if live else IncidentState.resolved,
        severity=Severity.ERROR,
        title=f"{job.name} failed: permission denied for table orders",
        culprit=job.subject,
        culprit_name=job.name,
        findings=(f"{number:016x}",),
        causes=(cause,),
        affected=(
            Affected(subject=hit.subject, name=hit.name, harm=Harm.skipped, since=began, cites=(proof.id,)),
        ),
        opened_at=began,
        began_at=began,
        updated_at=began,
        resolved_at=None if live else began + timedelta(minutes=30),
        version=1,
    )
    turn = Turn(
        number=number, version=1, at=began, actor="rules", kind=TurnKind.opened, was=None, state=one.state,
        why="it failed",
    )  # fmt: skip
    return one, turn, proof


def fill(store: Store, address: str, jobs: int, runs: int, incidents: int) -> None:
    """Everything there is."""
    made = jobs_of(jobs)
    for instance in PLATFORMS:
        store.save_jobs(instance, [job for job in made if job.instance == instance], NOW - timedelta(days=30))
    if address:
        copy(address, made, runs)
    else:
        for batch in runs_of(made, runs):
            store.record(batch)
    numbers = range(1, incidents + 1)
    for start in range(0, incidents, 1_000):
        parts = [incident_of(number, incidents, made) for number in numbers[start : start + 1_000]]
        store.save_incidents(
            Casebook(
                [part[0] for part in parts], [part[1] for part in parts], {}, [part[2] for part in parts]
            )
        )
    say(store)
    news(store, made)
    if address:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")  # a server that lives does so by itself


def copy(address: str, jobs: Sequence[Job], runs: int) -> None:
    """The runs by COPY: what a round writes in a month, written at once."""
    columns = ", ".join(column.name for column in schema.runs.columns)
    said = f"COPY dogwatch.runs ({columns}) FROM STDIN".encode()
    with psycopg.connect(address) as connection, connection.cursor() as cursor, cursor.copy(said) as rows:
        for batch in runs_of(jobs, runs):
            for run in batch:
                rows.write_row(run_row(run, 0))


def say(store: Store) -> None:
    """A log of two days: a dozen components, sixty kinds of messages each, the last of each new."""
    rng, memory = random.Random(12), Memory(Components({}), {}, NOW.timestamp())
    for part in range(COMPONENTS):
        kinds = [" ".join("".join(rng.choices(LETTERS, k=7)) for _ in range(5)) for _ in range(60)]
        texts: list[str] = []
        times: list[float | None] = []
        for second in range(0, 48 * 3600, 20):
            kind = rng.randrange(59 if second < 46 * 3600 else 60)
            texts.append(f"{kinds[kind]} {rng.randrange(10**6)} took {rng.randrange(900)} ms")
            times.append(NOW.timestamp() - 48 * 3600 + second)
        levels = ["ERROR" if text.startswith(kinds[-1]) else "INFO" for text in texts]
        names = [f"service-{part}"] * len(texts)
        memory.add(Batch("\n".join(texts).encode(), len(texts), times, levels, names))
    store.save_log_shelf(PLATFORMS[0], LogShelf("x", NOW, memory.lines, memory.changed()))


def news(store: Store, jobs: Sequence[Job]) -> None:
    """A round ends."""
    views = [
        PlatformView(
            instance=name, platform=name, title=name, sight=Sight.clear, read_until=NOW, jobs=len(jobs) // 4
        ).model_dump(mode="json")
        for name in PLATFORMS
    ]
    number = store.start_round(NOW)
    store.end_round(
        number, NOW, ended_at=NOW, exit_code=1, body={"platforms": views}, findings=[], evidence=[]
    )


def measure(
    url: str, paths: Sequence[str], looks: int, store: Store, jobs: Sequence[Job], browser: "Browser"
) -> int:
    """Ask for every page, print what it took; the number of pages that miss a limit."""
    missed = 0
    with httpx2.Client(base_url=url, timeout=60) as client:
        page = client.get("/").text
        parts = [part.partition('"')[0] for part in page.split('"/static/')[1:]]
        dress = sum(len(client.get(f"/static/{part}").content) for part in parts)
        print(f"{'page':44}{'first':>9}{'p50':>9}{'p95':>9}{'weight':>10}{'paint':>9}")
        for path in paths:
            began = time.perf_counter()
            answer = client.get(path)
            first = 1000 * (time.perf_counter() - began)
            assert answer.status_code == 200, (path, answer.status_code)
            took: list[float] = []
            for look in range(looks):
                if look % 10 == 5:
                    news(store, jobs)
                began = time.perf_counter()
                size = len(client.get(path).content)
                took.append(1000 * (time.perf_counter() - began))
            took.sort()
            p50, p95, weight = took[looks // 2], took[int(looks * 0.95)], (size + dress) / 1000
            paint = max(painted(browser, url + path) for _ in range(OPENED))
            bad = p95 > MOST_MS or weight > MOST_KB or paint > MOST_PAINT_MS
            missed += bad
            said = f"{path[:42]:44}{first:6.0f} ms{p50:6.0f} ms{p95:6.0f} ms{weight:7.0f} KB{paint:6.0f} ms"
            print(said + ("   MISSED" if bad else ""), flush=True)
    return missed


def painted(browser: "Browser", url: str) -> float:
    """Milliseconds from the first byte to the first paint of content, with nothing kept by the browser."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = context.new_page()
        page.goto(url)
        return float(page.evaluate(PAINTED))
    finally:
        context.close()


def store_of(kind: str, given: argparse.Namespace, stack: ExitStack) -> tuple[str, Path]:
    """The address of a database (empty for SQLite), and the folder of the configuration."""
    folder = given.folder / kind if given.folder else Path(stack.enter_context(TemporaryDirectory()))
    folder.mkdir(parents=True, exist_ok=True)
    address = ""
    if kind == "postgresql":
        address = given.postgres or stack.enter_context(postgres.running(True)).fresh()
    said = CONFIG + (f"store: {address}\n" if address else "")
    (folder / "dogwatch.yaml").write_text(said, encoding="utf-8")
    return address, folder


def pages(given: argparse.Namespace, jobs: Sequence[Job]) -> Sequence[str]:
    """One of each, some more of those that grow."""
    live = f"/incidents/INC-{given.incidents}"
    return [
        "/", "/incidents", "/incidents?show=all", live, "/incidents/INC-5", f"{live}/postmortem", "/jobs",
        f"/jobs?after={jobs[-100].subject}", f"/jobs/{jobs[7].instance}/{jobs[7].job_id}", "/pipelines",
        "/logs", "/logs?q=took", "/actions", "/settings", "/search?q=payments", "/search?q=nothing-has-this",
        "/help",
    ]  # fmt: skip


def measured(kind: str, given: argparse.Namespace) -> int:
    """Fill, serve, measure; the number of pages that miss a limit."""
    from dogwatch.web.app import make_app

    with ExitStack() as stack:
        address, folder = store_of(kind, given, stack)
        ways: Mapping[str, str] = {}
        settings: Any = load(None, ways, folder)
        store = open_store(settings.store)
        stack.callback(store.close)
        began, fresh = time.perf_counter(), not store.count_runs()
        if fresh:
            fill(store, address, given.jobs, given.runs, given.incidents)
        filled = f", filled in {time.perf_counter() - began:.0f} s" if fresh else ""
        print(
            f"{kind}: {given.jobs:,} jobs, {store.count_runs():,} runs, {given.incidents:,} incidents{filled}"
        )
        jobs = jobs_of(given.jobs)
        app = Dogwatch(settings, clock=Clock())
        asyncio.run(app.__aenter__())
        if given.looks:
            with served(make_app(site_of(app))) as url, chromium(True) as browser:
                missed = measure(url, pages(given, jobs), given.looks, store, jobs, browser)
        else:
            missed = 0
        asyncio.run(app.__aexit__(None, None, None))
    return missed


def main() -> int:
    """Both kinds of stores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--incidents", type=int, default=10_000)
    parser.add_argument("--looks", type=int, default=40, help="0: fill only.")
    parser.add_argument("--on", choices=["sqlite", "postgresql"], help="Only on this.")
    parser.add_argument("--folder", type=Path, help="Where filled stores are kept and used again.")
    parser.add_argument("--postgres", metavar="URL", help="A database to fill, or one that is filled.")
    given = parser.parse_args()
    kinds = [given.on] if given.on else ["sqlite", "postgresql"]
    missed = sum(measured(kind, given) for kind in kinds)
    print(ANCHORS)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
