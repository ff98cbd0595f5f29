"""What is new, what surges and what has gone quiet, against what is remembered.

A template is new if nothing remembered is part of it. How often it speaks is compared with the same hour of
the week in the past, or of the day where the memory is short, so that quiet nights and busy Mondays are as
they always are. The comparison is robust: the median and the median deviation of the past, on a scale on
which counts have equal spread (Anscombe's transform of Poisson counts), so that one bad day in the memory
hides nothing.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from statistics import median
from typing import Any

from dogwatch.errors import SettingsError
from dogwatch.logs.book import Book, Entry
from dogwatch.logs.judge import SEVERITIES
from dogwatch.logs.mask import split_shape
from dogwatch.logs.miner import Miner
from dogwatch.logs.redact import redact
from dogwatch.logs.shapes import Leaf

HOUR = 3600
_WEEK, _DAY = 168, 24
_REMEMBERED_HOURS = 5 * _WEEK
_ENOUGH_PAST = 3
_FAR = 5.0
"""Deviations from the median beyond which a count is no accident."""
_FEWEST_MORE = 10
_FEWEST_EXPECTED = 5
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Change:
    """One template that is not as before."""

    kind: str
    """``new``, ``surging`` or ``vanished``."""
    entry: Entry
    seen: int
    """Lines in the hour that shows it most; of a new template, all."""
    usual: float
    """The median of the same hour in the past; 0 if new; if vanished, the least that was to be expected."""
    hour: int | None = None
    """The beginning of that hour, in seconds since 1970."""


@dataclass(slots=True)
class Baseline:
    """What is remembered of a log: its shapes, and how many lines each had in every hour."""

    leaves: list[Leaf] = field(default_factory=list[Leaf])
    hours: list[Counter[int]] = field(default_factory=list[Counter[int]])
    """Per leaf, lines by hour (hours since 1970)."""
    covered: set[int] = field(default_factory=set[int])
    """Hours in which the log said anything at all."""

    def compare(self, book: Book) -> tuple[list[Change], "Baseline"]:
        """What is not as before in a book, worst first, and the memory with that book in it.

        The book's miner learns what is remembered, so that both are cut into templates in the same way.
        """
        known = Miner(book.miner.shapes.limits)
        numbers = known.shapes.restore(self.leaves)
        here = book.miner.absorb(known)
        past: dict[int, Counter[int]] = {}
        for number, hours in zip(numbers, self.hours, strict=True):
            past.setdefault(here[number], Counter()).update(hours)
        now = book.hours()
        covered_now = {hour for hours in now.values() for hour in hours}
        before = self.covered - covered_now
        changes: list[Change] = []
        for entry in book.entries():
            history = _sum(past[leaf] for leaf in entry.leaves if leaf in past)
            current = _sum(now[leaf] for leaf in entry.leaves if leaf in now)
            if not any(leaf in past for leaf in entry.leaves):
                if self.leaves:
                    changes.append(Change("new", entry, entry.lines, 0.0))
            else:
                changes += _judge(entry, history, before, current, covered_now)
        changes.sort(key=lambda c: (_ORDER.index(c.kind), -SEVERITIES.index(c.entry.severity), -c.seen))
        return changes, self._with(book, past, now, covered_now)

    def _with(
        self, book: Book, past: Mapping[int, Counter[int]], now: Mapping[int, Counter[int]], covered: set[int]
    ) -> "Baseline":
        """The memory after these hours; hours that were seen before are counted as they are seen now."""
        remembered = sorted(self.covered | covered)[-_REMEMBERED_HOURS:]
        kept = set(remembered)
        fresh, before = Baseline(covered=kept), kept - covered
        for number, leaf in book.miner.shapes.leaves().items():
            old, new = past.get(number, Counter[int]()), now.get(number, Counter[int]())
            hours = Counter({hour: n for hour, n in old.items() if hour in before})
            hours.update({hour: n for hour, n in new.items() if hour in kept})
            if hours or not remembered:
                fresh.leaves.append(without_secrets(leaf))
                fresh.hours.append(hours)
        return fresh

    def dump(self) -> str:
        """As JSON."""
        leaves = [
            {**told_leaf(leaf), "hours": sorted(hours.items())}
            for leaf, hours in zip(self.leaves, self.hours, strict=True)
        ]
        return json.dumps(
            {"dogwatch_log_baseline": _FORMAT, "covered": sorted(self.covered), "leaves": leaves}
        )

    @classmethod
    def load(cls, text: str) -> "Baseline":
        """From JSON. Raises SettingsError if it is no baseline."""
        try:
            found: Any = json.loads(text)
            if found["dogwatch_log_baseline"] != _FORMAT:
                raise ValueError
            return cls(
                [leaf_of(leaf) for leaf in found["leaves"]],
                [Counter({int(hour): int(n) for hour, n in leaf["hours"]}) for leaf in found["leaves"]],
                {int(hour) for hour in found["covered"]},
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SettingsError(
                "this is no log baseline of this version of dogwatch",
                "remember anew: delete it and run again",
            ) from error


_ORDER = ("new", "surging", "vanished")


def told_leaf(leaf: Leaf) -> dict[str, Any]:
    """A leaf as JSON."""
    return {
        "words": [None if word is None else word.decode("latin-1") for word in leaf.words],
        "marks": [mark.decode("latin-1") for mark in leaf.marks],
        "digits": [[*site, None if d is None else d.decode()] for site, d in sorted(leaf.digits.items())],
        "lines": leaf.lines,
    }


def leaf_of(found: Any) -> Leaf:
    """A leaf from JSON. Raises ValueError, KeyError or TypeError."""
    words = tuple(None if word is None else word.encode("latin-1") for word in found["words"])
    marks = tuple(mark.encode("latin-1") for mark in found["marks"])
    if len(words) != len(marks) + 1:
        raise ValueError
    digits = {(int(w), int(n)): None if d is None else d.encode() for w, n, d in found["digits"]}
    return Leaf(words, marks, digits, int(found["lines"]))


def without_secrets(leaf: Leaf) -> Leaf:
    """A shape whose text holds a secret is remembered without it; its digits with it are given up."""
    text = b"".join(
        part for pair in zip(leaf.words, (*leaf.marks, b""), strict=True) for part in pair if part
    )
    shown = text.decode("latin-1")
    masked = redact(shown)
    if masked == shown or None in leaf.words:
        return leaf
    return Leaf(*split_shape(masked.encode("latin-1", "replace")), {}, leaf.lines)


def _sum(counters: Iterable[Counter[int]]) -> Counter[int]:
    total = Counter[int]()
    for counter in counters:
        total.update(counter)
    return total


def _judge(
    entry: Entry, history: Mapping[int, int], before: set[int], current: Mapping[int, int], covered: set[int]
) -> list[Change]:
    """Whether a known template surges in some hour, or was silent in hours in which it always spoke."""
    worst: Change | None = None
    missed = 0.0
    silent = True
    for hour in covered:
        reference = [history.get(past, 0) for past in _alike(hour, before)]
        if len(reference) < _ENOUGH_PAST:
            continue
        seen, usual = current.get(hour, 0), median(reference)
        silent = silent and not seen
        missed += min(reference)
        surging = seen >= 2 * usual + _FEWEST_MORE and deviation(seen, reference) >= _FAR
        if surging and (worst is None or seen - usual > worst.seen - worst.usual):
            worst = Change("surging", entry, seen, usual, hour * HOUR)
    if worst is not None:
        return [worst]
    if silent and missed >= _FEWEST_EXPECTED:
        return [Change("vanished", entry, 0, missed)]
    return []


def _alike(hour: int, before: set[int]) -> list[int]:
    """The remembered hours to compare an hour with: of the week, else of the day, else the last days."""
    for rhythm in (_WEEK, _DAY):
        alike = [past for past in before if (hour - past) % rhythm == 0]
        if len(alike) >= _ENOUGH_PAST:
            return alike
    return [past for past in before if hour - past <= _WEEK]


def deviation(seen: int, reference: list[int]) -> float:
    """How far a count is above the median of others, in deviations of at least one Poisson count."""
    scaled = [2 * sqrt(count + 0.375) for count in reference]
    middle = median(scaled)
    spread = max(1.0, 1.4826 * median(abs(value - middle) for value in scaled))
    return (2 * sqrt(seen + 0.375) - middle) / spread
