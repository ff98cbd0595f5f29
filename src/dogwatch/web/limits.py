"""How often one caller may ask: a bucket of tokens each, in memory."""

from dataclasses import dataclass
from datetime import datetime

_MOST = 10_000
"""Callers that are told apart; the one that asked longest ago is forgotten first."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and so many a minute."""

    burst: int
    per_minute: float


LOOKING = Rate(240, 1200)
CHANGING = Rate(20, 60)
ENTERING = Rate(10, 10)
"""Attempts to sign in, by address. A token has 256 bits: this is against noise, not against guessing."""


class Buckets:
    """One bucket for each caller."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: dict[str, tuple[float, datetime]] = {}

    def take(self, who: str, now: datetime) -> float:
        """0 if this request may pass, else the seconds after which the next one may."""
        left, then = self._buckets.pop(who, (float(self._rate.burst), now))
        per_second = self._rate.per_minute / 60
        left = min(self._rate.burst, left + max(0.0, (now - then).total_seconds()) * per_second)
        wait = 0.0 if left >= 1 else (1 - left) / per_second
        self._buckets[who] = (left - 1 if not wait else left, now)
        if len(self._buckets) > _MOST:
            del self._buckets[next(iter(self._buckets))]
        return wait
