"""What pipelines of language models leave in a tracing tool: one trace after the other, each with a cost, a
latency, a score and perhaps an error, as a function of the moment alone.

A component of the platform ``langfuse`` is traced at its ``rate`` (one a minute where it has none). Its
meters say how such traces are on the whole; ``log_new`` and ``log_surge`` say what failing ones complain of,
and an error with a rate of its own how many of them fail.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dogwatch.lab.faults import SEVERITIES, Fault, PerSecond
from dogwatch.lab.meters import Meters
from dogwatch.lab.world import World

_GRAVE = SEVERITIES[SEVERITIES.index("ERROR") :]
_ORDINARY = "TimeoutError: the model did not answer within 60 s"
_SCATTER = 0.3
"""Standard deviation of the logarithm of a latency or a cost."""
_MOST_HOURS = 2_000
_CALL_SHARE = 0.8
"""Of a trace's time, the model's call takes so much."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One run of a traced pipeline: a root, and the call of a model within."""

    place: str
    name: str
    number: int
    started: datetime
    latency: timedelta
    cost: float
    """US dollars."""
    accuracy: float
    """What an evaluation made of it, 0 to 1."""
    id: str
    """32 hexadecimal digits, as OpenTelemetry has them."""
    error: str | None = None

    @property
    def ended(self) -> datetime:
        """When it was done."""
        return self.started + self.latency

    @property
    def call_starts(self) -> datetime:
        """When the model was called."""
        return self.ended - self.latency * _CALL_SHARE

    @property
    def tokens(self) -> tuple[int, int]:
        """In and out, as the cost has it."""
        return max(1, round(self.cost * 120_000)), max(1, round(self.cost * 24_000))


class Traces:
    """The traces of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._meters = Meters(world, traced=True)
        self._hour = lru_cache(maxsize=_MOST_HOURS)(self._made)

    def between(self, start: datetime, end: datetime) -> Iterator[Trace]:
        """Traces that began in [start, end), hour by hour."""
        first = self._world.start
        start = start if first is None else max(start, first)
        for hour in range(math.floor(start.timestamp() / 3600), math.ceil(end.timestamp() / 3600)):
            for place in self._meters.places:
                yield from (one for one in self._hour(place, hour) if start <= one.started < end)

    def _made(self, place: str, hour: int) -> list[Trace]:
        """Those of one place in one hour since 1970."""
        rate = self._world.components[place].rate or 1 / 60
        count = max(1, round(rate * 3600))
        return [self._trace(place, hour * count + index, 3600 / count) for index in range(count)]

    def _trace(self, place: str, number: int, gap: float) -> Trace:
        digest = hashlib.blake2b(f"{self._world.seed}/{place}/{number}".encode(), digest_size=32).digest()
        even = [int.from_bytes(digest[at : at + 2], "big") / 65_536 for at in range(0, 16, 2)]
        started = datetime.fromtimestamp(round((number + even[0] * 0.9) * gap, 3), UTC)
        normal = (sum(even[1:5]) - 2) * math.sqrt(3)
        other = (even[5] + even[6] - 1) * math.sqrt(6)
        value = self._meters.value
        latency = 10 * value(place, "latency", started) * math.exp(_SCATTER * normal)
        cost = value(place, "cost", started) * gap / 3600 * math.exp(_SCATTER * other)
        accuracy = min(1.0, max(0.0, value(place, "accuracy", started) + 0.01 * normal))
        fault = self._complaint(place, started)
        failed = even[7] < max(value(place, "error_rate", started), _failing(fault) * gap)
        return Trace(
            place,
            Meters.label(place),
            number,
            started,
            timedelta(seconds=round(latency, 3)),
            round(cost, 6),
            round(accuracy, 4),
            digest[16:].hex(),
            str(fault.fields.get("line", _ORDINARY) if fault else _ORDINARY) if failed else None,
        )

    def _complaint(self, place: str, at: datetime) -> Fault | None:
        """The fault that puts words into failing traces."""
        for fault in self._world.other_faults:
            if fault.on == place and fault.kind.startswith("log_") and fault.strikes(at):
                return fault
        return None


def _failing(fault: Fault | None) -> float:
    """Traces a second that fail because of a fault: those that an error of so many a minute is said by."""
    rate = fault.fields.get("rate") if fault else None
    grave = fault is not None and fault.fields.get("severity") in _GRAVE
    return rate if grave and isinstance(rate, PerSecond) else 0.0
