"""Histories and pasts of jobs: many runs at once, at chosen times."""

import math
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dogwatch.detect.expect import JobVersion, Past
from dogwatch.model import Job, Run, Schedule, ScheduleKind, Status
from support.cast import a_job, a_run

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday; no clock changes in Berlin before the 29th."""


def at(hour: float, day: int = 0) -> datetime:
    """That many hours into a day, counted from ``MONDAY``."""
    return MONDAY + timedelta(days=day, hours=hour)


def a_run_at(began: datetime, minutes: float = 10, status: Status = Status.success, **changes: Any) -> Run:
    """A run of ``orders`` that began then and took so long; its native id is its beginning."""
    values: dict[str, Any] = {
        "native_run_id": began.isoformat(),
        "status": status,
        "native_status": status.value,
        "started_at": began,
        "ended_at": None if status.open else began + timedelta(minutes=minutes),
        "observed_at": began,
        **changes,
    }
    return a_run(**values)


def runs_at(moments: Iterable[datetime], minutes: float = 10, **changes: Any) -> list[Run]:
    """One run at each moment."""
    return [a_run_at(moment, minutes, **changes) for moment in moments]


def daily(count: int, hour: float = 2, first: int = 0) -> list[datetime]:
    """The same time on so many days."""
    return [at(hour, first + day) for day in range(count)]


def took(minutes: Sequence[float], hour: float = 2, **changes: Any) -> list[Run]:
    """Daily runs that took so many minutes each."""
    return [
        a_run_at(moment, length, **changes)
        for moment, length in zip(daily(len(minutes), hour), minutes, strict=True)
    ]


def varied(count: int, usual: float, spread: float = 0.1, seed: int = 1) -> list[float]:
    """Lengths that vary as a job's do; the same for the same arguments."""
    rng = random.Random(seed)
    return [usual * math.exp(rng.gauss(0, spread)) for _ in range(count)]


def cron(expression: str, timezone: str = "UTC") -> Schedule:
    """A five-field cron schedule."""
    return Schedule(kind=ScheduleKind.cron, expression=expression, timezone=timezone)


def every(hours: float) -> Schedule:
    """An interval."""
    return Schedule(kind=ScheduleKind.interval, every_seconds=hours * 3600)


def a_past(
    schedule: Schedule | None, runs: Iterable[Run] = (), *, since: datetime = MONDAY, **changes: Any
) -> Past:
    """A job of one version, known since then."""
    return Past([JobVersion(a_job(schedule=schedule, **changes), since)], list(runs))


def version(
    schedule: Schedule | None, since: datetime, until: datetime | None = None, **changes: Any
) -> JobVersion:
    """The job as it was for a while."""
    job: Job = a_job(schedule=schedule, **changes)
    return JobVersion(job, since, until)
