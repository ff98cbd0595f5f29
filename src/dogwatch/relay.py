"""A round of one configuration with all that belongs to it: at one go, or as the steps of a team.

The steps are rows (``store/steps.py``), and who does one does here what one process does in the same place:
``Round`` alone knows what a round consists of.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from pydantic import JsonValue, TypeAdapter

from dogwatch.copies import Copies
from dogwatch.errors import SettingsError, StoreError
from dogwatch.gather.lineage import steps_in
from dogwatch.keeper import Keeper
from dogwatch.logshare import SHARE, begun, mined
from dogwatch.messenger import Messenger
from dogwatch.model import Consent, Incident, TurnKind
from dogwatch.model.call import WaitingCall
from dogwatch.model.overview import Overview
from dogwatch.model.report import CheckReport
from dogwatch.report.short import for_slack, in_short
from dogwatch.round import Note, Progress, Reading, Round, Step
from dogwatch.settings import ConnectorConfig, Settings
from dogwatch.settings.pipelines import pipelines_of
from dogwatch.settings.policy import policy
from dogwatch.settings.runbooks import runbooks_of
from dogwatch.steward import Steward
from dogwatch.store import Store, StoreThread, lease
from dogwatch.store.access import StepKey
from dogwatch.store.feeds import FeedName
from dogwatch.store.holders import new_holder
from dogwatch.store.steps import (
    ACT,
    CONCLUDE,
    FOLLOW,
    INVESTIGATE,
    LEASED,
    MINE,
    READ,
    Plan,
    StepEnd,
    Taken,
    Waiting,
)
from dogwatch.wire.connector import AnyConnector, HasBacklog
from dogwatch.wire.http import Doors
from dogwatch.wire.otlp import traceparent

if TYPE_CHECKING:
    from dogwatch.investigator import Investigator

GIVEN_UP = "given up"
MOST_TRIES = 8
"""So often a step is begun; what nobody comes to the end of then is given up."""
_STRANGE = 4
"""So often a platform is begun by workers that do not know it before it counts as removed."""
_PATIENCE = timedelta(minutes=10)
"""How long a round waits for another one to end."""
_POLL_SECONDS = 0.5
_READING = TypeAdapter(Reading)

Connect = Callable[[ConnectorConfig, AsyncExitStack], Awaitable[AnyConnector]]


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand between rounds, or in the midst of one."""

    steps: Sequence[Waiting]
    """What can be done now."""
    busy: bool
    """Whether a round is under way, a team's or another one's."""
    newest: int
    """The number of the last round that began."""
    began: datetime | None
    """When the last round of everything that ended began."""
    ended: datetime | None
    """When the last round of any kind ended."""
    calls: Sequence[WaitingCall]


@dataclass(frozen=True, slots=True)
class Verbs:
    """What else belongs to a round: verbs of dogwatch."""

    connect: Connect
    investigator: "Callable[[], Investigator]"
    review: Callable[[], Awaitable[object]]
    day: Callable[[], Awaitable[Overview]]
    asks: Callable[[str], Awaitable[Sequence[Consent]]]


class Relay:
    """Makes rounds."""

    def __init__(
        self, settings: Settings, doors: Doors, store: Store, thread: StoreThread, holder: str, verbs: Verbs
    ) -> None:
        self._settings = settings
        self._doors = doors
        self._clock = doors.clock
        self._store = store
        self._thread = thread
        self._holder = holder
        self._verbs = verbs
        self.share = SHARE
        """Bytes of a log that one worker mines at a time; twice as much is read by one alone."""

    # ── at one go ───────────────────────────────────────────────────────────────────────────────────────

    async def whole(self, progress: Progress, only: frozenset[str] | None) -> CheckReport:
        """One round from its beginning to the last message. Raises SettingsError or StoreError only."""
        async with AsyncExitStack() as stack:
            messenger = self._messenger(stack)
            copies = Copies(self._settings, self._doors, self._store, self._thread, stack)
            report = await self._round(messenger, copies.feeds, progress, only)
            await messenger.remind(self._verbs.day)
            await messenger.deliver(self._holder, self._doors.rng, self._verbs.asks)
            if self._settings.agents.rounds:
                await self._verbs.investigator().after_round(_new(report))
                await self._verbs.review()
            report = await copies.sync(report, self._holder, self._doors.rng)
        await self._tidy()
        return report

    async def _round(
        self,
        messenger: Messenger,
        feeds: Sequence[FeedName],
        progress: Progress,
        only: frozenset[str] | None,
    ) -> CheckReport:
        """Nobody else makes one meanwhile."""
        async with AsyncExitStack() as stack:
            opened = await self._open(stack)
            # Before the turn is taken: who is interrupted while the thread takes it gives it back as well.
            stack.push_async_callback(self._thread, self._store.release_round)
            await self._take_turn(progress)
            heart = asyncio.create_task(self._renew(self._store))
            stack.callback(heart.cancel)
            round_ = await self._made(opened, self._store, messenger, feeds, only, progress)
            report = await round_.run()
            steward = Steward(self._settings, self._doors, self._store, self._thread)
            await steward.after_round(opened)
            found = await steward.actions(everything=False, incident=None)
            labels = {one.id: label for one, label in zip(found.actions, found.labels, strict=True)}
            return report.model_copy(update={"actions": found.actions, "labels": labels})

    async def _take_turn(self, progress: Progress) -> None:
        """Claim the right to make a round; a holder that died loses it within ``lease.TTL``."""
        deadline = self._clock.now() + _PATIENCE
        while (
            other := await self._thread(self._store.claim_round, self._holder, self._clock.now())
        ) is not None:
            if self._clock.now() >= deadline:
                raise StoreError(
                    f"another round is still under way ({other})", "wait for it, or stop that process"
                )
            progress(Step(other, "waiting"))
            await self._clock.sleep(_POLL_SECONDS)

    # ── in steps ────────────────────────────────────────────────────────────────────────────────────────

    async def standing(self) -> Standing:
        """How things stand. Raises StoreError."""
        return await self._thread(self._standing, self._clock.now())

    def _standing(self, now: datetime) -> Standing:
        steps = self._store.waiting_steps()
        newest, began, ended = self._store.last_rounds()
        busy = any(one.key[1] in LEASED for one in steps) or self._store.round_held(now)
        return Standing(steps, busy, newest, began, ended, self._store.waiting_calls())

    async def begin(self, standing: Standing, asked: frozenset[str] | None) -> int | None:
        """Begin a round of everything, or of the connectors that are named, which also answers all calls
        that wait; returns its number, or None if it is no longer as ``standing`` says. Raises StoreError."""
        upto = standing.calls[-1].number if standing.calls else 0
        plan = Plan(f"round {new_holder()}", self._clock.now(), asked, upto, traceparent())
        names = [name for name in self._settings.connectors if asked is None or name in asked]
        return await self._thread(self._store.begin_steps, plan, standing.newest, names)

    async def do(self, key: StepKey, heard: Callable[[Taken], object] = lambda taken: None) -> str:
        """Do one step, whatever became of it before; says what came of it. ``heard`` gets it once it is ours.

        Raises SettingsError or StoreError; then the step still waits, or somebody else has done it.
        """
        me = new_holder()
        taken = await self._thread(self._store.take_step, key, me, self._clock.now())
        if taken is None:
            return "over"
        heard(taken)
        inner = self._store.within(taken, me)
        if taken.tries > MOST_TRIES:
            return await self._give_up(taken, inner)
        async with AsyncExitStack() as stack:
            if taken.leads:
                heart = asyncio.create_task(self._renew(inner))
                stack.callback(heart.cancel)
            does: dict[str, Callable[[Taken, Store, AsyncExitStack], Awaitable[str | None]]] = {
                READ: self._read,
                MINE: self._mine,
                CONCLUDE: self._conclude,
                ACT: self._act,
                FOLLOW: self._follow,
                INVESTIGATE: self._investigate,
            }
            return await does[key[1]](taken, inner, stack) or "done"

    async def _give_up(self, taken: Taken, store: Store) -> str:
        """A platform that nobody comes to the end of reading is blind; a round that nobody comes to the end
        of is left to the next one."""
        if taken.key[1] in (CONCLUDE, ACT):
            await self._thread(store.drop_round, taken.key[0])
        else:
            await self._thread(store.end_step, StepEnd(), self._clock.now())
        return GIVEN_UP

    async def _read(self, taken: Taken, store: Store, stack: AsyncExitStack) -> str | None:
        name = taken.key[2]
        end = StepEnd()
        connector = await self._connected(name, taken, stack)
        if connector is not None:
            ahead = None
            if isinstance(connector, HasBacklog):
                known = (connector, store, self._thread, taken.key, taken.plan.now)
                ahead, shares = await begun(*known, self._settings.log_components, self.share)
                if shares:
                    await self._thread(store.share_out, shares)
                    return f"shared out, {len(shares)} shares"
            round_ = await self._made([connector], store, self._messenger(stack), (), frozenset({name}))
            reading = await round_.look(connector, taken.plan.now, ahead)
            taken.facts.update(runs=reading.runs, blind=int(reading.source.blind_since is not None))
            end = StepEnd(await self._thread(_READING.dump_python, reading, mode="json"))
        await self._thread(store.end_step, end, self._clock.now())
        return None

    async def _connected(self, name: str, taken: Taken, stack: AsyncExitStack) -> AnyConnector | None:
        """A connector that a step is about; None if it seems to be removed. Raises SettingsError as long as
        it may be this worker that does not know it."""
        if name in self._settings.connectors:
            return await self._verbs.connect(self._settings.connectors[name], stack)
        if taken.tries < _STRANGE:
            why = f"the round asks {name!r}, and this worker has no such connector"
            raise SettingsError(why, "is its dogwatch.yaml the same as on the other machines?")
        return None

    async def _mine(self, taken: Taken, store: Store, stack: AsyncExitStack) -> None:
        name = taken.key[2].rpartition("/")[0]
        end = StepEnd()
        connector = await self._connected(name, taken, stack)
        if connector is not None and isinstance(connector, HasBacklog):
            now, components = taken.plan.now, self._settings.log_components
            end = StepEnd(await mined(connector, taken.body, self._thread, now, components))
        await self._thread(store.end_step, end, self._clock.now())

    async def _conclude(self, taken: Taken, store: Store, stack: AsyncExitStack) -> None:
        plan = taken.plan
        opened = await self._open(stack)
        copies = Copies(self._settings, self._doors, store, self._thread, stack)
        round_ = await self._made(opened, store, self._messenger(stack), copies.feeds, plan.asked)
        readings: list[Reading] = []
        for connector in opened:
            told = taken.before.get(connector.name)
            if told is not None:
                readings.append(await self._thread(_READING.validate_python, told))
            elif plan.asked is None or connector.name in plan.asked:
                readings.append(await round_.unread(connector, plan.now, *_UNREAD))
            else:
                readings.append(await round_.look(connector, plan.now))
        await round_.conclude(taken.key[0], readings, plan.now, self._note(plan))

    def _note(self, plan: Plan) -> Note:
        def note(report: CheckReport) -> StepEnd:
            wanted: list[JsonValue] = []
            if self._settings.agents.rounds:
                wanted += [one.number for one in self._verbs.investigator().wanted(_new(report))]
            return StepEnd(
                {
                    "exit_code": report.exit_code,
                    "text": for_slack(in_short(report, plan.asked)),
                    "investigate": wanted,
                    "figures": {**figures(report)},
                },
                [(ACT, "")],
            )

        return note

    async def _act(self, taken: Taken, store: Store, stack: AsyncExitStack) -> None:
        steward = Steward(self._settings, self._doors, store, self._thread)
        await steward.after_round(await self._open(stack))
        told = taken.before[""]
        assert isinstance(told, dict)
        numbers = told["investigate"]
        assert isinstance(numbers, list)
        then = [(FOLLOW, ""), *((INVESTIGATE, str(number)) for number in numbers)]
        await self._thread(store.end_step, StepEnd(None, then), self._clock.now())

    async def _follow(self, taken: Taken, store: Store, stack: AsyncExitStack) -> None:
        """People are told, calls are answered, copies made, old things forgotten."""
        from dogwatch.watchkeeping import Watchkeeping  # which only a team needs

        me = new_holder()
        keeping = Watchkeeping(self._settings, self._doors, self._store, self._thread, me)
        told = taken.before[""]
        assert isinstance(told, dict)
        for call in await keeping.waiting():
            if call.number <= taken.plan.upto and call.reply_to:
                await keeping.reply(call, str(told["text"]))
        if taken.plan.upto:
            await keeping.done(taken.plan.upto)
        messenger = self._messenger(stack)
        await messenger.remind(self._verbs.day)
        await messenger.deliver(me, self._doors.rng, self._verbs.asks)
        await Copies(self._settings, self._doors, self._store, self._thread, stack).follow(
            me, self._doors.rng
        )
        if self._settings.agents.rounds:
            await self._verbs.review()
        await self._tidy()
        if taken.plan.asked is None:
            await keeping.beat()
        await self._thread(store.end_step, StepEnd(), self._clock.now())

    async def _investigate(self, taken: Taken, store: Store, stack: AsyncExitStack) -> None:
        number = int(taken.key[2])
        live = {one.number: one for one in await self._thread(self._store.live_incidents)}
        if number in live:
            await self._verbs.investigator().after_round([live[number]])
        await self._thread(store.end_step, StepEnd(), self._clock.now())

    # ── what both need ──────────────────────────────────────────────────────────────────────────────────

    async def _made(
        self,
        opened: Sequence[AnyConnector],
        store: Store,
        messenger: Messenger,
        feeds: Sequence[FeedName],
        only: frozenset[str] | None,
        progress: Progress = lambda step: None,
    ) -> Round:
        settings = self._settings
        pushed = await self._thread(store.pushed_alerts, self._clock.now(), settings.watch.alerts_stay)
        return Round(
            opened,
            store,
            self._thread,
            self._clock,
            policy=policy(settings),
            history_days=settings.history_days,
            pipelines=pipelines_of(settings, settings.timezone),
            runbooks=runbooks_of(settings.runbooks),
            lineage=partial(steps_in, settings.lineage),
            telling=messenger.plan,
            feeds=feeds,
            log_components=settings.log_components,
            asked=only,
            pushed=pushed,
            progress=progress,
        )

    async def _open(self, stack: AsyncExitStack) -> list[AnyConnector]:
        return [await self._verbs.connect(config, stack) for config in self._settings.connectors.values()]

    def _messenger(self, stack: AsyncExitStack) -> Messenger:
        return Messenger(self._settings, self._doors, self._store, self._thread, stack)

    async def _tidy(self) -> None:
        await Keeper(self._settings, self._store, self._thread, self._clock.now()).tidy()

    async def _renew(self, store: Store) -> None:
        """Keep the lease while this process lives. That it is lost shows at the round's own next write."""
        while True:
            await asyncio.sleep(lease.TTL.total_seconds() / 4)
            with suppress(StoreError):
                await self._thread(store.renew_round, self._clock.now())


_UNREAD = (
    f"it was begun to be read {MOST_TRIES} times, and no worker came to the end",
    "the log of the workers says why; one may have too little memory for this platform",
)


def figures(report: CheckReport) -> dict[str, int]:
    """What a trace tells of a round."""
    return {
        "exit_code": report.exit_code,
        "incidents": len(report.wrong),
        "blind": len(report.blind),
        "findings": len(report.findings),
        "messages": len(report.messages),
    }


def _new(report: CheckReport) -> list[Incident]:
    """The incidents that a round opened."""
    new = {turn.number for turn in report.turns if turn.kind is TurnKind.opened}
    return [one for one in report.incidents if one.number in new]
