"""The estate at one glance, put together from what is remembered. Sync; asks no platform."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from dogwatch.detect import Policy
from dogwatch.detect.course import course
from dogwatch.lookup.cases import dossier, incident_list
from dogwatch.lookup.timeline import AHEAD, BACK, Choice, tracks
from dogwatch.model import (
    ExpectationState,
    HealthAssessment,
    Incident,
    IncidentState,
    Job,
    JobState,
    Noun,
    Status,
    job_subject,
)
from dogwatch.model.ledger import JobKey
from dogwatch.model.overview import Day, HeatRow, Overview, Picture
from dogwatch.model.report import PlatformView
from dogwatch.store import Store
from dogwatch.store.incidents import IncidentFilter

N = TypeVar("N", bound=Noun)

_DAYS = 30
_LANES = 40
"""Jobs of one platform in the timeline."""
_ROWS = 80
"""Jobs in the heat map."""
_DOSSIERS = 10
_PICTURES = 8
_HISTORY = 130
_INCIDENTS = 100
_MISSED = frozenset({ExpectationState.missed})


def overview(store: Store, policy: Policy, since: datetime, now: datetime) -> Overview:
    """Everything that a person wants to see who asks how things are; incidents that ended before ``since``
    are left out."""
    wanted = IncidentFilter(since=since, limit=_INCIDENTS)
    incidents = [
        one
        for one in incident_list(store, wanted, policy.timezone, now).incidents
        if one.state is not IncidentState.merged
    ]
    live = [one for one in incidents if one.state.live]
    concerned = list(dict.fromkeys(subject for one in live for subject in _subjects(one)))
    jobs = {(job.instance, job.job_id): job for job in store.jobs()}
    told_at, platforms, health = last_told(store)
    stirring = store.stirring_jobs(now - timedelta(days=_DAYS))
    heat = _heat_jobs(jobs, concerned, stirring)
    zone = ZoneInfo(policy.timezone)
    days = [now.astimezone(zone).date() - timedelta(days=back) for back in reversed(range(_DAYS))]
    return Overview(
        at=now,
        timezone=policy.timezone,
        since=since,
        last_round_at=told_at,
        health=health,
        platforms=platforms,
        runs=store.run_counts(now - BACK),
        incidents=tuple(incidents),
        dossiers=tuple(dossier(store, one.number, policy.timezone, now) for one in live[:_DOSSIERS]),
        tracks=tracks(store, _shown(store, jobs, platforms, set(concerned), now), concerned, now),
        starts_at=now - BACK,
        ends_at=now + AHEAD,
        days=tuple(day.isoformat() for day in days),
        heat=_heat(store, {key: jobs[key] for key in heat[:_ROWS]}, days, zone),
        more_heat=max(0, len(heat) - _ROWS),
        pictures=_pictures(store, policy, jobs, heat[:_PICTURES], now),
    )


def last_health(
    store: Store,
) -> tuple[tuple[HealthAssessment, ...], tuple[PlatformView, ...], datetime | None]:
    """What the last round told of health and platforms, and when it was; None if there was none."""
    at, platforms, health = last_told(store)
    return health, platforms, at


def _subjects(incident: Incident) -> Iterable[str]:
    yield incident.culprit
    yield from (one.subject for one in incident.affected if one.since is not None)


def last_told(
    store: Store,
) -> tuple[datetime | None, tuple[PlatformView, ...], tuple[HealthAssessment, ...]]:
    """What the last round told of platforms and health; nothing of what an older version wrote otherwise."""
    found = store.last_report()
    if found is None:
        return None, (), ()
    at, body = found
    return at, _valid(PlatformView, body.get("platforms")), _valid(HealthAssessment, body.get("health"))


def _valid(noun: type[N], given: object) -> tuple[N, ...]:
    try:
        return tuple(noun.model_validate(one) for one in cast("list[object]", given or []))
    except ValidationError:
        return ()


# ── the timeline ──────────────────────────────────────────────────────────────────────────────────────────


def _shown(
    store: Store,
    jobs: Mapping[JobKey, Job],
    platforms: Sequence[PlatformView],
    wrong: Collection[str],
    now: datetime,
) -> Iterable[Choice]:
    """What is wrong first, then what failed most, then the rest by name; what never stirred is left out."""
    stirring = store.stirring_jobs(now - BACK)
    for platform in platforms:
        own = [key for key in jobs if key[0] == platform.instance]
        own.sort(
            key=lambda key: (jobs[key].subject not in wrong, -stirring.get(key, 0), jobs[key].name.lower())
        )
        shown = [key for key in own if jobs[key].subject in wrong or key in stirring][:_LANES]
        yield Choice(platform, {key: jobs[key] for key in shown}, len(own) - len(shown))


# ── the heat map ──────────────────────────────────────────────────────────────────────────────────────────


def _heat_jobs(
    jobs: Mapping[JobKey, Job], concerned: Sequence[str], stirring: Mapping[JobKey, int]
) -> list[JobKey]:
    """What is wrong now first, then what failed most, then the rest by name; what never ran is left out."""
    place = {subject: index for index, subject in enumerate(concerned)}
    known = [key for key in jobs if key in stirring or job_subject(*key) in place]
    return sorted(
        known,
        key=lambda key: (
            place.get(job_subject(*key), len(place)),
            -stirring.get(key, 0),
            jobs[key].name.lower(),
        ),
    )


def _heat(
    store: Store, jobs: Mapping[JobKey, Job], days: Sequence[date], zone: ZoneInfo
) -> tuple[HeatRow, ...]:
    first = datetime.combine(days[0], datetime.min.time(), zone)
    seen = store.glimpses(jobs, first)
    slots = store.slots(jobs, {key[0]: first for key in jobs}, 0)
    index = {day: at for at, day in enumerate(days)}
    rows: list[HeatRow] = []
    for key, job in jobs.items():
        kinds, runs, failures = [Day.none] * len(days), [0] * len(days), [0] * len(days)
        for began, status in seen.get(key, []):
            at = index.get(began.astimezone(zone).date())
            if at is None:
                continue
            runs[at] += status is not Status.skipped
            failures[at] += status.bad
            kinds[at] = max(kinds[at], _day(status), key=_WORSE.__getitem__)
        for kept in slots.get(key, []):
            at = index.get(kept.slot.scheduled_for.astimezone(zone).date())
            if at is not None and kept.slot.state in _MISSED:
                kinds[at] = max(kinds[at], Day.missed, key=_WORSE.__getitem__)
        rows.append(
            HeatRow(
                subject=job.subject,
                name=job.name,
                days=tuple(kinds),
                runs=tuple(runs),
                failures=tuple(failures),
            )
        )
    return tuple(rows)


_WORSE = {day: rank for rank, day in enumerate(Day)}


def _day(status: Status) -> Day:
    if status.bad or status is Status.cancelled:
        return Day.bad
    if status is Status.skipped:
        return Day.skipped
    return Day.open if status.open else Day.good


# ── durations ─────────────────────────────────────────────────────────────────────────────────────────────


def _pictures(
    store: Store,
    policy: Policy,
    jobs: Mapping[JobKey, Job],
    keys: Sequence[JobKey],
    now: datetime,
) -> tuple[Picture, ...]:
    histories = store.histories(keys, _HISTORY)
    found: list[Picture] = []
    for key in keys:
        job, history = jobs[key], histories.get(key, [])
        rules = policy.rulebook.of(job.subject, job.name)
        drawn = course(history, "duration_seconds", rules, policy.zone, now)
        if drawn is not None and job.state is not JobState.deleted:
            found.append(Picture(subject=job.subject, name=job.name, course=drawn))
    return tuple(found)
