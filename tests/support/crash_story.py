"""A story for crash tests: between rounds runs change state, are repaired, tried again, and arrive late."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dogwatch.lab.world import (
    LabAttempt,
    LabClock,
    LabEdit,
    LabJob,
    LabRun,
    Outcome,
    PlatformFault,
    Skip,
    Trigger,
    World,
)
from support.clock import NOON

PLATFORMS = ("airbyte", "databricks", "power_automate", "snowflake")
ROUNDS = tuple(NOON + timedelta(minutes=20) * number for number in range(5))
"""When rounds are made; after the last one everything has settled except what hangs for ever."""
ZONE = "Europe/Berlin"
DEATH_BEFORE = timedelta(minutes=1)
"""So long before a round the one that is killed was begun: by then its lease has just run out."""

_ERROR = "relation raw.orders does not exist"
_GOOD, _BAD = Outcome.success, Outcome.failed


def minute(number: float) -> datetime:
    """So many minutes after the first round."""
    return ROUNDS[0] + timedelta(minutes=number)


@dataclass(frozen=True)
class Try:
    """One attempt, in minutes after the first round; ``end`` None hangs for ever."""

    begin: float
    end: float | None
    outcome: Outcome = _GOOD
    repair: bool = False

    def told(self) -> LabAttempt:
        """As the lab knows it."""
        return LabAttempt(
            started=minute(self.begin),
            ended=None if self.end is None else minute(self.end),
            outcome=self.outcome,
            error=f"{_ERROR} (minute {self.begin:g})" if self.outcome is _BAD else None,
            rows=1000 if self.outcome is _GOOD else 0,
            repair=self.repair,
            skip=Skip.upstream if self.outcome is Outcome.skipped else None,
        )


Plot = tuple[str, float, tuple[Try, ...]]
"""Key of the job, minute of creation, attempts."""

# The rounds are made at minutes 0, 20, 40, 60 and 80; those that are killed begin a minute before them.
_EVERYWHERE: tuple[Plot, ...] = (
    ("waits", -1, (Try(3, 15),)),
    ("fails", -10, (Try(-9, 25, _BAD),)),
    ("fails", 30, (Try(30, 39.5, _BAD),)),
    ("fails", 59.7, (Try(59.8, 70),)),
    ("long", -30, (Try(-30, 70),)),
    ("long", -240, (Try(-240, 30),)),  # on Power Automate it is seen four hours after it began
    ("brief", 19.5, (Try(19.6, 19.8, _BAD),)),
    ("brief", 39.7, (Try(39.7, 62, Outcome.cancelled),)),
    ("brief", 58, (Try(59.5, 60.5),)),
    ("hangs", -300, (Try(-300, None),)),
    ("young", 27, (Try(27, 28),)),
)
_REPAIRED: tuple[Plot, ...] = (
    ("repaired", -40, (Try(-40, -35, _BAD), Try(5, 15, repair=True))),
    ("again", 9, (Try(9, 12, _BAD), Try(17, 45, _BAD, repair=True), Try(63, 70, repair=True))),
    ("torn", 30, (Try(30, 35, _BAD), Try(59.5, 59.9, _BAD, repair=True), Try(66, 71, repair=True))),
)
_RETRIED: tuple[Plot, ...] = (
    ("repaired", -12, (Try(-12, -8, _BAD), Try(-2, 5))),
    ("again", 15, (Try(15, 19.2, _BAD), Try(19.6, 39.2, _BAD), Try(39.4, 41))),
    ("torn", 58, (Try(58, 59.4, _BAD), Try(61, 64, _BAD))),
)
_OWN: dict[str, tuple[Plot, ...]] = {
    "airbyte": _RETRIED,
    "databricks": (*_REPAIRED, ("retried", 35, (Try(35, 39.4, _BAD), Try(39.8, 50)))),
    "power_automate": (("day", -1400, (Try(-1400, 50),)), ("day", -600, (Try(-600, 59.9, _BAD),))),
    "snowflake": (*_RETRIED, ("skips", 18, (Try(18, 18, Outcome.skipped),))),
}


_ORDINARY = {"airbyte": 300, "databricks": 300, "power_automate": 2400, "snowflake": 300}
"""Runs of a day; those of one platform are too many to be written at once."""


def _ordinary(platform: str) -> Iterator[Plot]:
    """A day of runs that end between the rounds; one in eight fails."""
    rng = random.Random(platform)
    count = _ORDINARY[platform]
    for number in range(count):
        begin = -1200 + number * 1280 / count
        outcome = _BAD if rng.random() < 0.125 else _GOOD
        yield f"steady{number % 3}", begin, (Try(begin, begin + rng.uniform(0.5, 9), outcome),)


def _runs(platform: str, *, ordinary: bool) -> Iterator[LabRun]:
    plots = [*_EVERYWHERE, *_OWN[platform], *(_ordinary(platform) if ordinary else ())]
    plots.sort(key=lambda plot: plot[1])
    for number, (key, created, tries) in enumerate(plots, start=1):
        yield LabRun(
            job=f"{platform}/{key}",
            number=number,
            trigger=Trigger.schedule,
            created=minute(created),
            attempts=tuple(each.told() for each in tries),
            scheduled_for=minute(created),
        )


_EDITS = {
    "steady0": (LabEdit(minute(45), paused=True), LabEdit(minute(65), paused=False)),
    "steady1": (LabEdit(minute(39.6), schedule="15 */4 * * *"),),
}
_DUE = {"waits": "3 * * * *", "fails": "30 * * * *", "brief": "50 * * * *"}
"""Schedules of jobs whose runs sometimes come and sometimes do not; all others are not due in the story."""


def _jobs(platform: str, runs: Sequence[LabRun]) -> Iterator[LabJob]:
    for job in sorted({run.job for run in runs}):
        key = job.partition("/")[2]
        yield LabJob(
            job=job,
            name=f"{key} of {platform}",
            schedule=None if key == "steady2" else _DUE.get(key, "0 */4 * * *"),
            every=timedelta(hours=4) if key == "steady2" else None,
            created=minute(24) if key == "young" else None,
            edits=_EDITS.get(key, ()),
        )


def story(clock: LabClock, *, ordinary: bool = True, faults: Sequence[PlatformFault] = ()) -> World:
    """The world of that story, on all four platforms; with a day of ordinary runs unless told otherwise."""
    runs = {platform: list(_runs(platform, ordinary=ordinary)) for platform in PLATFORMS}
    return World(
        id="crash",
        timezone=ZONE,
        jobs={job.job: job for platform in PLATFORMS for job in _jobs(platform, runs[platform])},
        runs=sorted((run for told in runs.values() for run in told), key=lambda run: run.created),
        clock=clock,
        platform_faults=faults,
    )
