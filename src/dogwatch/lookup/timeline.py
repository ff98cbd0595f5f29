"""The timeline of the report and of the first page: which hours it shows, what ran in them, what should have
run. Sync; asks no platform."""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from dogwatch.model import ExpectationState, Job
from dogwatch.model.ledger import JobKey, Kept, Look
from dogwatch.model.overview import Bar, Lane, Mark, Track
from dogwatch.model.report import PlatformView
from dogwatch.store import Store

BACK = timedelta(hours=24)
AHEAD = timedelta(hours=2)
"""How far a timeline looks back and ahead."""
_SHOWN = frozenset({ExpectationState.missed, ExpectationState.waiting, ExpectationState.late})
"""What no run stands for."""


class Choice(NamedTuple):
    """The jobs of one platform that a timeline shows."""

    platform: PlatformView
    jobs: Mapping[JobKey, Job]
    """In the order in which they are shown."""
    folded: int
    """How many others there are."""


def tracks(
    store: Store, choices: Iterable[Choice], wrong: Container[str], now: datetime
) -> tuple[Track, ...]:
    """A track for each choice; ``wrong`` holds the subjects that live incidents have to do with."""
    looks = store.looks()
    return tuple(_track(store, choice, wrong, looks, now) for choice in choices)


def _track(
    store: Store, choice: Choice, wrong: Container[str], looks: Mapping[JobKey, Look], now: datetime
) -> Track:
    platform, jobs, folded = choice
    ran = store.bars(jobs, now - BACK)
    slots = store.slots(jobs, {platform.instance: now - BACK}, 0)
    return Track(
        instance=platform.instance,
        title=platform.title,
        blind_since=platform.blind_since,
        lanes=tuple(
            Lane(
                subject=job.subject,
                name=job.name,
                state=job.state,
                wrong=job.subject in wrong,
                bars=tuple(Bar(**one) for one in ran.get(key, ())),
                slots=_marks(slots.get(key, ()), looks.get(key), now),
            )
            for key, job in jobs.items()
        ),
        folded=folded,
    )


def _marks(slots: Iterable[Kept], look: Look | None, now: datetime) -> tuple[Mark, ...]:
    """The slots of one job that are missed, late or waited for, and the next one if it is near."""
    found = [
        Mark(at=kept.slot.scheduled_for, state=kept.slot.state)
        for kept in slots
        if kept.slot.state in _SHOWN and kept.slot.scheduled_for <= now
    ]
    if look is not None and look.slot is not None and now < look.slot <= now + AHEAD:
        found.append(Mark(at=look.slot, state=ExpectationState.waiting))
    return tuple(found)
