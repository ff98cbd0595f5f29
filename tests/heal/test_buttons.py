"""Buttons in Slack: what a press means, who may press, and what is refused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from dogwatch.errors import ConsentError
from dogwatch.heal.buttons import NO, YES, payload_in, person_of, press_of
from dogwatch.heal.policy import Policy
from dogwatch.model import Action, ActionState
from dogwatch.notify.slack import APPROVE, REJECT
from support.healing import ONE_RUN, Ward

FAILS = f"kind: run_fails, {ONE_RUN}, error: connection timed out"
PEOPLE = "people: {anna: {slack: U1, team: T1}, otto: {slack: U2, team: T1, verbs: [cancel]}}\n"


def payload(value: str = "abc-1 0123", action_id: str = YES, **changes: Any) -> dict[str, Any]:
    """What Slack sends when a button is pressed."""
    return {
        "type": "block_actions",
        "team": {"id": "T1", "domain": "shop"},
        "user": {"id": "U1", "username": "anna", "team_id": "T1"},
        "actions": [{"type": "button", "action_id": action_id, "block_id": "b", "value": value}],
        **changes,
    }


def test_the_buttons_that_are_sent_are_the_ones_that_are_understood() -> None:
    assert (APPROVE, REJECT) == (YES, NO)


def test_a_press_says_what_and_by_whom() -> None:
    press = press_of(payload())
    assert (press.action, press.digest, press.yes) == ("abc-1", "0123", True)
    assert (press.user, press.team) == ("U1", "T1")
    assert press_of(payload(action_id=NO)).yes is False


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "press",
        {},
        payload(type="view_submission"),
        payload(actions=[]),
        payload(actions="x"),
        payload(actions=[None]),
        payload(actions=payload()["actions"] * 2),
        payload(action_id="dogwatch_approve_all"),
        payload(value=""),
        payload(value="abc-1"),
        payload(value="abc-1 0123 more"),
        payload(user={}),
        payload(user="U1"),
        payload(user={"id": 7}),
        payload(user={"id": "U1"}, team=None),
    ],
)
def test_what_is_no_press_of_ours_means_nothing(wrong: object) -> None:
    with pytest.raises(ConsentError):
        press_of(wrong)


@pytest.mark.parametrize(
    "body",
    [b"", b"payload=", b"payload={", b"\xff", b"payload=1&payload=2", b"a=b", b"payload=" + b"[" * 200_000],
)
def test_a_form_that_is_none_means_nothing(body: bytes) -> None:
    with pytest.raises(ConsentError):
        press_of(payload_in(body))


def test_the_form_holds_the_payload() -> None:
    assert payload_in(urlencode({"payload": json.dumps(payload())}).encode()) == payload()


@pytest.mark.parametrize(("user", "team"), [("U9", "T1"), ("U1", "T9"), ("u1", "T1"), ("anna", "T1")])
def test_who_is_not_named_with_user_and_team_is_nobody(user: str, team: str) -> None:
    policy = Policy.model_validate({"people": {"anna": {"slack": "U1", "team": "T1"}, "eve": {}}})
    with pytest.raises(ConsentError, match="not named under people"):
        person_of(policy, press_of(payload(user={"id": user, "team_id": team})))


def test_without_names_nobody_consents_in_slack() -> None:
    with pytest.raises(ConsentError, match="not named under people"):
        person_of(Policy(), press_of(payload()))


# ── through the app ───────────────────────────────────────────────────────────────────────────────────────

Press = Callable[..., Action]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """A failed sync that waits for consent, of people who are named."""
    with Ward(tmp_path_factory.mktemp("ward"), "airbyte", FAILS, PEOPLE) as ward:
        ward.round(9)
        ward.round(9, 20)
        ward.keep()
        yield ward


@pytest.fixture
def ward(prepared: Ward) -> Ward:
    prepared.rewind()
    return prepared


def value(action: Action) -> str:
    return f"{action.id} {action.digest}"


def test_a_named_person_approves_by_a_button_once(ward: Ward) -> None:
    action = ward.waiting()
    done = ward.press(payload(value(action)))
    assert (done.state, done.decided_by) == (ActionState.performed, "user:anna")
    with pytest.raises(ConsentError, match="does not wait for consent"):
        ward.press(payload(value(action)))
    assert len(ward.lab.world.asked) == 1
    assert [event.detail["via"] for event in ward.events() if event.kind == "action.approved"] == ["Slack"]


def test_a_named_person_says_no_by_a_button(ward: Ward) -> None:
    assert ward.press(payload(value(ward.waiting()), NO)).state is ActionState.rejected
    assert ward.lab.world.asked == []


@pytest.mark.parametrize(
    "changes", [{"user": {"id": "U9", "team_id": "T1"}}, {"user": {"id": "U2", "team_id": "T1"}}]
)
def test_whoever_may_not_presses_in_vain_and_it_is_recorded(ward: Ward, changes: dict[str, Any]) -> None:
    with pytest.raises(ConsentError):
        ward.press(payload(value(ward.waiting()), **changes))
    assert ward.lab.world.asked == []
    assert ward.events()[-1].kind == "consent.refused"


def test_a_button_of_another_action_does_not_fit(ward: Ward) -> None:
    with pytest.raises(ConsentError, match="the digest differs"):
        ward.press(payload(f"{ward.waiting().id} {'0' * 16}"))
    assert ward.lab.world.asked == []


def test_a_wrong_policy_lets_nobody_press(ward: Ward) -> None:
    ward.consents_to(f"{PEOPLE}rules: oops\n")
    with pytest.raises(ConsentError, match="the policy file is wrong"):
        ward.press(payload(value(ward.waiting())))
    assert ward.lab.world.asked == []


def test_the_message_of_an_incident_has_the_buttons(ward: Ward, tmp_path: Path) -> None:
    (block,) = ward.asks(ward.waiting().incident)
    assert (block.action, block.digest) == (ward.waiting().id, ward.waiting().digest)
    assert block.label == "Sync JOB_1 once"
