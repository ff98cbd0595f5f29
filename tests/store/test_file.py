"""Many hands on one SQLite file: nobody is turned away for coming at the same time."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path

from dogwatch.store import open_store
from dogwatch.store.file import engine_of
from dogwatch.store.rows import RunFilter
from support.cast import a_run


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Somebody has taken the file for writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_store_is_opened_and_read_while_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "dogwatch.db"
    store = open_store(path)
    store.record([a_run(1)])
    store.close()
    with writing(path):  # who needed to write as well would be refused after half a minute
        reader = open_store(path)
        assert reader.runs(RunFilter()) == [a_run(1)]
        reader.close()


def test_who_opens_a_new_file_waits_for_another_who_does(tmp_path: Path) -> None:
    """SQLite by itself refuses at once to turn a file to WAL while somebody else is about to write."""
    path = tmp_path / "dogwatch.db"

    def mode() -> object:
        engine = engine_of(path)
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        engine.dispose()
        return found

    with closing(sqlite3.connect(path, isolation_level=None)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("CREATE TABLE something (id)")
        other.execute("BEGIN IMMEDIATE")
        opening = pool.submit(mode)
        assert wait([opening], timeout=0.2).done == set()
        other.execute("COMMIT")
        assert opening.result() == "wal"
