"""The audit trail copied into a real PostgreSQL, against a bare COPY of the same rows by the same driver.

A store of 100,000 run attempts is registered: read, made into rows and JSON, sent five thousand a statement,
each confirmed in the store before the next. The peer is psycopg's own COPY of those rows, at hand as Python
values, into a table with the same columns and key. Then everything is registered once more, which changes
nothing, and both sides are compared. Needs a PostgreSQL server's programs (Debian: postgresql).

    python bench/hub.py [--runs 100000] [--times 3] [--on postgres]

With ``--on snowflake`` the same is done through fakesnow behind the twin's SQL API, which says nothing of
Snowflake's speed, and there is no peer. A statement carries a thousand rows then: the time that fakesnow
takes for the rows of one document grows with their square.
"""

import argparse
import gc
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from dogwatch import registrar  # noqa: E402
from dogwatch.hub.rows import Row, run_row  # noqa: E402
from dogwatch.hub.tables import JOB_STATUS  # noqa: E402
from dogwatch.model import Run, Status  # noqa: E402
from support.hubs import Place, Watch, attempts, counts, fakesnow_places, postgres_places  # noqa: E402
from support.postgres import running  # noqa: E402

GOAL = 0.3


def told(number: int) -> list[Run]:
    """So many attempts, one in fifty failed."""
    bad = set(range(0, number, 50))
    good = [one for one in range(number) if one not in bad]
    return [*attempts(good), *attempts(sorted(bad), Status.failed)]


def timed(do: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def copied(url: str, rows: list[Row]) -> float:
    """Seconds of a bare COPY into an empty table like ours."""
    names = [column.name for column in JOB_STATUS.columns]
    documents = {column.name for column in JOB_STATUS.columns if column.kind == "json"}
    values = [
        [json.dumps(dict(row[name])) if name in documents else row[name] for name in names] for row in rows
    ]
    with psycopg.connect(url, autocommit=True) as connection:
        status = JOB_STATUS.name.lower()
        connection.execute("create schema if not exists bare")
        connection.execute("drop table if exists bare.status")
        like = f"create table bare.status (like {_schema(connection)}.{status} including all)"
        connection.execute(like.encode())
        began = time.perf_counter()
        with connection.cursor().copy(f"copy bare.status ({', '.join(names)}) from stdin".encode()) as copy:
            for row in values:
                copy.write_row(row)
        return time.perf_counter() - began


def _schema(connection: psycopg.Connection) -> str:
    found = connection.execute("select schemaname from pg_tables where tablename = 'job_status'").fetchone()
    assert found is not None
    return str(found[0])


def once(place: Place, runs: list[Run], peer: Callable[[], float]) -> tuple[float, float, float, float]:
    """Seconds to register, to copy barely, to register again, to compare."""
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(Path(folder), place)
        watch.set_up()
        watch.round(runs)
        gc.collect()
        gc.freeze()  # our own lists are nothing that a round would have at hand
        first = timed(watch.sync)
        bare = peer()
        again = timed(lambda: watch.again(afresh=True))
        began = time.perf_counter()
        found = watch.verify()
        verified = time.perf_counter() - began
        assert found.differing == found.waiting == 0, found
        assert counts(found)["JOB_STATUS"] == (len(runs),) * 3
        return first, bare, again, verified


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--on", choices=("postgres", "snowflake"), default="postgres")
    given = parser.parse_args()
    runs = told(given.runs)
    rows = [run_row(run) for run in runs]
    found: list[tuple[float, float, float, float]] = []
    with ExitStack() as stack:
        if given.on == "postgres":
            server = stack.enter_context(running(required=True))
            places = stack.enter_context(postgres_places(server))
            for _ in range(given.times):
                place = places()
                found.append(once(place, runs, lambda: copied(place.url, rows)))  # noqa: B023  # used at once
        else:
            registrar.AT_ONCE = 1_000
            logging.disable(logging.WARNING)  # fakesnow tells of every comment on a column that it has none
            snow = stack.enter_context(fakesnow_places(required=True))
            found.append(once(snow(), runs, lambda: 0.0))
    first, bare, again, verified = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"{given.runs:,} run attempts, {given.on}, medians of {len(found)}")
    print(f"registered            {first:6.2f} s   {given.runs / first:9,.0f} rows/s")
    if bare:
        ratio = statistics.median(one[1] / one[0] for one in found)
        print(f"bare COPY             {bare:6.2f} s   {given.runs / bare:9,.0f} rows/s")
        print(
            f"ratio                 {ratio:6.2f}     goal >= {GOAL}: {'met' if ratio >= GOAL else 'missed'}"
        )
    print(f"registered again      {again:6.2f} s   {given.runs / again:9,.0f} rows/s")
    print(f"compared, no difference {verified:4.2f} s   {given.runs / verified:9,.0f} rows/s")


if __name__ == "__main__":
    main()
