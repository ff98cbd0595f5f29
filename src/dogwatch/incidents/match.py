"""Which incident it is: what was found is matched with the incidents that are known by what they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dogwatch.incidents import lifecycle
from dogwatch.incidents.draft import Draft
from dogwatch.incidents.known import Correlation
from dogwatch.incidents.lifecycle import Step
from dogwatch.model import Evidence, Incident, Turn


@dataclass(slots=True)
class _After:
    """What comes of a round, step by step."""

    incidents: dict[int, Incident]
    """By number, each as it is by now."""
    turns: list[Turn] = field(default_factory=list[Turn])

    def take(self, step: Step | None) -> None:
        """One incident has its next version."""
        if step is not None:
            self.incidents[step[0].number] = step[0]
            self.turns.append(step[1])


def matched(
    drafts: Sequence[Draft],
    live: Sequence[Incident],
    ended: Sequence[Incident],
    next_number: int,
    evidence: Mapping[str, Evidence],
    now: datetime,
) -> Correlation:
    """The incidents after a round, from what it found and those that were live or had ended lately."""
    claims = _claims(drafts, live)
    after = _After({incident.number: incident for incident in live})
    fresh: list[Draft] = []
    for index, draft in enumerate(drafts):
        mine = claims.get(index, [])
        if mine:
            after.take(_advanced(mine, draft, now))
            for other in mine[1:]:
                after.take(lifecycle.merged(other, after.incidents[mine[0].number], now))
        elif draft.active:
            fresh.append(draft)
    claimed = {incident.number for mine in claims.values() for incident in mine}
    for incident in live:
        if incident.number not in claimed:
            after.take(lifecycle.faded(incident, now))
    _begin(fresh, live, ended, next_number, after, now)
    found = {fingerprint for draft in drafts for fingerprint in draft.active}
    for incident in ended:
        if incident.number not in after.incidents and not found.issuperset(incident.active):
            after.take(lifecycle.quieter(incident, found, now))
    everything = sorted(after.incidents.values(), key=_order)
    return Correlation(
        incidents=tuple(one for one in everything if one.state.live),
        ended=tuple(one for one in everything if not one.state.live),
        turns=tuple(sorted(after.turns, key=lambda turn: turn.number)),
        evidence=evidence,
    )


def _begin(
    fresh: Sequence[Draft],
    live: Sequence[Incident],
    ended: Sequence[Incident],
    next_number: int,
    after: _After,
    now: datetime,
) -> None:
    """What continues no live incident: it comes back, or it is new."""
    for draft in fresh:
        back = _comes_back(draft, ended)
        if back is None:
            after.take(lifecycle.opened(draft, next_number, now, _split_from(draft, live)))
            next_number += 1
        elif back.number not in after.incidents:
            after.take(_again(back, draft, now))


def _claims(drafts: Sequence[Draft], live: Sequence[Incident]) -> dict[int, list[Incident]]:
    """By draft, the live incidents that it continues, the oldest first. Each continues in one only: where its
    culprit is, else where most of it is."""
    claims: dict[int, list[Incident]] = {}
    where: dict[str, list[int]] = {}
    for index, draft in enumerate(drafts):
        for fingerprint in draft.findings:
            where.setdefault(fingerprint, []).append(index)
    for incident in sorted(live, key=lambda one: one.number):
        shared: dict[int, int] = {}
        for fingerprint in incident.findings:
            for index in where.get(fingerprint, ()):
                shared[index] = shared.get(index, 0) + 1
        if shared:
            best = min(
                shared,
                key=lambda index: (
                    incident.culprit not in drafts[index].subjects | {drafts[index].culprit},
                    -shared[index],
                    index,
                ),
            )
            claims.setdefault(best, []).append(incident)
    return claims


def _advanced(mine: Sequence[Incident], draft: Draft, now: datetime) -> Step | None:
    """The oldest of those that are one now; that somebody has taken on another of them is not lost."""
    oldest = mine[0]
    taken = next((one.acknowledged_by for one in mine if one.acknowledged_by), None)
    if taken is None or oldest.acknowledged_by:
        return lifecycle.advance(oldest, draft, now)
    step = lifecycle.acknowledge(oldest, f"user:{taken}", now)
    further = lifecycle.advance(step[0].model_copy(update={"version": oldest.version}), draft, now)
    return further or step


def _comes_back(draft: Draft, ended: Sequence[Incident]) -> Incident | None:
    """The latest of those that ended whose culprit and first trouble are these again."""
    same = [
        one
        for one in ended
        if one.culprit == draft.culprit and set(draft.findings).intersection(one.findings)
    ]
    return max(same, key=lambda one: one.number, default=None)


def _again(back: Incident, draft: Draft, now: datetime) -> Step | None:
    """One that is over is found again. One that a person resolved rests until something else is found."""
    if not draft.ill:
        return None
    if set(draft.active) <= set(back.active):
        return None
    return lifecycle.reopened(back, draft, now)


def _split_from(draft: Draft, live: Sequence[Incident]) -> str:
    """Where it was counted before, if it was a part of another incident."""
    for incident in live:
        if set(draft.findings).intersection(incident.findings):
            return f"it was a part of {incident.name} and is a matter of its own: {draft.title}"
    return ""


def _order(incident: Incident) -> tuple[bool, int, datetime, int]:
    """The worst first, then the oldest; blindness last."""
    return (incident.blind, -incident.severity.rank, incident.began_at, incident.number)
