"""What a log said, by template: how often, how bad, who, when, and a few lines of it.

Times go into buckets while the lines pass, because a surge cannot be seen in totals. The width of a bucket
doubles when there are too many of them, so that a year costs no more than an hour. Whoever compares with the
past asks for hours as well.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from operator import le
from typing import cast

from dogwatch.logs.events import Batch
from dogwatch.logs.judge import SEVERITIES, Components, severity
from dogwatch.logs.miner import Miner, Template
from dogwatch.logs.redact import redact
from dogwatch.logs.shapes import DEFAULT_LIMITS, Leaf, Limits

FINEST = 14.0625
"""Seconds of the narrowest bucket: the 256th part of an hour, so that wider ones end where hours end."""

_HOUR = 3600
_MOST_BUCKETS = 256
_MOST_SPOTS = 64
_MOST_HOURS = 2000
_MOST_COMPONENTS = 500
_MOST_WAITING = 50_000
_MOST_LEAVES = float(1 << 24)
SAMPLES = 3
"""Lines that are kept of a leaf."""
_SAMPLE_LENGTH = 500
OTHER = "others"
"""Stands for components beyond the number that is told apart."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One message as it was written."""

    at: float | None
    """Seconds since 1970."""
    component: str
    line: bytes = field(repr=False)
    """May hold secrets: ``text`` is what is shown and stored."""

    @property
    def text(self) -> str:
        """The line without secrets."""
        return _shown(self.line)


@lru_cache(maxsize=10_000)
def _shown(line: bytes) -> str:
    """What is remembered is written down again and again; at most 10 MB of it is kept as it is shown."""
    return redact(line.decode("utf-8", "replace"))


@dataclass(slots=True)
class Entry:
    """Everything about one template."""

    template: Template
    severity: str = SEVERITIES[0]
    """The worst of its messages."""
    severities: Counter[str] = field(default_factory=Counter[str])
    components: Counter[str] = field(default_factory=Counter[str])
    first: float | None = None
    """Seconds since 1970; None if the log tells no times."""
    last: float | None = None
    buckets: Counter[float] = field(default_factory=Counter[float])
    """Lines by the beginning of the bucket, in seconds since 1970; of a log without times, by their place."""
    samples: list[Sample] = field(default_factory=list[Sample])
    leaves: list[int] = field(default_factory=list[int])
    """The numbers in the miner of which it is made."""

    @property
    def lines(self) -> int:
        """How many events the book has of it; 0 if only the miner knows it."""
        return self.components.total()


@dataclass(slots=True)
class Voice:
    """Everything about the lines of one leaf, to be remembered."""

    leaf: Leaf
    hours: Counter[int]
    """Lines by hour (hours since 1970)."""
    levels: Counter[str]
    first: float
    last: float
    samples: list[Sample]


class Book:
    """Counts events. What is in it does not grow with the lines."""

    def __init__(
        self,
        components: Components | None = None,
        *,
        hourly: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """``hourly`` also counts by hour, for a comparison with the past."""
        self.miner = Miner(limits)
        self.width = FINEST
        """Seconds per bucket."""
        self.events = 0
        self._names = components or Components({})
        self._counts: Counter[tuple[int, str, str]] = Counter()
        """By leaf, level and component."""
        self._buckets: Counter[tuple[int, float]] = Counter()
        """By leaf and bucket."""
        self._waiting: Counter[float] = Counter()
        """By bucket times ``_MOST_LEAVES`` plus leaf: as one number a pair is counted in half the time. Exact
        for all times up to ``times.LATEST``."""
        self._bucket = float("nan")
        self._here: Counter[int] = Counter()
        """By leaf, in the bucket of the last batch."""
        self._latest = float("-inf")
        self._hours: Counter[tuple[int, int]] | None = Counter() if hourly else None
        self._spots: Counter[tuple[int, int]] = Counter()
        self._block = 0
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._samples: dict[int, list[Sample]] = {}
        self._remembered: dict[int, list[Sample]] = {}
        """Samples of earlier books; they speak where this one has none."""
        self._full: set[int] = set()
        self._known_components: set[str] = set()
        self._known_buckets: set[float] = set()
        self._known_hours: set[int] = set()

    def add(self, batch: Batch) -> None:
        """Count the events of a batch."""
        if not batch.events:
            return
        leaves = self.miner.feed(batch.messages)
        self.events += batch.events
        if batch.times or batch.levels or batch.components:
            batch.components = self._told_apart(batch.components)
            self._count(leaves, batch)
        else:
            self._count_plain(self.miner.shapes.fed)
        if new := self.miner.shapes.fed.keys() - self._full:
            self._keep_samples(new, leaves, batch)

    def _count_plain(self, fed: Counter[int]) -> None:
        """Of a log without times it is known where in it a line stood."""
        for leaf, lines in fed.items():
            self._counts[leaf, "", ""] += lines
            self._spots[leaf, self._block] += lines
        self._block += 1
        if self._block > _MOST_SPOTS:
            self._block = (self._block + 1) // 2
            spots = Counter[tuple[int, int]]()
            for (leaf, block), lines in self._spots.items():
                spots[leaf, block // 2] += lines
            self._spots = spots

    def _count(self, leaves: list[int], batch: Batch) -> None:
        self._counts.update(zip(leaves, batch.levels, batch.components, strict=True))
        spoken, times = leaves, batch.times
        if None in times:
            spoken = [leaf for leaf, at in zip(leaves, times, strict=True) if at is not None]
        known = [at for at in times if at is not None] if None in times else cast("list[float]", times)
        if not known:
            return
        ordered = all(map(le, known, known[1:]))
        low, high = (known[0], known[-1]) if ordered else (min(known), max(known))
        self._count_buckets(spoken, known, low, high)
        if ordered and known[0] >= self._latest:
            self._follow(spoken, known)
        else:
            self._span(spoken, known, ordered=ordered)
        self._latest = max(self._latest, high)
        if self._hours is not None:
            self._count_hours(self._hours, leaves, batch.times)
        if len(self._known_buckets) > _MOST_BUCKETS:
            self._widen()

    def _count_buckets(self, leaves: list[int], known: list[float], low: float, high: float) -> None:
        """Most batches lie in one bucket, and the next one in the same: then leaves alone are counted."""
        bucket = low // self.width
        if bucket == high // self.width:
            if bucket != self._bucket:
                self._settle()
                self._bucket = bucket
                self._known_buckets.add(bucket)
            self._here.update(leaves)
            return
        buckets: list[float] = list(map(float.__floordiv__, known, repeat(self.width)))
        self._waiting.update(map(float.__add__, map(float.__mul__, buckets, repeat(_MOST_LEAVES)), leaves))
        self._known_buckets.update(buckets)
        if len(self._waiting) > _MOST_WAITING:
            self._settle()

    def _settle(self) -> None:
        """Count the pairs that wait, and what was said in the bucket of the last batch."""
        for pair, lines in self._waiting.items():
            bucket, leaf = divmod(pair, _MOST_LEAVES)
            self._buckets[int(leaf), bucket] += lines
        self._waiting.clear()
        for number, lines in self._here.items():
            self._buckets[number, self._bucket] += lines
        self._here.clear()

    def _count_hours(
        self, hours: Counter[tuple[int, int]], leaves: list[int], times: list[float | None]
    ) -> None:
        counted = Counter(
            (leaf, int(at // _HOUR)) for leaf, at in zip(leaves, times, strict=True) if at is not None
        )
        hours.update(counted)
        self._known_hours.update(hour for _, hour in counted)
        if len(self._known_hours) > _MOST_HOURS:
            self._known_hours = set(sorted(self._known_hours)[-_MOST_HOURS // 2 :])
            self._hours = Counter({key: lines for key, lines in hours.items() if key[1] in self._known_hours})

    def hours(self) -> dict[int, Counter[int]]:
        """Per leaf, its lines by hour (hours since 1970); empty unless they were asked for."""
        by_leaf: dict[int, Counter[int]] = {}
        for (leaf, hour), lines in (self._hours or Counter[tuple[int, int]]()).items():
            by_leaf.setdefault(self.miner.shapes.resolve(leaf), Counter())[hour] += lines
        return by_leaf

    def remember(self, voices: Sequence[Voice]) -> None:
        """Take up what an earlier book has counted by hour."""
        for leaf, voice in self._restored(voices):
            self._remembered.setdefault(leaf, []).extend(voice.samples)

    def absorb(self, voices: Sequence[Voice], words: int | None = None) -> None:
        """Take up what another book has counted of lines that come after those of this one, as if they had
        been counted here. ``words``: its ``miner.shapes.told_apart``."""
        self.miner.shapes.tell_apart(words)
        for leaf, voice in self._restored(voices):
            kept = self._samples.setdefault(leaf, [])
            kept += voice.samples[: SAMPLES - len(kept)]
            if len(kept) == SAMPLES:
                self._full.add(leaf)

    def _restored(self, voices: Sequence[Voice]) -> Iterator[tuple[int, Voice]]:
        """What was counted elsewhere, counted here, with its leaf."""
        assert self._hours is not None
        numbers = self.miner.shapes.restore(voice.leaf for voice in voices)
        for leaf, voice in zip(numbers, voices, strict=True):
            self.events += voice.leaf.lines
            for level, lines in voice.levels.items():
                self._counts[leaf, level, ""] += lines
            for hour, lines in voice.hours.items():
                self._hours[leaf, hour] += lines
                self._known_hours.add(hour)
            self._first[leaf] = min(self._first.get(leaf, voice.first), voice.first)
            self._last[leaf] = max(self._last.get(leaf, voice.last), voice.last)
            self._latest = max(self._latest, voice.last)
            yield leaf, voice

    def masked(self, mask: Callable[[Leaf], Leaf]) -> "Book":
        """The same book as if each shape had been put through ``mask`` before it was counted, with the first
        lines of those that are one by that; itself if that changes nothing."""
        assert self._hours is not None
        self._settle()
        shapes = self.miner.shapes
        leaves = shapes.leaves()
        masked = {number: mask(leaf) for number, leaf in leaves.items()}
        if all(masked[number] is leaf for number, leaf in leaves.items()):
            return self
        book = Book(self._names, hourly=True, limits=shapes.limits)
        book.miner.shapes.tell_apart(shapes.told_apart)
        new = dict(zip(masked, book.miner.shapes.restore(masked.values()), strict=True))
        book._take_up(self, [new[shapes.resolve(leaf)] for leaf in range(shapes.numbered)])
        return book

    def _take_up(self, other: "Book", leaves: Sequence[int]) -> None:
        """Everything that another book counted but the shapes; ``leaves``: by its leaf, the one here."""
        self.width, self.events, self._latest = other.width, other.events, other._latest
        self._known_buckets, self._known_hours = set(other._known_buckets), set(other._known_hours)
        self._known_components = set(other._known_components)
        for (leaf, level, component), lines in other._counts.items():
            self._counts[leaves[leaf], level, component] += lines
        for (leaf, bucket), lines in other._buckets.items():
            self._buckets[leaves[leaf], bucket] += lines
        self._hours = Counter()
        for (leaf, hour), lines in (other._hours or {}).items():
            self._hours[leaves[leaf], hour] += lines
        for leaf, first in other._first.items():
            number, last = leaves[leaf], other._last[leaf]
            self._first[number] = min(self._first.get(number, first), first)
            self._last[number] = max(self._last.get(number, last), last)
        for leaf, kept in other._samples.items():
            known = self._samples.get(leaves[leaf])
            some = kept if known is None else sorted([*known, *kept], key=lambda s: (s.at or 0.0, s.line))
            self._samples[leaves[leaf]] = some[:SAMPLES]
        for leaf, kept in other._remembered.items():
            self._remembered.setdefault(leaves[leaf], []).extend(kept)
        self._full = {leaf for leaf, kept in self._samples.items() if len(kept) == SAMPLES}

    def voices(self) -> list[Voice]:
        """What is to be remembered: all leaves that spoke at a known time."""
        resolve = self.miner.shapes.resolve
        hours, levels = self.hours(), dict[int, Counter[str]]()
        for (leaf, level, _), lines in self._counts.items():
            levels.setdefault(resolve(leaf), Counter())[level] += lines
        samples: dict[int, list[Sample]] = {}
        for kept in (self._samples, self._remembered):
            for leaf, some in kept.items():
                known = samples.setdefault(resolve(leaf), [])
                known += some[: SAMPLES - len(known)]
        first, last = dict[int, float](), dict[int, float]()
        for leaf, at in self._first.items():
            number = resolve(leaf)
            first[number] = min(first.get(number, at), at)
            last[number] = max(last.get(number, at), self._last[leaf])
        return [
            Voice(
                leaf, hours.get(n, Counter()), levels.get(n, Counter()), first[n], last[n], samples.get(n, [])
            )
            for n, leaf in self.miner.shapes.leaves().items()
            if n in first
        ]

    def lines_of(self, leaves: Iterable[int]) -> Counter[int]:
        """Lines per leaf."""
        wanted = set(leaves)
        counts = Counter[int]()
        for (leaf, _, _), lines in self._counts.items():
            if leaf in wanted:
                counts[leaf] += lines
        return counts

    def entries(self) -> list[Entry]:
        """All templates that the miner knows, most frequent first."""
        self._settle()
        mined = self.miner.mine()
        entries = [Entry(template) for template in mined.templates]
        for (leaf, level, component), lines in self._counts.items():
            entry = entries[mined.of_leaf[leaf]]
            entry.components[component] += lines
            entry.severities[level] += lines
        for (leaf, bucket), lines in self._buckets.items():
            entries[mined.of_leaf[leaf]].buckets[bucket * self.width] += lines
        for (leaf, block), lines in self._spots.items():
            if not self._known_buckets:
                entries[mined.of_leaf[leaf]].buckets[block] += lines
        for leaf, kept in sorted(self._samples.items()):
            entries[mined.of_leaf[leaf]].samples += kept
        spoken = {id(entry) for entry in entries if entry.samples}
        for leaf, kept in sorted(self._remembered.items()):
            entry = entries[mined.of_leaf[leaf]]
            entry.samples += [] if id(entry) in spoken else kept
        for leaf, first in self._first.items():
            entry = entries[mined.of_leaf[leaf]]
            entry.first = first if entry.first is None else min(entry.first, first)
            entry.last = self._last[leaf] if entry.last is None else max(entry.last, self._last[leaf])
        for leaf, number in enumerate(mined.of_leaf):
            entries[number].leaves.append(leaf)
        return sorted(map(self._judged, entries), key=lambda entry: (-entry.lines, entry.template.text))

    def _judged(self, entry: Entry) -> Entry:
        """With our words for levels and components."""
        entry.samples = sorted(entry.samples, key=lambda s: (s.at is None, s.at or 0.0, s.line))[:SAMPLES]
        text = entry.samples[0].line.decode("utf-8", "replace") if entry.samples else entry.template.text
        severities = Counter[str]()
        for level, lines in entry.severities.items():
            severities[severity(level, text)] += lines
        components = Counter[str]()
        for told, lines in entry.components.items():
            components[self._names.of(told, text)] += lines
        entry.samples = [Sample(s.at, self._names.of(s.component, text), s.line) for s in entry.samples]
        entry.severities, entry.components = severities, components
        entry.severity = max(severities, key=SEVERITIES.index, default=severity("", text))
        return entry

    def _told_apart(self, components: list[str]) -> list[str]:
        new = set(components) - self._known_components
        if new:
            room = _MOST_COMPONENTS - len(self._known_components)
            self._known_components.update(sorted(new)[:room])
            if len(new) > room:
                known = self._known_components
                return [name if name in known else OTHER for name in components]
        return components

    def _follow(self, leaves: list[int], known: list[float]) -> None:
        """The times of a batch that is in order and after all others."""
        self._last.update(zip(leaves, known, strict=True))
        if not self._first.keys() >= self.miner.shapes.fed.keys():
            for leaf, at in zip(leaves, known, strict=True):
                self._first.setdefault(leaf, at)

    def _span(self, leaves: list[int], known: list[float], *, ordered: bool) -> None:
        if not ordered:
            order = sorted(range(len(known)), key=known.__getitem__)
            leaves, known = [leaves[i] for i in order], [known[i] for i in order]
        first = dict(zip(reversed(leaves), reversed(known), strict=True))
        for leaf, at in dict(zip(leaves, known, strict=True)).items():
            self._last[leaf] = max(self._last.get(leaf, at), at)
            self._first[leaf] = min(self._first.get(leaf, first[leaf]), first[leaf])

    def _keep_samples(self, new: set[int], leaves: list[int], batch: Batch) -> None:
        """Keep the first lines of a leaf: of the first batch up to all that are wanted, then one of each."""
        lines = batch.messages.split(b"\n")
        wanted = SAMPLES if self._hours is not None or self.events == batch.events else 1
        taken: Counter[int] = Counter()
        for at, leaf in enumerate(leaves):
            if leaf not in new:
                continue
            time = batch.times[at] if batch.times else None
            component = batch.components[at] if batch.components else ""
            kept = self._samples.setdefault(leaf, [])
            kept.append(Sample(time, component, lines[at][:_SAMPLE_LENGTH]))
            taken[leaf] += 1
            if len(kept) == SAMPLES:
                self._full.add(leaf)
            if len(kept) == SAMPLES or taken[leaf] == wanted:
                new.remove(leaf)
                if not new:
                    return

    def _widen(self) -> None:
        """Make buckets twice as wide, until there are few enough."""
        self._settle()
        self._bucket = float("nan")
        while len(self._known_buckets) > _MOST_BUCKETS:
            self.width *= 2
            buckets = Counter[tuple[int, float]]()
            for (leaf, bucket), lines in self._buckets.items():
                buckets[leaf, bucket // 2] += lines
            self._buckets = buckets
            self._known_buckets = {bucket // 2 for bucket in self._known_buckets}
