"""After a round: see what came of what was done, propose what could be done, do what was consented to.

Everything is a row first. A person's consent by the command line, a button or the page takes the same way:
``consent`` writes it down, ``perform`` claims it, the connector acts once, later rounds verify it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import JsonValue, SecretStr

from dogwatch.errors import ConsentError, IncidentError, SettingsError
from dogwatch.heal import perform as performing
from dogwatch.heal.hands import hands_for
from dogwatch.heal.policy import Case, Decision, Done, Policy, Recent, decide, hindered
from dogwatch.heal.propose import MANUAL, Outlook, propose, suggested
from dogwatch.heal.verify import Sight, outcome
from dogwatch.model import Action, ActionState, CauseClass, Confidence, Incident, Job, Risk, Run
from dogwatch.model.text import one_line
from dogwatch.store import Store, StoreThread
from dogwatch.wire.acting import CanAct, Proof, Verb
from dogwatch.wire.clock import Clock
from dogwatch.wire.connector import AnyConnector
from dogwatch.wire.http import Doors, Http, Pace

_UNDER_WAY = (ActionState.claimed, ActionState.performed)
_WAITING = (ActionState.waiting, ActionState.proposed, ActionState.approved)
_VAIN = (ActionState.did_not_help, ActionState.made_worse)
_SUGGESTIONS = 3
"""Proposals of agents for one incident."""
_DAY, _MONTH = timedelta(days=1), timedelta(days=30)
_BAD_ENDS = frozenset({ActionState.failed, ActionState.made_worse, ActionState.unknown})
_TRIES = 5
"""How often an action is weighed anew because another one was begun meanwhile; the next round goes on."""
_NOWHERE = Verb(Risk.disruptive, "", Proof.told)
"""How commands and webhooks are verified: nothing but their incident shows whether they helped."""


@dataclass(slots=True)
class _Ledger:
    """The store, as whoever performs sees it."""

    store: Store
    thread: StoreThread
    clock: Clock
    by: str
    begun: int | None = None
    """How many actions had been begun when it was found that one more is within bounds."""

    async def claim(self, action: Action, now: datetime) -> Action | None:
        return await self.thread(self.store.claim_action, action, self.by, now, begun=self.begun)

    async def reclaim(self, action: Action, now: datetime) -> Action | None:
        return await self.thread(self.store.reclaim_action, action, self.by, now)

    async def settle(
        self,
        action: Action,
        state: ActionState,
        why: str,
        *,
        native_run_id: str | None = None,
        said: str = "",
    ) -> Action | None:
        more: dict[str, Any] = {"said": said} if said else {}
        if native_run_id:
            more["native_run_id"] = native_run_id
        now = self.clock.now()
        return await self.thread(self.store.settle_action, action, state, now, by=self.by, why=why, **more)


class Remedy:
    """Everything about actions that needs more than one room."""

    def __init__(
        self,
        connectors: Sequence[AnyConnector],
        store: Store,
        thread: StoreThread,
        doors: Doors,
        *,
        policy: Policy | SettingsError,
        timezone: str,
        environments: Mapping[str, frozenset[str]],
        hook_secrets: Mapping[str, SecretStr],
    ) -> None:
        """``environments``: by subject, those of the pipelines that the job belongs to; ``hook_secrets``: by
        webhook of the policy file, what its calls are signed with."""
        clock = doors.clock
        self._doors = doors
        self._hook_secrets = hook_secrets
        self._kinds = {one.name: type(one).__module__.rpartition(".")[2] for one in connectors}
        hands = {
            one.name: hands_for(self._kinds[one.name], one.http, one.settings, clock) for one in connectors
        }
        self._able: dict[str, CanAct] = {name: able for name, able in hands.items() if able is not None}
        self._store = store
        self._thread = thread
        self._clock = clock
        self._broken = policy if isinstance(policy, SettingsError) else None
        self._policy = policy if isinstance(policy, Policy) else Policy(default=Decision.refuse)
        self._timezone = timezone
        self._environments = environments
        self._ledger = _Ledger(store, thread, clock, "policy")
        self._begun = 0

    async def run(self) -> list[Action]:
        """What a round does about actions, in order. Returns those that changed."""
        changed = [*await self._follow_up(), *await self._tidy(), *await self._propose()]
        approved = await self._thread(self._store.actions, states=(ActionState.approved,))
        for action in reversed(approved):
            done = await self.perform(action)
            if done is not None:
                changed.append(done)
        return changed

    async def perform(self, action: Action) -> Action | None:
        """Carry out an approved action. None if something stands in its way, or somebody else has it.

        The policy may have changed since it was approved: what it refuses by now is not done, and what it
        allowed by itself has to be allowed still. If somebody else begins another one meanwhile it is weighed
        again, so that no bound is passed by two at once.
        """
        tries_left = _TRIES
        while True:
            begun = await self._thread(self._store.begun)
            done = await self._perform(action, begun)
            tries_left -= 1
            if done is not None or not tries_left or await self._thread(self._store.begun) == begun:
                return done

    async def _perform(self, action: Action, begun: int) -> Action | None:
        """The same, if no more than ``begun`` actions have been begun when it begins."""
        now = self._clock.now()
        recent = await self._recent(now)
        if self._broken_policy() or hindered(action, self._policy.bounds, recent, now):
            return None
        incident = await self._thread(self._store.incident, action.incident)
        if incident is None:
            return None
        verdict = decide(action, self._policy, recent, self._case(action, incident, now))
        by_itself = action.decided_by == "policy"
        if verdict.decision is Decision.refuse or (by_itself and verdict.decision is Decision.ask):
            why = f"the policy no longer lets it be done: {verdict.why}"
            return await self._ledger.settle(action, ActionState.refused, why)
        ledger = replace(self._ledger, begun=begun)
        done = await performing.perform(action, await self._subject(action), self._means(), ledger, now)
        self._begun += done is not None
        return done

    async def consent(self, id_: str, digest: str | None, by: str, *, yes: bool, via: str) -> Action:
        """A person's decision. ``digest`` None: the person saw the action itself and means it as it stands.

        Raises ConsentError; nobody consents beyond what the policy file lets them.
        """
        now = self._clock.now()
        action = await self._thread(self._store.action, id_)
        try:
            if action is None:
                raise ConsentError(f"there is no action {one_line(id_, 40)!r}", "dogwatch actions")
            if yes and self._broken:
                raise ConsentError(self._broken_policy(), self._broken.hint)
            self._may(action, by)
        except ConsentError as error:
            why = error.message if action else "there is no such action"
            await self._thread(self._store.refuse_consent, id_, f"user:{by}", now, why=why, via=via)
            raise
        meant = action.digest if digest is None else digest
        return await self._thread(self._store.consent, action.id, meant, f"user:{by}", now, yes=yes, via=via)

    def _may(self, action: Action, by: str) -> None:
        """Raises ConsentError if the policy file names people, and this one is none or may not."""
        people = self._policy.people
        if not people:
            return
        person = people.get(by)
        if person is None:
            raise ConsentError(f"{by!r:.80} is not named under people: in the policy file", "ask who is")
        if "*" not in person.verbs and action.verb not in person.verbs:
            raise ConsentError(f"{by} may not consent to {action.verb}", f"may: {', '.join(person.verbs)}")
        if action.risk is Risk.destructive and not person.destructive:
            raise ConsentError(f"{by} may not consent to destructive actions", "ask who may")

    # ── what came of it ─────────────────────────────────────────────────────────────────────────────────

    async def _follow_up(self) -> list[Action]:
        now = self._clock.now()
        found: list[Action] = []
        for action in await self._thread(self._store.actions, states=_UNDER_WAY):
            verb = self._verb(action)
            if action.state is ActionState.claimed:
                if self._broken:
                    continue  # nothing is done, and nothing is done again
                subject = await self._subject(action)
                done = await performing.recover(action, verb, subject, self._means(), self._ledger, now)
            else:
                sight = await self._sight(action)
                said = outcome(action, (verb or _NOWHERE).proof, sight, now)
                done = await self._ledger.settle(action, said.state, said.why) if said else None
            if done is not None:
                found.append(done)
        return found

    async def _tidy(self) -> list[Action]:
        """Proposals whose time or incident is over."""
        now = self._clock.now()
        found: list[Action] = []
        for action in await self._thread(self._store.actions, states=_WAITING):
            incident = await self._thread(self._store.incident, action.incident)
            over = incident is None or not incident.state.live
            if over or now >= action.expires_at:
                why = "its incident is over" if over else "nobody decided in time"
                done = await self._ledger.settle(action, ActionState.expired, why)
                found += [done] if done else []
        return found

    async def _sight(self, action: Action) -> Sight:
        instance, _, job_id = action.target.partition("/")
        histories = await self._thread(self._store.histories, [(instance, job_id)], 20)
        jobs = await self._jobs([(instance, job_id)])
        versions = await self._thread(self._store.incident_versions, action.incident)
        began = action.began_at or action.proposed_at
        before = [one for one in versions if one.updated_at <= began]
        source = await self._thread(self._store.source, instance, self._kinds.get(instance, instance))
        return Sight(
            runs=histories.get((instance, job_id), []),
            job=jobs.get((instance, job_id)),
            read_until=source.read_until,
            before=before[-1] if before else None,
            after=versions[-1] if versions else None,
        )

    # ── what could be done ──────────────────────────────────────────────────────────────────────────────

    async def _propose(self) -> list[Action]:
        now = self._clock.now()
        recent = await self._recent(now)
        made: list[Action] = []
        for incident in await self._thread(self._store.live_incidents):
            if incident.muted:
                continue
            outlook = await self._outlook(incident, now)
            for action in await self._unasked(propose(incident, outlook, self._policy, now), incident):
                made.append(self._decided(action, incident, recent, now))
        return await self._thread(self._store.propose, made)

    async def _unasked(self, proposals: Sequence[Action], incident: Incident) -> Sequence[Action]:
        """Without the steps by hand that somebody is asked for already: that the job has failed once more
        makes another action of it, and asks for nothing else."""
        if not any(one.verb == MANUAL for one in proposals):
            return proposals
        known = await self._thread(
            self._store.actions, states=(ActionState.proposed,), incident=incident.number
        )
        asked = {_step(one) for one in known if one.verb == MANUAL}
        return [one for one in proposals if one.verb != MANUAL or _step(one) not in asked]

    async def suggest(
        self, number: int, verb: str, target: str, reason: str, cites: Sequence[str], by: str
    ) -> Action:
        """Write down what an agent would do. Never approved here: what the policy allows without asking it
        allows to the rules, of an agent it waits for a person.

        Raises IncidentError or ConsentError.
        """
        now = self._clock.now()
        incident = await self._thread(self._store.incident, number)
        if incident is None or not incident.state.live:
            why = f"there is no INC-{number}" if incident is None else f"{incident.name} is over"
            raise IncidentError(f"nothing is proposed: {why}", "list_incidents")
        facts = {one.id for one in await self._thread(self._store.incident_evidence, number)}
        if unknown := [one for one in cites if one not in facts]:
            raise ConsentError(f"{one_line(unknown[0], 40)!r} is no evidence of {incident.name}")
        before = await self._thread(self._store.actions, incident=number)
        if same := [one for one in before if (one.verb, one.target) == (verb, target) and not one.state.over]:
            return same[0]
        if sum(one.proposed_by.startswith("agent:") for one in before) >= _SUGGESTIONS:
            raise ConsentError(f"agents have proposed {_SUGGESTIONS} things for {incident.name}; no more")
        made, why = suggested(incident, verb, target, reason, cites, await self._outlook(incident, now))
        if made is None:
            raise ConsentError(f"{verb} on {one_line(target, 80)} cannot be proposed: {why}")
        expires = now + timedelta(minutes=self._policy.consent_minutes)
        made = made.model_copy(update={"proposed_by": by, "proposed_at": now, "expires_at": expires})
        decided = self._decided(made, incident, await self._recent(now), now)
        if decided.state is ActionState.approved:
            asks = {"state": ActionState.waiting, "why": "an agent proposes it: a person decides"}
            decided = decided.model_copy(update={**asks, "decided_by": "", "decided_at": None})
        written = await self._thread(self._store.propose, [decided])
        if not written:
            raise ConsentError(f"{verb} on {one_line(target, 80)} was proposed before and is settled")
        return written[0]

    def _decided(self, action: Action, incident: Incident, recent: Recent, now: datetime) -> Action:
        if action.verb == MANUAL:
            return action.model_copy(update={"why": "only a person can do this"})
        verdict = decide(action, self._policy, recent, self._case(action, incident, now))
        refused = self._broken_policy()
        state = {
            Decision.allow: ActionState.approved,
            Decision.ask: ActionState.waiting,
            Decision.refuse: ActionState.refused,
        }[Decision.refuse if refused else verdict.decision]
        by = {"decided_by": "policy", "decided_at": now} if state is ActionState.approved else {}
        return action.model_copy(update={"state": state, "why": refused or verdict.why, **by})

    def _case(self, action: Action, incident: Incident, now: datetime) -> Case:
        cause = incident.causes[0] if incident.causes else None
        return Case(
            now=now,
            timezone=self._timezone,
            offered=self._offered(action),
            severity=incident.severity,
            cause=cause.cause_class if cause else None,
            confirmed=cause is not None and cause.confidence is Confidence.confirmed,
            platform=self._kinds.get(action.connector, action.connector),
            environments=self._environments.get(action.target, frozenset()),
        )

    async def _outlook(self, incident: Incident, now: datetime) -> Outlook:
        subjects = [incident.culprit, *(one.subject for one in incident.affected)]
        keys = [_key(subject) for subject in subjects if "/" in subject]
        histories = await self._thread(self._store.histories, keys, 20)
        jobs = await self._jobs(keys)
        findings = (await self._thread(self._store.incident_findings, [incident.number])).get(
            incident.number, []
        )
        return Outlook(
            findings=[finding for finding, cleared in findings if cleared is None],
            jobs={f"{key[0]}/{key[1]}": job for key, job in jobs.items()},
            runs={f"{key[0]}/{key[1]}": runs for key, runs in histories.items()},
            verbs={name: one.verbs() for name, one in self._able.items()},
            vain=await self._vain(incident, set(subjects), now),
        )

    async def _vain(
        self, incident: Incident, subjects: set[str], now: datetime
    ) -> dict[tuple[str, str], int]:
        """By (verb, subject): how often it did not help against the same class of cause, for other incidents
        of the last 30 days."""
        counts: dict[tuple[str, str], int] = {}
        for action in await self._thread(self._store.actions, states=_VAIN, since=now - _MONTH):
            if action.target not in subjects or action.incident == incident.number:
                continue
            other = await self._thread(self._store.incident, action.incident)
            if other is not None and _class_of(other) == _class_of(incident):
                counts[action.verb, action.target] = counts.get((action.verb, action.target), 0) + 1
        return counts

    async def _recent(self, now: datetime) -> Recent:
        """What the safeguards look at: everything of the last 24 hours, and whatever was done for an incident
        that is still live, however long ago."""
        lately = await self._thread(self._store.actions, since=now - _DAY, limit=1_000)
        known = {one.id: one for one in lately}
        for incident in await self._thread(self._store.live_incidents):
            for one in await self._thread(self._store.actions, incident=incident.number):
                known.setdefault(one.id, one)
        actions = list(known.values())
        halted = await self._thread(self._store.halted)
        begun = sorted(
            (one for one in actions if one.began_at is not None), key=lambda one: one.began_at or now
        )
        allowed: dict[tuple[str, str], int] = {}
        for one in begun:
            if one.decided_by == "policy" and one.began_at is not None and one.began_at >= now - _DAY:
                allowed[one.verb, one.target] = allowed.get((one.verb, one.target), 0) + 1
        return Recent(
            done=[_done(one) for one in begun],
            halted_by=halted[0].removeprefix("user:") if halted else "",
            this_round=self._begun,
            allowed=allowed,
        )

    # ── helpers ─────────────────────────────────────────────────────────────────────────────────────────

    def _broken_policy(self) -> str:
        return f"the policy file is wrong, so nothing is done: {self._broken.message}" if self._broken else ""

    def _verb(self, action: Action) -> Verb | None:
        able = self._able.get(action.connector)
        return able.verbs().get(action.verb) if able else None

    def _offered(self, action: Action) -> bool:
        if action.connector == "local":
            return action.verb in self._policy.commands
        if action.connector == "webhook":
            return action.verb in self._policy.webhooks
        return self._verb(action) is not None

    def _means(self) -> performing.Means:
        return performing.Means(self._able, self._policy.commands, self._hook)

    def _hook(self, name: str) -> tuple[Http, bytes] | None:
        """The door to a webhook and what its calls are signed with; None if one of them is missing."""
        hook, secret = self._policy.webhooks.get(name), self._hook_secrets.get(name)
        if hook is None or secret is None:
            return None
        self._doors.secrets.add(secret.get_secret_value())
        return self._doors.open(hook.url, login=None, pace=Pace()), secret.get_secret_value().encode()

    async def _jobs(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Job]:
        """Those of the jobs that exist, as last seen."""
        versions = await self._thread(self._store.versions, keys)
        return {key: known[-1][0] for key, known in versions.items() if known[-1][2] is None}

    async def _subject(self, action: Action) -> performing.Subject:
        key = _key(action.target)
        jobs = await self._jobs([key])
        histories = await self._thread(self._store.histories, [key], 50)
        wanted = action.args.get("run")
        run: Run | None = next(
            (one for one in reversed(histories.get(key, [])) if one.native_run_id == wanted), None
        )
        return performing.Subject(jobs.get(key), run)


def _class_of(incident: Incident) -> CauseClass | None:
    return incident.causes[0].cause_class if incident.causes else None


def _step(action: Action) -> tuple[str, JsonValue]:
    return action.target, action.args.get("step")


def _key(subject: str) -> tuple[str, str]:
    instance, _, job_id = subject.partition("/")
    return instance, job_id


def _done(action: Action) -> Done:
    helped = {ActionState.helped: True, ActionState.did_not_help: False, ActionState.made_worse: False}
    return Done(
        digest=action.digest,
        verb=action.verb,
        target=action.target,
        incident=action.incident,
        at=action.began_at or action.proposed_at,
        in_flight=action.state.under_way,
        helped=False if action.state is ActionState.failed else helped.get(action.state),
        failed=action.state in _BAD_ENDS,
    )
