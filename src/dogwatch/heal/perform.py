"""Carries out what was consented to: claim, act once, write down what was said."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dogwatch.errors import AuthError, ConnectorError, DogwatchError, RateLimited, Unreachable
from dogwatch.heal.policy import Command
from dogwatch.model import Action, ActionState, Job, Run
from dogwatch.model.text import one_line
from dogwatch.wire.acting import CanAct, Order, Receipt, Verb
from dogwatch.wire.http import Http
from dogwatch.wire.pace import hurried

DEAD = timedelta(minutes=10)
"""Who claimed an action and says nothing for so long has died."""
_SAID = 500


class Ledger(Protocol):
    """The part of the store that this needs; every call is awaited in the store's thread by the caller."""

    async def claim(self, action: Action, now: datetime) -> Action | None:
        """Begin it; None if somebody else did, or if everything is halted."""
        ...

    async def reclaim(self, action: Action, now: datetime) -> Action | None:
        """Take it over from a process that died; None if somebody else did, or if everything is halted."""
        ...

    async def settle(
        self,
        action: Action,
        state: ActionState,
        why: str,
        *,
        native_run_id: str | None = None,
        said: str = "",
    ) -> Action | None:
        """Write down its next state."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What an action is carried out with."""

    connectors: Mapping[str, CanAct]
    commands: Mapping[str, Command]
    hook: Callable[[str], tuple[Http, bytes] | None]
    """By name: the webhook's door and its signing secret; None if there is none."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What it is carried out on."""

    job: Job | None
    run: Run | None


async def perform(
    action: Action, subject: Subject, means: Means, ledger: Ledger, now: datetime
) -> Action | None:
    """Carry out an approved action, once. Returns it as it then stands; None if it was not ours to do."""
    claimed = await ledger.claim(action, now)
    return None if claimed is None else await _carry_out(claimed, subject, means, ledger, now)


async def recover(
    action: Action, verb: Verb | None, subject: Subject, means: Means, ledger: Ledger, now: datetime
) -> Action | None:
    """See to an action whose performer died in the middle: repeated where the platform sees to it that
    nothing is done twice, else left to a person, marked."""
    if action.began_at is None or now - action.began_at < DEAD + _needs(action, means):
        return None
    if verb is not None and verb.repeatable:
        claimed = await ledger.reclaim(action, now)
        return None if claimed is None else await _carry_out(claimed, subject, means, ledger, now)
    why = "the process that performed it died in the middle; look whether it was done"
    return await ledger.settle(action, ActionState.unknown, why)


def _needs(action: Action, means: Means) -> timedelta:
    """How long it may take while everything is well."""
    command = means.commands.get(action.verb) if action.connector == "local" else None
    return timedelta(seconds=command.timeout_seconds) if command else timedelta(0)


async def _carry_out(
    action: Action, subject: Subject, means: Means, ledger: Ledger, now: datetime
) -> Action | None:
    try:
        receipt = await _act(action, subject, means, now)
    except (AuthError, RateLimited) as error:
        return await ledger.settle(action, ActionState.failed, one_line(error.message, _SAID))
    except Unreachable as error:
        if error.asked:  # the answer is missing: it may have been done
            why = f"it may have been done: {one_line(error.message, _SAID)}"
            return await ledger.settle(action, ActionState.performed, why)
        return await ledger.settle(action, ActionState.failed, one_line(error.message, _SAID))
    except (ConnectorError, _Refusal) as error:
        return await ledger.settle(action, ActionState.failed, one_line(error.message, _SAID))
    return await ledger.settle(
        action,
        ActionState.performed,
        "performed; what came of it shows in the next rounds",
        native_run_id=receipt.native_run_id,
        said=one_line(receipt.said, _SAID),
    )


class _Refusal(DogwatchError):
    """It cannot be carried out, and nothing was done."""


async def _act(action: Action, subject: Subject, means: Means, now: datetime) -> Receipt:
    if action.connector == "local":
        command = means.commands.get(action.verb)
        if command is None:
            raise _Refusal("the policy file no longer has this command")
        return await _command(command)
    if action.connector == "webhook":
        hook = means.hook(action.verb)
        if hook is None:
            raise _Refusal("the policy file no longer has this webhook, or its secret is not set")
        try:
            return await _hook(action, *hook, now)
        finally:
            await hook[0].aclose()
    connector = means.connectors.get(action.connector)
    if connector is None or action.verb not in connector.verbs():
        raise _Refusal(f"{action.connector} does not offer {action.verb}")
    if subject.job is None:
        raise _Refusal("the job is no longer there")
    if connector.verbs()[action.verb].about_run and subject.run is None:
        raise _Refusal("the run is no longer known")
    order = Order(action.verb, subject.job, subject.run, action.key, action.args)
    with hurried():  # it does not wait until a long reading is over
        return await connector.act(order)


async def _command(command: Command) -> Receipt:
    """Run a local command: no shell, no input, an empty environment but for the path, a time limit."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command.run,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": "/usr/bin:/bin"},
            start_new_session=True,
        )
    except OSError as error:
        raise _Refusal(
            f"{command.run[0]} cannot be started: {error.strerror or type(error).__name__}"
        ) from None
    try:
        async with asyncio.timeout(command.timeout_seconds):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise _Refusal(f"{command.run[0]} was ended after {command.timeout_seconds} s") from None
    said = out[-_SAID:].decode(errors="replace")
    if process.returncode != 0:
        raise _Refusal(f"{command.run[0]} ended with {process.returncode}: {one_line(said, _SAID)}")
    return Receipt(said or "done")


async def _hook(action: Action, http: Http, secret: bytes, now: datetime) -> Receipt:
    """Post what is to be done, signed: HMAC-SHA256 over ``<timestamp>.<body>``, in hex."""
    body = json.dumps(
        {
            "action": action.id,
            "verb": action.verb,
            "target": action.target,
            "incident": f"INC-{action.incident}",
            "reason": action.reason,
        },
        sort_keys=True,
    ).encode()
    stamp = str(int(now.timestamp()))
    signed = hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {
        "X-Dogwatch-Timestamp": stamp,
        "X-Dogwatch-Signature": f"v1={signed}",
        "Idempotency-Key": action.key,
    }
    answer = await http.send("", body, headers=headers)
    return Receipt(f"{answer.request} answered {answer.status}")
