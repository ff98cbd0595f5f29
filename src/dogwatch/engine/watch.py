"""The loop of ``dogwatch watch``: the clock, what others tell, rounds, and what happens between them.

All that must survive is a row: who is killed at any instant and started again goes on with what the rows say.
Of several watchers on one store one leads; the others stand by, and one of them takes over when it is silent.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path

from dogwatch.detect.silent import PEER
from dogwatch.engine.folders import Folders
from dogwatch.engine.house import House, Lasting
from dogwatch.engine.memory import give_back
from dogwatch.engine.queues import Queues
from dogwatch.engine.schedule import Timer, called
from dogwatch.engine.traces import RoundTrace
from dogwatch.errors import DogwatchError, SettingsError, StoreError
from dogwatch.model.call import Watcher
from dogwatch.model.report import CheckReport
from dogwatch.report.short import for_slack, in_short
from dogwatch.settings import Settings
from dogwatch.watchkeeping import Watchkeeping

GRACE = 25.0
"""Seconds that what is under way has to come to its end when we have to stop."""
_SIGN = timedelta(seconds=10)
_DELIVER = timedelta(seconds=30)
_LOOK = timedelta(seconds=5)
_PEERS = timedelta(seconds=60)
_CONSENT = timedelta(seconds=2)
"""How often it is looked whether somebody consented to something that nobody has begun."""
_TROUBLE = (timedelta(seconds=10), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=5))
"""After a round that the store did not let us finish, when it is tried again; while not even a sign of life
can be written, which costs nothing, that is tried again every so often."""


class Watch(Lasting):
    """One watcher."""

    def __init__(self, house: House, name: str) -> None:
        """``name``: as others know it; the same after it was started again."""
        super().__init__(house)
        self._name = name

    async def _keep(self, settings: Settings) -> Settings:
        """Watch with one configuration until there is another one, or until we have to stop."""
        async with AsyncExitStack() as stack:
            shift = _Shift(self._house, self._name, settings, self.stopping)
            await shift.begin(stack)
            fresh: Settings | None = None
            while not self.stopping.is_set() and fresh is None:
                await self._whole(shift.step())
                fresh = self._fresh(settings)
                if fresh is None:
                    await self._pause()
            await shift.end(over=fresh is None)
        return fresh or settings

    async def _whole(self, work: Coroutine[None, None, None]) -> None:
        """Let the work come to its end. If we have to stop it has ``GRACE`` for that: what is cut off then
        is done again by whoever comes next."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await asyncio.wait({task}, timeout=GRACE)
            if task.done():
                task.result()
        finally:
            for one in (task, stop):
                one.cancel()
                with suppress(asyncio.CancelledError, StoreError):
                    await one


class _Shift:
    """The watch with one configuration."""

    def __init__(self, house: House, name: str, settings: Settings, stopping: asyncio.Event) -> None:
        self._house, self._name, self._settings, self._stopping = house, name, settings, stopping
        self._clock, self._say = house.clock, house.say
        self._timer = Timer(settings.watch, settings.timezone, house.rng)
        self._folders = Folders(Path(settings.home), settings.watch.directories)
        self._face = house.listener(settings)
        self._leads: bool | None = None
        self._left = False
        """Whether rounds are left to workers."""
        self._trouble = 0
        self._doing: asyncio.Task[None] | None = None
        """What was consented to, being done beside everything else."""
        self._begun: datetime
        self._last: dict[str, datetime] = {}
        """When each thing that is done every so often was done last."""

    async def begin(self, stack: AsyncExitStack) -> None:
        """Open the store, let go of what the dead hold. Raises SettingsError or StoreError."""
        self._app = await stack.enter_async_context(self._house.opened(self._settings))
        if self._face is not None:
            stack.callback(self._face.stop)
        self._keeping: Watchkeeping = self._app.watchkeeping()
        self._queues = Queues(self._app, self._keeping.queues(), self._clock, self._say)
        stack.push_async_callback(self._queues.stop)
        for dead in await self._keeping.bury():
            self._say("took over from the dead", holder=dead)
        self._begun = self._clock.now()
        await self._meet_peers()
        pulse = await self._keeping.pulse()
        self._timer.begin(self._begun, pulse.last_round_at)
        self._say(
            "watch begins",
            watcher=self._name,
            next_at=self._timer.next_at,
            last_round_at=pulse.last_round_at,
            waiting_calls=pulse.waiting_calls,
        )

    async def end(self, *, over: bool) -> None:
        """Say that this is no accident."""
        if self._doing is not None:
            await asyncio.wait({self._doing}, timeout=GRACE)
            self._doing.cancel()
        with suppress(StoreError):
            if over:
                await self._sign(stopped=True)
                await self._keeping.resign()
        if over:
            self._say("watch ends", watcher=self._name)

    async def step(self) -> None:
        """Do what is due, the clock's round first: no flood of events can keep it from its turn."""
        now = self._clock.now()
        if self._face is not None and (told := self._face.look(now)):
            self._say("listener", told=told)
        back = self._timer.jumped(now)
        if back:
            self._say("clock went back", seconds=-back.total_seconds())
            self._last.clear()
        signed = False
        try:
            if self._is_time("sign", _SIGN, now):
                await self._lead()
            signed = True
            if self._leads:
                self._queues.follow()
                await self._duties(now)
            else:
                await self._queues.stop()
            self._trouble = 0
        except StoreError as error:
            await self._stumbled(error, _TROUBLE[min(self._trouble, len(_TROUBLE) - 1) if signed else 0])
        except SettingsError as error:
            self._say("round failed", why=error.message, hint=error.hint)
            self._timer.done(self._clock.now())

    async def _duties(self, now: datetime) -> None:
        self._carry_on(now)
        if self._is_time("folders", _LOOK, now):
            calls = await asyncio.to_thread(self._folders.look, now)
            if calls:
                await self._keeping.keep(calls)
        if not await self._left_to_workers(now):
            await self._rounds(now)
        if self._is_time("deliver", _DELIVER, now):
            sent = await self._app.deliver()
            if sent:
                self._say("delivered", messages=sent)
        if self._is_time("peers", _PEERS, now):
            await self._ask_peers()

    def _carry_on(self, now: datetime) -> None:
        """Have begun what was consented to. Rounds go on meanwhile, and it goes on during rounds: whoever
        claims an action first does it."""
        if self._doing is not None and self._doing.done():
            task, self._doing = self._doing, None
            task.result()
        if self._doing is None and self._is_time("consent", _CONSENT, now):
            self._doing = asyncio.create_task(self._consented())

    async def _consented(self) -> None:
        try:
            for action in await self._app.carry_on():
                self._say("performed", action=action.id, verb=action.verb, state=action.state.value)
        except StoreError:
            return  # the loop says so, and it is looked again
        except DogwatchError as error:
            self._say("actions failed", why=error.message, hint=error.hint)

    async def _left_to_workers(self, now: datetime) -> bool:
        """Whether workers make the rounds. If none has given a sign of life for a minute, we do."""
        if self._is_time("workers", _LOOK, now):
            awake = await self._keeping.workers()
            if bool(awake) is not self._left:
                self._left = bool(awake)
                self._say("workers make rounds" if awake else "no worker is awake", workers=awake)
                if not awake:
                    self._timer.begin(now, (await self._keeping.pulse()).last_round_at)
        return self._left

    # ── rounds ──────────────────────────────────────────────────────────────────────────────────────────

    async def _rounds(self, now: datetime) -> None:
        """The round that is due, the clock's first."""
        whole = frozenset(self._settings.connectors)
        if self._timer.due(now):
            await self._round(None)
            return
        waiting = await self._keeping.waiting()
        scope = called(waiting, whole, self._settings.watch, self._last.get("round"), now)
        if scope is not None:
            await self._round(scope)

    async def _round(self, scope: frozenset[str] | None) -> None:
        """One round, and the answers that somebody waits for."""
        waiting = await self._keeping.waiting()
        began = self._clock.now()
        whole = scope is None or scope >= self._settings.connectors.keys()
        self._say("round begins", scope="all" if whole else sorted(scope or ()), calls=len(waiting))
        trace = RoundTrace(self._clock, "all" if whole else ",".join(sorted(scope or ())))
        report = await self._with_signs(self._app.check(trace, only=None if whole else scope))
        self._last["round"] = self._clock.now()
        if whole:
            self._timer.done(began)
        self._tell(report, whole)
        for call in waiting:
            if call.reply_to:
                text = for_slack(in_short(report, None if whole else scope))
                problem = await self._keeping.reply(call, text)
                self._say("answered", hook=call.hook, problem=problem)
        if waiting:
            await self._keeping.done(waiting[-1].number)
        await self._keeping.rest()
        give_back()
        if problem := await self._keeping.trace(trace.ended(report)):
            self._say("trace not sent", why=problem)
        if whole and (problem := await self._keeping.beat()):
            self._say("heartbeat failed", why=problem)

    async def _with_signs(self, work: Awaitable[CheckReport]) -> CheckReport:
        """Give signs of life while a long round is under way."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=_CONSENT.total_seconds())
                if done:
                    return task.result()
                now = self._clock.now()
                self._carry_on(now)
                with suppress(StoreError):
                    if self._is_time("sign", _SIGN, now):
                        await self._lead()
        finally:
            task.cancel()

    def _tell(self, report: CheckReport, whole: bool) -> None:
        self._say(
            "round ended",
            scope="all" if whole else "part",
            exit_code=report.exit_code,
            seconds=report.wall_seconds,
            incidents=len(report.wrong),
            blind=[one.instance for one in report.blind],
            new=len(report.new),
            messages=len(report.messages),
            next_at=self._timer.next_at,
        )

    async def _stumbled(self, error: DogwatchError, wait: timedelta) -> None:
        """The store is full, locked or gone: nothing is lost by waiting."""
        self._trouble += 1
        self._say("store failed", why=error.message, hint=error.hint, again_in=wait.total_seconds())
        if self._trouble == 1:
            await self._keeping.beat("/fail")
        self._last.pop("sign", None)  # whether it is back shows by that
        for _ in range(int(wait.total_seconds())):  # by no clock that somebody may set
            if not self._stopping.is_set():
                await self._clock.sleep(1.0)

    # ── who watches ─────────────────────────────────────────────────────────────────────────────────────

    async def _lead(self) -> None:
        """Keep the lead or try to take it, and give a sign of life."""
        other = await self._keeping.lead()
        leads = other is None
        if leads is not self._leads:
            if not leads:
                self._say("stands by", watcher=self._name, leader=other)
            elif self._leads is False:
                self._say("takes over", watcher=self._name)
                pulse = await self._keeping.pulse()
                self._timer.begin(self._clock.now(), pulse.last_round_at)
            self._leads = leads
        await self._sign()

    async def _sign(self, *, stopped: bool = False) -> None:
        now = self._clock.now()
        await self._keeping.sign(
            Watcher(
                name=self._name,
                holder=self._keeping.holder,
                began_at=self._begun,
                seen_at=now,
                stopped_at=now if stopped else None,
                leads=bool(self._leads) and not stopped,
                next_at=self._timer.next_at if self._leads else None,
            )
        )

    async def _meet_peers(self) -> None:
        """A peer that was never heard counts as heard now: it has some time to answer."""
        known = {one.name for one in (await self._keeping.pulse()).watchers}
        for name in self._settings.watch.peers:
            if f"{PEER} {name}" not in known:
                await self._heard(name)

    async def _ask_peers(self) -> None:
        for name, url in self._settings.watch.peers.items():
            try:
                problem = await self._keeping.visit(url)
            except SettingsError as error:
                problem = error.message
            if problem:
                self._say("peer is silent", peer=name, why=problem)
            else:
                await self._heard(name)

    async def _heard(self, name: str) -> None:
        now = self._clock.now()
        await self._keeping.sign(Watcher(name=f"{PEER} {name}", holder=PEER, began_at=now, seen_at=now))

    def _is_time(self, what: str, every: timedelta, now: datetime) -> bool:
        """Whether so much time has passed since this was done last; notes that it is done."""
        last = self._last.get(what)
        if last is not None and last <= now < last + every:
            return False
        self._last[what] = now
        return True
