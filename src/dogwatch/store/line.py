"""A connection to PostgreSQL that waits for as long as the server works, and not for one that is gone.

TCP notices a peer that vanished, but not a proxy, a balancer or a pooler in between that confirms every
packet and passes on nothing; a statement would wait there for ever. So whoever hears nothing for a while asks
the server by another connection what became of its statement. Needs the driver (extra ``postgres``).
"""

from collections.abc import Mapping
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.abc import PQGen

RV = TypeVar("RV")
SILENCE = 10.0
"""Seconds without a word before the server is asked."""
_ASKING = 5
"""Seconds that asking may take: to be let in, and again to be answered."""
_LATE = 1.0
"""Seconds for an answer that is on its way while we ask."""
_STATE = sql.SQL("SELECT state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'"
                 " FROM pg_stat_activity WHERE pid = {}")  # fmt: skip
"""Whether a backend works on something. One that waits for its client is none: we are not speaking."""


class Line(psycopg.Connection[Any]):
    """A connection that finds out whether it is still one."""

    means: Mapping[str, Any] | None = None
    """What it was made with; None for one that only asks, and gives up when nobody answers."""
    backend = 0
    """The server's process at the other end, also behind a pooler."""

    def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        """Wait for the server. Raises OperationalError, and is closed, once it is known to be gone."""
        return super().wait(self._patiently(gen), *args, **kwargs)

    def _patiently(self, gen: PQGen[RV]) -> PQGen[RV]:
        """The same steps; the driver takes one every tenth of a second also when nothing comes."""
        try:
            wanted = next(gen)
            heard, limit = monotonic(), SILENCE if self.means is not None else _ASKING
            while True:
                ready = yield wanted
                if ready:
                    heard, limit = monotonic(), SILENCE if self.means is not None else _ASKING
                elif monotonic() - heard > limit:
                    if self.means is None or limit == _LATE:
                        self.pgconn.finish()
                        raise psycopg.OperationalError("the server was silent and is not there any more")
                    heard, limit = monotonic(), SILENCE if self._is_at_work() else _LATE
                wanted = gen.send(ready)
        except StopIteration as end:
            value: RV = end.value
            return value

    def _is_at_work(self) -> bool:
        """Whether the server says that it works for us; False also if it cannot be asked."""
        try:
            means: dict[str, Any] = {**(self.means or {}), "connect_timeout": _ASKING}
            with Line.connect(**means) as other:
                row = other.execute(_STATE.format(sql.Literal(self.backend))).fetchone()
        except psycopg.Error:
            return False
        return row is not None and bool(row[0])


def line(**means: Any) -> Line:
    """Connect; ``means`` as libpq knows them. Raises psycopg.OperationalError."""
    made = Line.connect(**means)
    made.means = means
    return made
