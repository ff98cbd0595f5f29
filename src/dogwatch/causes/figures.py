"""Metrics as evidence: what a series is about, and how far it is from its own past.

A deviation counts only if it is large (a logarithm of the ratio) and unusual (in units of the series' own
spread), against the long history and against the last minutes before onset alike: the first knows the
spread, the second knows today's level. What both agree on is believed.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dogwatch.causes.evidence import Evidence, Kind
from dogwatch.causes.text import normal

LARGEST = 5.0
"""A ratio beyond e**5 (148 times) says no more than one of 148."""
UNUSUAL = 1.5
"""In how many spreads (median to 5th or 95th percentile) a deviation becomes believable."""
ERROR_FLOOR = 0.5
"""Percentage points of failing requests that pass unnoticed."""
LATENCY_FLOOR = 0.05
"""Of the median latency over all nodes: below it, differences do not matter. Nodes differ much, hence
small."""
RESOURCE_FLOOR = 1.0
"""The same for CPU, memory, bytes and requests: a rise small against a middling node's usual use is no
cause."""
RELATIVE_SPREAD = 0.05
"""No series is trusted to be steadier than this share of its median."""
FAINT = 0.05
"""Strengths below this are noise."""

Number = float | None


@dataclass(frozen=True)
class Meaning:
    """What a metric measures, as its name tells."""

    family: str
    """cpu, memory, threads, disk, network, latency, errors, success, traffic or other."""
    outgoing: bool
    """Whether it is about the node's calls to others."""


_WORDS = """
latency: latency latencies duration durations delay elapsed rtt rt lag
success: success successful availability available
errors: error errors err fail failed failure failures fault faults exception exceptions 5xx 4xx
errors: timeout timeouts retry retries
cpu: cpu cpus processor load throttled
memory: mem memory rss heap anon swap gc oom working
threads: thread threads goroutine goroutines fds handles connections pool sockets
disk: disk disks fs filesystem diskio blkio io iops iowait inode inodes volume syscall syscalls storage
network: net network rx tx packet packets receive received transmit transmitted bandwidth tcp
traffic: qps rps tps ops request requests req workload throughput call calls count messages records rows rate
"""
_FAMILIES = [
    (family, set(words.split())) for family, words in (line.split(":") for line in _WORDS.split("\n") if line)
]
"""Families in the order in which they are looked for: ``request_duration`` is a latency."""
_QUANTILE = re.compile(r"p\d{2,4}")
_OUTGOING = frozenset(["client", "src", "source", "outbound", "egress", "outgoing", "upstream"])
_WORD = re.compile(r"[a-z0-9]+")


@lru_cache(maxsize=10_000)
def meaning(name: str) -> Meaning:
    """What the name of a metric says that it measures; ``other`` if it says nothing known."""
    words = _WORD.findall(normal(name[:200]))
    outgoing = any(word in _OUTGOING for word in words)
    if any(_QUANTILE.fullmatch(word) for word in words):
        return Meaning("latency", outgoing)
    for family, names in _FAMILIES:
        if any(word in names for word in words):
            return Meaning(family, outgoing)
    return Meaning("other", outgoing)


def kind_of(what: Meaning, *, rose: bool) -> Kind:
    """The kind of evidence that a change of such a figure is."""
    if what.family in ("latency", "errors", "success"):
        return Kind.outgoing if what.outgoing else Kind(what.family.replace("success", "errors"))
    if what.family in ("cpu", "memory", "threads"):
        return Kind.resource if rose else Kind.resource_fall
    if what.family == "network":
        return Kind.network_rise if rose else Kind.network_fall
    if what.family == "traffic":
        return Kind.outgoing if what.outgoing else Kind.traffic
    return Kind.disk if what.family == "disk" else Kind.other


@dataclass(frozen=True)
class Series:
    """One figure of one node; None where nothing was measured."""

    history: Sequence[Number]
    """While all was well; at least three values are needed."""
    recent: Sequence[Number]
    """The last values before onset; may be empty."""
    after: Sequence[Number]
    """Since onset."""


@dataclass(frozen=True)
class Usual:
    """What a series usually does."""

    middle: float
    rise: float
    """From the median up to the 95th percentile."""
    fall: float
    """From the median down to the 5th percentile."""

    @classmethod
    def of(cls, ordered: Sequence[float]) -> "Usual":
        """From sorted values, at least one."""
        middle = quantile(ordered, 0.5)
        return cls(middle, quantile(ordered, 0.95) - middle, middle - quantile(ordered, 0.05))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile of sorted values, linear between neighbours."""
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def usable(values: Iterable[Number]) -> list[float]:
    """Sorted, without gaps and without what is no finite number of sane size."""
    return sorted(value for value in values if value is not None and abs(value) < 1e100)


def failing(values: Sequence[Number], top: float) -> list[Number]:
    """Success rates as percentages that fail; ``top``, the highest ever seen, tells shares from
    percentages."""
    scale = 1.0 if top > 1.5 else 100.0
    return [None if value is None else 100.0 - value * scale for value in values]


def deviation(value: float, usual: Usual, recent: float | None, floor: float) -> float:
    """How far ``value`` is from what is usual: positive up, negative down, 0 if the two references
    disagree."""
    sides = [_against(value, reference, usual, floor) for reference in _references(usual, recent)]
    if min(sides) < 0 < max(sides):
        return 0.0
    return min(sides, key=abs)


def _references(usual: Usual, recent: float | None) -> list[float]:
    return [usual.middle] if recent is None else [usual.middle, recent]


def _against(value: float, reference: float, usual: Usual, floor: float) -> float:
    difference = value - reference
    spread = max(
        usual.rise if difference > 0 else usual.fall, RELATIVE_SPREAD * abs(usual.middle), floor, 1e-12
    )
    ratio = (max(value, 0.0) + floor + 1e-12) / (max(reference, 0.0) + floor + 1e-12)
    believed = -math.expm1(-min((abs(difference) / spread / UNUSUAL) ** 2, 700.0))
    return math.copysign(min(LARGEST, abs(math.log(ratio))) * believed, difference)


def stem(name: str) -> str:
    """The figure without the name of the peer it was measured with: what is comparable between nodes."""
    return name.split(" from ", 1)[0]


def floors(middles: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Per figure, the change that does not matter, from (name, usual value) over all nodes."""
    of_stem: dict[str, list[float]] = defaultdict(list)
    for name, middle in middles:
        of_stem[stem(name)].append(abs(middle))
    return {name: _floor(name, sorted(values)) for name, values in of_stem.items()}


def _floor(name: str, middles: list[float]) -> float:
    family = meaning(name).family
    if family in ("errors", "success"):
        return ERROR_FLOOR
    share = LATENCY_FLOOR if family in ("latency", "other") else RESOURCE_FLOOR
    return share * quantile(middles, 0.5)


def from_series(metrics: Mapping[str, Mapping[str, Series]]) -> list[Evidence]:
    """Evidence from the metrics of a case (node -> figure -> series): per node and family the strongest."""
    usuals = {
        (n, m): (s, usual) for n, of in metrics.items() for m, s in of.items() if (usual := _usual(m, s))
    }
    floor = floors((name, usual.middle) for (_, name), (_, usual) in usuals.items())
    volume = _volumes(metrics)
    strongest = Strongest()
    for (node, name), (series, usual) in usuals.items():
        values = _bad(name, series)
        after, recent = usable(values.after), usable(values.recent)
        if after:
            level = quantile(recent, 0.5) if recent else None
            value = quantile(after, 0.5)
            strongest.add(node, name, deviation(value, usual, level, floor[stem(name)]), value, usual.middle)
    return strongest.evidence(volume)


def _bad(name: str, series: Series) -> Series:
    """Success rates turned round, so that more is worse."""
    if meaning(name).family != "success":
        return series
    top = max(usable(series.history), default=0.0)
    return Series(*(failing(values, top) for values in (series.history, series.recent, series.after)))


def _usual(name: str, series: Series) -> Usual | None:
    history = usable(_bad(name, series).history)
    return Usual.of(history) if len(history) >= 3 else None


def _volumes(metrics: Mapping[str, Mapping[str, Series]]) -> dict[str, float]:
    """How much of the traffic each node sees, as the root of its share of the busiest node's.

    A symptom that few requests show explains little.
    """
    mean: dict[str, float] = {}
    for node, of in metrics.items():
        for name, series in of.items():
            if meaning(name) == Meaning("traffic", outgoing=False):
                after = usable(series.after)
                mean[node] = max(mean.get(node, 0.0), math.fsum(after) / len(after) if after else 0.0)
    busiest = max(mean.values(), default=0.0)
    return (
        {node: math.sqrt(max(value / busiest, 1e-3)) for node, value in mean.items()} if busiest > 0 else {}
    )


class Strongest:
    """The strongest deviation of each node and family: two percentiles of one latency are one witness."""

    def __init__(self) -> None:
        self._best: dict[tuple[str, str, Kind], tuple[float, str]] = {}

    def add(self, node: str, name: str, change: float, value: float, middle: float) -> None:
        """Take a deviation into account.

        Improvements of latency and errors are no evidence. Neither are calls to others: the edge is the
        callee's, which is measured itself.
        """
        what = meaning(name)
        good_news = change < 0 and what.family in ("latency", "errors", "success")
        if abs(change) < FAINT or good_news or what.outgoing:
            return
        key = (node, what.family, kind_of(what, rose=change > 0))
        says = f"{name} {value:.4g}, usually {middle:.4g}"
        if what.family == "success":
            says = f"{name}: {value:.4g} % fail, usually {middle:.4g} %"
        self._best[key] = max(self._best.get(key, (0.0, "")), (abs(change), says))

    def evidence(self, volume: Mapping[str, float]) -> list[Evidence]:
        """One fact per node and family; symptoms in proportion to the traffic that shows them."""
        return [
            Evidence(
                node, kind, strength * (volume.get(node, 1.0) if kind in _SEEN_BY_TRAFFIC else 1.0), says
            )
            for (node, _, kind), (strength, says) in sorted(self._best.items())
        ]


_SEEN_BY_TRAFFIC = frozenset({Kind.latency, Kind.errors, Kind.outgoing})
