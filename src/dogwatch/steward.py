"""Actions of one configuration: the policy at hand, and the verbs that people have for them."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from dogwatch.errors import ConsentError, SettingsError
from dogwatch.heal.buttons import person_of, press_of
from dogwatch.heal.policy import Policy
from dogwatch.model import Action, ActionState, Consent, Event
from dogwatch.model.actions import ActionList, AuditTrail, AuditVerdict
from dogwatch.pipelines.members import Roster, members_of
from dogwatch.remedy import Remedy
from dogwatch.settings import Settings
from dogwatch.settings.consent import POLICY, read_policy
from dogwatch.settings.pipelines import pipelines_of
from dogwatch.store import Store, StoreThread
from dogwatch.wire.clock import Clock
from dogwatch.wire.connector import AnyConnector
from dogwatch.wire.http import Doors

Connect = Callable[[str, AsyncExitStack], Awaitable[AnyConnector]]
"""Opens the connector of this name."""
_BUTTONS = 5
"""Actions asked for in one message."""
_ALIVE = (ActionState.waiting, ActionState.proposed, ActionState.approved)


class Steward:
    """Knows the policy, and whom to ask for what."""

    def __init__(self, settings: Settings, doors: Doors, store: Store, thread: StoreThread) -> None:
        self._settings = settings
        self._doors = doors
        self._clock: Clock = doors.clock
        self._store = store
        self._thread = thread
        home = Path(settings.home)
        self._policy: Policy | SettingsError
        try:
            self._policy = read_policy(home / POLICY, home)
        except SettingsError as error:
            self._policy = error

    async def after_round(self, connectors: Sequence[AnyConnector]) -> list[Action]:
        """Verify, propose, decide, perform what is allowed. Returns the actions that changed."""
        return await (await self._remedy(connectors)).run()

    async def consent(
        self, id_: str, by: str, connect: Connect, *, yes: bool, via: str, digest: str | None = None
    ) -> Action:
        """A person's decision; what is approved is begun at once if nothing stands in its way.

        Raises ConsentError or SettingsError.
        """
        async with AsyncExitStack() as stack:
            action = await self._thread(self._store.action, id_)
            known = action is not None and action.connector in self._settings.connectors and yes
            opened = [await connect(action.connector, stack)] if known and action is not None else []
            remedy = await self._remedy(opened)
            done = await remedy.consent(id_, digest, by, yes=yes, via=via)
            if not yes:
                return done
            return await remedy.perform(done) or done

    async def carry_on(self, connect: Connect) -> list[Action]:
        """Do what people consented to and nobody has begun, as far as nothing stands in its way. Returns what
        was done; what policy alone allowed is left to rounds, which count it.

        Raises SettingsError.
        """
        approved = await self._thread(self._store.actions, states=(ActionState.approved,))
        theirs = [one for one in reversed(approved) if one.decided_by.startswith("user:")]
        if not theirs:
            return []
        needed = {one.connector for one in theirs} & self._settings.connectors.keys()
        async with AsyncExitStack() as stack:
            remedy = await self._remedy([await connect(name, stack) for name in sorted(needed)])
            done = [await remedy.perform(action) for action in theirs]
        return [action for action in done if action is not None]

    async def suggest(
        self,
        number: int,
        verb: str,
        target: str,
        reason: str,
        cites: Sequence[str],
        by: str,
        connect: Connect,
    ) -> Action:
        """Write down what an agent (``by``) would do about an incident. Whatever the policy allows, it waits
        for a person. Raises IncidentError or ConsentError."""
        async with AsyncExitStack() as stack:
            instance = target.partition("/")[0]
            known = instance in self._settings.connectors
            opened = [await connect(instance, stack)] if known else []
            remedy = await self._remedy(opened)
            return await remedy.suggest(number, verb, target, reason, cites, by)

    async def press(self, payload: object, connect: Connect) -> Action:
        """Somebody pressed a button in Slack. Raises ConsentError if it is none of ours, or nobody's who may.

        The caller has made sure that Slack sent it.
        """
        press = press_of(payload)
        try:
            if isinstance(self._policy, SettingsError):
                raise ConsentError(f"the policy file is wrong: {self._policy.message}", self._policy.hint)
            name = person_of(self._policy, press)
        except ConsentError as error:
            by, now = f"slack:{press.team}/{press.user}", self._clock.now()
            why = error.message
            await self._thread(self._store.refuse_consent, press.action, by, now, why=why, via="Slack")
            raise
        return await self.consent(
            press.action, name, connect, yes=press.yes, via="Slack", digest=press.digest
        )

    async def actions(self, *, everything: bool, incident: int | None) -> ActionList:
        """What waits and what is under way; with ``everything`` also what is over."""
        found = await self._thread(self._store.actions, incident=incident)
        shown = [one for one in found if everything or not one.state.over]
        shown.sort(key=lambda one: (one.state is not ActionState.waiting, one.state not in _ALIVE))
        halted = await self._thread(self._store.halted)
        return ActionList(
            at=self._clock.now(),
            timezone=self._settings.timezone,
            halted_by=halted[0].removeprefix("user:") if halted else "",
            halted_at=halted[1] if halted else None,
            policy_problem=self._policy.message if isinstance(self._policy, SettingsError) else "",
            actions=tuple(shown),
            labels=tuple(self.label(one) for one in shown),
            digests=tuple(one.digest for one in shown),
        )

    async def asks(self, incident: str) -> list[Consent]:
        """What waits for a person about an incident such as INC-7; nothing for any other text."""
        number = incident.removeprefix("INC-")
        if not (incident.startswith("INC-") and number.isdecimal()):
            return []
        found = await self._thread(
            self._store.actions, states=(ActionState.waiting,), incident=int(number), limit=_BUTTONS
        )
        return [
            Consent(action=one.id, digest=one.digest, label=self.label(one), why=f"{one.reason}; {one.why}")
            for one in found
            if self._clock.now() < one.expires_at
        ]

    def label(self, action: Action) -> str:
        """What an action would do, exactly."""
        from dogwatch.heal.hands import verbs_of
        from dogwatch.heal.propose import LOCAL, MANUAL, WEBHOOK

        if action.verb == MANUAL:
            return f"By hand, {action.target_name}: {action.args.get('step', 'look at it')}"
        if action.connector == LOCAL:
            return f"Run the command {action.verb} for {action.target_name}"
        if action.connector == WEBHOOK:
            return f"Call the webhook {action.verb} for {action.target_name}"
        config = self._settings.connectors.get(action.connector)
        verb = verbs_of(config.kind if config else action.connector).get(action.verb)
        says = verb.says if verb else f"{action.verb} {{job}}"
        return says.replace("{job}", action.target_name)

    async def halt(self, by: str, *, off: bool) -> None:
        """Stop every action everywhere at once, or let them go on."""
        await self._thread(self._store.halt, f"user:{by}", self._clock.now(), off=off)

    async def audit(self, subject: str | None, *, after: int, limit: int) -> AuditTrail:
        """What was decided and done, in order."""
        events: list[Event] = await self._thread(self._store.events, subject, after=after, limit=limit)
        return AuditTrail(at=self._clock.now(), timezone=self._settings.timezone, events=tuple(events))

    async def verify_audit(self) -> AuditVerdict:
        """Whether the record is as it was written."""
        broken, count, last = await self._thread(self._store.verify_events)
        return AuditVerdict(
            at=self._clock.now(), whole=broken is None, broken_at=broken, events=count, last_hash=last
        )

    async def _remedy(self, connectors: Sequence[AnyConnector]) -> Remedy:
        environments: dict[str, frozenset[str]] = {}
        declared = [one for one in pipelines_of(self._settings, self._settings.timezone) if one.environment]
        if declared:
            roster = Roster(await self._thread(self._store.jobs))
            for pipeline in declared:
                for subject in members_of(pipeline, roster).subjects:
                    known = environments.get(subject, frozenset())
                    environments[subject] = known | {pipeline.environment or ""}
        return Remedy(
            connectors,
            self._store,
            self._thread,
            self._doors,
            policy=self._policy,
            timezone=self._settings.timezone,
            environments=environments,
            hook_secrets=self._settings.hook_secrets,
        )
