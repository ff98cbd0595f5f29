"""Carrying out: signed webhooks, answers that say little, and performers that died in the middle."""

import asyncio
import hashlib
import hmac
import json
import weakref
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dogwatch.heal.hands.airbyte import Hands
from dogwatch.heal.perform import DEAD, Means, Subject, perform, recover
from dogwatch.heal.policy import Command
from dogwatch.model import Action, ActionState
from dogwatch.store import Store, open_store
from dogwatch.wire.acting import Verb
from dogwatch.wire.http import Http
from support.actions import NOW, an_action
from support.cast import a_job, a_run
from support.clock import JumpingClock
from support.door import Script, door, ok, status

SECRET = b"a-shared-secret"


class Ledger:
    """A store, awaited."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = open_store(folder / "dogwatch.db")
        weakref.finalize(self, self.store.close)

    async def claim(self, action: Action, now: datetime) -> Action | None:
        return self.store.claim_action(action, "policy", now)

    async def reclaim(self, action: Action, now: datetime) -> Action | None:
        return self.store.reclaim_action(action, "policy", now)

    async def settle(
        self,
        action: Action,
        state: ActionState,
        why: str,
        *,
        native_run_id: str | None = None,
        said: str = "",
    ) -> Action | None:
        more: dict[str, Any] = {"native_run_id": native_run_id, "said": said}
        return self.store.settle_action(action, state, NOW, by="policy", why=why, **more)

    def approved(self, **changes: Any) -> Action:
        """An action that somebody consented to."""
        (made,) = self.store.propose([an_action(state=ActionState.waiting, **changes)])
        return self.store.consent(made.id, made.digest, "user:anna", NOW, yes=True, via="test")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def means(script: Script, commands: Mapping[str, Command] | None = None) -> Means:
    """Airbyte's hands and one webhook, whose other side is the script."""

    def hook(name: str) -> tuple[Http, bytes] | None:
        return (door(script), SECRET) if name == "gateway" else None

    airbyte = Hands(door(script), a_job(), JumpingClock())
    return Means({"airbyte": airbyte}, commands or {}, hook)


def done(ledger: Ledger, action: Action, script: Script) -> Action:
    """What comes of carrying it out."""
    subject = Subject(a_job(), a_run(native_run_id="4711"))
    found = asyncio.run(perform(action, subject, means(script), ledger, NOW))
    assert found is not None
    return found


def test_a_webhook_is_called_with_a_signature_that_anybody_with_the_secret_can_check(ledger: Ledger) -> None:
    script = Script(ok())
    action = ledger.approved(connector="webhook", verb="gateway")
    assert done(ledger, action, script).state is ActionState.performed
    (request,) = script.requests
    stamp = request.headers["X-Dogwatch-Timestamp"]
    signed = hmac.new(SECRET, f"{stamp}.".encode() + request.content, hashlib.sha256).hexdigest()
    assert request.headers["X-Dogwatch-Signature"] == f"v1={signed}"
    assert request.headers["Idempotency-Key"] == f"dogwatch-{action.id}"
    assert int(stamp) == NOW.timestamp()
    assert json.loads(request.content)["incident"] == "INC-7"


def test_a_webhook_without_its_secret_is_not_called(ledger: Ledger) -> None:
    script = Script(ok())
    after = done(ledger, ledger.approved(connector="webhook", verb="other"), script)
    assert (after.state, script.requests) == (ActionState.failed, [])


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (status(403, {"detail": "no"}), ActionState.failed),
        (status(401), ActionState.failed),
        (status(404), ActionState.failed),
        (status(409, {"detail": "A sync is already running"}), ActionState.failed),
        (status(429), ActionState.failed),
        (httpx2.ConnectError("refused"), ActionState.failed),
        (httpx2.ReadTimeout("silence"), ActionState.performed),
        (status(502), ActionState.performed),
        (ok({"jobId": 48}), ActionState.performed),
    ],
)
def test_an_order_is_given_once_whatever_is_answered(
    ledger: Ledger, answer: httpx2.Response | Exception, state: ActionState
) -> None:
    script = Script(answer)
    after = done(ledger, ledger.approved(), script)
    assert after.state is state
    assert len(script.requests) == 1
    if state is ActionState.performed and after.native_run_id is None:
        assert after.why.startswith("it may have been done: ")


def claimed(ledger: Ledger, **changes: Any) -> Action:
    """An action whose performer died."""
    found = ledger.store.claim_action(ledger.approved(**changes), "policy", NOW)
    assert found is not None
    return found


def recovered(
    ledger: Ledger,
    action: Action,
    script: Script,
    now: datetime,
    commands: Mapping[str, Command] | None = None,
) -> Action | None:
    """What a later round makes of it."""
    tools = means(script, commands)
    verbs: Mapping[str, Verb] = tools.connectors["airbyte"].verbs()
    verb = verbs.get(action.verb) if action.connector == "airbyte" else None
    subject = Subject(a_job(), a_run(native_run_id="4711"))
    return asyncio.run(recover(action, verb, subject, tools, ledger, now))


def test_what_is_harmless_twice_is_done_again_by_one_successor(ledger: Ledger) -> None:
    action, script = claimed(ledger, verb="pause", args={}), Script(ok())
    assert recovered(ledger, action, script, NOW + DEAD - timedelta(seconds=1)) is None
    after = recovered(ledger, action, script, NOW + DEAD)
    assert after is not None
    assert after.state is ActionState.performed
    assert recovered(ledger, action, script, NOW + DEAD) is None
    assert len(script.requests) == 1
    assert "action.reclaimed" in [event.kind for event in ledger.store.events()]


def test_what_might_be_done_twice_is_marked_for_a_person(ledger: Ledger) -> None:
    script = Script(ok())
    after = recovered(ledger, claimed(ledger), script, NOW + DEAD)
    assert after is not None
    assert (after.state, script.requests) == (ActionState.unknown, [])
    assert after.why == "the process that performed it died in the middle; look whether it was done"


def test_nothing_is_done_again_while_everything_is_halted(ledger: Ledger) -> None:
    action, script = claimed(ledger, verb="pause", args={}), Script(ok())
    ledger.store.halt("user:bert", NOW)
    assert recovered(ledger, action, script, NOW + DEAD) is None
    assert script.requests == []


def test_a_command_that_may_run_long_is_not_dead_before_its_time(ledger: Ledger) -> None:
    long = Command.model_validate({"run": ["/bin/true"], "jobs": "*", "timeout_seconds": 3600})
    action, script = claimed(ledger, connector="local", verb="mend"), Script(ok())
    assert recovered(ledger, action, script, NOW + timedelta(minutes=69), {"mend": long}) is None
    after = recovered(ledger, action, script, NOW + timedelta(minutes=70), {"mend": long})
    assert after is not None
    assert after.state is ActionState.unknown


def test_the_same_is_not_begun_twice_on_one_job(ledger: Ledger) -> None:
    claimed(ledger)
    other = ledger.approved(incident=8)
    assert ledger.store.claim_action(other, "policy", NOW) is None
    assert ledger.store.claim_action(ledger.approved(verb="cancel"), "policy", NOW) is not None
