"""Backup and restore. A backup is a SQLite store in one file, whatever the store is, and either kind can be
made from it; so it is also the way from one kind to the other."""

import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dogwatch.errors import StoreError
from dogwatch.store import schema
from dogwatch.store.base import Store, open_store
from dogwatch.store.dialects import SQLITE, Bulk, Row
from dogwatch.store.file import store_error
from dogwatch.store.fit import fit_json, fit_text
from dogwatch.store.migrate import HEAD
from dogwatch.store.ways import translated

_ROWS = 2_000
_LEFT_OUT = frozenset({"leases", "steps", "turns", "paces"})
"""Who holds what at the moment is of no use later."""
_ALL = 1 << 256
_ANOTHER = "name the file that dogwatch backup wrote"
_WAL = b"\x02\x02"
"""Bytes 18 and 19 of a SQLite file that is written ahead (https://www.sqlite.org/fileformat2.html)."""

Progress = Callable[[str, int], None]
"""Told of each table and how many of its rows were done."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds, and so the store that is made from it."""

    rows: Mapping[str, int]
    """By table."""
    checksums: Mapping[str, str]
    """By table, over all rows in whatever order."""
    events: int
    """In the record, each with the hash of the one before."""
    last_hash: str
    """Of the last event; empty if there is none."""
    revision: str
    """Of the schema that it was written with."""

    @property
    def total(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())


def silent(table: str, rows: int) -> None:
    """Nobody is watching."""


def backup(store: Store, target: Path, progress: Progress = silent) -> Contents:
    """Write everything as it is at one moment into a new file, while others go on reading and writing.

    The file is there whole or not at all. Raises StoreError if it is there already or cannot be written, and
    if its folder is not there: a mistyped one would be a backup that nobody finds.
    """
    if target.exists():
        raise StoreError(f"{target} is there already", "choose another name: no backup is overwritten")
    if not target.parent.is_dir():
        raise StoreError(f"there is no folder {target.parent}", "make it, or name another file")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with translated():
            if store.dialect == SQLITE:
                store.vacuum_into(part)
            else:
                _export(store, part, progress)
            _settle(part)
            found = _inspect(part)
            part.rename(target)
        return found
    finally:
        for left in part.parent.glob(f"{part.name}*"):
            left.unlink()


def verify(source: Path) -> Contents:
    """Whether a backup, or any store in a file, is whole: its pages, every row, and the chain of the record.

    Raises StoreError if it is not.
    """
    with _ready(source) as (path, revision):
        return replace(_inspect(path), revision=revision)


def restore(source: Path, store: Store, progress: Progress = silent) -> Contents:
    """Fill an empty store from a backup, all of it or nothing, and compare the two.

    Raises StoreError if the backup is damaged or something is in the store already.
    """
    with _ready(source) as (path, revision):
        found = _inspect(path)
        with _reading(path) as origin, origin.reading() as reading, store.writing() as writing:
            for table in _tables():
                if writing.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
                    raise StoreError(
                        "the store is not empty, and nothing is overwritten",
                        "name another `store`, or move the file away"
                        if store.dialect == SQLITE
                        else "name another database, or as its owner: DROP SCHEMA dogwatch CASCADE",
                    )
                _copy(reading, writing, table, progress)
            _count_on(writing)
            _, checksums = _contents(writing)
            different = sorted(name for name, sum_ in checksums.items() if sum_ != found.checksums[name])
            if different:
                raise StoreError(f"the copy differs in {', '.join(different)}", "nothing was restored")
    return replace(found, revision=revision)


def _export(store: Store, part: Path, progress: Progress) -> None:
    made = open_store(part)
    try:
        with store.reading() as reading, made.writing() as writing:
            for table in _tables():
                _copy(reading, writing, table, progress)
    finally:
        made.close()


def _settle(part: Path) -> None:
    """One file, with nobody in it, that the disk has."""
    with closing(sqlite3.connect(part, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode = DELETE")
        for table in sorted(_LEFT_OUT):
            raw.execute(f"DELETE FROM {table}")  # noqa: S608  # our names
    for path in (part, part.parent):
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def _ready(source: Path) -> Generator[tuple[Path, str]]:
    """A file with what ``source`` holds in today's schema, which may be looked at without changing it, and
    the schema that it was written with."""
    if not source.is_file():
        raise StoreError(f"there is no file {source}", _ANOTHER)
    revision, ahead = _told(source)
    if revision > HEAD:
        raise StoreError(
            f"{source} was made by a newer dogwatch (schema {revision}, this one knows {HEAD})",
            "upgrade dogwatch",
        )
    if revision == HEAD and not ahead:
        yield source, revision
        return
    with tempfile.TemporaryDirectory(prefix="dogwatch-restore-") as folder:
        copy = Path(folder) / "copy.db"
        with _raw(source) as old, closing(sqlite3.connect(copy)) as new:
            old.backup(new)
        open_store(copy).close()
        _settle(copy)
        yield copy, revision


def _told(source: Path) -> tuple[str, bool]:
    """The schema of a file, and whether it is written ahead."""
    with source.open("rb") as opened:
        ahead = opened.read(20)[18:20] == _WAL
    with _raw(source) as raw:
        try:
            (revision,) = raw.execute("SELECT version_num FROM alembic_version").fetchone()
        except (sqlite3.OperationalError, TypeError) as error:
            raise StoreError(f"{source} is no store of dogwatch", _ANOTHER) from error
    return str(revision), ahead


@contextmanager
def _raw(path: Path) -> Generator[sqlite3.Connection]:
    """SQLite's own way to a file that is only read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as raw:
            yield raw
    except sqlite3.OperationalError as error:
        raise store_error(str(error)) from error
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise StoreError(f"{path} is no store of dogwatch", _ANOTHER) from error
        raise StoreError(f"{path} is damaged: {error}", "use another backup") from error


@contextmanager
def _reading(path: Path) -> Generator[Store]:
    """The store in a file that is only read."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True))
    store = Store(engine)
    try:
        yield store
    finally:
        store.close()


def _inspect(path: Path) -> Contents:
    """What a file holds, every row read. Raises StoreError if it is damaged or the record was edited."""
    with _raw(path) as raw:
        (said,) = raw.execute("PRAGMA integrity_check(1)").fetchone()
    if said != "ok":
        raise StoreError(f"{path} is damaged: {said.splitlines()[-1]}", "use another backup")
    with _reading(path) as store:
        with store.reading() as connection:
            rows, checksums = _contents(connection)
        broken, events, last = store.verify_events()
    if broken is not None:
        raise StoreError(f"{path}: event {broken} of the record was changed", "use another backup")
    return Contents(rows, checksums, events, last, HEAD)


def _tables() -> list[sa.Table]:
    return [table for name, table in sorted(schema.metadata.tables.items()) if name not in _LEFT_OUT]


def _copy(reading: sa.Connection, writing: sa.Connection, table: sa.Table, progress: Progress) -> None:
    write, done = Bulk(table, lambda statement: statement.on_conflict_do_nothing()), 0
    progress(table.name, done)
    for rows in _batches(reading, table):
        write(writing, rows)
        done += len(rows)
        progress(table.name, done)


def _contents(connection: sa.Connection) -> tuple[dict[str, int], dict[str, str]]:
    """By table, how many rows, and the sum of their hashes."""
    counts, checksums = dict[str, int](), dict[str, str]()
    for table in _tables():
        count = total = 0
        for rows in _batches(connection, table):
            count += len(rows)
            for row in rows:
                told = json.dumps(row, default=bytes.hex, ensure_ascii=False).encode("utf-8", "surrogatepass")
                total += int.from_bytes(hashlib.sha256(told).digest())
        counts[table.name], checksums[table.name] = count, f"{total % _ALL:064x}"
    return counts, checksums


def _batches(connection: sa.Connection, table: sa.Table) -> Iterator[list[Row]]:
    """All rows of a table as tuples, moments and JSON as text, without what not every database can hold."""
    columns = [_as_text(connection, column) for column in table.columns]
    is_json = [isinstance(column.type, sa.JSON) for column in table.columns]
    found = connection.execute(sa.select(*columns).execution_options(yield_per=_ROWS))
    for rows in found.partitions():
        yield [tuple(map(_fit, row, is_json)) for row in rows]


def _as_text(connection: sa.Connection, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    if isinstance(column.type, sa.JSON):
        return sa.cast(column, sa.Text)
    if not isinstance(column.type, schema.Moment):
        return column
    if connection.dialect.name == SQLITE:
        return sa.type_coerce(column, sa.Text)
    return sa.func.to_char(sa.func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')


def _fit(value: Any, is_json: bool) -> Any:
    if isinstance(value, str):
        return fit_json(value) if is_json else fit_text(value)
    return value


def _count_on(connection: sa.Connection) -> None:
    """A server goes on counting where the copied rows end; SQLite does so by itself."""
    if connection.dialect.name == SQLITE:
        return
    for table in _tables():
        for column in table.primary_key.columns:
            if column.autoincrement is True:
                last = connection.execute(sa.select(sa.func.max(column))).scalar()
                sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
                connection.execute(sa.select(sa.func.setval(sequence, last or 1, last is not None)))
