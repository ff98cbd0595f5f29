"""What other systems told us, and who keeps the watch."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dogwatch.model import Alert
from dogwatch.model.call import Call, PushedAlert, WaitingCall, Watcher
from dogwatch.store import lease, schema
from dogwatch.store.access import Access
from dogwatch.store.dialects import insert

WATCH = "watch"
"""The lease of the watcher that makes the rounds."""
_KEPT = timedelta(days=7)
"""What was looked at is forgotten so long after it came; a replay as old as that is refused by its time."""
_ALERTS_KEPT = timedelta(days=7)
_WAITING, _TAKEN, _DONE = "waiting", "taken", "done"


class Calls(Access):
    """The part of the store that holds what came from outside, and who watches."""

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────

    def keep_calls(self, calls: Sequence[Call]) -> list[bool]:
        """Remember calls and their alerts in one transaction that is on the disk when this returns.

        For each: True if it is new, False if it was known.
        """
        new: list[bool] = []
        with self._write_through() as connection:
            keep, keep_alert = _statements(connection)
            for call in calls:
                new.append(connection.execute(keep, _call_row(call)).rowcount == 1)
                if call.alerts:
                    alerts = [_alert_row(one, call.received_at) for one in call.alerts]
                    connection.execute(keep_alert, alerts)
        return new

    def waiting_calls(self, limit: int = 10_000) -> list[WaitingCall]:
        """The calls that no round has looked at, in the order in which they came."""
        table = schema.calls
        query = sa.select(table).where(table.c.state == _WAITING).order_by(table.c.number).limit(limit)
        with self._read() as connection:
            return [_waiting(row) for row in connection.execute(query)]

    def is_called(self, instance: str) -> bool:
        """Whether a call that concerns this connector waits for a round."""
        table = schema.calls
        query = sa.select(table.c.touches, table.c.everything).where(table.c.state == _WAITING)
        with self._read() as connection:
            return any(row.everything or instance in row.touches for row in connection.execute(query))

    def count_calls(self) -> dict[tuple[str, str], int]:
        """(hook, state) -> how many are remembered."""
        table = schema.calls
        query = sa.select(table.c.hook, table.c.state, sa.func.count()).group_by(table.c.hook, table.c.state)
        with self._read() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(query)}

    def calls_done(self, upto: int, now: datetime) -> None:
        """A round that began after these calls came has looked at what they concern."""
        table = schema.calls
        over = sa.and_(table.c.state == _WAITING, table.c.number <= upto)
        with self._write() as connection:
            connection.execute(
                table.update().where(over, table.c.reply_to == "").values(state=_DONE, finished_at=now)
            )
            old = sa.and_(table.c.state == _DONE, table.c.received_at < now - _KEPT)
            connection.execute(table.delete().where(old))

    def take_reply(self, number: int, now: datetime) -> bool:
        """Note that the answer to a call is about to be sent; False if somebody else did. What is taken is
        not tried again: the other side may have it."""
        table = schema.calls
        mine = table.update().where(table.c.number == number, table.c.state == _WAITING)
        with self._write() as connection:
            taken = connection.execute(mine.values(state=_TAKEN, finished_at=now, reply_to=""))
            return taken.rowcount == 1

    def reply_done(self, number: int, now: datetime) -> None:
        """The answer was sent."""
        table = schema.calls
        with self._write() as connection:
            own = table.update().where(table.c.number == number)
            connection.execute(own.values(state=_DONE, finished_at=now))

    # ── alerts ──────────────────────────────────────────────────────────────────────────────────────────

    def pushed_alerts(self, now: datetime, stay: timedelta) -> list[Alert]:
        """The alerts that fire, as they were told; one that nobody repeats for ``stay`` is over."""
        table = schema.pushed_alerts
        query = sa.select(table.c.body).where(table.c.ends_at.is_(None), table.c.seen_at > now - stay)
        with self._read() as connection:
            return [Alert.model_validate(row) for row in connection.execute(query.order_by("key")).scalars()]

    def forget_alerts(self, now: datetime) -> None:
        """Let go of alerts that are long over."""
        table = schema.pushed_alerts
        with self._write() as connection:
            connection.execute(table.delete().where(table.c.seen_at < now - _ALERTS_KEPT))

    # ── watchers ────────────────────────────────────────────────────────────────────────────────────────

    def lead(self, holder: str, now: datetime) -> str | None:
        """Take or keep the lead among watchers; returns None, or who has it."""
        with self._write() as connection:
            return lease.claim(connection, WATCH, holder, now)

    def release_lead(self, holder: str) -> None:
        """Let another watcher take over at once."""
        with self._write() as connection:
            lease.release(connection, WATCH, holder)

    def holders(self) -> dict[str, str]:
        """Who holds which lease."""
        table = schema.leases
        with self._read() as connection:
            return {row.name: row.holder for row in connection.execute(sa.select(table))}

    def bury(self, holder: str, now: datetime) -> None:
        """Take its leases from a process that is known to be dead; what it was sending is in doubt from now
        on, and the next worker looks whether it arrived."""
        leases, outbox = schema.leases, schema.outbox
        with self._write() as connection:
            connection.execute(leases.delete().where(leases.c.holder == holder))
            sending = sa.and_(outbox.c.holder == holder, outbox.c.held_until.is_not(None))
            connection.execute(outbox.update().where(sending).values(held_until=now))

    def save_watcher(self, watcher: Watcher) -> None:
        """Remember a sign of life."""
        row = watcher.model_dump()
        with self._write() as connection:
            statement = insert(connection, schema.watchers)
            values = {name: statement.excluded[name] for name in row if name != "name"}
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values), row)

    def watchers(self, since: datetime) -> list[Watcher]:
        """Those that gave a sign of life since then, by name."""
        table = schema.watchers
        query = sa.select(table).where(table.c.seen_at >= since).order_by(table.c.name)
        with self._read() as connection:
            return [Watcher.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def last_whole_round(self) -> tuple[datetime, int] | None:
        """When the last round of everything ended, and its exit code; None if none did."""
        table = schema.rounds
        query = sa.select(table.c.ended_at, table.c.exit_code)
        whole = query.where(table.c.ended_at.is_not(None), table.c.scope.is_(None))
        with self._read() as connection:
            row = connection.execute(whole.order_by(table.c.id.desc()).limit(1)).first()
        return None if row is None else (row.ended_at, row.exit_code)


def _call_row(call: Call) -> dict[str, Any]:
    return {
        "key": call.key,
        "hook": call.hook,
        "received_at": call.received_at,
        "touches": list(call.touches),
        "everything": call.everything,
        "says": call.says,
        "reply_to": call.reply_to,
        "state": _WAITING,
        "finished_at": None,
    }


def _waiting(row: sa.Row[Any]) -> WaitingCall:
    return WaitingCall(
        number=row.number,
        hook=row.hook,
        received_at=row.received_at,
        touches=tuple(row.touches),
        everything=bool(row.everything),
        says=row.says,
        reply_to=row.reply_to,
    )


def _alert_row(pushed: PushedAlert, now: datetime) -> dict[str, Any]:
    return {
        "key": pushed.key,
        "began_at": pushed.alert.active_since,
        "ends_at": pushed.ends_at,
        "seen_at": now,
        "body": pushed.alert.model_dump(mode="json"),
    }


def _statements(connection: sa.Connection) -> tuple[sa.Executable, sa.Executable]:
    """The upserts of a call and of an alert. An alert that is over begins again only with a later start: an
    old call that comes once more, or out of order, changes nothing."""
    calls = insert(connection, schema.calls)
    alerts = insert(connection, schema.pushed_alerts)
    told, new = schema.pushed_alerts.c, alerts.excluded
    later = sa.or_(
        new.began_at > told.began_at, sa.and_(new.began_at == told.began_at, told.ends_at.is_(None))
    )
    upsert = alerts.on_conflict_do_update(
        index_elements=["key"],
        set_={name: new[name] for name in ("began_at", "ends_at", "seen_at", "body")},
        where=later,
    )
    return calls.on_conflict_do_nothing(index_elements=["key"]), upsert
