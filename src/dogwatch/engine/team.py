"""``dogwatch worker``: one of many that make rounds together, step by step.

Every worker looks at the rows of the store every second and puts what can be done into the queue that they
share (``jobs``): a round that is due, steps that wait, work of a worker that has fallen silent. It does not
matter which of them looks, how often, or whether one is killed in between: the next look finds the same.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta

from dogwatch.app import Dogwatch
from dogwatch.detect.silent import WORKER
from dogwatch.engine import jobs
from dogwatch.engine.house import House, Lasting
from dogwatch.engine.jobs import BEAT, STALE, Jobs, Todo
from dogwatch.engine.schedule import called, slot_due
from dogwatch.engine.traces import StepTrace, Traces
from dogwatch.errors import DogwatchError, SettingsError, StoreError
from dogwatch.logshare import SHARE
from dogwatch.model.call import Watcher
from dogwatch.relay import Standing
from dogwatch.settings import Settings
from dogwatch.store.holders import new_holder
from dogwatch.store.ways import is_address
from dogwatch.wire.otlp import Span

_SIGN = timedelta(seconds=10)
_LONGEST_WAIT = 60
"""Seconds before a step that failed is begun again, at most."""
_TROUBLE = (1.0, 5.0, 15.0, 30.0)
"""Seconds before the next look after so many that the database did not answer."""


class Worker(Lasting):
    """One worker."""

    def __init__(
        self,
        house: House,
        name: str,
        concurrency: int,
        *,
        beat: float = BEAT,
        stale: float = STALE,
        share: int = SHARE,
    ) -> None:
        """``name``: as people know it; ``concurrency``: steps at a time; ``beat`` and ``stale``: seconds
        between heartbeats, and after how many without one a worker counts as dead; ``share``: bytes of a log
        that one worker mines at a time."""
        super().__init__(house)
        self._name = name
        self._concurrency = concurrency
        self._beat, self._stale = beat, stale
        self._share = share

    async def _keep(self, settings: Settings) -> Settings:
        """Work with one configuration until there is another one, or until we have to stop."""
        if not is_address(settings.store):
            raise SettingsError(
                "workers share a store on PostgreSQL, and `store` is a file",
                "write store: postgresql://user@host/database, or use dogwatch watch",
            )
        async with AsyncExitStack() as stack:
            stack.enter_context(jobs.overheard(lambda text: self._house.say("queue", told=text)))
            shift = _Shift(self._house, self._name, settings)
            await shift.begin(stack, self._concurrency, self._stale, self._share)
            working = asyncio.ensure_future(shift.work(self._concurrency, self._beat, self._stale))
            fresh: Settings | None = None
            try:
                while not (self.stopping.is_set() or working.done()) and fresh is None:
                    await self._pause(max(await shift.look(), self._house.poll))
                    fresh = self._fresh(settings)
            finally:
                working.cancel()  # what is under way has some time to come to its end
                with suppress(asyncio.CancelledError, StoreError):
                    await working
            await shift.end(over=fresh is None)
        return fresh or settings


class _Shift:
    """The work with one configuration."""

    def __init__(self, house: House, name: str, settings: Settings) -> None:
        self._house = house
        self._clock = house.clock
        self._say = house.say
        self._name = name
        self._settings = settings
        self._holder = new_holder()
        self._trouble = 0
        self._signed: datetime | None = None
        self._traces = Traces(self._trace)

    async def begin(self, stack: AsyncExitStack, concurrency: int, stale: float, share: int) -> None:
        """Open the store and the queue. Raises SettingsError or StoreError."""
        password = self._settings.store_password
        secret = "" if password is None else password.get_secret_value()
        self._app: Dogwatch = await stack.enter_async_context(self._house.opened(self._settings))
        self._relay = self._app.relay()
        self._relay.share = share
        room = concurrency + 6
        self._jobs: Jobs = await stack.enter_async_context(
            jobs.opened(self._settings.store, secret, self._do, room=room)
        )
        self._stale = stale
        self._begun = self._clock.now()
        await self._app.watchkeeping().bury()
        await self._sign()
        self._say("worker begins", worker=self._name, at_a_time=concurrency)

    async def end(self, *, over: bool) -> None:
        """Say that this is no accident."""
        await self._traces.end()
        if over:
            with suppress(StoreError):
                await self._sign(stopped=True)
            self._say("worker ends", worker=self._name)

    async def work(self, concurrency: int, beat: float, stale: float) -> None:
        """Do what others and we put, until cancelled. Begins anew whenever the database was gone, or this
        process slept for so long that others took it for dead."""
        while True:
            try:
                await self._jobs.work(self._name, concurrency, beat, stale)
            except StoreError as error:
                self._say("queue failed", why=error.message)
            await self._clock.sleep(self._house.poll)

    async def look(self) -> float:
        """Put what is to be done; returns the seconds after which to look again."""
        try:
            if self._signed is None or not self._signed <= self._clock.now() < self._signed + _SIGN:
                await self._sign()
            taken = await self._jobs.take_over(self._stale)
            if taken:
                self._say("took over from a silent worker", steps=taken)
            self._traces.go()
            await self._put()
            self._trouble = 0
        except StoreError as error:
            wait = _TROUBLE[min(self._trouble, len(_TROUBLE) - 1)]
            self._trouble += 1
            self._say("store failed", why=error.message, hint=error.hint, again_in=wait)
            return wait
        return 0.0

    async def _put(self) -> None:
        """Everything that can be done and is not in the queue yet."""
        standing = await self._relay.standing()
        wanted: list[tuple[Todo, int]] = [
            (one.key, min(_LONGEST_WAIT, 2 ** (one.tries - 1)) if one.tries else 0) for one in standing.steps
        ]
        if not standing.busy and self._due(standing) is not None:
            wanted.append(((0, jobs.BEGIN, ""), 0))
        known = await self._jobs.known() if wanted else set[str]()
        for todo, wait in wanted:
            if jobs.name_of(todo) not in known:
                await self._jobs.put(todo, wait=wait)

    def _due(self, standing: Standing) -> frozenset[str] | None:
        """The connectors that are to be asked now, if any round is due. The clock comes first."""
        now, settings = self._clock.now(), self._settings
        whole = frozenset(settings.connectors)
        awake = self._begun if settings.watch.catch_up == "skip" else None
        if slot_due(settings.watch, settings.timezone, standing.began, awake, now):
            return whole
        return called(standing.calls, whole, settings.watch, standing.ended, now)

    async def _do(self, todo: Todo) -> None:
        """One step; what fails waits in the store, and is put again by the next look."""
        number, kind, about = todo
        span = StepTrace(self._name, self._clock)
        try:
            if kind == jobs.BEGIN:
                await self._begin()
            else:
                outcome = await self._relay.do(todo, span.heard)
                self._traces.add(span.ended(outcome))
                self._say("step", round=number, step=f"{kind} {about}".strip(), outcome=outcome)
            await self._put()
        except DogwatchError as error:
            self._traces.add(span.ended(""))
            step = f"{kind} {about}".strip()
            self._say("step failed", round=number, step=step, why=error.message, hint=error.hint)

    async def _begin(self) -> None:
        standing = await self._relay.standing()
        asked = None if standing.busy else self._due(standing)
        if asked is None:
            return
        whole = asked >= self._settings.connectors.keys()
        number = await self._relay.begin(standing, None if whole else asked)
        if number is not None:
            scope = "all" if whole else sorted(asked)
            self._say("round begins", round=number, scope=scope, calls=len(standing.calls))

    async def _trace(self, spans: Sequence[Span]) -> None:
        if problem := await self._app.watchkeeping().trace(spans):
            self._say("trace not sent", why=problem)

    async def _sign(self, *, stopped: bool = False) -> None:
        self._signed = now = self._clock.now()
        sign = Watcher(
            name=f"{WORKER}{self._name}",
            holder=self._holder,
            began_at=self._begun,
            seen_at=now,
            stopped_at=now if stopped else None,
        )
        await self._app.watchkeeping().sign(sign)
