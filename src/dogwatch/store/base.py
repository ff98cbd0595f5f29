"""The store: everything that must survive a round. Sync; see ``StoreThread`` for async rooms."""

import hashlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from dogwatch.model import Evidence, Finding, Job, Run, Source, Status
from dogwatch.store import lease, schema
from dogwatch.store.file import engine_of, translated, writer_of
from dogwatch.store.migrate import migrate
from dogwatch.store.rows import RunFilter, run_from_row, run_row

_ROUND = "round"
_CHUNK = 300
"""Keys in one IN list; SQLite allows 32,766 variables a statement."""
_SETTLED = [status.value for status in Status if not status.open and status is not Status.skipped]
_GOOD = [status.value for status in Status if status.good]


def open_store(path: Path) -> "Store":
    """Open the SQLite file at ``path``, making it and its tables if need be.

    Raises StoreError if the file cannot be used or was made by a newer dogwatch.
    """
    engine = engine_of(path)
    try:
        with translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            migrate(engine, writer_of(engine))
    except BaseException:
        engine.dispose()
        raise
    return Store(engine)


class Store:
    """Rows in, values out. Every method is one transaction; all of them may be repeated without harm."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._writer = writer_of(engine)
        self._holder: str | None = None

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    @contextmanager
    def _read(self) -> Generator[sa.Connection]:
        with translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Generator[sa.Connection]:
        with translated(), self._writer.begin() as connection:
            yield connection

    # ── runs ────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, runs: Iterable[Run]) -> None:
        """Remember runs. Of two states of one attempt the newer wins, by ``Run.version``; of two answers on
        the same state the one that knows the error does. Order and repetition make no difference."""
        rows = [run_row(run) for run in runs]
        if not rows:
            return
        with self._write() as connection:
            self._fence(connection)
            connection.exec_driver_sql(_RECORD, rows)

    def runs(self, wanted: RunFilter) -> list[Run]:
        """Runs by filter, newest first."""
        query = sa.select(schema.runs).order_by(schema.runs.c.began_at.desc(), schema.runs.c.attempt.desc())
        for condition in wanted.conditions():
            query = query.where(condition)
        with self._read() as connection:
            return [run_from_row(row) for row in connection.execute(query.limit(wanted.limit)).mappings()]

    def count_runs(self) -> int:
        """How many run attempts are remembered."""
        with self._read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(schema.runs)).scalar_one()

    def known(self, instance: str, since: datetime) -> dict[str, Run]:
        """By native run id, the newest stored attempt of runs that a platform may still change.

        Those are the open ones, and those since then that ended badly or were repaired.
        """
        table = schema.runs
        ended_badly = table.c.status.in_(["failed", "timed_out", "cancelled"])
        recent = sa.and_(table.c.began_at >= since, sa.or_(ended_badly, table.c.attempt > 1))
        query = (
            sa.select(table)
            .where(table.c.instance == instance, sa.or_(table.c.terminal == 0, recent))
            .order_by(table.c.native_run_id, table.c.attempt)
        )
        with self._read() as connection:
            return {row["native_run_id"]: run_from_row(row) for row in connection.execute(query).mappings()}

    def newest_run_at(self, instance: str) -> datetime | None:
        """The platform's own newest time of creation among its runs."""
        query = sa.select(sa.func.max(schema.runs.c.began_at, type_=schema.Moment)).where(
            schema.runs.c.instance == instance
        )
        with self._read() as connection:
            return connection.execute(query).scalar()

    def unsettled_jobs(self) -> dict[tuple[str, str], bool]:
        """Jobs by (instance, job_id): True if the newest settled run was not good, False if one is open."""
        table = schema.runs
        suspects = (
            sa.select(table.c.instance, table.c.job_id)
            .where(table.c.status != "success")
            .distinct()
            .subquery()
        )
        ranked = (
            sa.select(
                table.c.instance,
                table.c.job_id,
                table.c.status,
                sa.func.row_number()
                .over(
                    partition_by=[table.c.instance, table.c.job_id],
                    order_by=[table.c.began_at.desc(), table.c.attempt.desc()],
                )
                .label("nth"),
            )
            .join(
                suspects,
                sa.and_(table.c.instance == suspects.c.instance, table.c.job_id == suspects.c.job_id),
            )
            .where(table.c.status.in_(_SETTLED))
            .subquery()
        )
        broken = sa.select(ranked.c.instance, ranked.c.job_id).where(
            ranked.c.nth == 1, ranked.c.status.not_in(_GOOD)
        )
        still_open = sa.select(table.c.instance, table.c.job_id).where(
            table.c.status != "success", table.c.terminal == 0
        )
        with self._read() as connection:
            found = {(row.instance, row.job_id): False for row in connection.execute(still_open.distinct())}
            found |= {(row.instance, row.job_id): True for row in connection.execute(broken)}
        return dict(sorted(found.items()))

    def histories(self, jobs: Sequence[tuple[str, str]], limit: int) -> dict[tuple[str, str], list[Run]]:
        """The newest ``limit`` attempts of each (instance, job_id), oldest first."""
        table = schema.runs
        found: dict[tuple[str, str], list[Run]] = {}
        nth = (
            sa.func.row_number()
            .over(
                partition_by=[table.c.instance, table.c.job_id],
                order_by=[table.c.began_at.desc(), table.c.attempt.desc()],
            )
            .label("nth")
        )
        with self._read() as connection:
            for start in range(0, len(jobs), _CHUNK):
                chosen = sa.tuple_(table.c.instance, table.c.job_id).in_(list(jobs[start : start + _CHUNK]))
                ranked = sa.select(table, nth).where(chosen).subquery()
                query = sa.select(ranked).where(ranked.c.nth <= limit).order_by(ranked.c.nth.desc())
                for row in connection.execute(query).mappings():
                    found.setdefault((row["instance"], row["job_id"]), []).append(run_from_row(row))
        return found

    # ── jobs ────────────────────────────────────────────────────────────────────────────────────────────

    def save_jobs(self, instance: str, jobs: Sequence[Job], now: datetime) -> None:
        """Remember the platform's jobs as they are now; a change or a disappearance ends the old version."""
        table = schema.job_versions
        current = {job.job_id: (_digest(job), job) for job in jobs}
        with self._write() as connection:
            self._fence(connection)
            stored = {
                row.job_id: row.digest
                for row in connection.execute(
                    sa.select(table.c.job_id, table.c.digest).where(
                        table.c.instance == instance, table.c.valid_to.is_(None)
                    )
                )
            }
            gone = [key for key, digest in stored.items() if current.get(key, ("", None))[0] != digest]
            if gone:
                closing = table.update().where(
                    table.c.instance == instance,
                    table.c.job_id == sa.bindparam("gone"),
                    table.c.valid_to.is_(None),
                )
                connection.execute(closing.values(valid_to=now), [{"gone": key} for key in gone])
            fresh = [
                {
                    "instance": instance,
                    "job_id": key,
                    "valid_from": now,
                    "valid_to": None,
                    "digest": digest,
                    "body": job.model_dump(mode="json"),
                }
                for key, (digest, job) in current.items()
                if stored.get(key) != digest
            ]
            if fresh:
                statement = insert(table)
                again = statement.on_conflict_do_update(
                    index_elements=["instance", "job_id", "valid_from"],
                    set_={name: statement.excluded[name] for name in ("valid_to", "digest", "body")},
                )
                connection.execute(again, fresh)

    def jobs(self, chosen: Sequence[tuple[str, str]] | None = None) -> list[Job]:
        """All jobs as last seen, or these (instance, job_id); those that disappeared are left out."""
        table = schema.job_versions
        query = (
            sa.select(table.c.body)
            .where(table.c.valid_to.is_(None))
            .order_by(table.c.instance, table.c.job_id)
        )
        queries = [query]
        if chosen is not None:
            key = sa.tuple_(table.c.instance, table.c.job_id)
            queries = [
                query.where(key.in_(list(chosen[start : start + _CHUNK])))
                for start in range(0, len(chosen), _CHUNK)
            ]
        with self._read() as connection:
            bodies = [body for each in queries for body in connection.execute(each).scalars()]
        return [Job.model_validate(body) for body in bodies]

    def job_names(self, instance: str) -> dict[str, str]:
        """Names by job id, of the jobs that exist."""
        table = schema.job_versions
        query = sa.select(table.c.job_id, table.c.body["name"].as_string()).where(
            table.c.instance == instance, table.c.valid_to.is_(None)
        )
        with self._read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def job_counts(self) -> dict[str, int]:
        """How many jobs exist on each instance."""
        table = schema.job_versions
        query = sa.select(table.c.instance, sa.func.count()).where(table.c.valid_to.is_(None))
        with self._read() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(table.c.instance))}

    # ── sources ─────────────────────────────────────────────────────────────────────────────────────────

    def source(self, instance: str, platform: str) -> Source:
        """What is known of our sight of one platform; a fresh one if it was never read."""
        return next(
            (source for source in self.sources() if source.instance == instance),
            Source(instance=instance, platform=platform),
        )

    def sources(self) -> list[Source]:
        """All platforms that were ever asked."""
        with self._read() as connection:
            rows = connection.execute(
                sa.select(schema.sources).order_by(schema.sources.c.instance)
            ).mappings()
            return [Source.model_validate(dict(row)) for row in rows]

    def save_source(self, source: Source) -> None:
        """Remember how far a platform was read. Call it only after what was read is recorded."""
        row = {**source.model_dump(), "caveats": list(source.caveats)}
        statement = insert(schema.sources)
        upsert = statement.on_conflict_do_update(
            index_elements=["instance"],
            set_={name: statement.excluded[name] for name in row if name != "instance"},
        )
        with self._write() as connection:
            self._fence(connection)
            connection.execute(upsert, row)

    # ── findings and evidence ───────────────────────────────────────────────────────────────────────────

    def _save_findings(self, connection: sa.Connection, findings: Sequence[Finding], now: datetime) -> None:
        """Make these the open findings; what is no longer found is cleared."""
        table = schema.findings
        is_open = sa.select(table.c.fingerprint).where(table.c.cleared_at.is_(None))
        open_before = set(connection.execute(is_open).scalars())
        if findings:
            statement = insert(table)
            new = statement.excluded
            since = sa.case((table.c.cleared_at.is_(None), table.c.first_seen), else_=new.first_seen)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["fingerprint"],
                    set_={
                        "body": new.body,
                        "first_seen": since,
                        "last_seen": new.last_seen,
                        "cleared_at": new.cleared_at,
                    },
                ),
                [
                    {
                        "fingerprint": finding.fingerprint,
                        "rule": finding.rule,
                        "subject": finding.subject,
                        "body": finding.model_dump(mode="json"),
                        "first_seen": now,
                        "last_seen": now,
                        "cleared_at": None,
                    }
                    for finding in findings
                ],
            )
        cleared = sorted(open_before - {finding.fingerprint for finding in findings})
        if cleared:
            clearing = table.update().where(table.c.fingerprint == sa.bindparam("was"))
            connection.execute(clearing.values(cleared_at=now), [{"was": key} for key in cleared])

    def open_findings(self) -> list[Finding]:
        """What was wrong at the end of the last round."""
        table = schema.findings
        query = sa.select(table.c.body).where(table.c.cleared_at.is_(None)).order_by(table.c.fingerprint)
        with self._read() as connection:
            return [Finding.model_validate(body) for body in connection.execute(query).scalars()]

    def _save_evidence(self, connection: sa.Connection, evidence: Sequence[Evidence]) -> None:
        if evidence:
            connection.execute(
                insert(schema.evidence).on_conflict_do_nothing(),
                [
                    {
                        "id": item.id,
                        "subject": item.subject,
                        "at": item.at,
                        "body": item.model_dump(mode="json"),
                    }
                    for item in evidence
                ],
            )

    def evidence(self, ids: Iterable[str]) -> list[Evidence]:
        """The facts with these ids; an id that resolves to nothing is left out."""
        query = sa.select(schema.evidence.c.body).where(schema.evidence.c.id.in_(sorted(set(ids))))
        with self._read() as connection:
            return [Evidence.model_validate(body) for body in connection.execute(query).scalars()]

    # ── rounds ──────────────────────────────────────────────────────────────────────────────────────────

    def last_round_at(self) -> datetime | None:
        """When the last finished round began."""
        query = sa.select(sa.func.max(schema.rounds.c.started_at, type_=schema.Moment)).where(
            schema.rounds.c.ended_at.is_not(None)
        )
        with self._read() as connection:
            return connection.execute(query).scalar()

    def claim_round(self, holder: str, now: datetime) -> str | None:
        """Take the right to make a round; returns None, or who has it.

        From then on what this store writes of rounds is refused once somebody else took over.
        """
        with self._write() as connection:
            other = lease.claim(connection, _ROUND, holder, now)
        if other is None:
            self._holder = holder
        return other

    def renew_round(self, now: datetime) -> bool:
        """Keep the right to make a round. False if it is lost, and then it stays lost: what was read under
        it may be older than what another round has written since."""
        if self._holder is None:
            return False
        with self._write() as connection:
            return lease.renew(connection, _ROUND, self._holder, now)

    def release_round(self) -> None:
        """Let the next round begin."""
        if self._holder is not None:
            with self._write() as connection:
                lease.release(connection, _ROUND, self._holder)
            self._holder = None

    def start_round(self, now: datetime) -> int:
        """Remember that a round began; returns its number."""
        with self._write() as connection:
            result = connection.execute(schema.rounds.insert().values(started_at=now, body={}))
            key: Any = result.inserted_primary_key
            return int(key[0])

    def end_round(
        self,
        number: int,
        now: datetime,
        *,
        ended_at: datetime,
        exit_code: int,
        body: Mapping[str, Any],
        findings: Sequence[Finding],
        evidence: Sequence[Evidence],
    ) -> None:
        """Remember what a round made at ``now`` found; all of it or, if the process dies, nothing."""
        table = schema.rounds
        with self._write() as connection:
            self._fence(connection)
            self._save_evidence(connection, evidence)
            self._save_findings(connection, findings, now)
            connection.execute(
                table.update()
                .where(table.c.id == number)
                .values(ended_at=ended_at, exit_code=exit_code, body=dict(body))
            )

    def _fence(self, connection: sa.Connection) -> None:
        if self._holder is not None:
            lease.require(connection, _ROUND, self._holder)


def _digest(job: Job) -> str:
    """The same for the same job, whenever it was observed."""
    told = job.model_dump_json(exclude={"observed_at"})
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _record_statement() -> str:
    """The upsert of a run as SQL text; its parameters are the columns of ``runs`` in their order."""
    table = schema.runs
    statement = insert(table)
    new = statement.excluded
    incoming, stored = (
        sa.tuple_(new.version_at, new.terminal),
        sa.tuple_(table.c.version_at, table.c.terminal),
    )
    as_telling = sa.or_(new.error_message.is_not(None), table.c.error_message.is_(None))
    upsert = statement.on_conflict_do_update(
        index_elements=["uid"],
        set_={column.name: new[column.name] for column in table.columns if column.name != "uid"},
        where=sa.or_(incoming > stored, sa.and_(incoming == stored, as_telling)),
    )
    return str(upsert.compile(dialect=sqlite.dialect(paramstyle="qmark")))


_RECORD = _record_statement()
