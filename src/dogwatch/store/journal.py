"""The record of everything that was decided or done: append-only, each event with the hash of the one before.

Whoever edits, removes or inserts an event breaks the chain at that place (``broken_event``). That the last
events were cut off shows only to those who remember the last hash.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from pydantic import JsonValue

from dogwatch.model.event import GENESIS, Event, chained
from dogwatch.store import schema
from dogwatch.store.access import Access
from dogwatch.store.fit import fit, fit_text

_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded; its place in the chain is found when it is."""

    at: datetime
    actor: str
    """``rules``, ``policy``, ``agent:<name>``, or a person as ``user:<name>``."""
    kind: str
    """``<noun>.<verb>``."""
    subject: str
    detail: Mapping[str, JsonValue]
    """Never a secret."""


class Journal(Access):
    """The part of the store that only grows."""

    def log(
        self, at: datetime, actor: str, kind: str, subject: str, detail: Mapping[str, JsonValue] | None = None
    ) -> Event:
        """Record one event; returns it with its place in the chain."""
        with self._write() as connection:
            return self._append(connection, [Entry(at, actor, kind, subject, detail or {})])[0]

    def _append(self, connection: sa.Connection, entries: Iterable[Entry]) -> list[Event]:
        """Record events within a transaction that holds the store for writing. What not every store can hold
        is replaced before it is hashed, so that the chain is whole in every kind."""
        table = schema.events
        last = connection.execute(
            sa.select(table.c.seq, table.c.hash).order_by(table.c.seq.desc()).limit(1)
        ).first()
        seq, previous = (0, GENESIS) if last is None else (last.seq, last.hash)
        events: list[Event] = []
        for entry in entries:
            seq += 1
            event = _chained(
                Event(
                    seq=seq,
                    at=entry.at,
                    actor=fit_text(entry.actor),
                    kind=entry.kind,
                    subject=fit_text(entry.subject),
                    detail=fit(dict(entry.detail)),
                    previous=previous,
                    hash="",
                )
            )
            previous = event.hash
            events.append(event)
        if events:
            connection.execute(table.insert(), [_row(event) for event in events])
        return events

    def events(self, subject: str | None = None, *, after: int = 0, limit: int = 1_000) -> list[Event]:
        """Events on a subject, or on all, in order, from behind the one numbered ``after``."""
        table = schema.events
        query = sa.select(table).where(table.c.seq > after).order_by(table.c.seq).limit(limit)
        if subject is not None:
            query = query.where(table.c.subject == subject)
        with self._read() as connection:
            return [Event.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def broken_event(self) -> int | None:
        """The number of the first event that does not fit the one before it; None if the chain is whole."""
        return self.verify_events()[0]

    def verify_events(self) -> tuple[int | None, int, str]:
        """The same, with how many events fit and the hash of the last of them."""
        seq, previous, size = 0, GENESIS, _BATCH
        while True:
            try:
                batch = self.events(after=seq, limit=size)
            except ValueError:  # one of these is no event any more
                if size == 1:
                    return seq + 1, seq, previous
                size = 1
                continue
            for event in batch:
                if event.seq != seq + 1 or event.previous != previous or _chained(event) != event:
                    return seq + 1, seq, previous
                seq, previous = event.seq, event.hash
            if not batch:
                return None, seq, previous if seq else ""


def _chained(event: Event) -> Event:
    """The event with the hash that its content demands."""
    return event.model_copy(update={"hash": chained(event.model_dump(mode="json", exclude={"hash"}))})


def _row(event: Event) -> dict[str, object]:
    return {**event.model_dump(mode="python"), "detail": dict(event.detail)}
