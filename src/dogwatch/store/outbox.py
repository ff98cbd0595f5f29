"""The outbox: what has to leave the house, in one place for everything that sends.

Written in the same transaction as what made it necessary; an attempt is written down before it is made and
its result after. Of several workers one gets each delivery; what a dead worker had begun comes back as
doubtful once its time is over.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import JsonValue

from dogwatch.model import Delivery, DeliveryState, Reach
from dogwatch.model.delivery import FEEDS
from dogwatch.store import schema
from dogwatch.store.dialects import insert
from dogwatch.store.journal import Entry, Journal

ATTEMPT = timedelta(minutes=3)
"""An attempt takes no longer than this; who began one and is silent for so long is dead."""
_CHUNK = 300
_PENDING = [state.value for state in DeliveryState if state.pending]
_ENDED = frozenset({DeliveryState.sent, DeliveryState.moved, DeliveryState.failed})
_HIDDEN = {"holder", "held_until"}


class Outbox(Journal):
    """The part of the store for what leaves the house."""

    def post(self, deliveries: Sequence[Delivery]) -> None:
        """Write deliveries down. A key that is there already stays as it is."""
        with self._write() as connection:
            self._post(connection, deliveries)

    def _post(self, connection: sa.Connection, deliveries: Iterable[Delivery]) -> None:
        rows = [_row(delivery) for delivery in deliveries]
        if rows:
            statement = insert(connection, schema.outbox)
            connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]), rows)

    def _repost(self, connection: sa.Connection, deliveries: Iterable[Delivery]) -> None:
        """Deliveries that were held become what is given here: released, or gathered."""
        table = schema.outbox
        rows = [{"was": delivery.id, **_row(delivery)} for delivery in deliveries]
        if rows:
            held = table.update().where(
                table.c.id == sa.bindparam("was"), table.c.state == DeliveryState.held.value
            )
            names = [name for name in rows[0] if name != "was"]
            connection.execute(held.values({name: sa.bindparam(name) for name in names}), rows)

    def claim_delivery(self, kind: str, destination: str, holder: str, now: datetime) -> Delivery | None:
        """The next delivery that is due there, its attempt written down; None if there is none.

        Later ones of a thread wait until the earlier are over. One that a dead worker had begun is doubtful.
        """
        table, before = schema.outbox, schema.outbox.alias()
        due = sa.and_(table.c.state == DeliveryState.waiting.value, table.c.next_at <= now)
        abandoned = sa.and_(table.c.state == DeliveryState.sending.value, table.c.held_until <= now)
        earlier = sa.exists().where(
            before.c.destination == table.c.destination,
            before.c.thread == table.c.thread,
            before.c.id < table.c.id,
            before.c.state.in_(_PENDING),
        )
        query = (
            sa.select(table)
            .where(table.c.kind == kind, table.c.destination == destination)
            .where(sa.or_(due, abandoned), ~earlier)
            .order_by(table.c.id)
            .limit(1)
        )
        with self._write() as connection:
            row = connection.execute(query).mappings().first()
            if row is None:
                return None
            doubtful = bool(row["doubtful"]) or row["state"] == DeliveryState.sending.value
            begun = {
                "state": DeliveryState.sending.value,
                "attempts": row["attempts"] + 1,
                "doubtful": doubtful,
            }
            same = sa.and_(table.c.id == row["id"], table.c.attempts == row["attempts"])
            held = {"holder": holder, "held_until": now + ATTEMPT}
            if connection.execute(table.update().where(same).values(**begun, **held)).rowcount != 1:
                return None
        return _delivery({**row, **begun})

    def finish_delivery(self, delivery: Delivery, holder: str, now: datetime) -> bool:
        """Write down how an attempt ended: what ``delivery`` now says of itself.

        False if somebody else took it over meanwhile; then it may have arrived twice, which is noted.
        """
        table = schema.outbox
        values = {**_row(delivery), "holder": "", "held_until": None}
        with self._write() as connection:
            mine = table.update().where(under_way(delivery, holder))
            if connection.execute(mine.values(values)).rowcount == 1:
                self._tell(connection, delivery, now)
                return True
            twice = table.update().where(table.c.id == delivery.id).values(doubled=True)
            if delivery.state is DeliveryState.sent:
                connection.execute(twice)
            return False

    def amend_delivery(self, delivery: Delivery) -> bool:
        """Write what a delivery that waits now says of itself; False if somebody has begun to send it."""
        table = schema.outbox
        waits = sa.and_(table.c.id == delivery.id, table.c.state == DeliveryState.waiting.value)
        with self._write() as connection:
            return connection.execute(table.update().where(waits).values(_row(delivery))).rowcount == 1

    def _tell(self, connection: sa.Connection, delivery: Delivery, now: datetime) -> None:
        """Into the record, if this is the end of it."""
        if delivery.state in _ENDED and delivery.kind not in FEEDS:
            detail: dict[str, JsonValue] = {
                "destination": delivery.destination,
                "key": delivery.key,
                "attempts": delivery.attempts,
                "doubled": delivery.doubled,
                "landed": delivery.landed,
            }
            kind = f"{delivery.kind}.{delivery.state.value}"
            self._append(connection, [Entry(now, "rules", kind, delivery.thread, detail)])

    def move_delivery(self, delivery: Delivery, instead: Delivery | None, now: datetime) -> None:
        """What cannot be delivered goes elsewhere: both are written, or neither. None: it was told there."""
        table = schema.outbox
        values = {**_row(delivery), "holder": "", "held_until": None}
        with self._write() as connection:
            connection.execute(table.update().where(table.c.id == delivery.id).values(values))
            self._tell(connection, delivery, now)
            self._post(connection, [instead] if instead is not None else [])

    def pending(self, kind: str, destination: str) -> list[Delivery]:
        """What still has to be sent there, in order."""
        table = schema.outbox
        query = sa.select(table).where(
            table.c.kind == kind, table.c.destination == destination, table.c.state.in_(_PENDING)
        )
        return self._deliveries(query)

    def next_due(self, kind: str, destination: str) -> datetime | None:
        """When the next delivery there is due; None if nothing waits."""
        table = schema.outbox
        when = sa.case(
            (table.c.state == DeliveryState.waiting.value, table.c.next_at), else_=table.c.held_until
        )
        query = sa.select(sa.func.min(when, type_=schema.Moment)).where(
            table.c.kind == kind, table.c.destination == destination, table.c.state.in_(_PENDING)
        )
        with self._read() as connection:
            return connection.execute(query).scalar()

    def landed(self, kind: str, destination: str, thread: str) -> list[Delivery]:
        """What of a thread has arrived there, in order."""
        table = schema.outbox
        query = sa.select(table).where(
            table.c.kind == kind,
            table.c.destination == destination,
            table.c.thread == thread,
            table.c.state == DeliveryState.sent.value,
        )
        return self._deliveries(query)

    def deliveries(self, kind: str, threads: Iterable[str]) -> list[Delivery]:
        """Everything ever decided about these threads, in order."""
        table = schema.outbox
        wanted = sorted(set(threads))
        found: list[Delivery] = []
        for start in range(0, len(wanted), _CHUNK):
            chosen = table.c.thread.in_(wanted[start : start + _CHUNK])
            found += self._deliveries(sa.select(table).where(table.c.kind == kind, chosen))
        return sorted(found, key=lambda delivery: delivery.id)

    def held(self, kind: str) -> list[Delivery]:
        """What is kept back, in order."""
        table = schema.outbox
        return self._deliveries(
            sa.select(table).where(table.c.kind == kind, table.c.state == DeliveryState.held.value)
        )

    def delivered_since(self, kind: str, since: datetime) -> list[Delivery]:
        """What was decided since then, in order."""
        table = schema.outbox
        return self._deliveries(sa.select(table).where(table.c.kind == kind, table.c.created_at > since))

    def outbox_counts(self) -> dict[tuple[str, str, str], int]:
        """How many deliveries there are by kind, destination and state."""
        table = schema.outbox
        query = sa.select(table.c.kind, table.c.destination, table.c.state, sa.func.count())
        with self._read() as connection:
            rows = connection.execute(query.group_by(table.c.kind, table.c.destination, table.c.state))
            return {(row[0], row[1], row[2]): row[3] for row in rows}

    def _deliveries(self, query: sa.Select[Any]) -> list[Delivery]:
        with self._read() as connection:
            rows = connection.execute(query.order_by(schema.outbox.c.id)).mappings()
            return [_delivery(row) for row in rows]

    # ── how well destinations can be reached ────────────────────────────────────────────────────────────

    def reaches(self) -> dict[str, Reach]:
        """What is known of each destination that was ever sent to."""
        with self._read() as connection:
            rows = connection.execute(sa.select(schema.reaches)).mappings()
            return {row["destination"]: Reach.model_validate(dict(row)) for row in rows}

    def save_reach(self, reach: Reach, now: datetime) -> None:
        """Remember how well a destination can be reached; that it is switched off or on goes on record."""
        row = reach.model_dump()
        table = schema.reaches
        was_dead = sa.select(table.c.dead_since).where(table.c.destination == reach.destination)
        with self._write() as connection:
            dead = connection.execute(was_dead).scalar() is not None
            statement = insert(connection, table)
            upsert = statement.on_conflict_do_update(
                index_elements=["destination"],
                set_={name: statement.excluded[name] for name in row if name != "destination"},
            )
            connection.execute(upsert, row)
            if dead != (reach.dead_since is not None):
                kind = "destination.on" if dead else "destination.off"
                detail: dict[str, JsonValue] = {"reason": reach.reason}
                self._append(connection, [Entry(now, "rules", kind, reach.destination, detail)])


def under_way(delivery: Delivery, holder: str) -> sa.ColumnElement[bool]:
    """Whether the attempt that ``holder`` began is still theirs: nobody took it over, none came after it."""
    table = schema.outbox
    return sa.and_(
        table.c.id == delivery.id,
        table.c.holder == holder,
        table.c.state == DeliveryState.sending.value,
        table.c.attempts == delivery.attempts,
    )


def _row(delivery: Delivery) -> dict[str, Any]:
    row = delivery.model_dump(exclude={"id", "payload", "state"})
    return {
        **row,
        "payload": delivery.model_dump(mode="json", include={"payload"})["payload"],
        "state": delivery.state.value,
        "holder": "",
        "held_until": None,
    }


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    return Delivery.model_validate({key: value for key, value in row.items() if key not in _HIDDEN})
