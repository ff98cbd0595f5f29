"""Finding incidents in a running stream, minute by minute, and naming the culprit at once.

Each minute is judged by what came before it: every figure against its trailing window and its last minutes,
with the same evidence and weights as an exported case. An incident is raised in two ways:

- **It lasts.** One node is clearly suspect for two minutes. A single odd minute is common, two in a row are
  not.
- **It is a record.** A single minute counts if it is among the most unusual of the last day, and if this
  node has hardly ever looked so bad: what happens every hour stops being news. Chance alone sets a new
  record ever more rarely (after n minutes with probability 1/n), so false alarms of this sort die out by
  themselves.

An incident ends when nothing has been suspect for ``QUIET_MINUTES``; until then nothing new is raised.
"""

from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dogwatch.causes.evidence import Evidence, Kind, Suspect, weigh
from dogwatch.causes.figures import (
    Number,
    Strongest,
    Usual,
    deviation,
    failing,
    floors,
    kind_of,
    meaning,
    quantile,
    stem,
)

WINDOW = 120
"""Minutes that tell what is usual: long enough to outvote an incident, short enough to follow the day."""
RECENT = 5
"""Minutes that tell today's level."""
WARM_UP = 15
"""Minutes before anything is raised."""
SUSPECT = 3.0
"""The score from which a node is clearly suspect: about two facts of a tenfold change."""
STILL = 0.5
"""The share of ``SUSPECT`` that the minute before must have had, for it to last."""
RECORDS = 8
"""How many of the day's most unusual minutes count as records."""
OWN_RECORDS = 2
"""The same among the node's own minutes."""
DAY = 1440
"""Minutes after which a record is forgotten."""
HARM = frozenset({Kind.latency, Kind.errors, Kind.resource})
"""What raises an incident: slow, failing, or burning. More or less traffic alone is a working day."""
QUIET_MINUTES = 5
"""Calm minutes that end an incident."""


@dataclass(frozen=True)
class Minute:
    """One row of a stream."""

    at: float
    """Seconds since the epoch."""
    values: Mapping[str, Sequence[Number]]
    """Per node its figures, in the order in which the stream names them; None where nothing was measured."""


@dataclass(frozen=True)
class Incident:
    """A stretch of trouble. Start and suspects were known when it was raised, the end came later."""

    start: float
    """The minute in which it was raised."""
    end: float
    """The last minute that was suspect."""
    suspects: tuple[Suspect, ...]
    """All nodes, the likeliest culprit first, as judged when it was raised."""
    lasting: bool
    """Raised because it lasted; otherwise because it was a record."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """Those that are clearly suspect, at least the first."""
        clear = tuple(s.node for s in self.suspects if s.score >= SUSPECT)
        return clear or tuple(s.node for s in self.suspects[:1])


class _Trail:
    """The last values of one figure, kept in the order of time and of size."""

    __slots__ = ("_by_size", "_by_time", "_calm", "_top", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._by_time: deque[Number] = deque()
        self._calm: deque[float] = deque(maxlen=RECENT)
        self._by_size: list[float] = []
        self._top = 0.0

    def read(self, value: Number) -> Number:
        """The value with success rates turned round, so that more is worse."""
        if value is None or meaning(self.name).family != "success":
            return value
        self._top = max(self._top, value)
        return failing([value], self._top)[0]

    @property
    def usual(self) -> Usual | None:
        """None until there is enough to go by."""
        return Usual.of(self._by_size) if len(self._by_size) >= 2 * RECENT else None

    @property
    def level(self) -> float | None:
        """The median of the last calm minutes: trouble must not become the level it is measured against."""
        return quantile(sorted(self._calm), 0.5) if self._calm else None

    def calm(self) -> None:
        """The value remembered last was one of a calm minute."""
        if self._by_time and (value := self._by_time[-1]) is not None:
            self._calm.append(value)

    def push(self, value: Number) -> None:
        """Remember a value, forget the one that falls out of the window."""
        self._by_time.append(value)
        if value is not None:
            insort(self._by_size, value)
        if len(self._by_time) > WINDOW:
            old = self._by_time.popleft()
            if old is not None:
                del self._by_size[bisect_left(self._by_size, old)]


class _Records:
    """The scores of the last day, to tell how unusual one is."""

    def __init__(self) -> None:
        self._by_time: deque[float] = deque()
        self._by_size: list[float] = []

    def above(self, score: float) -> int:
        """How many known scores are at least as high."""
        return len(self._by_size) - bisect_left(self._by_size, score)

    def push(self, score: float) -> None:
        """Remember a score."""
        self._by_time.append(score)
        insort(self._by_size, score)
        if len(self._by_time) > DAY:
            del self._by_size[bisect_left(self._by_size, self._by_time.popleft())]


class Watch:
    """Judges minutes as they come. Holds the trailing window and nothing of the future."""

    def __init__(
        self, nodes: Iterable[str], edges: Iterable[tuple[str, str]], figures: Mapping[str, Sequence[str]]
    ) -> None:
        """``figures`` names, per node, what each value of a minute is."""
        self.nodes = tuple(sorted(set(nodes)))
        self.edges = tuple(edges)
        self._trails = [
            (node, i, _Trail(name))
            for node in self.nodes
            for i, name in enumerate(figures.get(node, ()))
            if _tells_harm(name)
        ]
        self._all = _Records()
        self._own: dict[str, _Records] = defaultdict(_Records)
        self._before: dict[str, float] = {}
        self._minutes = 0

    def judge(self, minute: Minute) -> tuple[list[Suspect], bool, bool]:
        """The suspects of this minute, whether trouble lasts, and whether it is a record. Then learns from
        it."""
        suspects = weigh(self.nodes, self.edges, self._evidence(minute))
        first = suspects[0]
        warm = self._minutes >= WARM_UP and first.score > SUSPECT
        lasting = warm and self._before.get(first.node, 0.0) > STILL * SUSPECT
        record = (
            warm
            and self._all.above(first.score) < RECORDS
            and self._own[first.node].above(first.score) < OWN_RECORDS
        )
        self._learn(suspects)
        return suspects, lasting, record

    def _learn(self, suspects: Sequence[Suspect]) -> None:
        self._minutes += 1
        self._all.push(suspects[0].score)
        for suspect in suspects:
            self._own[suspect.node].push(suspect.score)
        self._before = {suspect.node: suspect.score for suspect in suspects}
        for node, _, trail in self._trails:
            if self._before[node] <= SUSPECT:
                trail.calm()

    def _evidence(self, minute: Minute) -> list[Evidence]:
        usual = [trail.usual for _, _, trail in self._trails]
        middles = zip(self._trails, usual, strict=True)
        floor = floors((trail.name, known.middle) for (_, _, trail), known in middles if known is not None)
        strongest = Strongest()
        for (node, i, trail), known in zip(self._trails, usual, strict=True):
            values = minute.values.get(node, ())
            value = trail.read(values[i] if i < len(values) else None)
            if value is not None and known is not None:
                change = deviation(value, known, trail.level, floor[stem(trail.name)])
                strongest.add(node, trail.name, change, value, known.middle)
            trail.push(value)
        return [fact for fact in strongest.evidence({}) if fact.kind in HARM]


def _tells_harm(name: str) -> bool:
    """Whether a figure of this name can raise an incident; the others need not be remembered."""
    what = meaning(name)
    return not what.outgoing and kind_of(what, rose=True) in HARM


def replay(watch: Watch, minutes: Iterable[Minute]) -> Iterator[Incident]:
    """The incidents of a stream, each when it has ended. Minutes must come in the order of time."""
    current: Incident | None = None
    for minute in minutes:
        if current is not None and minute.at - current.end > 60 * QUIET_MINUTES:
            yield current
            current = None
        suspects, lasting, record = watch.judge(minute)
        if lasting or record:
            if current is None:
                current = Incident(minute.at, minute.at, tuple(suspects), lasting)
            else:
                current = Incident(current.start, minute.at, current.suspects, current.lasting)
    if current is not None:
        yield current
