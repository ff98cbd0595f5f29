"""What came of an action follows from data that is newer than the action."""

from datetime import timedelta
from typing import Any

import pytest

from dogwatch.heal.verify import Sight, outcome
from dogwatch.model import Action, ActionState, JobState, Run, Status
from dogwatch.wire.acting import Proof
from support.actions import NOW, an_action
from support.cast import a_job
from support.nights import a_run_at

LATER = NOW + timedelta(minutes=10)
DONE = an_action(state=ActionState.performed, began_at=NOW, native_run_id="48")


def sight(*runs: Run, **changes: Any) -> Sight:
    """What a round ten minutes later knows."""
    told: dict[str, Any] = {"runs": runs, "job": None, "read_until": LATER, "before": None, "after": None}
    return Sight(**{**told, **changes})


def run_48(status: Status, **changes: Any) -> Run:
    return a_run_at(NOW + timedelta(minutes=1), 5, status, native_run_id="48", **changes)


def state(action: Action, proof: Proof, seen: Sight, minutes: int = 10) -> ActionState | None:
    found = outcome(action, proof, seen, NOW + timedelta(minutes=minutes))
    return found.state if found else None


def test_a_run_that_succeeds_helped_and_one_that_fails_did_not() -> None:
    assert state(DONE, Proof.new_run, sight(run_48(Status.success))) is ActionState.helped
    assert state(DONE, Proof.new_run, sight(run_48(Status.failed))) is ActionState.did_not_help
    assert state(DONE, Proof.new_run, sight(run_48(Status.running)), 90) is None


def test_another_run_proves_nothing() -> None:
    other = a_run_at(NOW + timedelta(minutes=1), 5, native_run_id="49")
    assert state(DONE, Proof.new_run, sight(other)) is None


def test_without_a_run_id_the_first_run_since_counts_but_never_the_one_before() -> None:
    blind = DONE.model_copy(update={"native_run_id": None})
    before = a_run_at(NOW - timedelta(minutes=1), 5, native_run_id="4711")
    assert state(blind, Proof.new_run, sight(before)) is None
    assert state(blind, Proof.new_run, sight(before, run_48(Status.success))) is ActionState.helped


def test_old_data_proves_nothing() -> None:
    for read_until in (None, NOW, NOW - timedelta(minutes=1)):
        seen = sight(run_48(Status.success), read_until=read_until)
        assert state(DONE, Proof.new_run, seen, 90) is None


def test_what_nothing_comes_of_did_not_help() -> None:
    assert state(DONE, Proof.new_run, sight(), 30) is None
    assert state(DONE, Proof.new_run, sight(), 31) is ActionState.did_not_help


def test_only_a_further_attempt_proves_a_repair() -> None:
    action = DONE.model_copy(update={"args": {"run": "48", "attempt": 1}})
    first, second = run_48(Status.failed), run_48(Status.success, attempt=2)
    assert state(action, Proof.new_attempt, sight(first)) is None
    assert state(action, Proof.new_attempt, sight(first, second)) is ActionState.helped


@pytest.mark.parametrize(
    ("proof", "job", "expected"),
    [
        (Proof.job_paused, JobState.paused, ActionState.helped),
        (Proof.job_paused, JobState.active, None),
        (Proof.job_active, JobState.active, ActionState.helped),
    ],
)
def test_a_switch_shows_in_the_job(proof: Proof, job: JobState, expected: ActionState | None) -> None:
    assert state(DONE, proof, sight(job=a_job(state=job))) is expected


def test_a_cancelled_run_is_over() -> None:
    action = DONE.model_copy(update={"args": {"run": "48", "attempt": 1}})
    assert state(action, Proof.run_over, sight(run_48(Status.running))) is None
    assert state(action, Proof.run_over, sight(run_48(Status.cancelled))) is ActionState.helped
