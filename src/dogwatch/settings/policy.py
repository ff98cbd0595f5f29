"""What stands in dogwatch.yaml about jobs, as the rules want it."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dogwatch.detect.baseline import Limits
from dogwatch.detect.policy import Policy
from dogwatch.detect.rules import Rulebook, Rules
from dogwatch.detect.thresholds import UNITS, Threshold
from dogwatch.detect.told import Maintenance, Told
from dogwatch.model import Schedule, ScheduleKind
from dogwatch.settings.model import Settings
from dogwatch.settings.watching import JobSettings, LimitSettings, schedule_kind

LIMITS: Mapping[str, tuple[str, str]] = {
    "slow_ratio": ("duration", "ratio"),
    "slow_sigmas": ("duration", "sigmas"),
    "fast_ratio": ("duration", "low_ratio"),
    "fast_sigmas": ("duration", "low_sigmas"),
    "few_ratio": ("volume", "ratio"),
    "few_sigmas": ("volume", "sigmas"),
    "many_ratio": ("volume", "low_ratio"),
    "many_sigmas": ("volume", "low_sigmas"),
}
"""Setting -> the limits and the field of them that it sets; all others set the rule of their own name."""
DECIDES: Mapping[str, tuple[str, ...]] = {
    "slow": ("slow_ratio", "slow_sigmas", "slower_by", "sure_ratio", "often"),
    "fast": ("fast_ratio", "fast_sigmas"),
    "few_rows": ("few_ratio", "few_sigmas", "least_rows", "sure_ratio", "often"),
    "few_bytes": ("few_ratio", "few_sigmas", "least_bytes", "sure_ratio", "often"),
    "many_rows": ("many_ratio", "many_sigmas", "least_rows"),
    "many_bytes": ("many_ratio", "many_sigmas", "least_bytes"),
    "missed": ("start_leeway", "start_unknown", "longest_leeway"),
    "late": ("start_leeway", "start_unknown", "longest_leeway"),
    "flapping": ("flapping", "flapping_of"),
    "duplicated": ("together",),
}
"""Rule -> the settings that decide whether it speaks."""
_RULES = frozenset(field.name for field in fields(Rules))


def policy(settings: Settings) -> Policy:
    """Everything that rules read of the configuration."""
    exceptions = [(pattern, rules_of(job)) for pattern, job in settings.jobs.items()]
    declared = [
        (pattern, schedule)
        for pattern, job in settings.jobs.items()
        if (schedule := _schedule(job, settings.timezone)) is not None
    ]
    windows = [
        Maintenance(window.on, _instant(window.start, settings.zone), _instant(window.end, settings.zone))
        for window in settings.maintenance
    ]
    muted = (*settings.muted, *(pattern for pattern, job in settings.jobs.items() if job.muted))
    return Policy(
        rulebook=Rulebook(exceptions=exceptions),
        told=Told(windows, frozenset(settings.holidays), muted, settings.zone),
        declared=declared,
        limits=[_limit(one) for one in settings.limits],
        timezone=settings.timezone,
    )


def rules_of(job: JobSettings) -> Rules:
    """The thresholds of all, with those that are set here."""
    given: dict[str, Any] = {name: value for name, value in job if value is not None}
    changed: dict[str, Any] = {name: value for name, value in given.items() if name in _RULES}
    for name, (limits, field) in LIMITS.items():
        if name in given:
            before: Limits = changed.get(limits, getattr(Rules(), limits))
            changed[limits] = replace(before, **{field: given[name]})
    return replace(Rules(), **changed)


def threshold(name: str, rules: Rules | None = None) -> object:
    """What holds for a setting by these rules, or by those for all; None if it is no threshold."""
    rules = rules or Rules()
    if name in LIMITS:
        limits, field = LIMITS[name]
        return getattr(getattr(rules, limits), field)
    return getattr(rules, name) if name in _RULES else None


def _limit(given: LimitSettings) -> Threshold:
    limit = given.below if given.above is None else given.above
    assert limit is not None  # the settings have refused it
    return Threshold(
        metric=given.metric,
        limit=limit,
        severity=given.severity,
        lasting=given.lasting,
        below=given.above is None,
        subject=given.on,
        unit=UNITS.get(given.metric, ""),
    )


def _schedule(job: JobSettings, timezone: str) -> Schedule | None:
    if job.every is not None:
        return Schedule(kind=ScheduleKind.interval, every_seconds=job.every.total_seconds())
    if job.schedule is None:
        return None
    kind = schedule_kind(job.schedule)
    return Schedule(kind=kind, expression=job.schedule, timezone=job.timezone or timezone)


def _instant(moment: datetime, zone: ZoneInfo) -> datetime:
    """In UTC. For ever is written 9999-12-31 and for as long as anybody knows 0001-01-01: a year is left on
    either side, so that every zone can show it."""
    moment = moment.replace(year=min(max(moment.year, MINYEAR + 1), MAXYEAR - 1))
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
