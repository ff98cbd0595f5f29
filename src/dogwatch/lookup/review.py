"""What dogwatch said of past incidents, looked up and judged; feedback and figures written down. Sync."""

from datetime import datetime, timedelta

from dogwatch.errors import IncidentError
from dogwatch.incidents.review import GIVEN, KEPT, REVIEW, Past, review, scores_of
from dogwatch.model import Incident
from dogwatch.model.review import Review
from dogwatch.store import Store
from dogwatch.store.incidents import IncidentFilter

_MOST = 500
_TREND = 90


def reviewed(store: Store, days: int, timezone: str, now: datetime) -> Review:
    """The incidents that were live within so many days, judged."""
    since = now - timedelta(days=days)
    found = [one for one in store.incidents(IncidentFilter(since=since, limit=_MOST)) if not one.blind]
    past = [
        Past(
            one,
            store.turns(one.number),
            store.incident_versions(one.number),
            store.actions(incident=one.number),
            scores_of(store.events(one.name)),
        )
        for one in sorted(found, key=lambda one: -one.number)
    ]
    kept = store.events(REVIEW, limit=10_000)[-_TREND:]
    return review(past, kept, since, timezone, now)


def keep(store: Store, found: Review) -> bool:
    """Write down a review's figures, once a day; whether they were."""
    day = found.at.date()
    if any(one.kind == KEPT and one.at.date() == day for one in store.events(REVIEW, limit=10_000)):
        return False
    store.log(found.at, "rules", KEPT, REVIEW, found.now.model_dump(mode="json"))
    return True


def feedback(store: Store, number: int, score: int, why: str, by: str, now: datetime) -> Incident:
    """Somebody's score of what dogwatch said of an incident, 0 to 100. Raises IncidentError."""
    incident = store.incident(number)
    if incident is None:
        raise IncidentError(f"there is no INC-{number}", "dogwatch incidents")
    if not 0 <= score <= 100:
        raise IncidentError(f"{score} is no score", "0 is useless, 100 is exactly right")
    store.log(now, by, GIVEN, incident.name, {"score": score, "why": why.strip()[:1_000]})
    return incident
