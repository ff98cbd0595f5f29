"""What keeps the watch together: calls from outside, the lead among watchers, signs of life, staleness."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from dogwatch import connectors
from dogwatch.detect.silent import FORGOTTEN, WORKER
from dogwatch.errors import ConnectorError, SettingsError
from dogwatch.hooks.base import Heard
from dogwatch.lookup.overview import last_told
from dogwatch.lookup.vitals import vitals
from dogwatch.messenger import Messenger
from dogwatch.model import content_id
from dogwatch.model.call import Call, Organ, Pulse, WaitingCall, Watcher
from dogwatch.model.channels import ChannelsReport
from dogwatch.report import examination
from dogwatch.report.exposition import Metric
from dogwatch.settings import Settings
from dogwatch.settings.consent import POLICY, read_policy
from dogwatch.store import Store, StoreThread, lease
from dogwatch.store.holders import certainly_dead
from dogwatch.wire.connector import AnyConnector, HasNews
from dogwatch.wire.http import Doors, Pace
from dogwatch.wire.otlp import Span, send

_PACE = Pace(per_second=0, concurrency=1, tries=2, timeout=10.0, patience=15.0, longest_wait=5.0)
_KEYS = Pace(
    per_second=0, concurrency=1, tries=2, timeout=3.0, patience=4.0, longest_wait=1.0, largest=1 << 18
)
"""Callers wait meanwhile, and documents of keys are small."""
_ONE_TRY = Pace(per_second=0, concurrency=1, tries=1, timeout=10.0, patience=10.0)

Connect = Callable[[str, AsyncExitStack], Awaitable[AnyConnector]]
"""Opens the connector of this name."""


class Watchkeeping:
    """Knows what waits, who watches and since when nobody looked."""

    def __init__(
        self, settings: Settings, doors: Doors, store: Store, thread: StoreThread, holder: str
    ) -> None:
        self._settings = settings
        self._doors = doors
        self._clock = doors.clock
        self._store = store
        self._thread = thread
        self.holder = holder

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────

    def call(self, hook: str, heard: Heard) -> Call:
        """What a hook heard, as it is kept. A call that names no connector concerns those of its own kind, or
        everything. Raises LookupError for a connector that is not there."""
        named = heard.connectors
        if named is not None and (strange := set(named) - self._settings.connectors.keys()):
            raise LookupError(min(strange))
        config = self._settings.hooks[hook]
        chosen = config.settings.connectors if named is None else named
        if chosen is None:
            chosen = tuple(
                name
                for name, one in self._settings.connectors.items()
                if one.kind == _KINDS.get(config.kind, config.kind)
            )
            everything = not chosen
        else:
            everything = False
        return Call(
            key=content_id([hook, heard.key]),
            hook=hook,
            received_at=self._clock.now(),
            touches=tuple(sorted(set(chosen) & self._settings.connectors.keys())),
            everything=everything,
            says=heard.says,
            reply_to=heard.reply_to,
            alerts=heard.alerts,
        )

    async def keep(self, calls: Sequence[Call]) -> list[bool]:
        """Write calls down, on the disk when this returns; for each whether it is new."""
        return await self._thread(self._store.keep_calls, calls)

    def queues(self) -> list[str]:
        """The connectors that have a queue; their settings call it so."""
        return [name for name, one in self._settings.connectors.items() if getattr(one.settings, "queue", "")]

    async def news(self, name: str, connect: Connect) -> int:
        """Wait a while for what the queue of a connector tells, write it down, and let the queue forget it:
        who dies in between hears it again, and it is known then. Returns how much was new. Raises
        ConnectorError, SettingsError or StoreError."""
        async with AsyncExitStack() as stack:
            connector = await connect(name, stack)
            if not isinstance(connector, HasNews):
                return 0
            found = await connector.news()
            calls = [
                Call(
                    key=content_id(["queue", one.key]),
                    hook="queue",
                    received_at=self._clock.now(),
                    touches=(name,),
                    says=one.says,
                )
                for one in found
                if one.key
            ]
            new = await self.keep(calls) if calls else []
            if found:
                await connector.forget(found)
            return sum(new)

    async def waiting(self) -> list[WaitingCall]:
        """What no round has looked at."""
        return await self._thread(self._store.waiting_calls)

    async def done(self, upto: int) -> None:
        """A round that began after these came has ended."""
        await self._thread(self._store.calls_done, upto, self._clock.now())

    async def rest(self) -> None:
        """A round is over, and the next one is some time away: hold no more memory than is needed."""
        await self._thread(self._store.rest)

    async def reply(self, call: WaitingCall, text: str) -> str:
        """Answer a call where it wants it, once. Returns what went wrong, or nothing.

        That it is about to be sent is written down first: after a crash nobody is told twice.
        """
        if not await self._thread(self._store.take_reply, call.number, self._clock.now()):
            return ""
        where = urlsplit(call.reply_to)
        http = self._doors.open(f"{where.scheme}://{where.netloc}", login=None, pace=_ONE_TRY)
        try:
            await http.send(where.path, {"response_type": "ephemeral", "text": text})
        except ConnectorError as error:
            return error.message
        finally:
            await http.aclose()
        await self._thread(self._store.reply_done, call.number, self._clock.now())
        return ""

    # ── the lead, and signs of life ─────────────────────────────────────────────────────────────────────

    async def bury(self) -> list[str]:
        """Take its leases from whoever is dead for certain, so that nobody waits for them. Returns who."""
        held = await self._thread(self._store.holders)
        dead = sorted({one for one in held.values() if certainly_dead(one)})
        for one in dead:
            await self._thread(self._store.bury, one, self._clock.now())
        return dead

    async def lead(self) -> str | None:
        """Take or keep the lead, also from one who is dead for certain; None, or who has it."""
        other = await self._thread(self._store.lead, self.holder, self._clock.now())
        if other is not None and await asyncio.to_thread(certainly_dead, other):
            await self._thread(self._store.bury, other, self._clock.now())
            other = await self._thread(self._store.lead, self.holder, self._clock.now())
        return other

    async def workers(self) -> list[str]:
        """The workers that gave a sign of life within the last minute."""
        known = await self._thread(self._store.watchers, self._clock.now() - lease.TTL)
        return [one.name for one in known if one.name.startswith(WORKER) and one.stopped_at is None]

    async def resign(self) -> None:
        """Let another one lead."""
        await self._thread(self._store.release_lead, self.holder)

    async def sign(self, watcher: Watcher) -> None:
        """Give a sign of life."""
        await self._thread(self._store.save_watcher, watcher)

    async def beat(self, suffix: str = "") -> str:
        """Tell the dead man's switch that the watch is kept. Returns what went wrong, or nothing."""
        secret = self._settings.watch.heartbeat_url
        if secret is None:
            return ""
        self._doors.secrets.add(secret.get_secret_value())
        return await self._visit(secret.get_secret_value(), suffix)

    async def trace(self, spans: Sequence[Span]) -> str:
        """Send the trace of a round, if anybody wants it. Returns what went wrong, or nothing."""
        watch = self._settings.watch
        if not watch.traces:
            return ""
        try:
            await send(self._doors, watch.traces, watch.traces_headers, spans)
        except (ConnectorError, SettingsError) as error:
            return self._doors.secrets.scrub(error.message)
        return ""

    async def read(self, url: str) -> bytes:
        """What stands at an address that a hook vouches for. Raises ConnectorError or SettingsError."""
        where = urlsplit(url)
        http = self._doors.open(f"{where.scheme}://{where.netloc}", login=None, pace=_KEYS)
        try:
            return (await http.get(where.path)).content
        finally:
            await http.aclose()

    async def visit(self, url: str) -> str:
        """Ask an address for nothing but a 2xx. Returns what went wrong, or nothing."""
        return await self._visit(url, "")

    async def _visit(self, url: str, suffix: str) -> str:
        where = urlsplit(url)
        http = self._doors.open(f"{where.scheme}://{where.netloc}", login=None, pace=_PACE)
        try:
            query = f"?{where.query}" if where.query else ""
            await http.get(f"{where.path.rstrip('/')}{suffix}{query}")
        except ConnectorError as error:
            return self._doors.secrets.scrub(error.message)
        finally:
            await http.aclose()
        return ""

    # ── how things are ──────────────────────────────────────────────────────────────────────────────────

    async def pulse(self) -> Pulse:
        """How old what we know is, and who is awake."""
        return await self._thread(self._pulse, self._clock.now())

    async def examine(self) -> list[Organ]:
        """Everything that keeps the watch, looked at closely. Sends nothing."""
        pulse = await self.pulse()
        async with AsyncExitStack() as stack:
            messenger = Messenger(self._settings, self._doors, self._store, self._thread, stack)
            channels = await messenger.status()
        heard = await self._listener()
        record = await self._thread(self._store.verify_events)
        usage = await asyncio.to_thread(shutil.disk_usage, self._settings.home)
        try:
            read_policy(Path(self._settings.home) / POLICY, Path(self._settings.home))
            policy = ""
        except SettingsError as error:
            policy = error.message
        beats = self._settings.watch.heartbeat_url is not None
        return [
            *examination.rounds(pulse, self._settings.zone),
            *examination.watchers(pulse),
            *examination.listener(self._settings.watch.listen, heard),
            *examination.messages(channels),
            examination.record(*record),
            examination.policy(policy),
            examination.disk(usage.free, usage.total),
            examination.heartbeat(beats),
        ]

    async def _listener(self) -> str:
        """What is wrong with the listener, or nothing."""
        host, _, port = self._settings.watch.listen.rpartition(":")
        if not host:
            return ""
        near = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104  # asked for, not bound
        return await self.visit(f"http://{near}:{port}/healthz")

    async def stale_since(self) -> datetime | None:
        """When the last round of everything ended, if that is too long ago."""
        pulse = await self.pulse()
        return pulse.last_round_at if pulse.stale else None

    async def metrics(self) -> list[Metric]:
        """Figures about the estate and about dogwatch itself."""
        async with AsyncExitStack() as stack:
            messenger = Messenger(self._settings, self._doors, self._store, self._thread, stack)
            channels = await messenger.status()
        return await self._thread(self._vitals, channels, self._clock.now())

    def _vitals(self, channels: ChannelsReport, now: datetime) -> list[Metric]:
        _, platforms, _ = last_told(self._store)
        paces: dict[str, float] = {}
        for name, config in self._settings.connectors.items():
            pace = getattr(sys.modules[connectors.load(config.kind).__module__], "PACE", None)
            if isinstance(pace, Pace):
                paces[name] = pace.per_second
        return vitals(self._store, self._pulse(now), channels, platforms, paces, now)

    def _pulse(self, now: datetime) -> Pulse:
        last = self._store.last_whole_round()
        limit = self._settings.watch.too_old(self._settings.timezone, now)
        return Pulse(
            at=now,
            last_round_at=last[0] if last else None,
            exit_code=last[1] if last else None,
            stale_after_seconds=limit.total_seconds(),
            stale=last is None or now - last[0] > limit,
            watchers=tuple(one for one in self._store.watchers(now - FORGOTTEN) if not _gone(one, now)),
            waiting_calls=len(self._store.waiting_calls()),
        )


def _gone(one: Watcher, now: datetime) -> bool:
    """Whether it is a worker that left: they come and go, and nobody waits for one."""
    return one.name.startswith(WORKER) and (one.stopped_at is not None or now - one.seen_at > lease.TTL)


_KINDS: Mapping[str, str] = {"pubsub": "gcs", "sns": "s3"}
"""Hooks that concern connectors of another kind than their own name."""
