"""What pictures are drawn from: many runs, few of their facts."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dogwatch.model import Status
from dogwatch.model.ledger import JobKey
from dogwatch.store import schema
from dogwatch.store.access import Access


class Pictures(Access):
    """The part of the store for overviews."""

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
        with self._read() as connection:
            for instance, job_id in jobs:
                query = (
                    sa.select(table.c.began_at, table.c.status)
                    .where(table.c.instance == instance, table.c.job_id == job_id, table.c.began_at >= since)
                    .order_by(table.c.began_at)
                )
                rows = [(row.began_at, Status(row.status)) for row in connection.execute(query)]
                if rows:
                    found[instance, job_id] = rows
        return found

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
