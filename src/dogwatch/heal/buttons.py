"""What a press of a button in Slack means: which action, yes or no, and by whom. Pure.

The payload is what Slack sends for ``block_actions``, by Socket Mode as it is or by HTTP in the form field
``payload`` (docs.slack.dev, "Handling user interaction"). Everything in it but the ids is somebody's text.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs

from dogwatch.errors import ConsentError
from dogwatch.heal.policy import Policy

YES, NO = "dogwatch_approve", "dogwatch_reject"
"""``action_id`` of the buttons; their ``value`` is the action's id, a blank, and its digest."""
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody pressed a button of ours."""

    action: str
    """Action id."""
    digest: str
    """Of what the person saw."""
    yes: bool
    user: str
    """Slack user id."""
    team: str
    """Slack team id of that user."""


def press_of(payload: object) -> Press:
    """The one press of ours in a payload. Raises ConsentError if there is none, or more than one."""
    told = _object(payload)
    if told.get("type") != "block_actions":
        raise ConsentError("this is no press of a button")
    pressed = [one for one in _list(told, "actions") if _text(one, "action_id") in (YES, NO)]
    if len(pressed) != 1 or len(_list(told, "actions")) != 1:
        raise ConsentError("this is not one press of a button of dogwatch's")
    action, blank, digest = _text(pressed[0], "value").partition(" ")
    user = _part(told, "user")
    who, team = _text(user, "id"), _text(user, "team_id") or _text(_part(told, "team"), "id")
    if not (action and blank and digest and " " not in digest and who and team):
        raise ConsentError("this press does not say what it is about and by whom")
    return Press(action, digest, _text(pressed[0], "action_id") == YES, who, team)


def payload_in(body: bytes) -> object:
    """The payload in a form that Slack posts. Raises ConsentError. Verify its signature first."""
    if len(body) > _MOST:
        raise ConsentError("this is larger than any press of a button")
    try:
        (payload,) = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)["payload"]
        return cast("object", json.loads(payload))
    except (ValueError, KeyError, RecursionError):
        raise ConsentError("this is not a form of Slack's") from None


def person_of(policy: Policy, press: Press) -> str:
    """The name under ``people`` of who pressed. Raises ConsentError for everybody else: a channel may have
    anybody in it, so without names nobody consents there."""
    names = [
        name
        for name, person in policy.people.items()
        if (person.slack, person.team) == (press.user, press.team)
    ]
    if len(names) != 1:
        raise ConsentError(
            "this Slack user is not named under people: in policy.yaml",
            f"name them there: slack: {press.user[:20]}, team: {press.team[:20]}",
        )
    return names[0]


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _part(told: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return _object(told.get(key))


def _list(told: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = told.get(key)
    return [_object(one) for one in cast("list[object]", found)] if isinstance(found, list) else []


def _text(told: Mapping[str, Any], key: str) -> str:
    found = told.get(key)
    return found if isinstance(found, str) else ""
