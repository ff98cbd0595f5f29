"""A store on a real PostgreSQL: the same nights as on a file, and what happens when things break."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dogwatch.app import Dogwatch
from dogwatch.errors import StoreError
from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.run import Night, watch
from dogwatch.lab.scenario import SCENARIOS, load_scenario
from dogwatch.model import Job
from dogwatch.settings import load
from dogwatch.store import lease, open_store, schema
from dogwatch.store.feeds import FeedName, RunsAt
from dogwatch.store.migrate import build, upgrade
from dogwatch.store.rows import RunFilter
from dogwatch.store.ways import engine_of, make_room, writer_of
from support import cli
from support.cast import NOON, a_run

if TYPE_CHECKING:
    from support.postgres import Postgres

pytestmark = pytest.mark.real

DEMO = SCENARIOS / "demo.yaml"
HELD = """
import sys, time
from datetime import datetime, timedelta
from dogwatch.store import open_store, server
server._IDLE_MS = 300
store = open_store(sys.argv[1])
store.claim_round("the dead", datetime.fromisoformat(sys.argv[2]))
with store.writing() as connection:
    connection.exec_driver_sql("DELETE FROM leases")
    print("held", flush=True)
    time.sleep(60)
"""


def night(store: str | None) -> Night:
    """Two rounds of the demo's story, on a file or on a server."""
    story = load_scenario(DEMO)

    def opened(
        folder: Path, clock: SimulatedClock, transport: httpx2.AsyncBaseTransport, rng: random.Random
    ) -> Dogwatch:
        environ = {} if store is None else {"DOGWATCH_STORE": store}
        settings = load(folder / "dogwatch.yaml", environ, folder)
        return Dogwatch(settings, clock=clock, transport=transport, rng=rng, holder="me")

    return watch(replace(story, check_every=story.watch), opened, timer=lambda: 0.0)


def test_a_night_is_the_same_on_a_file_and_on_a_server(postgres: "Postgres") -> None:
    on_file, on_server = night(None), night(postgres.fresh())
    assert on_server.reports == on_file.reports
    assert on_server.actions == on_file.actions
    assert len(on_server.reports[-1].incidents) > 0


def columns(connection: sa.Connection) -> list[tuple[object, ...]]:
    found = connection.exec_driver_sql(
        "SELECT table_name, column_name, data_type, is_nullable, collation_name"
        " FROM information_schema.columns WHERE table_schema = 'dogwatch' UNION ALL"
        " SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'dogwatch'"
        " ORDER BY 1, 2"
    )
    return [tuple(row) for row in found]


def test_the_migrations_build_the_declared_tables_on_a_server_too(postgres: "Postgres") -> None:
    ways: list[Callable[[sa.Connection], None]] = [build, upgrade]
    shapes = []
    for way in ways:
        engine = engine_of(postgres.fresh())
        with writer_of(engine).begin() as connection:
            make_room(connection)
            way(connection)
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
            shapes.append(columns(connection))
        engine.dispose()
    assert shapes[0] == shapes[1]


def test_all_questions_are_understood(postgres: "Postgres") -> None:
    """Those that the suite of the store does not ask of both kinds."""
    with closing(open_store(postgres.fresh())) as store:
        hub = FeedName("hub", "there")
        store.record([a_run(1)])
        store.extend_feeds([hub], NOON, afresh=True)
        assert store.feed_state(hub).pending is not None
        assert [run.native_run_id for _, run in store.runs_behind(RunsAt(), 1, 9)] == [a_run(1).native_run_id]
        assert store.count_behind(RunsAt()) == 1
        assert store.figures(NOON - timedelta(days=1), NOON).runs == {("airbyte", "success"): 1}
        assert store.newest_attempts(("airbyte", "orders"), 9) == [a_run(1).uid]
        assert store.job_page("airbyte", "o", "", 9) == []
        assert store.incidents_saying("disk", 9) == []
        assert store.rounds_behind(0, 9, 9) == []
        assert store.waiting_calls() == []
        assert store.tokens() == []


# ── what breaks ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("was", "becomes", "advised"),
    [
        ("/test", "/nothing_like_it", "make the database"),
        ("postgres@", "nobody@", "make the database or the user"),
        (":PORT/", ":1/", "Is the server up"),
    ],
)
def test_what_cannot_be_reached_is_told_with_what_to_do(
    postgres: "Postgres", was: str, becomes: str, advised: str
) -> None:
    address = postgres.url("test").replace(was.replace("PORT", str(postgres.port)), becomes)
    with pytest.raises(StoreError, match="the store failed: connection failed") as caught:
        open_store(address)
    assert advised in caught.value.hint


def test_after_a_restart_and_a_cut_the_next_transaction_goes_on(postgres: "Postgres") -> None:
    with closing(open_store(postgres.fresh())) as store:
        store.record([a_run(1)])
        postgres.restart()
        store.record([a_run(2)])
        ours = "application_name LIKE 'dogwatch pid %'"
        cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"

        def cut_off() -> None:
            with store.writing() as connection, psycopg.connect(postgres.url(), autocommit=True) as other:
                connection.exec_driver_sql("DELETE FROM runs")
                other.execute(cut)
                connection.exec_driver_sql("SELECT 1")

        with pytest.raises(StoreError, match="terminating") as caught:
            cut_off()
        assert "nothing that was recorded is lost" in caught.value.hint
        assert store.count_runs() == 2


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP])
def test_who_dies_or_freezes_while_writing_changes_nothing_and_holds_nobody_up(
    postgres: "Postgres", fate: signal.Signals
) -> None:
    address = postgres.fresh()
    with closing(open_store(address)) as store:
        command = [sys.executable, "-c", HELD, address, NOON.isoformat()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "held\n"
            child.send_signal(fate)
            store.record([a_run(1)])
            child.kill()
        assert store.claim_round("me", NOON) == "the dead"
        assert store.claim_round("me", NOON + lease.TTL) is None
        assert store.runs(RunFilter()) == [a_run(1)]


def test_many_jobs_are_asked_about_together(postgres: "Postgres", tmp_path: Path) -> None:
    keys = [("airbyte", f"job-{number}") for number in range(700)]
    runs = [a_run(number, job_id=key[1]) for number, key in enumerate(keys)]
    jobs = [
        Job(platform="airbyte", instance="airbyte", job_id=key, name=key, observed_at=NOON) for _, key in keys
    ]
    found, asked = list[object](), list[str]()
    for where in (tmp_path / "dogwatch.db", postgres.fresh()):
        with closing(open_store(where)) as store:
            store.record(runs)
            store.save_jobs("airbyte", jobs, NOON)
            asked.clear()
            sa.event.listen(store._engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
            found.append((store.glimpses(keys, NOON - timedelta(days=99)), store.jobs_of(keys)))
    assert found[0] == found[1]
    assert len([one for one in asked if one.startswith("SELECT")]) == 2 * 3


def test_doctor_names_the_server_and_no_password(
    postgres: "Postgres", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = postgres.fresh()
    (tmp_path / "dogwatch.yaml").write_text("connectors:\n  airbyte:\n    url: http://127.0.0.1:1\n")
    monkeypatch.chdir(tmp_path)
    login = {
        "DOGWATCH_STORE": address.replace("postgres@", "postgres:hunter2-is-none@"),
        "DOGWATCH_AIRBYTE_CLIENT_ID": "someone",
        "DOGWATCH_AIRBYTE_CLIENT_SECRET": "not-a-secret",
    }
    told = cli.run("doctor", env=login)
    said = " ".join(told.stdout.split())
    assert told.exit_code == 3, told.output
    assert "store PostgreSQL 1" in said
    assert address in said
    assert "hunter2" not in told.output
    refused = cli.run("doctor", env={**login, "DOGWATCH_STORE": login["DOGWATCH_STORE"] + "_not"})
    assert refused.exit_code == 2
    assert "make the database" in refused.stderr
    assert "hunter2" not in refused.output
