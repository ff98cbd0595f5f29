"""What is remembered of signals: changes, and how high metrics usually are."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from dogwatch.model import Change
from dogwatch.store import schema
from dogwatch.store.access import Access
from dogwatch.store.dialects import insert

_CHUNK = 300


class Signals(Access):
    """The part of the store that remembers changes and levels. All of it may be repeated without harm."""

    def save_changes(self, changes: Iterable[Change]) -> None:
        """Remember changes; what is told of one again replaces what was known."""
        rows = [
            {
                "uid": change.uid,
                "instance": change.instance,
                "subject": change.subject,
                "at": change.at,
                "body": change.model_dump(mode="json"),
            }
            for change in changes
        ]
        if not rows:
            return
        with self._write() as connection:
            self._fence(connection)
            statement = insert(connection, schema.changes)
            upsert = statement.on_conflict_do_update(
                index_elements=["uid"],
                set_={name: statement.excluded[name] for name in ("subject", "at", "body")},
            )
            connection.execute(upsert, rows)

    def changes(self, since: datetime, until: datetime) -> list[Change]:
        """Changes that connectors told and that took effect in [since, until], in order of time."""
        table = schema.changes
        query = (
            sa.select(table.c.body).where(table.c.at.between(since, until)).order_by(table.c.at, table.c.uid)
        )
        with self._read() as connection:
            return [Change.model_validate(body) for body in connection.execute(query).scalars()]

    def save_levels(
        self, levels: Mapping[str, Sequence[tuple[datetime, float]]], forget_before: datetime
    ) -> None:
        """Remember the hourly levels of series (by ``MetricSeries.key``); older ones are forgotten."""
        table = schema.levels
        rows = [
            {"key": key, "at": at, "value": value} for key, hours in levels.items() for at, value in hours
        ]
        with self._write() as connection:
            self._fence(connection)
            if rows:
                statement = insert(connection, table)
                again = statement.on_conflict_do_update(
                    index_elements=["key", "at"], set_={"value": statement.excluded.value}
                )
                connection.execute(again, rows)
            connection.execute(table.delete().where(table.c.at < forget_before))

    def levels(self, keys: Sequence[str], since: datetime) -> dict[str, list[tuple[datetime, float]]]:
        """The hourly levels of these series since then, in order of time."""
        table = schema.levels
        query = sa.select(table).where(table.c.at >= since).order_by(table.c.key, table.c.at)
        found: dict[str, list[tuple[datetime, float]]] = {}
        with self._read() as connection:
            for start in range(0, len(keys), _CHUNK):
                chosen = query.where(table.c.key.in_(list(keys[start : start + _CHUNK])))
                for row in connection.execute(chosen):
                    found.setdefault(row.key, []).append((row.at, row.value))
        return found

    def edited_versions(self, since: datetime, until: datetime) -> list[tuple[str, str]]:
        """The (instance, job id) of jobs of which another version was seen in [since, until] for the first
        time, in order."""
        table = schema.job_versions
        query = (
            sa.select(table.c.instance, table.c.job_id)
            .where(table.c.valid_from.between(since, until))
            .distinct()
            .order_by(table.c.instance, table.c.job_id)
        )
        with self._read() as connection:
            return [(row.instance, row.job_id) for row in connection.execute(query)]
