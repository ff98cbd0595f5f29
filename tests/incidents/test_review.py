"""Was dogwatch right: by what happened later, and by people."""

from datetime import timedelta

from dogwatch.incidents.review import GIVEN, KEPT, Past, review, scores_of, weighed
from dogwatch.model import (
    Action,
    ActionState,
    CauseClass,
    Event,
    Incident,
    IncidentState,
    Risk,
    Turn,
    TurnKind,
)
from dogwatch.model.review import CaseReview, Judged, Tally
from support.incidents import at
from support.old_incidents import AUTH, DRIFT, seen

NOW = at(600)


def incident(number: int = 1, minutes: float = 60, cause: CauseClass | None = AUTH) -> Incident:
    """One that was resolved after so many minutes."""
    base = seen(number, "airbyte/a", cause=cause).incident
    return base.model_copy(update={"resolved_at": base.opened_at + timedelta(minutes=minutes)})


def action(state: ActionState) -> Action:
    """One that was carried out."""
    return Action(
        id="x",
        connector="airbyte",
        verb="rerun",
        target="airbyte/a",
        target_name="a",
        args={},
        risk=Risk.safe,
        reason="r",
        incident=1,
        proposed_by="rules",
        proposed_at=at(0),
        expires_at=at(9),
        state=state,
        began_at=at(1),
    )


def turn(kind: TurnKind) -> Turn:
    """What a person did."""
    state = IncidentState.open
    return Turn(number=1, version=2, at=at(1), actor="user:ana", kind=kind, was=state, state=state, why="w")


def event(score: int, by: str = "user:ana", kind: str = GIVEN) -> Event:
    """A score."""
    detail = {"score": score}
    return Event(seq=1, at=at(1), actor=by, kind=kind, subject="INC-1", detail=detail, previous="", hash="")


def case(past: Past) -> CaseReview:
    """The one case of a review."""
    return review([past], [], at(0), "UTC", NOW).cases[0]


def test_an_alert_is_right_if_somebody_took_it_on_and_wrong_if_somebody_muted_it() -> None:
    assert case(Past(incident(), [turn(TurnKind.acknowledged)])).alert is Judged.right
    assert case(Past(incident(), [turn(TurnKind.muted)])).alert is Judged.wrong
    assert case(Past(incident(minutes=10))).alert is Judged.unknown
    assert case(Past(incident(minutes=10), actions=[action(ActionState.helped)])).alert is Judged.right
    assert case(Past(incident(minutes=300))).alert is Judged.right


def test_a_cause_is_right_if_its_remedy_helped_and_wrong_if_another_was_found_later() -> None:
    assert case(Past(incident(), actions=[action(ActionState.helped)])).cause is Judged.right
    later = incident(cause=DRIFT)
    assert case(Past(later, versions=[incident(), later])).cause is Judged.wrong
    assert case(Past(incident())).cause is Judged.unknown
    assert case(Past(incident(cause=None))).cause is Judged.unknown


def test_what_people_say_counts_before_all_else_and_of_each_the_last_word() -> None:
    assert scores_of([event(10), event(90), event(50, "user:bert"), event(0, kind="x")]) == [90, 50]
    assert case(Past(incident(), scores=[90])).cause is Judged.right
    assert case(Past(incident(), scores=[10])).cause is Judged.wrong
    assert case(Past(incident(), scores=[50])).cause is Judged.unknown


def test_actions_are_counted_by_what_came_of_them() -> None:
    done = [action(ActionState.helped), action(ActionState.made_worse), action(ActionState.performed)]
    assert case(Past(incident(), actions=done)).actions == Tally(right=1, wrong=1, unknown=1)


def test_figures_are_kept_and_become_a_trend_and_weights_never_exceed_one() -> None:
    past = [Past(incident(number), scores=[score]) for number, score in enumerate((90, 0, 0, 0), 1)]
    found = review(past, [], at(0), "UTC", NOW)
    assert (found.now.causes.right, found.now.causes.wrong) == (1, 3)
    assert found.now.weights == {"auth_permission": 0.5}
    kept = Event(
        seq=1,
        at=NOW,
        actor="rules",
        kind=KEPT,
        subject="review",
        detail=found.now.model_dump(mode="json"),
        previous="",
        hash="",
    )
    assert review([], [kept], at(0), "UTC", NOW).trend == (found.now,)
    assert weighed({"auth_permission": 0.7}, "auth_permission", []) == 0.7
    assert weighed({}, "auth_permission", [10]) == 0.5
    assert weighed({}, "auth_permission", [100]) == 1.0
