"""What is thrown away when its time is over, and what stays: the open, the cited, what judging needs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import JsonValue

from dogwatch.model import DeliveryState, IncidentState
from dogwatch.model.delivery import FEEDS
from dogwatch.store import schema
from dogwatch.store.journal import Entry, Journal

_KIND = "store.pruned"
_SUBJECT = "store"
_MARK = "pruned"
"""In the table of switches, when it was last done."""
_HUB = "hub"
"""The kind of feed whose other side has to get everything."""
_CHUNK = 2_000
"""Rows thrown away in one transaction, so that nobody waits long."""
_NEWEST = 30
"""Attempts of each job that stay, however old they are: what is usual is learned from them."""
_RUN_WORDS = ("run", "last_run_before")
"""Under these words evidence names the attempts it speaks of."""
_OVER = [state.value for state in DeliveryState if not state.pending and state is not DeliveryState.held]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each kind of thing stays; None: for ever."""

    runs: timedelta
    jobs: timedelta
    findings: timedelta
    rounds: timedelta
    messages: timedelta
    changes: timedelta
    incidents: timedelta | None = None


class Pruning(Journal):
    """The part of the store that forgets. Killed at any point it goes on the next time."""

    def last_pruned(self) -> datetime | None:
        """When it was last done; None if it never was."""
        table = schema.switches
        with self._read() as connection:
            return connection.execute(sa.select(table.c.at).where(table.c.name == _MARK)).scalar()

    def prune_due(self, now: datetime, every: timedelta) -> bool:
        """Whether so much time has passed since it was last done, or since the first round."""
        last, table = self.last_pruned(), schema.rounds
        if last is None:
            first = sa.select(table.c.started_at).order_by(table.c.id).limit(1)
            with self._read() as connection:
                last = connection.execute(first).scalar()
        return last is not None and now - last >= every

    def prune(self, limits: Limits, now: datetime) -> dict[str, int]:
        """Throw away what is older than its limit; returns how many rows of what, which goes on record.

        Evidence stays as long as anything cites it, attempts as long as such evidence speaks of them.
        """
        gone: dict[str, int] = {}
        if limits.incidents is not None:
            gone["incidents"] = self._incidents(now - limits.incidents)
        gone["findings"] = self._forget(schema.findings, schema.findings.c.cleared_at < now - limits.findings)
        gone["evidence"] = self._evidence(now - limits.findings)
        gone["runs"] = self._runs(now - limits.runs)
        gone["jobs"] = self._forget(schema.job_versions, schema.job_versions.c.valid_to < now - limits.jobs)
        with self._read() as connection:
            unsent = [sa.not_(schema.rounds.c.id.between(*span)) for span in _unsent(connection)]
        gone["rounds"] = self._forget(schema.rounds, sa.and_(_old_round(now - limits.rounds), *unsent))
        gone["messages"] = self._messages(now - limits.messages)
        gone["changes"] = self._forget(schema.changes, schema.changes.c.at < now - limits.changes)
        detail: dict[str, JsonValue] = dict(gone)
        table = schema.switches
        with self._write() as connection:
            connection.execute(table.delete().where(table.c.name == _MARK))
            connection.execute(table.insert().values(name=_MARK, by="rules", at=now))
            if any(gone.values()):
                self._append(connection, [Entry(now, "rules", _KIND, _SUBJECT, detail)])
        return gone

    def _forget(self, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
        """Throw away the rows of a table that fulfil a condition."""
        with self._read() as connection:
            keys = [tuple(row) for row in connection.execute(sa.select(*_keys(table)).where(condition))]
        self._delete(table, keys)
        return len(keys)

    def _delete(self, table: sa.Table, keys: Sequence[tuple[Any, ...]]) -> None:
        columns = _keys(table)
        names = [f"key{index}" for index in range(len(columns))]
        own = (
            column == sa.bindparam(name, type_=column.type)
            for column, name in zip(columns, names, strict=True)
        )
        statement = table.delete().where(*own)
        for start in range(0, len(keys), _CHUNK):
            rows = [dict(zip(names, key, strict=True)) for key in keys[start : start + _CHUNK]]
            with self._write() as connection:
                connection.execute(statement, rows)

    def _incidents(self, before: datetime) -> int:
        """Incidents that were over by then, with all that is theirs; the newest keeps its number taken."""
        table = schema.incidents
        newest = sa.select(sa.func.max(table.c.number)).scalar_subquery()
        over = sa.select(table.c.number).where(
            table.c.state == IncidentState.resolved.value,
            table.c.resolved_at < before,
            table.c.number < newest,
        )
        with self._read() as connection:
            numbers = list(connection.execute(over).scalars())
        parts = (schema.citations, schema.incident_findings, schema.incident_turns, table)
        for start in range(0, len(numbers), _CHUNK):
            some = numbers[start : start + _CHUNK]
            with self._write() as connection:
                for part in parts:
                    connection.execute(part.delete().where(part.c.number.in_(some)))
        return len(numbers)

    def _cited(self, connection: sa.Connection) -> set[str]:
        """Evidence that anything cites: an incident, an action, or a finding that is still remembered."""
        found = set(connection.execute(sa.select(schema.citations.c.evidence)).scalars())
        for body in connection.execute(sa.select(schema.findings.c.body)).scalars():
            found.update(body["evidence"])
        for body in connection.execute(sa.select(schema.actions.c.body)).scalars():
            found.update(body.get("cites", ()))
        return found

    def _evidence(self, before: datetime) -> int:
        table = schema.evidence
        with self._read() as connection:
            old = list(connection.execute(sa.select(table.c.id).where(table.c.at < before)).scalars())
            cited = self._cited(connection) if old else set[str]()
        keys = [(id_,) for id_ in old if id_ not in cited]
        self._delete(table, keys)
        return len(keys)

    def _runs(self, before: datetime) -> int:
        with self._read() as connection:
            instances = list(connection.execute(sa.select(schema.runs.c.instance).distinct()).scalars())
            spared = set(_spoken_of(connection))
        total = 0
        for instance in instances:
            with self._read() as connection:
                keys = [(uid,) for uid in _superfluous(connection, instance, before) if uid not in spared]
            self._delete(schema.runs, keys)
            total += len(keys)
        return total

    def _messages(self, before: datetime) -> int:
        """What was sent or given up by then; all of an incident stay while it is live, its first for ever, as
        later ones answer it."""
        table, cases = schema.outbox, schema.incidents
        over = sa.and_(
            table.c.state.in_(_OVER), table.c.finished_at < before, table.c.kind.not_in(sorted(FEEDS))
        )
        first = sa.select(sa.func.min(table.c.id)).group_by(table.c.destination, table.c.thread)
        with self._read() as connection:
            live = sa.select(cases.c.number).where(cases.c.state != IncidentState.resolved.value)
            threads = {f"INC-{number}" for number in connection.execute(live).scalars()}
            kept = {f"INC-{number}" for number in connection.execute(sa.select(cases.c.number)).scalars()}
            firsts = set(connection.execute(first).scalars())
            rows = connection.execute(sa.select(table.c.id, table.c.thread).where(over)).all()
        keys = [
            (row.id,)
            for row in rows
            if row.thread not in threads and not (row.id in firsts and row.thread in kept)
        ]
        self._delete(table, keys)
        return len(keys)


def _keys(table: sa.Table) -> list[sa.Column[Any]]:
    return list(table.primary_key.columns)


def _old_round(before: datetime) -> sa.ColumnElement[bool]:
    """All but the last one that ended: what it reported is still shown."""
    table = schema.rounds
    last = sa.select(sa.func.max(table.c.id)).where(table.c.ended_at.is_not(None)).scalar_subquery()
    return sa.and_(table.c.started_at < before, table.c.id < last)


def _superfluous(connection: sa.Connection, instance: str, before: datetime) -> Iterator[str]:
    """Attempts of an instance that began before, are over, and are none of the newest of their job."""
    table = schema.runs
    here = table.c.instance == instance
    since = sa.select(table.c.job_id, sa.func.count()).where(here, table.c.began_at >= before)
    later = Counter({row[0]: row[1] for row in connection.execute(since.group_by(table.c.job_id))})
    old = sa.select(table.c.uid, table.c.job_id, table.c.terminal).where(here, table.c.began_at < before)
    for span in _unsent(connection):
        old = old.where(sa.not_(table.c.changed_in.between(*span)))
    for row in connection.execute(old.order_by(table.c.began_at.desc(), table.c.uid)):
        later[row.job_id] += 1
        if later[row.job_id] > _NEWEST and row.terminal:
            yield row.uid


def _spoken_of(connection: sa.Connection) -> Iterator[str]:
    """The attempts of which remembered evidence speaks."""
    for body in connection.execute(sa.select(schema.evidence.c.body)).scalars():
        content = body.get("content", {})
        for word in _RUN_WORDS:
            if isinstance(content.get(word), str):
                yield content[word]


def _unsent(connection: sa.Connection) -> list[tuple[int, int]]:
    """Spans of rounds of which a hub has not confirmed everything: what they learned stays until it has."""
    table = schema.outbox
    query = sa.select(table.c.destination, table.c.state, table.c.payload).where(table.c.kind == _HUB)
    done: dict[str, int] = {}
    spans: list[tuple[int, int]] = []
    for row in connection.execute(query.order_by(table.c.id)):
        confirmed = row.payload.get("done", {})
        if "done" in row.payload:
            done[row.destination] = min(confirmed.get("runs", [0])[0], confirmed.get("rounds", 0))
        if DeliveryState(row.state).pending:
            spans.append((done.get(row.destination, 0), row.payload["to"]))
    return spans
