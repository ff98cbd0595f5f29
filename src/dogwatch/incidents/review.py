"""Was dogwatch right? Judged by what happened later and by what people say. Pure.

Nothing here loosens a safeguard: weights order hints (``similar``), and are never above 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

from dogwatch.model import Action, ActionState, Event, Incident, IncidentState, Turn, TurnKind
from dogwatch.model.review import CaseReview, Judged, Review, Scores, Tally

GIVEN = "feedback.given"
"""The kind of the event that somebody's score is."""
REVIEW = "review"
"""The subject under which the record keeps figures of reviews."""
KEPT = "review.kept"
"""The kind of the event that a review's figures are."""
GOOD, BAD = 70, 30
"""Scores from which on a person calls it right, and down to which wrong."""
_BLINK = timedelta(minutes=20)
"""What is over so soon, and nobody did anything about, may have been nothing."""
_HELPED = frozenset({ActionState.helped})
_VAIN = frozenset({ActionState.did_not_help, ActionState.made_worse, ActionState.failed})
_LEAST = 0.5
_DOUBT = 3
"""Judged cases of a class before its weight moves."""


@dataclass(frozen=True, slots=True)
class Past:
    """One incident with what became of it."""

    incident: Incident
    turns: Sequence[Turn] = ()
    versions: Sequence[Incident] = ()
    """Its states, in order."""
    actions: Sequence[Action] = ()
    scores: Sequence[int] = ()


def review(
    past: Iterable[Past], kept: Iterable[Event], since: datetime, timezone: str, now: datetime
) -> Review:
    """All of it judged, with the trend of earlier reviews (events of kind ``KEPT``)."""
    cases = [_case(one) for one in past]
    given = [one.score for one in cases if one.score is not None]
    figures = Scores(
        at=now,
        alerts=_tally(one.alert for one in cases),
        causes=_tally(one.cause for one in cases),
        actions=Tally(
            right=sum(one.actions.right for one in cases),
            wrong=sum(one.actions.wrong for one in cases),
            unknown=sum(one.actions.unknown for one in cases),
        ),
        feedback=round(fmean(given), 1) if given else None,
        weights=_weights(cases),
    )
    earlier = [Scores.model_validate(dict(one.detail)) for one in kept if one.kind == KEPT]
    return Review(
        at=now,
        timezone=timezone,
        since=since,
        cases=tuple(cases),
        now=figures,
        trend=tuple(earlier),
    )


def scores_of(events: Iterable[Event]) -> list[int]:
    """What people gave, from the events on an incident: of each person the last word."""
    last: dict[str, int] = {}
    for event in events:
        score = event.detail.get("score")
        if event.kind == GIVEN and isinstance(score, int) and 0 <= score <= 100:
            last[event.actor] = score
    return list(last.values())


def _tally(judged: Iterable[Judged]) -> Tally:
    found = list(judged)
    return Tally(**{one.value: found.count(one) for one in Judged})


def _case(past: Past) -> CaseReview:
    incident = past.incident
    cause = incident.causes[0] if incident.causes else None
    score = round(fmean(past.scores)) if past.scores else None
    alert, alert_why = _alert(past, score)
    right, cause_why = _cause(past, score)
    return CaseReview(
        incident=incident.name,
        title=incident.title,
        cause_class=cause.cause_class.value if cause and cause.cause_class else "",
        alert=alert,
        alert_why=alert_why,
        cause=right,
        cause_why=cause_why,
        actions=_tally(_action(one) for one in past.actions if one.began_at is not None),
        score=score,
    )


def _alert(past: Past, score: int | None) -> tuple[Judged, str]:
    incident = past.incident
    if score is not None and score >= GOOD:
        return Judged.right, f"people gave {score}"
    kinds = {turn.kind for turn in past.turns if turn.actor.startswith("user:")}
    if TurnKind.muted in kinds:
        return Judged.wrong, "somebody muted it"
    if TurnKind.acknowledged in kinds:
        return Judged.right, "somebody took it on"
    if any(one.state in _HELPED for one in past.actions):
        return Judged.right, "an action helped"
    end = incident.resolved_at
    if incident.state is IncidentState.resolved and end is not None and end - incident.opened_at <= _BLINK:
        return Judged.unknown, "it was over before anybody did anything"
    return Judged.right, "it was found in round after round"


def _cause(past: Past, score: int | None) -> tuple[Judged, str]:
    """The first cause that was named, against everything that came later."""
    named = [one.causes[0] for one in past.versions if one.causes] or list(past.incident.causes[:1])
    if not named:
        return Judged.unknown, "no cause was named"
    if score is not None and (score >= GOOD or score <= BAD):
        return (Judged.right if score >= GOOD else Judged.wrong), f"people gave {score}"
    first, last = named[0], named[-1]
    if (first.subject, first.cause_class) != (last.subject, last.cause_class):
        return Judged.wrong, "another cause was found later"
    if any(one.state in _HELPED and one.target == first.subject for one in past.actions):
        return Judged.right, "what was done about it helped"
    return Judged.unknown, "nothing later shows it"


def _action(action: Action) -> Judged:
    if action.state in _HELPED:
        return Judged.right
    return Judged.wrong if action.state in _VAIN else Judged.unknown


def _weights(cases: Sequence[CaseReview]) -> dict[str, float]:
    """Classes whose causes were wrong more often count less; none ever counts more."""
    by_class: dict[str, list[Judged]] = {}
    for one in cases:
        if one.cause_class and one.cause is not Judged.unknown:
            by_class.setdefault(one.cause_class, []).append(one.cause)
    return {
        name: round(max(_LEAST, found.count(Judged.right) / len(found)), 2)
        for name, found in sorted(by_class.items())
        if len(found) >= _DOUBT
    }


def weighed(weights: Mapping[str, float], cause_class: str, scores: Sequence[int]) -> float:
    """How much a past incident counts as a hint: what people called wrong counts half."""
    wrong = bool(scores) and fmean(scores) <= BAD
    return min(weights.get(cause_class, 1.0), _LEAST if wrong else 1.0)
