"""Turns that all processes on one server take together: of each platform so many requests are under way at
once, and so many start a second, whoever makes them.

A place is held for as long as its holder lives: it is lost 20 s after the last sign of life, told by the
server's clock, so that who died, is stopped or is cut off keeps nobody out. Every statement is a transaction
of its own: nobody can be stopped while he holds a lock.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from dogwatch.errors import StoreError, Unreachable
from dogwatch.store.holders import new_holder
from dogwatch.store.ways import translated
from dogwatch.wire.clock import Clock
from dogwatch.wire.pace import Pace

TTL = 20.0
"""Seconds after the last sign of life until a place is free again."""
_BEAT = 5.0
_LOOK = 0.1
"""Seconds between two looks for a place, half of it more or less."""
LONGEST = 300.0
"""Seconds that a call waits for a place; then its platform is blind in this round."""
HURRIED = 30.0
"""The same for a call that somebody waits for: then it is not made, and whoever waits is told."""
_FLAG = -1
"""The place of who is in a hurry: while it is held, others take no place that becomes free."""
_TAKE = """
WITH free AS (
  SELECT slot FROM generate_series(0, %(places)s - 1) AS slot
  WHERE NOT EXISTS (SELECT FROM turns t
                    WHERE t.platform = %(platform)s AND t.slot = slot.slot AND t.until > clock_timestamp())
  AND (%(hurried)s OR NOT EXISTS (SELECT FROM turns t
                    WHERE t.platform = %(platform)s AND t.slot = -1 AND t.until > clock_timestamp()))
  ORDER BY random() LIMIT 1
), took AS (
  INSERT INTO turns AS t (platform, slot, holder, until)
  SELECT %(platform)s, slot, %(holder)s, clock_timestamp() + %(ttl)s FROM free
  ON CONFLICT (platform, slot) DO UPDATE SET holder = excluded.holder, until = excluded.until
  WHERE t.until <= clock_timestamp() RETURNING slot
), due AS (
  INSERT INTO paces AS p (platform, next_at, paused_until)
  SELECT %(platform)s, %(now)s::timestamptz + %(interval)s, NULL FROM took
  ON CONFLICT (platform) DO UPDATE SET next_at = %(interval)s + greatest(
    %(now)s, least(p.next_at, %(now)s + %(furthest)s + %(credit)s),
    least(coalesce(p.paused_until, %(now)s), %(now)s + %(furthest)s))
  RETURNING next_at, paused_until
)
SELECT took.slot, greatest(%(now)s, due.next_at - %(interval)s - %(credit)s,
                           least(coalesce(due.paused_until, %(now)s), %(now)s + %(furthest)s))
FROM took, due
"""
"""A place and the next start by the generic cell rate algorithm, as ``wire.pace.Turns`` counts it for one
process alone; no row if all places are taken."""
_HURRY = """
INSERT INTO turns (platform, slot, holder, until)
VALUES (%(platform)s, -1, %(holder)s, clock_timestamp() + %(ttl)s)
ON CONFLICT (platform, slot) DO UPDATE SET holder = excluded.holder, until = excluded.until
"""
_RENEW = "UPDATE turns SET until = clock_timestamp() + %(ttl)s WHERE holder = ANY(%(holders)s)"
_GIVE_BACK = "DELETE FROM turns WHERE platform = %(platform)s AND slot = %(slot)s AND holder = %(holder)s"
_PAUSE = """
INSERT INTO paces AS p (platform, next_at, paused_until) VALUES (%(platform)s, %(until)s, %(until)s)
ON CONFLICT (platform) DO UPDATE SET paused_until = greatest(p.paused_until, excluded.paused_until)
"""


class SharedTurns:
    """The turns of this process, for all platforms. One connection and one thread of its own: a long
    transaction of the store keeps no request waiting."""

    def __init__(self, engine: sa.Engine, rng: Random) -> None:
        self._engine = engine
        self._rng = rng
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="turns")
        self._connection: sa.Connection | None = None
        self._me = new_holder()
        self._count = 0
        self._held: dict[str, tuple[str, int]] = {}
        self._beat: asyncio.Task[None] | None = None

    def of(self, platform: str) -> "PlatformTurns":
        """Those of one platform; all who call it so share them."""
        return PlatformTurns(self, platform)

    async def aclose(self) -> None:
        """Give everything back."""
        if self._beat is not None:
            self._beat.cancel()
            with suppress(asyncio.CancelledError):
                await self._beat
        self._thread.submit(self._forget)
        await asyncio.to_thread(self._thread.shutdown)

    async def take(
        self, platform: str, pace: Pace, clock: Clock, *, hurried: bool
    ) -> tuple[float, Callable[[], None]]:
        """Wait for a place; returns the seconds until the request may start, and what gives the place back.

        Raises Unreachable if there is none for ``LONGEST`` (``HURRIED``) seconds, or StoreError.
        """
        if self._beat is None:
            self._beat = asyncio.create_task(self._renew())
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (HURRIED if hurried else LONGEST)
        self._count += 1
        token = f"{self._me} {self._count}"
        said = _parameters(platform, pace, hurried=hurried, holder=token)
        flagged = False
        while True:
            now = clock.now()
            found = await self._granted({**said, "now": now})
            wait = 0.0 if found is None else max(0.0, (found - clock.now()).total_seconds())
            if found is not None and hurried and loop.time() + wait > deadline:
                self._give_back(token)
                raise Unreachable(f"it wants nobody to ask for {wait:.0f} s, and was not asked", asked=False)
            if found is not None:
                if flagged:
                    self._thread.submit(self._quietly, _GIVE_BACK, {**said, "slot": _FLAG})
                return wait, lambda: self._give_back(token)
            if loop.time() >= deadline:
                raise Unreachable(
                    f"other requests of ours keep it busy ({pace.concurrency} at once), and it was not asked",
                    "see which worker asks so much, or which of them does not get an answer",
                    asked=False,
                )
            if hurried:
                flagged = True
                flag = {**said, "ttl": timedelta(seconds=10 * _LOOK)}
                self._thread.submit(self._quietly, _HURRY, flag)
            # In real time, whatever clock we were given: others live in it.
            await asyncio.sleep(_LOOK * self._rng.uniform(0.5, 1.5))

    def pause(self, platform: str, until: datetime) -> None:
        """The platform wants nobody to ask until then."""
        self._thread.submit(self._quietly, _PAUSE, {"platform": platform, "until": until})

    async def _granted(self, said: dict[str, Any]) -> datetime | None:
        """When it may start. Who is cancelled while the thread takes a place gives it back."""
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self._take, said)
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            # Nobody else would look at what went wrong.
            asked.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._give_back(said["holder"])  # after it was taken, as the thread does everything in order
            raise

    def _give_back(self, token: str) -> None:
        """Without waiting for it; the thread does everything in order."""
        with suppress(RuntimeError):  # it is closed, and gave back everything
            self._thread.submit(self._return, token)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            self._thread.submit(self._sign)

    # ── in the thread ───────────────────────────────────────────────────────────────────────────────────

    def _take(self, said: dict[str, Any]) -> datetime | None:
        row: Any = self._ask(_TAKE, said).one_or_none()
        if row is None:
            return None
        self._held[said["holder"]] = (said["platform"], int(row[0]))
        start: datetime = row[1]
        return start

    def _return(self, token: str) -> None:
        held = self._held.pop(token, None)
        if held is not None:
            self._quietly(_GIVE_BACK, {"platform": held[0], "slot": held[1], "holder": token})

    def _sign(self) -> None:
        if self._held:
            self._quietly(_RENEW, {"holders": list(self._held), "ttl": timedelta(seconds=TTL)})

    def _forget(self) -> None:
        for token in list(self._held):
            self._return(token)
        if self._connection is not None:
            self._connection.close()

    def _quietly(self, statement: str, said: dict[str, Any]) -> None:
        """What is not told expires by itself."""
        with suppress(StoreError):
            self._ask(statement, said)

    def _ask(self, statement: str, said: dict[str, Any]) -> sa.CursorResult[Any]:
        with translated():
            if self._connection is None:
                made = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                made.detach()  # from the pool: it is set up in its own way, and stays ours
                self._connection = made
                # What a crash of the server may take away is worth nothing by then.
                made.exec_driver_sql("SET synchronous_commit TO off")
            try:
                return self._connection.exec_driver_sql(statement, said)
            except DBAPIError:
                broken, self._connection = self._connection, None
                with suppress(DBAPIError):
                    broken.close()
                raise


class PlatformTurns:
    """The turns of one platform (``wire.pace.Shared``)."""

    def __init__(self, turns: SharedTurns, platform: str) -> None:
        self._turns = turns
        self._platform = platform

    async def take(self, pace: Pace, clock: Clock, *, hurried: bool) -> tuple[float, Callable[[], None]]:
        """See ``SharedTurns.take``."""
        return await self._turns.take(self._platform, pace, clock, hurried=hurried)

    def pause(self, until: datetime) -> None:
        """See ``SharedTurns.pause``."""
        self._turns.pause(self._platform, until)


def _parameters(platform: str, pace: Pace, *, hurried: bool, holder: str) -> dict[str, Any]:
    return {
        "platform": platform,
        "places": pace.concurrency,
        "hurried": hurried,
        "holder": holder,
        "ttl": timedelta(seconds=TTL),
        "interval": pace.interval,
        "credit": pace.credit,
        "furthest": pace.furthest,
    }
