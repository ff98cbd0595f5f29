"""The channels of one configuration: opened, described, tried out, and put to work."""

import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from pydantic import SecretStr

from dogwatch import notify
from dogwatch.deliver import Asks, Broken, Post, Sent
from dogwatch.errors import ChannelError, SettingsError
from dogwatch.gather.telling import current
from dogwatch.model import NOWHERE, Delivery, DeliveryState, Reach
from dogwatch.model.channels import ChannelsReport, ChannelView, TrialReport
from dogwatch.model.overview import Overview
from dogwatch.notify.base import AnyChannel, Earlier
from dogwatch.notify.decide import ALERT, DAILY, HOUR, KIND
from dogwatch.notify.routing import Plan
from dogwatch.report.daily import daily
from dogwatch.report.message import trial
from dogwatch.settings import Settings
from dogwatch.settings.telling import plan_of
from dogwatch.store import Store, StoreThread
from dogwatch.wire.http import Doors

_DAY = timedelta(days=1)
Look = Callable[[], Awaitable[Overview]]
"""How things are, and what happened in the day before."""


class Messenger:
    """All channels, and who hears of what by them."""

    def __init__(
        self, settings: Settings, doors: Doors, store: Store, thread: StoreThread, stack: AsyncExitStack
    ) -> None:
        """Opens every channel; ``stack`` closes them. One that cannot be opened is dead, not fatal."""
        self._settings = settings
        self._doors = doors
        self._store = store
        self._thread = thread
        self._channels: dict[str, AnyChannel | Broken] = {}
        for name in settings.channels:
            self._channels[name] = one = self._open(name)
            if not isinstance(one, Broken):
                stack.push_async_callback(one.aclose)
        in_place = frozenset(
            name for name, one in self._channels.items() if not isinstance(one, Broken) and one.in_place
        )
        fallbacks = {name: config.settings.fallback for name, config in settings.channels.items()}
        self.plan: Plan = plan_of(settings, settings.zone, fallbacks, in_place=in_place)

    def _open(self, name: str) -> AnyChannel | Broken:
        config = self._settings.channels[name]
        for value in config.settings.__dict__.values():
            if isinstance(value, SecretStr):
                self._doors.secrets.add(value.get_secret_value())
        try:
            return notify.load(config.kind)(name, config.settings, self._doors)
        except SettingsError as error:
            return Broken(error)

    async def deliver(self, holder: str, rng: random.Random, asks: Asks | None = None) -> Sent:
        """Send what waits, each with what ``asks`` has for its incident. Raises StoreError only."""
        if not self._channels:
            return Sent()
        return await Post(
            self._channels,
            self._store,
            self._thread,
            self._doors.clock,
            plan=self.plan,
            holder=holder,
            secrets=self._doors.secrets,
            rng=rng,
            asks=asks,
        ).run()

    async def remind(self, look: Look) -> None:
        """Write down the digests whose time of day has come, each once; ``look`` gives what they tell.

        One that was written before and could not be sent is gathered into the new one. Raises StoreError.
        """
        now = self._doors.clock.now()
        due = {f"{key}@{name}": name for one in self.plan.dailies if (key := one.due(now)) for name in one.to}
        if not due:
            return
        known = await self._thread(self._store.deliveries, KIND, due)
        missing = {key: name for key, name in due.items() if all(one.thread != key for one in known)}
        if missing:
            found = await look()
            await self._thread(self._remind, missing, found, now)

    def _remind(self, missing: Mapping[str, str], found: Overview, now: datetime) -> None:
        plan = current(self.plan, self._store)
        for key, name in missing.items():
            target = (plan.instead_of(name) or name) if name in plan.dead else name
            for older in self._store.pending(KIND, target):
                if older.tag == DAILY and older.state is DeliveryState.waiting:
                    into = {"state": DeliveryState.gathered, "landed": key, "finished_at": now}
                    self._store.amend_delivery(older.model_copy(update=into))
            message = daily(found, key)
            fresh = Delivery(
                kind=KIND,
                destination=target,
                key=key,
                thread=key,
                tag=DAILY,
                payload={"message": message.model_dump(mode="json")},
                next_at=now,
                created_at=now,
            )
            self._store.post([fresh])

    async def trial(self, name: str) -> TrialReport:
        """Send a test message; if it arrives, a channel that was switched off is on again.

        Raises SettingsError for a channel that is not there.
        """
        now = self._doors.clock.now()
        channel = self._channels.get(name)
        if channel is None:
            known = ", ".join(self._channels) or "none; add one with: dogwatch init slack"
            raise SettingsError(f"no channel is called {name!r}", f"dogwatch.yaml has: {known}")
        if isinstance(channel, Broken):
            raise channel.error
        message = trial(name, f"test/{now:%Y%m%dT%H%M%S.%fZ}@{name}", self._settings.zone, now)
        try:
            landed = await channel.send(message, Earlier())
        except ChannelError as error:
            said = self._doors.secrets.scrub(error.message)
            return TrialReport(at=now, channel=name, ok=False, error=said, hint=error.hint)
        await self._thread(self._store.save_reach, Reach(destination=name, last_sent_at=now), now)
        return TrialReport(at=now, channel=name, ok=True, landed=landed)

    async def status(self) -> ChannelsReport:
        """How every channel is."""
        return await self._thread(self._status, self._doors.clock.now())

    def _status(self, now: datetime) -> ChannelsReport:
        plan = current(self.plan, self._store)
        reaches, counts = self._store.reaches(), self._store.outbox_counts()
        lately = self._store.delivered_since(KIND, now - _DAY)
        numbers = {(name, state): number for (kind, name, state), number in counts.items() if kind == KIND}
        views = tuple(
            self._view(name, plan, reaches.get(name, Reach(destination=name)), numbers, lately, now)
            for name in self._channels
        )
        untold = sum(one.destination == NOWHERE for one in lately)
        return ChannelsReport(at=now, timezone=self._settings.timezone, channels=views, untold=untold)

    def _view(
        self,
        name: str,
        plan: Plan,
        reach: Reach,
        numbers: Mapping[tuple[str, str], int],
        lately: list[Delivery],
        now: datetime,
    ) -> ChannelView:
        mine = [one for one in lately if one.destination == name]
        channel, kind = self._channels[name], self._settings.channels[name].kind
        broken = channel.error if isinstance(channel, Broken) else None
        since = reach.dead_since or reach.failing_since
        off = reach.dead_since is not None or broken is not None
        waiting = [one for one in mine if one.state.pending]
        spent = [
            one
            for one in mine
            if one.tag == ALERT
            and one.created_at > now - HOUR
            and one.state not in (DeliveryState.held, DeliveryState.gathered)
        ]
        return ChannelView(
            channel=name,
            kind=kind,
            title=notify.load(kind).title,
            state="off" if off else "failing" if since else "on",
            since=since,
            reason=broken.message if broken else reach.reason,
            hint=broken.hint if broken else reach.hint,
            instead=plan.without(frozenset({name})).instead_of(name) if off else None,
            waiting=sum(numbers.get((name, state.value), 0) for state in DeliveryState if state.pending),
            held=numbers.get((name, DeliveryState.held.value), 0),
            sent=numbers.get((name, DeliveryState.sent.value), 0),
            failed=numbers.get((name, DeliveryState.failed.value), 0),
            doubled=sum(one.doubled for one in mine),
            alerts=len(spent),
            budget=plan.alerts_an_hour,
            quiet_until=plan.quiet_until(name, now),
            last_sent_at=reach.last_sent_at,
            last_error=next((one.error for one in reversed(waiting) if one.error), ""),
        )
