"""What is measured of components: each metric at any moment, as a function of the moment alone.

Ordinary life is a level of its own for each component and metric, with a rhythm of the day and the week and
some noise; ``metric_shift`` multiplies it, and a deployment that breaks a component raises its errors.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dogwatch.lab.estate import COMPONENT
from dogwatch.lab.faults import Fault
from dogwatch.lab.world import World


@dataclass(frozen=True, slots=True)
class Meter:
    """One metric's ordinary life."""

    low: float
    high: float
    """A component's level lies between these."""
    rhythm: float
    """By this share it rises around midday and falls at night."""
    noise: float
    """Standard deviation of the logarithm from sample to sample."""
    share: bool = False
    """It cannot pass 1."""


METERS = {
    "latency": Meter(0.12, 0.6, 0.15, 0.07),
    "error_rate": Meter(0.0006, 0.002, 0.1, 0.15, share=True),
    "cpu": Meter(0.15, 0.4, 0.2, 0.08, share=True),
    "memory": Meter(0.35, 0.55, 0.05, 0.02, share=True),
    "disk": Meter(0.3, 0.55, 0.0, 0.004, share=True),
    "queue_lag": Meter(20, 120, 0.25, 0.2),
    "cost": Meter(0.4, 3.0, 0.2, 0.05),
    "accuracy": Meter(0.94, 0.98, 0.0, 0.003, share=True),
}
"""Seconds, shares of 1, messages waiting, US dollars an hour."""
STEP = timedelta(minutes=1)
"""A sample is taken so often."""
BROKEN = 0.35
"""The share of calls that fail in a component that a deployment broke."""
_NOON = 12.5
_WEEKEND = 0.85


class Meters:
    """Reads the meters of a world."""

    def __init__(self, world: World, *, traced: bool = False) -> None:
        self._world = world
        shifted = [fault.on for fault in world.other_faults if fault.kind == "metric_shift"]
        own = world.traced
        self.places = own if traced else sorted({*world.components, *shifted} - {"", *own})
        """Everything that is measured: components, and the jobs and platforms whose metrics move; or those
        that are traced instead."""
        self._faults = {place: _concerning(world.other_faults, place) for place in self.places}
        self._levels: dict[tuple[str, str], float] = {}
        self.value = lru_cache(maxsize=200_000)(self._value)
        """What the meter of a place (the first argument) for a metric shows at a moment; the same within one
        ``STEP``. Readers come back to the same moments."""

    @staticmethod
    def label(place: str) -> str:
        """What a place is called in the metrics."""
        return place.removeprefix(COMPONENT).replace("/", "-").replace("_", "-")

    def _value(self, place: str, metric: str, at: datetime) -> float:
        meter = METERS[metric]
        minute = int(at.timestamp() // STEP.total_seconds())
        value = self._level(place, metric, meter) * _rhythm(meter, at)
        value *= math.exp(meter.noise * self._normal(place, metric, minute))
        for fault in self._faults[place]:
            if fault.strikes(at):
                value = _struck(value, metric, fault)
        return min(value, 1.0) if meter.share else value

    def _level(self, place: str, metric: str, meter: Meter) -> float:
        key = (place, metric)
        if key not in self._levels:
            low, high = math.log(meter.low), math.log(meter.high)
            self._levels[key] = math.exp(low + (high - low) * self._unit("level", place, metric))
        return self._levels[key]

    def _normal(self, place: str, metric: str, minute: int) -> float:
        """Roughly standard normal: the sum of four even numbers."""
        raw = self._digest(place, metric, str(minute))
        total = sum(int.from_bytes(raw[at : at + 2], "big") for at in (0, 2, 4, 6)) / 65_536
        return (total - 2) * math.sqrt(3)

    def _unit(self, *parts: str) -> float:
        return int.from_bytes(self._digest(*parts), "big") / 2**64

    def _digest(self, *parts: str) -> bytes:
        name = "\x1f".join((str(self._world.seed), *parts)).encode()
        return hashlib.blake2b(name, digest_size=8).digest()


def _concerning(faults: Sequence[Fault], place: str) -> list[Fault]:
    """The faults that move a meter there."""
    return [
        fault
        for fault in faults
        if (fault.kind == "metric_shift" and fault.on == place)
        or (fault.kind == "deploy" and place in fault.fields.get("breaks", ()))
    ]


def _struck(value: float, metric: str, fault: Fault) -> float:
    if fault.kind == "metric_shift":
        return value * float(fault.fields["factor"]) if fault.fields["metric"] == metric else value
    return max(value, BROKEN) if metric == "error_rate" else value


def _rhythm(meter: Meter, at: datetime) -> float:
    if not meter.rhythm:
        return 1.0
    local = at.astimezone(UTC)
    hour = local.hour + local.minute / 60
    day = 1 + meter.rhythm * math.cos((hour - _NOON) / 24 * 2 * math.pi)
    return day * (_WEEKEND if local.weekday() >= 5 else 1.0)
