"""What pictures are drawn from: many runs, few of their facts."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dogwatch.model import Action, Incident, Job, Status
from dogwatch.model.ledger import JobKey
from dogwatch.store import schema
from dogwatch.store.access import Access
from dogwatch.store.dialects import SQLITE
from dogwatch.store.rows import behind

_BARS = 300
"""Of one job."""
_SEARCHED = 3_000
"""Incidents."""
_TOGETHER = 300
"""Jobs in one statement: on a server each is a way there and back. In a file, where it is not, SQLite finds
the runs of one job at a time by their index, and does not for many."""


class Pictures(Access):
    """The part of the store for overviews and pages."""

    def jobs_of(self, keys: Sequence[JobKey]) -> dict[JobKey, tuple[Job, bool]]:
        """These jobs as last seen, each with whether it is gone, in the order of ``keys``."""
        table, last = schema.job_versions, dict[JobKey, sa.Row[Any]]()
        query = sa.select(
            table.c.instance, table.c.job_id, sa.cast(table.c.body, sa.Text).label("body"), table.c.valid_to
        ).order_by(table.c.valid_from)
        with self._read() as connection:
            for some in _apart(keys, _TOGETHER):
                key = sa.tuple_(table.c.instance, table.c.job_id)
                last |= {(row[0], row[1]): row for row in connection.execute(query.where(key.in_(some)))}
        return {
            key: (Job.model_validate_json(row.body), row.valid_to is not None)
            for key in dict.fromkeys(keys)
            if (row := last.get(key)) is not None
        }

    def jobs_now(self, instance: str, ids: Sequence[str]) -> dict[JobKey, Job]:
        """These jobs of an instance, in the order of ``ids``; those that are gone are left out."""
        table = schema.job_versions
        query = sa.select(table.c.job_id, table.c.body).where(
            table.c.instance == instance, table.c.job_id.in_(list(ids)), table.c.valid_to.is_(None)
        )
        with self._read() as connection:
            known = {row.job_id: Job.model_validate(row.body) for row in connection.execute(query)}
        return {(instance, id_): known[id_] for id_ in dict.fromkeys(ids) if id_ in known}

    def bars(self, jobs: Iterable[JobKey], since: datetime) -> dict[JobKey, list[dict[str, Any]]]:
        """What ran of these jobs since then as ``model.overview.Bar`` has it, the oldest first; without
        what was skipped, and of very much the latest. One question for each instance: to a server every
        question is a way there and back."""
        table = schema.runs
        found: dict[JobKey, list[dict[str, Any]]] = {key: [] for key in jobs}
        place = sa.func.row_number().over(partition_by=table.c.job_id, order_by=table.c.began_at.desc())
        with self._read() as connection:
            for instance in dict.fromkeys(key[0] for key in found):
                own = [key[1] for key in found if key[0] == instance]
                ran = (
                    sa.select(
                        table.c.job_id,
                        table.c.uid,
                        table.c.native_run_id,
                        table.c.began_at,
                        table.c.ended_at,
                        table.c.status,
                        place.label("place"),
                    )
                    .where(table.c.instance == instance, table.c.job_id.in_(own))
                    .where(table.c.began_at >= since, table.c.status != Status.skipped.value)
                    .subquery()
                )
                query = sa.select(ran).where(ran.c.place <= _BARS).order_by(ran.c.began_at, ran.c.uid)
                for row in connection.execute(query):
                    found[instance, row[0]].append(
                        {
                            "run_uid": row[1],
                            "native_run_id": row[2],
                            "starts_at": row[3],
                            "ends_at": row[4],
                            "status": Status(row[5]),
                        }
                    )
        return found

    def troubled_jobs(self, since: datetime) -> dict[JobKey, int]:
        """Jobs of which an attempt that began since then did badly, with how many of them."""
        table = schema.runs
        query = (
            sa.select(table.c.instance, table.c.job_id, sa.func.count())
            .where(schema.UNWELL, table.c.status.in_(["failed", "timed_out"]), table.c.began_at >= since)
            .group_by(table.c.instance, table.c.job_id)
        )
        with self._read() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(query)}

    def shape(self) -> str:
        """Another text whenever a job came, changed or went, or a habit was found: the graph may have changed
        then."""
        jobs, habits = schema.job_versions, schema.habits
        came = sa.select(sa.func.max(jobs.c.valid_from), sa.func.max(jobs.c.valid_to), sa.func.count())
        looked = sa.select(sa.func.max(habits.c.looked_at))
        with self._read() as connection:
            row = connection.execute(came.select_from(jobs)).one()
            return f"{row[0]} {row[1]} {row[2]} {connection.execute(looked).scalar()}"

    def job_page(
        self, instance: str | None, text: str, after: str, limit: int
    ) -> list[tuple[str, str, str, str, str]]:
        """(instance, platform, id, name, state) of jobs that exist, by subject, from behind the subject
        ``after``; all of them, one instance's, or those with a text in their name or id."""
        table = schema.job_versions
        name = table.c.body["name"].as_string()
        query = sa.select(
            table.c.instance,
            table.c.body["platform"].as_string(),
            table.c.job_id,
            name,
            table.c.body["state"].as_string(),
        ).where(table.c.valid_to.is_(None))
        if instance is not None:
            query = query.where(table.c.instance == instance)
        if text:
            query = query.where(
                sa.or_(name.icontains(text, autoescape=True), table.c.job_id.icontains(text, autoescape=True))
            )
        if after:
            first, _, last = after.partition("/")
            query = query.where(
                sa.or_(table.c.instance > first, sa.and_(table.c.instance == first, table.c.job_id > last))
            )
        with self._read() as connection:
            rows = connection.execute(query.order_by(table.c.instance, table.c.job_id).limit(limit))
            return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]

    def incidents_saying(self, text: str, limit: int) -> list[Incident]:
        """Incidents in which a text stands, the newest first; of very many the latest are looked at."""
        table = schema.incidents
        last = sa.select(sa.func.max(table.c.number)).scalar_subquery()
        said = sa.cast(table.c.body, sa.Text)
        query = (
            sa.select(table.c.body)
            .where(table.c.number > last - _SEARCHED)
            .where(said.icontains(json.dumps(text, ensure_ascii=False)[1:-1], autoescape=True))
            .order_by(table.c.number.desc())
            .limit(limit)
        )
        with self._read() as connection:
            return [Incident.model_validate(body) for body in connection.execute(query).scalars()]

    def incidents_of(self, subject: str, limit: int) -> list[Incident]:
        """Incidents of which this job was the culprit, the newest first."""
        table = schema.incidents
        query = (
            sa.select(table.c.body)
            .where(table.c.culprit == subject)
            .order_by(table.c.number.desc())
            .limit(limit)
        )
        with self._read() as connection:
            return [Incident.model_validate(body) for body in connection.execute(query).scalars()]

    def actions_saying(self, text: str, limit: int) -> list[Action]:
        """Actions whose id begins so, or that are about a job with this text in its subject."""
        table = schema.actions
        query = (
            sa.select(table.c.body)
            .where(
                sa.or_(
                    table.c.id.startswith(text, autoescape=True),
                    table.c.target.icontains(text, autoescape=True),
                )
            )
            .order_by(table.c.number.desc())
            .limit(limit)
        )
        with self._read() as connection:
            return [Action.model_validate(body) for body in connection.execute(query).scalars()]

    def newest_attempts(self, job: JobKey, limit: int, before: str | None = None) -> list[str]:
        """Uids of a job's attempts, the newest first, from behind the one with the uid ``before``."""
        table = schema.runs
        query = sa.select(table.c.uid).where(table.c.instance == job[0], table.c.job_id == job[1])
        if before is not None:
            query = query.where(behind(before))
        order = (table.c.began_at.desc(), table.c.attempt.desc(), table.c.uid.desc())
        with self._read() as connection:
            return list(connection.execute(query.order_by(*order).limit(limit)).scalars())

    def last_report(self) -> tuple[datetime, dict[str, Any]] | None:
        """When the last round that ended began, and what it remembered of its report; None if none did."""
        table = schema.rounds
        query = (
            sa.select(table.c.started_at, table.c.body)
            .where(table.c.ended_at.is_not(None))
            .order_by(table.c.id.desc())
            .limit(1)
        )
        with self._read() as connection:
            row = connection.execute(query).first()
            if row is None:
                return None
            body: Any = row.body
            return row.started_at, json.loads(body) if isinstance(body, str) else body

    def glimpses(
        self, jobs: Iterable[JobKey], since: datetime
    ) -> dict[JobKey, list[tuple[datetime, Status]]]:
        """When each attempt of these jobs began and what became of it, oldest first."""
        table = schema.runs
        found: dict[JobKey, list[tuple[datetime, Status]]] = {}
        query = sa.select(table.c.instance, table.c.job_id, table.c.began_at, table.c.status).order_by(
            table.c.began_at
        )
        with self._read() as connection:
            for some in _apart(list(jobs), 1 if connection.dialect.name == SQLITE else _TOGETHER):
                same = sa.and_(table.c.instance == some[0][0], table.c.job_id == some[0][1])
                chosen = same if len(some) == 1 else sa.tuple_(table.c.instance, table.c.job_id).in_(some)
                for row in connection.execute(query.where(chosen, table.c.began_at >= since)):
                    seen = found.setdefault((row.instance, row.job_id), [])
                    seen.append((row.began_at, Status(row.status)))
        return found

    def run_counts(self, since: datetime) -> dict[Status, int]:
        """How many attempts began since then, by what became of them."""
        table = schema.runs
        query = (
            sa.select(table.c.status, sa.func.count())
            .where(table.c.began_at >= since)
            .group_by(table.c.status)
            .order_by(table.c.status)
        )
        with self._read() as connection:
            return {Status(row[0]): row[1] for row in connection.execute(query)}

    def stirring_jobs(self, since: datetime) -> dict[JobKey, int]:
        """Jobs of which a run began since then, each with how many of those did badly."""
        table = schema.runs
        bad = sa.func.sum(sa.case((table.c.status.in_(["failed", "timed_out"]), 1), else_=0))
        query = (
            sa.select(table.c.instance, table.c.job_id, bad)
            .where(table.c.began_at >= since)
            .group_by(table.c.instance, table.c.job_id)
        )
        with self._read() as connection:
            return {(row[0], row[1]): int(row[2]) for row in connection.execute(query)}


def _apart(keys: Sequence[JobKey], size: int) -> Iterator[Sequence[JobKey]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
