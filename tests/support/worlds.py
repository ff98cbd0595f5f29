"""Small worlds made by hand, of any platform, in which one thing is to be seen."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from dogwatch.lab.world import (
    LabAttempt,
    LabJob,
    LabRun,
    Outcome,
    PlatformFault,
    Skip,
    Trigger,
    World,
)
from support.clock import NOON, JumpingClock

ERROR = "permission denied for table orders"


def job(platform: str, key: str = "orders", name: str = "Orders PG → RAW", **changes: Any) -> LabJob:
    """A nightly job."""
    told: dict[str, Any] = {"schedule": "0 2 * * *", **changes}
    return LabJob(job=f"{platform}/{key}", name=name, **told)


def run(
    platform: str,
    number: int,
    created: datetime,
    *,
    outcome: Outcome = Outcome.success,
    lasts: timedelta | None = timedelta(minutes=4),
    error: str | None = None,
    native_status: str | None = None,
    key: str = "orders",
) -> LabRun:
    """A run of one attempt that starts as soon as it is created; ``lasts`` None hangs for ever."""
    skipped = outcome is Outcome.skipped
    if error is None and outcome in {Outcome.failed, Outcome.timed_out}:
        error = ERROR
    attempt = LabAttempt(
        started=created,
        ended=created if skipped else None if lasts is None else created + lasts,
        outcome=outcome,
        error=error,
        rows=1200 if outcome is Outcome.success else 0,
        skip=Skip.upstream if skipped else None,
    )
    return LabRun(
        job=f"{platform}/{key}",
        number=number,
        trigger=Trigger.schedule,
        created=created,
        attempts=(attempt,),
        scheduled_for=created,
        native_status=native_status,
    )


def runs_every(platform: str, gap: timedelta, count: int, until: datetime = NOON) -> list[LabRun]:
    """Runs that succeeded, the last one created ten minutes before ``until``; every fifth at the same instant
    as the one before it, as happens at full hours."""
    first = until - timedelta(minutes=10) - gap * (count - 1)
    times = [first + gap * index for index in range(count)]
    times = [times[index - 1] if index % 5 == 4 else moment for index, moment in enumerate(times)]
    return [run(platform, number, moment) for number, moment in enumerate(times, start=1)]


def world(
    platform: str,
    runs: Iterable[LabRun],
    *,
    clock: JumpingClock,
    jobs: Sequence[LabJob] | None = None,
    faults: Sequence[PlatformFault] = (),
    offset: timedelta = timedelta(0),
) -> World:
    """A world of one platform."""
    told = jobs if jobs is not None else [job(platform)]
    return World(
        id="hand-made",
        timezone="Europe/Berlin",
        jobs={one.job: one for one in told},
        runs=sorted(runs, key=lambda one: one.created),
        clock=clock,
        platform_faults=faults,
        offset=offset,
    )


def fault(
    platform: str, kind: str, *, at: datetime, until: datetime | None = None, **fields: object
) -> PlatformFault:
    """Something that befalls all calls."""
    return PlatformFault(platform=platform, kind=kind, at=at, until=until, fields=fields)
