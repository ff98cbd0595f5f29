"""Feeds: deliveries that say "everything up to here" instead of one thing, for copies of the store elsewhere.

A feed is a row of the outbox like any message, with the same claim, attempts and back-off. It holds the last
round it has to reach, and for each of its parts how far the destination has confirmed. Rounds to come extend
the one that waits, so that a destination that is down for a week has one row to catch up with. What was
confirmed is written down batch by batch: who dies goes on behind the last one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, cast

import sqlalchemy as sa
from pydantic import JsonValue

from dogwatch.model import Delivery, DeliveryState, Incident, Run
from dogwatch.store import schema
from dogwatch.store.attempts import learned_behind
from dogwatch.store.outbox import ATTEMPT, Outbox, under_way

_NOTHING = -1
"""Below the number of every round; runs that no round recorded have 0."""


class FeedName(NamedTuple):
    """A feed that the rounds of one configuration extend."""

    kind: str
    """``hub`` or another word of a room that copies what is in the store."""
    destination: str
    """The same as long as it is the same place; another place gets everything anew."""


class RunsAt(NamedTuple):
    """How far a part has read the run attempts: behind this one, in the order of ``changed_in``."""

    round: int = _NOTHING
    uid: str = ""


@dataclass(frozen=True, slots=True)
class PastRound:
    """A round as it is remembered."""

    number: int
    """Counted by this store."""
    started_at: datetime
    ended_at: datetime | None
    """None if it died."""
    exit_code: int | None
    body: Mapping[str, JsonValue]
    """``findings``, ``platforms`` and ``health`` as JSON; empty if it died."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """How a feed stands."""

    pending: Delivery | None
    """What still has to be sent; None if everything has been."""
    done: Mapping[str, JsonValue]
    """By part, how far the destination has confirmed."""
    sent_at: datetime | None
    """When it last had everything."""


class Feeds(Outbox):
    """The part of the store for feeds."""

    def extend_feeds(self, feeds: Iterable[FeedName], now: datetime, *, afresh: bool = False) -> None:
        """There may be something new up to the last round that ended. The next attempt may be made at once;
        ``afresh``: everything is sent again, whatever was confirmed."""
        table = schema.rounds
        last = sa.select(sa.func.max(table.c.id)).where(table.c.ended_at.is_not(None))
        with self._write() as connection:
            upto = connection.execute(last).scalar() or 0
            self._extend(connection, feeds, upto, now, at_once=True, afresh=afresh)

    def _extend(
        self,
        connection: sa.Connection,
        feeds: Iterable[FeedName],
        upto: int,
        now: datetime,
        *,
        at_once: bool = False,
        afresh: bool = False,
    ) -> None:
        """Make the row that waits reach further, or write one down if none does."""
        table = schema.outbox
        for kind, destination in feeds:
            here = sa.and_(table.c.kind == kind, table.c.destination == destination)
            waiting = sa.and_(here, table.c.state == DeliveryState.waiting.value)
            if at_once:
                late = sa.and_(waiting, table.c.next_at > now)
                connection.execute(table.update().where(late).values(next_at=now))
            waits = sa.select(table).where(waiting)
            row = connection.execute(waits.order_by(table.c.id.desc()).limit(1)).mappings().first()
            again: dict[str, JsonValue] = {"done": {}} if afresh else {}
            if row is not None:
                payload = {**row["payload"], "to": upto, **again}
                connection.execute(table.update().where(table.c.id == row["id"]).values(payload=payload))
                continue
            fresh = Delivery(
                kind=kind,
                destination=destination,
                key=f"{kind} {destination} {upto} {now.isoformat()}",
                thread=kind,
                payload={"to": upto, **again},
                next_at=now,
                created_at=now,
            )
            self._post(connection, [fresh])

    def feed_state(self, feed: FeedName) -> FeedState:
        """What waits there, and how far it has come."""
        table = schema.outbox
        here = sa.select(table).where(table.c.kind == feed.kind, table.c.destination == feed.destination)
        rows = self._deliveries(here)
        pending = next((row for row in rows if row.state.pending), None)
        sent = next((row for row in reversed(rows) if row.state is DeliveryState.sent), None)
        done = None if pending is None else pending.payload.get("done")
        if done is None and sent is not None:
            done = sent.payload.get("done")
        return FeedState(
            pending, cast("Mapping[str, JsonValue]", done or {}), None if sent is None else sent.finished_at
        )

    def advance_feed(self, delivery: Delivery, holder: str, now: datetime) -> bool:
        """Write down what a feed under way has confirmed, and hold it for as long again.

        False if somebody else took it over meanwhile.
        """
        table = schema.outbox
        payload = delivery.model_dump(mode="json", include={"payload"})["payload"]
        values = {"payload": payload, "held_until": now + ATTEMPT}
        with self._write() as connection:
            mine = table.update().where(under_way(delivery, holder))
            return connection.execute(mine.values(values)).rowcount == 1

    def forget_sent(self, delivery: Delivery) -> None:
        """Throw away what this one, which was sent, has made superfluous."""
        table = schema.outbox
        older = sa.and_(
            table.c.kind == delivery.kind,
            table.c.destination == delivery.destination,
            table.c.state == DeliveryState.sent.value,
            table.c.id < delivery.id,
        )
        with self._write() as connection:
            connection.execute(table.delete().where(older))

    # ── what feeds copy ─────────────────────────────────────────────────────────────────────────────────

    def runs_behind(self, at: RunsAt, upto: int, limit: int) -> list[tuple[RunsAt, Run]]:
        """Run attempts of which a round up to ``upto`` last learned something new, behind a place, in order.

        One that a later round changed is left out: it comes when that round does.
        """
        with self._read() as connection:
            found = learned_behind(connection, at, upto, limit)
            return [(RunsAt(number, run.uid), run) for number, run in found]

    def count_behind(self, at: RunsAt) -> int:
        """How many run attempts lie behind a place."""
        query = sa.select(sa.func.count()).select_from(schema.runs).where(_behind(at))
        with self._read() as connection:
            return connection.execute(query).scalar_one()

    def rounds_behind(self, after: int, upto: int, limit: int) -> list[PastRound]:
        """Rounds with greater numbers, in order; those that died have no end."""
        table = schema.rounds
        query = sa.select(table).where(table.c.id > after, table.c.id <= upto).order_by(table.c.id)
        with self._read() as connection:
            rows = connection.execute(query.limit(limit)).mappings()
            return [
                PastRound(row["id"], row["started_at"], row["ended_at"], row["exit_code"], row["body"])
                for row in rows
            ]

    def incidents_behind(self, after: int, limit: int) -> tuple[int, list[Incident]]:
        """Incidents that something happened to behind an event of the record, as they are now, and the last
        event that was looked at; ``limit`` bounds the events."""
        events, table = schema.events, schema.incidents
        query = sa.select(events.c.seq, events.c.kind, events.c.subject).where(events.c.seq > after)
        with self._read() as connection:
            rows = connection.execute(query.order_by(events.c.seq).limit(limit)).all()
            if not rows:
                return after, []
            names = {row.subject for row in rows if row.kind.startswith("incident.")}
            numbers = [int(name.removeprefix("INC-")) for name in names]
            chosen = sa.select(table.c.body).where(table.c.number.in_(numbers)).order_by(table.c.number)
            bodies = connection.execute(chosen).scalars()
            return rows[-1].seq, [Incident.model_validate(body) for body in bodies]


def _behind(at: RunsAt) -> sa.ColumnElement[bool]:
    table = schema.runs
    same = sa.and_(table.c.changed_in == at.round, table.c.uid > at.uid)
    return sa.and_(table.c.changed_in >= at.round, sa.or_(table.c.changed_in > at.round, same))
