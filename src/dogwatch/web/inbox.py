"""Calls from outside are written down in batches: one transaction, one write to the disk, for all that came
while the one before was under way. Nobody is answered before theirs is on the disk."""

import asyncio
from collections import deque

from dogwatch.errors import StoreError
from dogwatch.hooks.base import Refused
from dogwatch.model.call import Call
from dogwatch.watchkeeping import Watchkeeping

_MOST = 5_000
"""Calls that may wait for the disk; whoever comes then is asked to come again."""
_BATCH = 500
_PATIENCE = 5.0
"""Seconds in which the disk, or a database elsewhere, has to have it; callers do not wait for ever either."""


class Inbox:
    """Takes calls and says when they are safe."""

    def __init__(self, keeping: Watchkeeping) -> None:
        self._keeping = keeping
        self._waiting: deque[tuple[Call, asyncio.Future[bool]]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def put(self, call: Call) -> bool:
        """Return when the call is on the disk; True if it is new. Raises Refused (503) if it cannot be."""
        if len(self._waiting) >= _MOST:
            raise Refused(503, "too much at once; come again")
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(_PATIENCE):
                return await future
        except TimeoutError:
            raise Refused(503, "the store does not answer; come again") from None

    async def _write(self) -> None:
        """Write until nothing waits."""
        try:
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                try:
                    new = await self._keeping.keep([call for call, _ in some])
                except StoreError as error:
                    for _, future in some:
                        if not future.done():
                            future.set_exception(Refused(503, f"it cannot be written down: {error.message}"))
                    continue
                for (_, future), fresh in zip(some, new, strict=True):
                    if not future.done():
                        future.set_result(fresh)
        finally:
            self._writer = None
