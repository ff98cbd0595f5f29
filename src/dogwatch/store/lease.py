"""One round at a time: a lease that one process holds, renews, and loses by not renewing."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from dogwatch.errors import StoreError
from dogwatch.store import schema
from dogwatch.store.dialects import insert

TTL = timedelta(seconds=60)
"""A holder that does not renew for this long is taken for dead."""
_SET_BACK = 10 * TTL
"""A lease that lasts longer than this was taken by a clock that has gone back since: whoever lives renews it
by the new one, and who is dead would hold it until the old time comes again."""


def claim(connection: sa.Connection, name: str, holder: str, now: datetime) -> str | None:
    """Take the lease, or one's own again; returns None on success, else who holds it.

    One statement decides (compare and set), so of any number of claimants exactly one succeeds.
    """
    table = schema.leases
    statement = insert(connection, table).values(name=name, holder=holder, expires_at=now + TTL)
    mine_or_dead = sa.or_(
        table.c.holder == holder, table.c.expires_at <= now, table.c.expires_at > now + _SET_BACK
    )
    taken = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": statement.excluded.holder, "expires_at": statement.excluded.expires_at},
            where=mine_or_dead,
        )
    )
    if taken.rowcount == 1:
        return None
    return str(connection.execute(sa.select(table.c.holder).where(table.c.name == name)).scalar_one())


def renew(connection: sa.Connection, name: str, holder: str, now: datetime) -> bool:
    """Hold the lease for another ``TTL`` if it is still ours; False if somebody took over, even if they are
    done with it."""
    table = schema.leases
    mine = table.update().where(table.c.name == name, table.c.holder == holder)
    return connection.execute(mine.values(expires_at=now + TTL)).rowcount == 1


def release(connection: sa.Connection, name: str, holder: str) -> None:
    """Give the lease back if it is still ours."""
    table = schema.leases
    connection.execute(table.delete().where(table.c.name == name, table.c.holder == holder))


def require(connection: sa.Connection, name: str, holder: str) -> None:
    """Fence: in the same transaction as a result, raise StoreError if somebody else took over meanwhile."""
    table = schema.leases
    current = connection.execute(sa.select(table.c.holder).where(table.c.name == name)).scalar()
    if current != holder:
        raise StoreError(
            "this round was taken for dead and another one took over; its results are dropped",
            "nothing is lost: the other round reads the same runs",
        )
