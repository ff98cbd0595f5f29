"""Sends what waits in the outbox, one attempt at a time, each written down before it is made and after.

An attempt that a dead process had begun is resolved where the channel can say whether the message arrived,
or knows it again by its key; elsewhere it is sent again and marked as possibly doubled. A channel to which
nothing can be delivered is switched off, and what waits for it goes to another one.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import JsonValue

from dogwatch.errors import ChannelError, SettingsError
from dogwatch.model import Consent, Delivery, DeliveryState, Message, Reach
from dogwatch.notify.base import AnyChannel, CanFind, Earlier
from dogwatch.notify.decide import DAILY, DIGEST, KIND, instead_of, message_of
from dogwatch.notify.routing import Plan
from dogwatch.report.message import asked
from dogwatch.store import Store, StoreThread
from dogwatch.wire.clock import Clock
from dogwatch.wire.secrets import Secrets

FIRST_WAIT = 5.0
"""Seconds before the second attempt, quadrupled each time."""
LONGEST_WAIT = 900.0
GIVE_UP = 6
"""Attempts after which a message goes to another channel, if there is one that works."""
GIVE_UP_FAILING = 2
"""The same for a channel to which the last message could not be delivered."""
LINGER = timedelta(seconds=20)
"""So long a worker waits for the next attempt before it leaves it to the next one."""
LONGEST = timedelta(seconds=90)
"""So long a worker works on one channel in all."""
_AGAIN = "perhaps sent before"


@dataclass(frozen=True, slots=True)
class Broken:
    """A channel that cannot even be opened."""

    error: SettingsError


@dataclass(slots=True)
class Sent:
    """What came of one worker's work."""

    sent: int = 0
    moved: int = 0
    failed: int = 0
    waiting: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """By channel, when the next attempt is due."""


Asks = Callable[[str], Awaitable[Sequence[Consent]]]
"""By incident, such as INC-7: what waits for a person's consent now."""


class Post:
    """One worker over all channels."""

    def __init__(
        self,
        channels: Mapping[str, AnyChannel | Broken],
        store: Store,
        thread: StoreThread,
        clock: Clock,
        *,
        plan: Plan,
        holder: str,
        secrets: Secrets,
        rng: random.Random,
        asks: Asks | None = None,
    ) -> None:
        """``asks``: what is asked for together with the news of an incident; it may have come up since the
        message was written down."""
        self._channels = channels
        self._asks = asks
        self._store = store
        self._thread = thread
        self._clock = clock
        self._plan = plan
        self._holder = holder
        self._secrets = secrets
        self._rng = rng
        self._reaches: dict[str, Reach] = {}

    async def run(self) -> Sent:
        """Send everything that is due, and what becomes due within ``LINGER``. Raises StoreError only."""
        self._reaches = await self._thread(self._store.reaches)
        done = Sent()
        moved = -1
        while (
            moved < done.moved
        ):  # what another channel could not deliver may have come too late for this one
            moved = done.moved
            names = [name for name in self._channels if self._reach(name).dead_since is None]
            await asyncio.gather(*(self._serve(name, done) for name in names))
        return done

    async def _serve(self, name: str, done: Sent) -> None:
        """One channel, in order, as long as something is due soon."""
        channel = self._channels[name]
        began = self._clock.now()
        if isinstance(channel, Broken):
            if await self._thread(self._store.pending, KIND, name):
                await self._switch_off(name, ChannelError(channel.error.message, channel.error.hint), done)
            return
        while self._clock.now() < began + LONGEST:
            claimed = await self._thread(
                self._store.claim_delivery, KIND, name, self._holder, self._clock.now()
            )
            if claimed is not None:
                if not await self._attempt(channel, claimed, done):
                    return
                continue
            due = await self._thread(self._store.next_due, KIND, name)
            now = self._clock.now()
            if due is None or due > now + LINGER or due > began + LONGEST:
                if due is not None:
                    done.waiting[name] = due
                return
            await self._clock.sleep(max(1.0, (due - now).total_seconds()))

    async def _attempt(self, channel: AnyChannel, delivery: Delivery, done: Sent) -> bool:
        """One attempt and its record; False if the channel is switched off by it."""
        message = message_of(delivery)
        arrived = await self._thread(self._store.landed, KIND, channel.name, delivery.thread)
        earlier = Earlier(
            first=arrived[0].landed if arrived else "",
            last=arrived[-1].landed if arrived else "",
            again=delivery.doubtful,
        )
        doubled = delivery.doubled
        try:
            where = None
            if delivery.doubtful:
                where, sure = await _look(channel, message, earlier)
                doubled = doubled or not sure
            if where is None:
                consents = await self._asks(message.thread) if self._asks else ()
                said = asked(_marked(message) if doubled else message, consents)
                where = await channel.send(said, earlier)
        except ChannelError as error:
            return await self._failed(channel, delivery.model_copy(update={"doubled": doubled}), error, done)
        await self._succeeded(delivery, where, doubled)
        done.sent += 1
        return True

    async def _succeeded(self, delivery: Delivery, where: str, doubled: bool) -> None:
        now = self._clock.now()
        ended = {
            "state": DeliveryState.sent,
            "landed": where,
            "finished_at": now,
            "error": "",
            "doubtful": False,
            "doubled": doubled,
        }
        await self._thread(
            self._store.finish_delivery, delivery.model_copy(update=ended), self._holder, self._clock.now()
        )
        well = Reach(destination=delivery.destination, last_sent_at=now)
        self._reaches[delivery.destination] = well
        await self._thread(self._store.save_reach, well, now)

    async def _failed(self, channel: AnyChannel, delivery: Delivery, error: ChannelError, done: Sent) -> bool:
        now, name = self._clock.now(), channel.name
        said = self._secrets.scrub(error.message)
        failed = delivery.model_copy(
            update={
                "error": said,
                "doubtful": delivery.doubtful or error.ambiguous,
                "state": DeliveryState.waiting,
            }
        )
        if error.permanent:
            await self._finish(failed.model_copy(update={"next_at": now}))
            await self._switch_off(name, error, done)
            return False
        reach = self._reach(name)
        patience = GIVE_UP if reach.failing_since is None else GIVE_UP_FAILING
        if error.refused or delivery.attempts >= patience:
            if not error.refused:
                await self._note(reach, error, failing=True)
            if await self._move(failed, done):
                return True
            if error.refused:
                ended = {"state": DeliveryState.failed, "finished_at": now}
                await self._finish(failed.model_copy(update=ended))
                done.failed += 1
                return True
        wait = max(error.retry_after or 0.0, self._back_off(delivery.attempts))
        await self._finish(failed.model_copy(update={"next_at": now + timedelta(seconds=wait)}))
        return True

    def _back_off(self, attempts: int) -> float:
        """Seconds before the next attempt: exponential, with a fifth of jitter."""
        return min(LONGEST_WAIT, FIRST_WAIT * 4.0 ** (attempts - 1)) * self._rng.uniform(1.0, 1.2)

    async def _switch_off(self, name: str, error: ChannelError, done: Sent) -> None:
        """No message can be delivered here until somebody does something: all that waits goes elsewhere, or
        is held until the channel works again."""
        await self._note(self._reach(name), error, failing=False)
        for delivery in await self._thread(self._store.pending, KIND, name):
            if delivery.state is DeliveryState.sending:
                continue  # another worker is at it, and will learn the same
            if await self._move(delivery, done):
                continue
            if delivery.tag not in (DIGEST, DAILY):
                held = delivery.model_copy(update={"state": DeliveryState.held})
                await self._thread(self._store.amend_delivery, held)

    async def _move(self, delivery: Delivery, done: Sent) -> bool:
        """Hand it to another channel; False if there is none that works."""
        dead = {name for name, reach in self._reaches.items() if reach.dead_since is not None}
        struggling = {name for name, reach in self._reaches.items() if reach.failing_since is not None}
        other = self._plan.without(dead | struggling).instead_of(delivery.destination)
        if other is None or instead_of(delivery):
            return False
        now = self._clock.now()
        moved = delivery.model_copy(
            update={"state": DeliveryState.moved, "finished_at": now, "landed": other}
        )
        done.moved += 1
        if await self._told(other, delivery):
            await self._thread(self._store.move_delivery, moved, None, now)
            return True
        key = f"{delivery.key} to {other}"
        message = message_of(delivery).model_copy(update={"key": key})
        payload: dict[str, JsonValue] = {
            **delivery.payload,
            "message": message.model_dump(mode="json"),
            "instead_of": delivery.destination,
        }
        fresh = {
            "id": 0,
            "destination": other,
            "key": key,
            "payload": payload,
            "state": DeliveryState.waiting,
            "attempts": 0,
            "doubtful": False,
            "doubled": delivery.doubtful,
            "next_at": now,
            "created_at": now,
            "error": "",
        }
        await self._thread(self._store.move_delivery, moved, delivery.model_copy(update=fresh), now)
        return True

    async def _told(self, other: str, delivery: Delivery) -> bool:
        """Whether the other channel is told the same anyway."""
        rows = await self._thread(self._store.deliveries, KIND, [delivery.thread])
        return any(row.destination == other and row.mark == delivery.mark for row in rows)

    async def _finish(self, delivery: Delivery) -> None:
        await self._thread(self._store.finish_delivery, delivery, self._holder, self._clock.now())

    async def _note(self, reach: Reach, error: ChannelError, *, failing: bool) -> None:
        now = self._clock.now()
        since = {"failing_since": reach.failing_since or now} if failing else {"dead_since": now}
        told = {"reason": self._secrets.scrub(error.message), "hint": error.hint}
        noted = reach.model_copy(update={**since, **told})
        self._reaches[reach.destination] = noted
        await self._thread(self._store.save_reach, noted, now)

    def _reach(self, name: str) -> Reach:
        return self._reaches.get(name, Reach(destination=name))


async def _look(channel: AnyChannel, message: Message, earlier: Earlier) -> tuple[str | None, bool]:
    """(where a message is that may have arrived, whether that is certain). Raises ChannelError if it is worth
    asking again."""
    if isinstance(channel, CanFind):
        try:
            return await channel.find(message, earlier), True
        except ChannelError as error:
            if not (error.permanent or error.refused):
                raise
            return None, False
    return None, channel.same_key


def _marked(message: Message) -> Message:
    return message.model_copy(update={"title": f"{message.title} ({_AGAIN})"})
