"""When the next round by the clock is due, also after a sleep, a jump, or a night in which clocks change."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dogwatch.model.call import WaitingCall
from dogwatch.settings.watch import WatchSettings, slots

_AHEAD = timedelta(days=400)
_WEEK = timedelta(days=8)
_JUMP = timedelta(seconds=60)


@dataclass(slots=True)
class Timer:
    """Knows the next time, and what was missed. Values in, values out: ``now`` is handed in."""

    watch: WatchSettings
    timezone: str
    rng: random.Random
    next_at: datetime | None = None
    _seen: datetime | None = field(default=None, init=False)
    """When it was asked last."""

    def begin(self, now: datetime, last_round: datetime | None) -> None:
        """Start, knowing when the last round of everything ended: what was missed since is due at once."""
        self._seen = now
        missed = last_round is None or bool(self._slots(last_round, now))
        self.next_at = now if missed and self.watch.catch_up == "once" else self._after(now)

    def due(self, now: datetime) -> bool:
        """Whether a round is due. Missed times are made up by one round, or let go, as configured."""
        jumped = self.jumped(now)
        self._seen = now
        if self.next_at is None or jumped < timedelta(0):
            self.next_at = self._after(now)
            return False
        if now < self.next_at:
            return False
        slept = bool(self._slots(self.next_at + timedelta(microseconds=1), now))
        if slept and self.watch.catch_up == "skip":
            self.next_at = self._after(now)
            return False
        return True

    def jumped(self, now: datetime) -> timedelta:
        """How far the clock went back since it was asked last (negative), or zero."""
        back = timedelta(0) if self._seen is None else now - self._seen
        return back if back < -_JUMP else timedelta(0)

    def done(self, now: datetime) -> None:
        """A round of everything began; the next one is at the next time after this moment."""
        self._seen = now
        self.next_at = self._after(now)

    def _after(self, now: datetime) -> datetime:
        """The next slot after ``now``, and a little later by chance, but before the one after it."""
        found = self._slots(now, now + _WEEK) or self._slots(now, now + _AHEAD)
        if not found:
            return now + _AHEAD
        first = found[0]
        room = (found[1] - first) / 2 if len(found) > 1 else self.watch.jitter
        return first + self.rng.random() * min(self.watch.jitter, room)

    def _slots(self, after: datetime, until: datetime) -> list[datetime]:
        """Slots in (after, until]."""
        tick = timedelta(microseconds=1)
        return slots(self.watch.cron, self.timezone, after + tick, until + tick)


def slot_due(
    watch: WatchSettings, timezone: str, last: datetime | None, awake: datetime | None, now: datetime
) -> bool:
    """Whether a round by the clock is due, by when the ``last`` round of everything began alone: all who
    share a store find the same. ``awake`` is since when we look, where what was missed before is let go."""
    since = max((one for one in (last, awake) if one is not None), default=None)
    if since is None:
        return True
    tick = timedelta(microseconds=1)
    found = slots(watch.cron, timezone, since + tick, now + tick)
    return (bool(found) and now >= found[-1] + _later(watch, timezone, found[-1])) or len(found) > 1


def _later(watch: WatchSettings, timezone: str, slot: datetime) -> timedelta:
    """How much later than its time a round begins: by chance, and the same for everybody."""
    following = slots(watch.cron, timezone, slot + timedelta(microseconds=1), slot + 2 * watch.jitter + _JUMP)
    room = (following[0] - slot) / 2 if following else watch.jitter
    return random.Random(slot.isoformat()).random() * min(watch.jitter, room)  # noqa: S311  # jitter, not a secret


def called(
    waiting: Sequence[WaitingCall],
    connectors: frozenset[str],
    watch: WatchSettings,
    ended: datetime | None,
    now: datetime,
) -> frozenset[str] | None:
    """The connectors that waiting events concern, if it is time for a round of them. All that come within a
    moment go together, and rounds keep apart from each other, so that a flood makes few. ``ended`` is when
    the last round did."""
    if not waiting:
        return None
    asked = any(call.reply_to for call in waiting)
    rested = ended is None or now >= ended + watch.apart or now < ended
    oldest = waiting[0].received_at
    gathered = now >= oldest + watch.gather or now < oldest
    if not asked and not (rested and gathered):
        return None
    if any(call.everything for call in waiting):
        return connectors
    return frozenset(name for call in waiting for name in call.touches) & connectors
