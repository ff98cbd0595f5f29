"""What components write into their logs: every line at its own moment, as a function of seed and time alone.

Each template of a component is a stream of its own whose lines come at random (Poisson, minute by minute);
faults add streams or make them denser. A template may begin with its severity: ``WARNING retrying {doc}``.
"""

import heapq
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from dogwatch.lab.estate import COMPONENT
from dogwatch.lab.faults import SEVERITIES, Fault, PerSecond
from dogwatch.lab.world import World

SURGE = 20.0
"""A surge without a rate makes so many lines of one."""
NEW_RATE = 6 / 60
"""A new template without a rate comes so often, per second."""
INJECTED_RATE = 2 / 60
BROKEN_SHARE = 0.3
"""A component that a deployment broke logs the error for this share of its usual lines."""
LATE_SHARE = 0.02
"""So many lines reach Cloud Logging late."""
_LATEST = timedelta(minutes=90)
_MINUTE = 60
_MOST_MINUTES = 50_000
_RHYTHM = 0.3
_WORDS = (
    "alpine", "bravo", "cedar", "delta", "ember", "fjord", "gamma", "harbor", "indigo", "juniper", "kilo",
    "lagoon", "meadow", "nickel", "orchid", "pepper", "quartz", "river", "saffron", "timber",
)  # fmt: skip
_SLOT = re.compile(r"\{(n|doc|id|ip|ms|word)\}")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log."""

    at: datetime
    received: datetime
    """When the platform had it; from then on it can be read."""
    component: str
    """The name without ``component/``."""
    platform: str
    severity: str
    text: str
    number: int
    """Looks random; the same line always has the same."""


@dataclass(frozen=True, slots=True)
class _Stream:
    """Lines of one template of one component."""

    place: str
    name: str
    """Tells it apart from the component's other streams."""
    template: str
    severity: str
    rate: float
    """Lines per second, before the rhythm of the day."""
    faults: tuple[Fault, ...] = ()
    """Those that multiply it."""
    fault: Fault | None = None
    """It exists only while this one lasts."""


class Lines:
    """The logs of a world's components."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._streams = [stream for place in self.places for stream in _streams(world, place)]
        self._written: dict[tuple[str, str, int], list[Line]] = {}
        """The minutes that were asked for last: readers come back to them, for what was late."""

    @property
    def places(self) -> list[str]:
        """Everything that writes logs: components, and whatever a fault of logs is about."""
        faults = {fault.on for fault in self._world.other_faults if fault.kind.startswith("log_")}
        writing = {name for name, part in self._world.components.items() if part.templates}
        broken = {
            name
            for fault in self._world.other_faults
            if fault.kind == "deploy" and "error" in fault.fields
            for name in fault.fields.get("breaks", ())
            if name in self._world.components
        }
        return sorted((faults | writing | broken) - {""})

    def between(self, start: datetime, end: datetime, platform: str | None = None) -> Iterator[Line]:
        """The lines written in [start, end), in order of time; all, or those found on one platform."""
        first = self._world.start
        start = start if first is None else max(start, first)
        streams = [
            stream
            for stream in self._streams
            if platform is None or _platform(self._world, stream.place) == platform
        ]
        minute = math.floor(start.timestamp() / _MINUTE)
        while minute * _MINUTE < end.timestamp():
            lines = heapq.merge(
                *(self._remembered(stream, minute) for stream in streams),
                key=lambda line: (line.at, line.number),
            )
            yield from (line for line in lines if start <= line.at < end)
            minute += 1

    def _remembered(self, stream: _Stream, minute: int) -> list[Line]:
        key = (stream.place, stream.name, minute)
        found = self._written.get(key)
        if found is None:
            if len(self._written) >= _MOST_MINUTES:
                self._written.clear()
            found = self._written[key] = self._minute(stream, minute)
        return found

    def _minute(self, stream: _Stream, minute: int) -> list[Line]:
        """One stream's lines of one minute since 1970."""
        begins = datetime.fromtimestamp(minute * _MINUTE, UTC)
        rate = _rate_at(stream, begins)
        if rate <= 0:
            return []
        chance = random.Random(f"{self._world.seed}|{stream.place}|{stream.name}|{minute}")
        moments = sorted(chance.random() * _MINUTE for _ in range(_poisson(rate * _MINUTE, chance)))
        lines: list[Line] = []
        for offset in moments:
            at = begins + timedelta(seconds=round(offset, 6))
            if stream.fault is not None and not stream.fault.strikes(at):
                continue
            late = chance.random() < LATE_SHARE
            delay = _LATEST * chance.random() if late else timedelta(seconds=0.2 + 2.8 * chance.random())
            text = _SLOT.sub(partial(_filled, chance, at), stream.template)
            lines.append(
                Line(
                    at=at,
                    received=at + delay,
                    component=stream.place.removeprefix(COMPONENT).replace("/", "-"),
                    platform=_platform(self._world, stream.place),
                    severity=stream.severity,
                    text=text,
                    number=chance.getrandbits(60),
                )
            )
        return lines


def _platform(world: World, place: str) -> str:
    part = world.components.get(place)
    return (part.platform if part else None) or "cloud_logging"


def _streams(world: World, place: str) -> list[_Stream]:
    """The streams of one component: its templates, those that faults bring, the errors of a broken one."""
    part = world.components.get(place)
    templates = part.templates if part else ()
    usual = part.rate if part else 0.0
    faults = [fault for fault in world.other_faults if fault.on == place and fault.kind.startswith("log_")]
    shares = [1 / (1 + index) for index in range(len(templates))]
    streams: list[_Stream] = []
    for template, share in zip(templates, shares, strict=True):
        surges = tuple(fault for fault in faults if _surges(fault, template, templates))
        severity, text = _severity_of(template)
        rate = usual * share / sum(shares)
        streams.append(_Stream(place, template, text, severity, rate, faults=surges))
    for fault in faults:
        line = str(fault.fields.get("line", ""))
        known = {text for template in templates for text in (template, _severity_of(template)[1])}
        if fault.kind == "log_surge" and (not line or line in known):
            continue
        severity, text = _severity_of(line)
        severity = str(fault.fields.get("severity", severity))
        name = f"{fault.kind} {line} {fault.at.isoformat()}"
        streams.append(_Stream(place, name, text, severity, _own_rate(fault, usual), fault=fault))
    for fault in world.other_faults:
        if fault.kind == "deploy" and place in fault.fields.get("breaks", ()) and "error" in fault.fields:
            name = f"deploy {fault.at.isoformat()}"
            rate = (usual or NEW_RATE) * BROKEN_SHARE
            streams.append(_Stream(place, name, str(fault.fields["error"]), "ERROR", rate, fault=fault))
    return streams


def _surges(fault: Fault, template: str, templates: Sequence[str]) -> bool:
    """Whether the fault multiplies this template: the one it names, the first if it names none."""
    if fault.kind != "log_surge":
        return False
    line = str(fault.fields.get("line", "")) or templates[0]
    return line in {template, _severity_of(template)[1]}


def _severity_of(template: str) -> tuple[str, str]:
    """``WARNING retrying {doc}`` is a WARNING; what begins with no severity is INFO."""
    word, _, rest = template.partition(" ")
    return (word, rest) if word in SEVERITIES and rest else ("INFO", template)


def _own_rate(fault: Fault, usual: float) -> float:
    """Lines per second of a template that a fault brings."""
    rate = fault.fields.get("rate")
    if isinstance(rate, PerSecond):
        return rate
    if rate is not None:
        return float(rate) * (usual or NEW_RATE)
    return INJECTED_RATE if fault.kind == "log_injection" else NEW_RATE


def _rate_at(stream: _Stream, moment: datetime) -> float:
    if stream.fault is not None:
        nearby = stream.fault.strikes(moment) or stream.fault.strikes(moment + timedelta(minutes=1))
        return stream.rate if nearby else 0.0
    hour = moment.hour + moment.minute / 60
    rate = stream.rate * (1 + _RHYTHM * math.cos((hour - 12.5) / 24 * 2 * math.pi))
    for fault in stream.faults:
        if fault.strikes(moment):
            told = fault.fields.get("rate", SURGE)
            rate = float(told) if isinstance(told, PerSecond) else rate * float(told)
    return rate


def _poisson(mean: float, chance: random.Random) -> int:
    """How many, if they come at random (Knuth's product for few, the normal approximation for many)."""
    if mean > 50:
        return max(0, round(mean + math.sqrt(mean) * chance.gauss(0, 1)))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def _filled(chance: random.Random, at: datetime, slot: re.Match[str]) -> str:
    """A fresh value for a slot of a template."""
    pick = chance.getrandbits(32)
    match slot[1]:
        case "n":
            return str(1 + pick % 400)
        case "doc":
            return f"INV-{at:%Y}-{pick % 100_000:05d}.tiff"
        case "id":
            return f"{pick:08x}{chance.getrandbits(32):08x}"
        case "ip":
            return f"10.{pick % 60}.{pick // 64 % 256}.{1 + pick // 16_384 % 254}"
        case "ms":
            return str(20 + pick % 4_000)
        case _:
            return _WORDS[pick % len(_WORDS)]
