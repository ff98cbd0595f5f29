"""Actions in the store: consent is bound, single, and in time; of several who begin an action one does."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from dogwatch.errors import ConsentError
from dogwatch.model import Action, ActionState
from dogwatch.store import Store, open_store
from support.actions import NOW, an_action
from support.stores import Where, meddle, unguard


@pytest.fixture
def store(where: Where) -> Store:
    return open_store(where)


def waiting(store: Store, **changes: Any) -> Action:
    """An action that waits for consent."""
    (made,) = store.propose([an_action(state=ActionState.waiting, why="a person decides", **changes)])
    return made


def approve(store: Store, action: Action, **changes: Any) -> Action:
    """Consent to it as it stands, but for the changes."""
    given: dict[str, Any] = {"digest": action.digest, "by": "user:anna", "now": NOW, **changes}
    return store.consent(action.id, given["digest"], given["by"], given["now"], yes=True, via="test")


def kinds(store: Store) -> list[str]:
    """What the record says, without subjects."""
    return [event.kind for event in store.events()]


def test_a_proposal_is_written_down_once_as_long_as_it_is_alive(store: Store) -> None:
    first = waiting(store)
    assert store.propose([an_action(state=ActionState.waiting)]) == []
    assert store.actions() == [first]
    assert first.id == f"{first.digest[:10]}-1"


def test_what_was_refused_in_the_same_words_is_not_refused_again(store: Store) -> None:
    refused = an_action(state=ActionState.refused, why="everything is halted")
    assert len(store.propose([refused])) == 1
    assert store.propose([refused]) == []
    assert len(store.propose([refused.model_copy(update={"why": "the breaker is open"})])) == 1


def test_consent_is_taken_once(store: Store) -> None:
    action = waiting(store)
    done = approve(store, action)
    assert (done.state, done.decided_by) == (ActionState.approved, "user:anna")
    with pytest.raises(ConsentError, match="does not wait for consent: it is approved"):
        approve(store, action)
    assert kinds(store)[-2:] == ["action.approved", "consent.refused"]


def test_consent_to_another_digest_is_refused_and_recorded(store: Store) -> None:
    action = waiting(store)
    with pytest.raises(ConsentError, match="to another action"):
        approve(store, action, digest="f" * 16)
    assert store.action(action.id) == action
    assert kinds(store)[-1] == "consent.refused"


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "airbyte/payments"},
        {"verb": "cancel"},
        {"connector": "databricks"},
        {"args": {"after": "4712"}},
        {"cites": ("b" * 16,)},
        {"incident": 8},
    ],
)
def test_whatever_is_changed_about_an_action_makes_it_another_one(
    store: Store, changes: dict[str, Any]
) -> None:
    consented, other = waiting(store), waiting(store, **changes)
    with pytest.raises(ConsentError, match="to another action"):
        approve(store, other, digest=consented.digest)


def test_consent_after_its_time_is_refused(store: Store) -> None:
    action = waiting(store)
    with pytest.raises(ConsentError, match="has expired"):
        approve(store, action, now=action.expires_at)


def test_consent_to_nothing_is_refused(store: Store) -> None:
    with pytest.raises(ConsentError, match="there is no such action"):
        store.consent("abc-1", "f" * 16, "user:anna", NOW, yes=True, via="test")


def test_what_was_rejected_is_over(store: Store) -> None:
    action = waiting(store)
    store.consent(action.id, action.digest, "user:anna", NOW, yes=False, via="test")
    with pytest.raises(ConsentError, match="it is rejected"):
        approve(store, action)


def test_an_action_that_nobody_approved_cannot_be_begun(store: Store) -> None:
    assert store.claim_action(waiting(store), "policy", NOW) is None


def test_consent_that_was_not_used_in_time_is_worth_nothing(store: Store) -> None:
    done = approve(store, waiting(store))
    assert store.claim_action(done, "policy", done.expires_at) is None
    known = store.action(done.id)
    assert known is not None
    assert known.state is ActionState.expired


def test_what_was_weighed_before_another_was_begun_is_not_begun(store: Store) -> None:
    first, second = (approve(store, waiting(store, target=f"airbyte/{name}")) for name in ("a", "b"))
    before = store.begun()
    assert store.claim_action(first, "policy", NOW, begun=before) is not None
    assert store.claim_action(second, "policy", NOW, begun=before) is None
    assert store.claim_action(second, "policy", NOW, begun=store.begun()) is not None


def test_nothing_is_begun_while_everything_is_halted(store: Store) -> None:
    done = approve(store, waiting(store))
    store.halt("user:bert", NOW)
    assert store.claim_action(done, "policy", NOW) is None
    assert store.halted() == ("user:bert", NOW)
    store.halt("user:bert", NOW, off=True)
    assert store.claim_action(done, "policy", NOW) is not None


def test_of_eight_that_begin_an_action_at_once_one_does(where: Where) -> None:
    action = approve(open_store(where), waiting(open_store(where)))
    stores = [open_store(where) for _ in range(8)]
    gate, got = threading.Barrier(8), list[Action | None]()

    def begin(store: Store) -> None:
        gate.wait()
        got.append(store.claim_action(action, "policy", NOW))

    threads = [threading.Thread(target=begin, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in got) == 1
    assert kinds(stores[0]).count("action.claimed") == 1


def test_of_two_people_who_decide_at_once_one_is_told_that_it_was_too_late(where: Where) -> None:
    action = waiting(open_store(where))
    stores = [open_store(where) for _ in range(6)]
    gate, outcomes = threading.Barrier(6), list[str]()

    def decide(number: int) -> None:
        gate.wait()
        try:
            made = stores[number].consent(
                action.id, action.digest, f"user:{number}", NOW, yes=number % 2 == 0, via="test"
            )
            outcomes.append(made.state.value)
        except ConsentError:
            outcomes.append("late")

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("late") == 5


def test_what_came_of_an_action_is_compared_and_set(store: Store) -> None:
    claimed = store.claim_action(approve(store, waiting(store)), "policy", NOW)
    assert claimed is not None
    later = NOW + timedelta(minutes=1)
    done = store.settle_action(
        claimed, ActionState.performed, later, by="policy", why="", native_run_id="48000001", said="made"
    )
    assert done is not None
    assert (done.native_run_id, done.said, done.ended_at) == ("48000001", "made", None)
    assert store.settle_action(claimed, ActionState.failed, later, by="policy", why="") is None


def test_every_step_is_in_the_record(store: Store) -> None:
    claimed = store.claim_action(approve(store, waiting(store)), "policy", NOW)
    assert claimed is not None
    store.settle_action(claimed, ActionState.failed, NOW, by="policy", why="403")
    assert kinds(store) == [
        "action.proposed",
        "action.waiting",
        "action.approved",
        "action.claimed",
        "action.failed",
    ]
    assert {event.detail["digest"] for event in store.events()} == {claimed.digest}
    assert store.verify_events()[:2] == (None, 5)


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE events SET actor = 'user:nobody' WHERE seq = 3",
        "UPDATE events SET detail = '{}' WHERE seq = 3",
        "DELETE FROM events WHERE seq = 3",
        "UPDATE events SET seq = 30 - seq WHERE seq IN (3, 4)",
    ],
)
def test_an_edit_of_the_record_shows(where: Where, edit: str) -> None:
    store = open_store(where)
    approve(store, waiting(store))
    waiting(store, target="airbyte/payments")
    with pytest.raises(DBAPIError, match="append-only"):
        meddle(where, edit)
    unguard(where)
    meddle(where, edit)
    assert store.broken_event() == 3


def test_an_action_is_found_by_the_beginning_of_its_id_if_it_is_the_only_one(store: Store) -> None:
    first, second = waiting(store), waiting(store, target="airbyte/payments")
    assert store.action(first.id[:6]) == first
    assert store.action("") is None
    assert store.actions(states=[ActionState.waiting], incident=7) == [second, first]
