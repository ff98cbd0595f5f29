"""The store: what is remembered, in which order things may arrive, and what happens when the disk says no."""

import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st

from dogwatch.errors import StoreError
from dogwatch.model import Evidence, EvidenceKind, Finding, JobState, Run, Severity, Source, Status
from dogwatch.store import Store, lease, open_store, schema
from dogwatch.store.copying import verify
from dogwatch.store.file import engine_of, writer_of
from dogwatch.store.migrate import HEAD, build, upgrade
from dogwatch.store.rows import RunFilter, run_row
from support.cast import NOON, a_job, a_run
from support.stores import Where

ALL = RunFilter(limit=1000)


@pytest.fixture
def store(where: Where) -> Iterator[Store]:
    opened = open_store(where)
    yield opened
    opened.close()


def test_a_run_comes_back_as_it_was(store: Store) -> None:
    run = a_run(
        1,
        Status.failed,
        error_message="it's “quoted”\n; DROP TABLE runs",
        metrics={"rows": 3.0},
        metadata={"a": [1]},
    )
    store.record([run])
    assert store.runs(ALL) == [run]


def test_recording_twice_changes_nothing(store: Store) -> None:
    runs = [a_run(number) for number in range(1, 4)]
    store.record(runs)
    store.record(runs)
    assert store.runs(ALL) == runs[::-1]


def test_the_newer_state_wins_whatever_comes_first(store: Store) -> None:
    running, failed = a_run(1, Status.running), a_run(1, Status.failed)
    store.record([failed])
    store.record([running])
    assert store.runs(ALL) == [failed]


def test_a_terminal_state_beats_an_open_one_at_the_same_time(store: Store) -> None:
    at = NOON + timedelta(hours=2)
    done, running = a_run(1, Status.success, updated_at=at), a_run(1, Status.running, updated_at=at)
    for order in ([done, running], [running, done]):
        store.record(order)
        assert store.runs(ALL) == [done]


def test_a_thinner_answer_does_not_take_the_error_away(store: Store) -> None:
    rich, thin = a_run(1, Status.failed, error_message="permission denied"), a_run(1, Status.failed)
    store.record([rich])
    store.record([thin])
    assert store.runs(ALL)[0].error_message == "permission denied"


def states_of_one_run(number: int) -> list[Run]:
    return [
        a_run(number, Status.pending),
        a_run(number, Status.running),
        a_run(number, Status.failed),
        a_run(number, Status.failed, error_message="permission denied"),
        a_run(number, Status.success, updated_at=NOON + timedelta(hours=number + 4)),
    ]


def test_order_and_repetition_make_no_difference(store: Store) -> None:
    numbers = itertools.count(1)

    @settings(max_examples=100 if store.dialect == "sqlite" else 15)
    @given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=4))
    def whatever_comes_first(order: list[int], repeats: list[int]) -> None:
        states = states_of_one_run(next(numbers))
        for index in [*repeats, *order]:
            store.record([states[index]])
        assert store.runs_by_uid([states[4].uid]) == {states[4].uid: states[4]}

    whatever_comes_first()


def test_runs_are_filtered(store: Store) -> None:
    store.record([a_run(number, Status.failed if number % 2 else Status.success) for number in range(1, 9)])
    store.record([a_run(1, job_id="users", job_name="Users 100%_done", instance="airbyte-eu")])
    assert {run.job_id for run in store.runs(RunFilter(job="100%_d"))} == {"users"}
    assert {run.job_id for run in store.runs(RunFilter(platform="airbyte-eu"))} == {"users"}
    assert len(store.runs(RunFilter(platform="airbyte"))) == 9
    assert {run.status for run in store.runs(RunFilter(status=(Status.failed,)))} == {Status.failed}
    assert len(store.runs(RunFilter(since=NOON + timedelta(hours=7)))) == 2
    assert len(store.runs(RunFilter(limit=3))) == 3
    assert store.runs(RunFilter(job="%")) != store.runs(ALL)


def test_a_moment_is_the_same_in_whichever_zone_it_is_said(store: Store) -> None:
    run, early = a_run(1), timedelta(minutes=1)
    store.record([run])
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        began = run.began_at.astimezone(ZoneInfo(zone))
        assert store.runs(RunFilter(limit=9, since=began - early)) == [run]
        assert store.runs(RunFilter(limit=9, since=began + early)) == []


def test_known_runs_are_those_a_platform_may_still_change(store: Store) -> None:
    store.record(
        [
            a_run(1),
            a_run(2, Status.running),
            a_run(3, Status.failed),
            a_run(4, Status.unknown),
            a_run(5, Status.failed),
            a_run(5, Status.success, attempt=2, started_at=NOON + timedelta(hours=6)),
            a_run(-900, Status.failed),
            a_run(-800, Status.running),
        ]
    )
    known = store.known("airbyte", NOON)
    assert {key: run.attempt for key, run in known.items()} == {"2": 1, "3": 1, "4": 1, "5": 2, "-800": 1}
    assert store.known("airbyte-eu", NOON) == {}


def test_unsettled_jobs_are_the_broken_and_the_running(store: Store) -> None:
    def of(job: str, *statuses: Status) -> list[Run]:
        return [a_run(number, status, job_id=job) for number, status in enumerate(statuses, 1)]

    store.record(
        of("healthy", Status.success)
        + of("recovered", Status.failed, Status.success)
        + of("broken", Status.success, Status.failed)
        + of("broken-then-skipped", Status.failed, Status.skipped)
        + of("running", Status.success, Status.running)
        + of("cancelled", Status.cancelled)
    )
    assert store.unsettled_jobs(["airbyte"]) == {
        ("airbyte", "broken"): True,
        ("airbyte", "broken-then-skipped"): True,
        ("airbyte", "cancelled"): True,
        ("airbyte", "running"): False,
    }


def test_histories_hold_the_newest_oldest_first(store: Store) -> None:
    runs = [a_run(number) for number in range(1, 11)]
    store.record(random.Random(7).sample(runs, len(runs)))
    assert store.histories([("airbyte", "orders"), ("airbyte", "nobody")], 4) == {
        ("airbyte", "orders"): runs[-4:]
    }


def test_a_changed_job_gets_a_new_version_and_a_vanished_one_ends(store: Store) -> None:
    store.save_jobs("airbyte", [a_job("orders"), a_job("users")], NOON)
    store.save_jobs("airbyte", [a_job("orders"), a_job("users")], NOON + timedelta(hours=1))
    paused = a_job("orders", state=JobState.paused)
    store.save_jobs("airbyte", [paused], NOON + timedelta(hours=2))
    assert store.jobs() == [paused]
    assert [
        job for job, _, ended in store.versions([("airbyte", "orders")])["airbyte", "orders"] if ended is None
    ] == [paused]
    assert store.job_names("airbyte") == {"orders": paused.name}
    assert store.job_counts() == {"airbyte": 1}
    versions = sa.select(schema.job_versions.c.job_id, schema.job_versions.c.valid_to)
    with store._engine.connect() as connection:
        rows = connection.execute(versions).all()
    ended = NOON + timedelta(hours=2)
    assert set(map(tuple, rows)) == {("orders", None), ("orders", ended), ("users", ended)}


def test_a_source_is_remembered(store: Store) -> None:
    fresh = store.source("airbyte", "airbyte")
    assert fresh == Source(instance="airbyte", platform="airbyte")
    blind = fresh.model_copy(
        update={"blind_since": NOON, "blind_reason": "401", "caveats": ("no running runs",)}
    )
    store.save_source(blind)
    assert store.source("airbyte", "airbyte") == blind


def a_finding(fingerprint: str) -> Finding:
    return Finding(
        rule="failed",
        subject="airbyte/orders",
        severity=Severity.ERROR,
        summary="Orders failed",
        evidence=("0" * 16,),
        fingerprint=fingerprint,
        at=NOON,
    )


def end_round(
    store: Store, *findings: Finding, evidence: Sequence[Evidence] = (), at: datetime = NOON
) -> None:
    number = store.start_round(at)
    store.end_round(number, at, ended_at=at, exit_code=0, body={}, findings=findings, evidence=evidence)


def test_a_finding_stays_open_until_a_round_no_longer_finds_it(store: Store) -> None:
    one, two = a_finding("1" * 16), a_finding("2" * 16)
    end_round(store, one, two)
    end_round(store, one, two)
    assert store.open_findings() == [one, two]
    end_round(store, one)
    assert store.open_findings() == [one]
    end_round(store, one, two)
    assert store.open_findings() == [one, two]


def test_evidence_resolves_by_id(store: Store) -> None:
    item = Evidence.of(
        EvidenceKind.run, source="airbyte", subject="airbyte/orders", content={"a": 1}, at=NOON
    )
    end_round(store, evidence=[item, item])
    assert store.evidence([item.id, "f" * 16]) == [item]


def test_only_one_of_two_gets_the_round(store: Store, where: Where) -> None:
    other = open_store(where)
    assert store.claim_round("alice", NOON) is None
    assert store.claim_round("alice", NOON) is None
    assert other.claim_round("bob", NOON + timedelta(seconds=59)) == "alice"
    store.release_round()
    assert other.claim_round("bob", NOON) is None
    other.close()


def test_a_dead_holder_loses_the_round_and_its_late_results_are_dropped(store: Store, where: Where) -> None:
    other = open_store(where)
    number = store.start_round(NOON)
    store.claim_round("alice", NOON)
    assert other.claim_round("bob", NOON + lease.TTL) is None
    with pytest.raises(StoreError, match="took over"):
        store.end_round(
            number, NOON, ended_at=NOON, exit_code=0, body={}, findings=[a_finding("1" * 16)], evidence=[]
        )
    with pytest.raises(StoreError, match="took over"):
        store.save_source(Source(instance="airbyte", platform="airbyte", watermark=NOON))
    assert other.open_findings() == []
    assert other.sources() == []
    other.close()


def test_a_reader_is_not_blocked_by_a_writer(store: Store, where: Where) -> None:
    store.record([a_run(1)])
    reader = open_store(where)
    with store._writer.connect() as writing:
        writing.exec_driver_sql("DELETE FROM runs")
        assert reader.runs(ALL) == [a_run(1)]
        writing.rollback()
    reader.close()


def test_the_migrations_build_the_declared_tables(tmp_path: Path) -> None:
    """A new store is made from the tables as they are declared; an old one comes to the same."""
    assert shape(tmp_path / "new.db", build) == shape(tmp_path / "old.db", upgrade)


def shape(path: Path, way: Callable[[sa.Connection], None]) -> list[tuple[str, ...]]:
    """The columns of all tables, and the words of all indexes and triggers, of a store made in this way."""
    engine = engine_of(path)
    with writer_of(engine).begin() as connection:
        way(connection)
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        query = "SELECT type, name, sql FROM sqlite_master WHERE type <> 'table' AND sql <> ''"
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
        for table in sa.inspect(connection).get_table_names():
            columns = connection.exec_driver_sql(f"PRAGMA table_info('{table}')").mappings()
            found += [
                (table, row["name"], row["type"], str(row["notnull"]), str(row["pk"])) for row in columns
            ]
    engine.dispose()
    return sorted(found)


@pytest.mark.parametrize(
    "revision", ["0001", *(pytest.param(f"{n:04}", marks=pytest.mark.slow) for n in range(2, int(HEAD)))]
)
def test_an_old_store_is_brought_up_to_date_with_all_it_holds(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "dogwatch.db"
    engine = engine_of(path)
    with writer_of(engine).begin() as connection:
        upgrade(connection, revision)
        columns = ", ".join(column.name for column in schema.runs.columns)
        connection.exec_driver_sql(
            f"INSERT INTO runs ({columns}) VALUES ({', '.join('?' for _ in schema.runs.columns)})",
            run_row(a_run(1), 0),
        )
    engine.dispose()
    assert verify(path).revision == revision  # the file itself stays as it is
    store = open_store(path)
    assert store.runs(ALL) == [a_run(1)]
    assert verify(path).revision == HEAD
    store.close()


def test_the_head_is_the_newest_migration() -> None:
    folder = Path(schema.__file__).parent / "migrations" / "versions"
    assert max(path.name[1:5] for path in folder.glob("r*.py")) == HEAD


def test_a_store_from_the_future_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dogwatch.db"
    open_store(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer dogwatch"):
        open_store(path)


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "dogwatch.db"
    path.write_text("dear diary, " * 1000)
    with pytest.raises(StoreError) as caught:
        open_store(path)
    assert "choose another path" in caught.value.hint


def test_a_folder_in_place_of_the_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        open_store(tmp_path)


def test_a_full_disk_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    store = open_store(tmp_path / "dogwatch.db")
    store.record([a_run(1)])
    with store._engine.connect() as connection:
        pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
    sa.event.listen(
        store._engine,
        "begin",
        lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}"),
    )
    with pytest.raises(StoreError) as caught:
        store.record([a_run(number, Status.failed, error_message="x" * 1000) for number in range(2, 500)])
    assert "disk" in caught.value.hint
    assert store.runs(ALL) == [a_run(1)]


def test_whatever_a_platform_may_say_fits_into_either_kind_of_store() -> None:
    """``Words`` replaces what PostgreSQL cannot hold, and is ordered alike in both."""
    columns = [column for table in schema.metadata.tables.values() for column in table.columns]
    assert [str(column) for column in columns if isinstance(column.type, sa.Text)] == []


def test_what_is_read_at_one_moment_goes_over_one_connection(store: Store) -> None:
    store.record([a_run(1)])
    begun: list[sa.Connection] = []

    def note(connection: sa.Connection) -> None:
        begun.append(connection)

    def look() -> None:
        with store.at_one_moment():
            assert store.count_runs() == len(store.runs(ALL)) == 1
            with store.at_one_moment():
                assert store.jobs() == []
            assert store.count_runs() == 1
            raise ValueError("enough")

    sa.event.listen(sa.Engine, "begin", note)
    try:
        with pytest.raises(ValueError, match="enough"):
            look()
        assert len(begun) == 1
        assert store.count_runs() == 1
        assert len(begun) == 2
    finally:
        sa.event.remove(sa.Engine, "begin", note)
