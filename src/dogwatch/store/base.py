"""The store: everything that must survive a round. Sync; see ``StoreThread`` for async rooms."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from dogwatch.model import Delivery, Evidence, Finding, Job, JobState, Run, Source, Status
from dogwatch.model.ledger import JobKey, Ledger
from dogwatch.store import lease, schema
from dogwatch.store.access import ROUND
from dogwatch.store.actions import Actions
from dogwatch.store.attempts import RECORD, may_change, newest_of
from dogwatch.store.calls import Calls
from dogwatch.store.dialects import insert
from dogwatch.store.doors import DoorBook
from dogwatch.store.feeds import FeedName, Feeds
from dogwatch.store.habits import Habits
from dogwatch.store.incidents import Casebook, Incidents
from dogwatch.store.judged import Judged
from dogwatch.store.logbooks import LogBooks
from dogwatch.store.migrate import migrate
from dogwatch.store.pictures import Pictures
from dogwatch.store.pruning import Pruning
from dogwatch.store.rows import RunFilter, run_from_row, run_row
from dogwatch.store.signals import Signals
from dogwatch.store.steps import StepEnd, Steps, Taken
from dogwatch.store.vitals import Vitals
from dogwatch.store.ways import engine_of, translated, writer_of

_CHUNK = 300
"""Keys in one IN list; SQLite allows 32,766 variables a statement."""
_JOB = TypeAdapter(Job)
_BODY = sa.cast(schema.job_versions.c.body, sa.Text).label("body")
"""A job as text: every round reads all of them, and pydantic reads JSON quicker than Python values."""
_SETTLED = [status.value for status in Status if not status.open and status is not Status.skipped]
_TROUBLES = ["failed", "timed_out", "cancelled", "skipped"]
_DAY = timedelta(days=1)
_GOOD = [status.value for status in Status if status.good]


def open_store(where: Path | str, password: str = "") -> "Store":
    """Open the SQLite file at a path or the database at ``postgresql://user@host/database``, making the file
    (never its folder) and the tables if need be. An address needs no ``password`` where the server asks for
    none.

    Raises StoreError if it cannot be used or was made by a newer dogwatch.
    """
    engine = engine_of(where, password)
    try:
        with translated():
            migrate(engine, writer_of(engine))
    except BaseException:
        engine.dispose()
        raise
    return Store(engine)


class Store(
    Calls,
    Vitals,
    Judged,
    Incidents,
    Actions,
    DoorBook,
    Feeds,
    Signals,
    Habits,
    LogBooks,
    Pictures,
    Pruning,
    Steps,
):
    """Rows in, values out. Every method is one transaction; all of them may be repeated without harm."""

    # ── runs ────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, runs: Iterable[Run]) -> None:
        """Remember runs. Of two states of one attempt the newer wins, by ``Run.version``; of two answers on
        the same state the one that knows the error does. Order and repetition make no difference."""
        rows = [run_row(run, self._number) for run in runs]
        if not rows:
            return
        with self._write() as connection:
            self._fence(connection)
            RECORD(connection, rows)

    def runs(self, wanted: RunFilter) -> list[Run]:
        """Runs by filter, newest first."""
        table = schema.runs
        order = (table.c.began_at.desc(), table.c.attempt.desc(), table.c.uid.desc())
        query = sa.select(table).order_by(*order)
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
        with self._read() as connection:
            return may_change(connection, instance, since)

    def just_ended(self, start: datetime, end: datetime, longest: timedelta) -> set[JobKey]:
        """Jobs of which a run of at most ``longest`` ended well in that time."""
        table = schema.runs
        query = sa.select(table.c.instance, table.c.job_id).where(
            table.c.began_at.between(start - longest, end),
            table.c.ended_at.between(start, end),
            table.c.status.in_(_GOOD),
        )
        with self._read() as connection:
            return {(row.instance, row.job_id) for row in connection.execute(query)}

    def troubles(self, start: datetime, end: datetime) -> list[Run]:
        """Runs of any job that began in the day before ``end`` and did badly, were cancelled or skipped, from
        ``start`` on."""
        table = schema.runs
        ended = sa.func.coalesce(table.c.ended_at, table.c.began_at, type_=schema.Moment)
        query = (
            sa.select(table)
            .where(schema.UNWELL, table.c.status.in_(_TROUBLES))
            .where(table.c.began_at.between(end - _DAY, end), ended.between(start, end))
            .order_by(table.c.began_at, table.c.uid)
        )
        with self._read() as connection:
            return [run_from_row(row) for row in connection.execute(query).mappings()]

    def newest_runs(self, instance: str) -> dict[str, datetime]:
        """By job id, when the newest run of each job of an instance began."""
        table = schema.runs
        began = sa.func.max(table.c.began_at, type_=schema.Moment)
        query = sa.select(table.c.job_id, began).where(table.c.instance == instance)
        with self._read() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(table.c.job_id)).all()}

    def unsettled_jobs(self, instances: Iterable[str]) -> dict[JobKey, bool]:
        """Jobs of these instances: True if the newest settled run was not good, False if one is open."""
        table, other = schema.runs, schema.runs.alias()
        here = table.c.instance.in_(sorted(instances))
        suspects = (
            sa.select(table.c.instance, table.c.job_id).where(here, schema.UNWELL).distinct().subquery()
        )
        newest = (
            sa.select(other.c.status)
            .where(
                other.c.instance == suspects.c.instance,
                other.c.job_id == suspects.c.job_id,
                other.c.status.in_(_SETTLED),
            )
            .order_by(other.c.began_at.desc(), other.c.attempt.desc())
            .limit(1)
            .scalar_subquery()
        )
        broken = sa.select(suspects).where(newest.not_in(_GOOD))
        still_open = sa.select(table.c.instance, table.c.job_id).where(here, schema.OPEN)
        with self._read() as connection:
            found = {(row[0], row[1]): False for row in connection.execute(still_open).all()}
            found |= {(row[0], row[1]): True for row in connection.execute(broken).all()}
        return dict(sorted(found.items()))

    def histories(self, jobs: Iterable[JobKey], limit: int) -> dict[JobKey, list[Run]]:
        """The newest ``limit`` attempts of each (instance, job_id), oldest first."""
        with self._read() as connection:
            return newest_of(connection, jobs, limit)

    def runs_since(self, job: JobKey, moment: datetime) -> list[Run]:
        """All attempts of a job that began at or after a moment, oldest first."""
        table = schema.runs
        own = sa.and_(table.c.instance == job[0], table.c.job_id == job[1], table.c.began_at >= moment)
        query = sa.select(table).where(own).order_by(table.c.began_at, table.c.attempt)
        with self._read() as connection:
            return [run_from_row(row) for row in connection.execute(query).mappings()]

    # ── jobs ────────────────────────────────────────────────────────────────────────────────────────────

    def save_jobs(
        self, instance: str, jobs: Sequence[Job], now: datetime, last_seen: datetime | None = None
    ) -> None:
        """Remember the platform's jobs as they are now; a change or a disappearance ends the old version.

        ``last_seen`` is when the platform was read before: until then the old versions held for certain. A
        job that is gone is remembered as deleted, by a version that has ended.
        """
        table = schema.job_versions
        current = {job.job_id: (_digest(job), job) for job in jobs}
        with self._write() as connection:
            self._fence(connection)
            here = sa.and_(table.c.instance == instance, table.c.valid_to.is_(None))
            digests = connection.execute(sa.select(table.c.job_id, table.c.digest).where(here)).all()
            stored = {row[0]: row[1] for row in digests}
            over = [key for key, digest in stored.items() if current.get(key, ("", None))[0] != digest]
            gone = [key for key in over if key not in current]
            fresh = [
                _version(job, digest, now)
                for key, (digest, job) in current.items()
                if stored.get(key) != digest
            ]
            for start in range(0, len(gone), _CHUNK):
                ids = table.c.job_id.in_(gone[start : start + _CHUNK])
                bodies = connection.execute(sa.select(table.c.body).where(here, ids)).scalars()
                fresh += [_tombstone(Job.model_validate(body), now) for body in bodies]
            if over:
                closing = table.update().where(here, table.c.job_id == sa.bindparam("over"))
                ended = closing.values(valid_to=now if last_seen is None else last_seen)
                connection.execute(ended, [{"over": key} for key in over])
            if fresh:
                statement = insert(connection, table)
                again = statement.on_conflict_do_update(
                    index_elements=["instance", "job_id", "valid_from"],
                    set_={name: statement.excluded[name] for name in ("valid_to", "digest", "body")},
                )
                connection.execute(again, fresh)

    def jobs(self, instance: str | None = None, but: Iterable[str] = ()) -> list[Job]:
        """All jobs as last seen, or those of one instance, or those of all but some; those that disappeared
        are left out."""
        table = schema.job_versions
        query = sa.select(_BODY).where(table.c.valid_to.is_(None)).order_by(table.c.instance, table.c.job_id)
        if instance is not None:
            query = query.where(table.c.instance == instance)
        if others := sorted(but):
            query = query.where(table.c.instance.not_in(others))
        with self._read() as connection:
            return [_JOB.validate_json(body) for body in connection.execute(query).scalars().all()]

    def versions(self, jobs: Sequence[JobKey]) -> dict[JobKey, list[tuple[Job, datetime, datetime | None]]]:
        """Every version of these jobs with its first and its last sight, in order of time; None: it holds."""
        table = schema.job_versions
        key = sa.tuple_(table.c.instance, table.c.job_id)
        query = sa.select(_BODY, table.c.valid_from, table.c.valid_to).order_by(table.c.valid_from)
        found: dict[JobKey, list[tuple[Job, datetime, datetime | None]]] = {}
        with self._read() as connection:
            for start in range(0, len(jobs), _CHUNK):
                chosen = query.where(key.in_(list(jobs[start : start + _CHUNK])))
                for row in connection.execute(chosen).all():
                    job = _JOB.validate_json(row.body)
                    found.setdefault((job.instance, job.job_id), []).append(
                        (job, row.valid_from, row.valid_to)
                    )
        return found

    def followers(self, jobs: AbstractSet[JobKey]) -> set[JobKey]:
        """The jobs that wait for one of these."""
        table = schema.job_versions
        after = table.c.body["after"]
        query = sa.select(table.c.instance, table.c.job_id, after.label("after")).where(
            table.c.valid_to.is_(None), sa.func.json_array_length(after) > 0
        )
        with self._read() as connection:
            return {
                (row.instance, row.job_id)
                for row in connection.execute(query)
                if any((row.instance, job_id) in jobs for job_id in row.after)
            }

    def job_names(self, instance: str, only: AbstractSet[str] | None = None) -> dict[str, str]:
        """Names by job id, of the jobs that exist; of all, or of those with these ids."""
        table = schema.job_versions
        query = sa.select(table.c.job_id, table.c.body["name"].as_string()).where(
            table.c.instance == instance, table.c.valid_to.is_(None)
        )
        with self._read() as connection:
            if only is None:
                return {row[0]: row[1] for row in connection.execute(query).all()}
            found: dict[str, str] = {}
            ids = sorted(only)
            for start in range(0, len(ids), _CHUNK):
                some = query.where(table.c.job_id.in_(ids[start : start + _CHUNK]))
                found |= {row[0]: row[1] for row in connection.execute(some).all()}
            return found

    def jobs_like(self, text: str | None = None) -> list[JobKey]:
        """Jobs that exist: all, or those that have this id, this subject or this text in their name. One that
        is called so exactly leaves the others out."""
        table = schema.job_versions
        name = table.c.body["name"].as_string()
        query = sa.select(table.c.instance, table.c.job_id, name.label("name")).where(
            table.c.valid_to.is_(None)
        )
        if text is not None:
            subject = table.c.instance + "/" + table.c.job_id
            part = name.icontains(text, autoescape=True)
            query = query.where(sa.or_(table.c.job_id == text, subject == text, part))
        with self._read() as connection:
            rows = list(connection.execute(query.order_by(table.c.instance, table.c.job_id)))
        exact = [row for row in rows if text in {row.job_id, f"{row.instance}/{row.job_id}", row.name}]
        return [(row.instance, row.job_id) for row in exact or rows]

    def runs_by_uid(self, uids: Iterable[str]) -> dict[str, Run]:
        """Attempts by their uid; one that is not known is left out."""
        query = sa.select(schema.runs).where(schema.runs.c.uid.in_(sorted(set(uids))))
        with self._read() as connection:
            return {row["uid"]: run_from_row(row) for row in connection.execute(query).mappings()}

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
        with self._write() as connection:
            self._fence(connection)
            statement = insert(connection, schema.sources)
            upsert = statement.on_conflict_do_update(
                index_elements=["instance"],
                set_={name: statement.excluded[name] for name in row if name != "instance"},
            )
            connection.execute(upsert, row)

    # ── rounds ──────────────────────────────────────────────────────────────────────────────────────────

    def claim_round(self, holder: str, now: datetime) -> str | None:
        """Take the right to make a round; returns None, or who has it.

        From then on what this store writes of rounds is refused once somebody else took over.
        """
        with self._write() as connection:
            other = lease.claim(connection, ROUND, holder, now)
        if other is None:
            self._holder = holder
        return other

    def within(self, taken: Taken, me: str) -> "Store":
        """The same store for those who do one step of a team's round: what they write is refused once
        somebody else took over the step or the round."""
        inner = Store(self._engine)
        inner._step, inner._number = (taken.key, me), taken.key[0]
        inner._holder = taken.plan.token if taken.leads else None
        return inner

    def renew_round(self, now: datetime) -> bool:
        """Keep the right to make a round. False if it is lost, and then it stays lost: what was read under
        it may be older than what another round has written since."""
        if self._holder is None:
            return False
        with self._write() as connection:
            return lease.renew(connection, ROUND, self._holder, now)

    def release_round(self) -> None:
        """Let the next round begin."""
        if self._holder is not None:
            with self._write() as connection:
                lease.release(connection, ROUND, self._holder)
            self._holder = None

    def start_round(self, now: datetime) -> int:
        """Remember that a round began; returns its number."""
        with self._write() as connection:
            result = connection.execute(schema.rounds.insert().values(started_at=now, body={}))
            key: Any = result.inserted_primary_key
        self._number = int(key[0])
        return self._number

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
        ledger: Ledger | None = None,
        judged: Sequence[str] = (),
        casebook: Casebook | None = None,
        told: Sequence[Delivery] = (),
        released: Sequence[Delivery] = (),
        scope: Sequence[str] | None = None,
        feeds: Sequence[FeedName] = (),
        step: StepEnd | None = None,
    ) -> None:
        """Remember what a round made at ``now`` found; all of it or, if the process dies, nothing.

        ``scope`` are the instances that it asked, None for all;
        ``judged`` are the instances whose missing runs it could tell up to ``now``, ``told`` and ``released``
        what it has to say, new and held so far, ``feeds`` those who get a copy, ``step`` what the steps
        of a team have to know. Raises Outrun, and then
        nothing is remembered, if somebody has changed an incident of the casebook meanwhile.
        """
        table = schema.rounds
        with self._write() as connection:
            self._fence(connection)
            self._save_evidence(connection, evidence)
            self._save_findings(connection, findings, now)
            self._save_ledger(connection, ledger or Ledger(), now)
            self._save_judged(connection, judged, now)
            if casebook is not None:
                self._save_evidence(connection, casebook.evidence)
                self._save_incidents(connection, casebook)
            self._repost(connection, released)
            self._post(connection, told)
            self._extend(connection, feeds, number, now)
            connection.execute(
                table.update()
                .where(table.c.id == number)
                .values(
                    ended_at=ended_at,
                    exit_code=exit_code,
                    body=dict(body),
                    scope=None if scope is None else ",".join(sorted(scope)),
                )
            )
            if step is not None:
                self._end_step(connection, step, ended_at)


def _version(job: Job, digest: str, now: datetime) -> dict[str, Any]:
    """The row of a version of a job that begins now."""
    return {
        "instance": job.instance,
        "job_id": job.job_id,
        "valid_from": now,
        "valid_to": None,
        "digest": digest,
        "body": job.model_dump(mode="json"),
    }


def _tombstone(job: Job, now: datetime) -> dict[str, Any]:
    """The row that says that a job is gone."""
    return {**_version(job.model_copy(update={"state": JobState.deleted}), "", now), "valid_to": now}


def _digest(job: Job) -> str:
    """The same for the same job, whenever it was observed."""
    told = job.model_dump_json(exclude={"observed_at"})
    return hashlib.sha256(told.encode()).hexdigest()[:16]
