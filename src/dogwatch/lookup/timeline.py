"""The hours that a timeline shows, and the expected runs in it: for the report and for the first page."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from dogwatch.model import ExpectationState
from dogwatch.model.ledger import Kept, Look
from dogwatch.model.overview import Mark

BACK = timedelta(hours=24)
AHEAD = timedelta(hours=2)
"""How far a timeline looks back and ahead."""
_SHOWN = frozenset({ExpectationState.missed, ExpectationState.waiting, ExpectationState.late})
"""What no run stands for."""


def marks(slots: Iterable[Kept], look: Look | None, now: datetime) -> tuple[Mark, ...]:
    """The slots of one job that are missed, late or waited for, and the next one if it is near."""
    found = [
        Mark(at=kept.slot.scheduled_for, state=kept.slot.state)
        for kept in slots
        if kept.slot.state in _SHOWN and kept.slot.scheduled_for <= now
    ]
    if look is not None and look.slot is not None and now < look.slot <= now + AHEAD:
        found.append(Mark(at=look.slot, state=ExpectationState.waiting))
    return tuple(found)
