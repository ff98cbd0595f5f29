"""What is wrong with a log, by its memory alone: messages that are new, surge, or are no longer said.

The same memory at the same time always gives the same verdict. To keep quiet on quiet days:

* Before a day of a component is known, nothing it says is new, and what says no more than that all is well is
  never a finding because it is new.
* An hour is compared with the same hour of the week, of the day where that is not known yet, and before that
  with all hours of the first day; until a week is known, only what exceeds every hour that was ever seen
  counts, and a silence does not.
* Of harmless messages that become more because everything becomes more, only a note is made: that is load.

Counts are compared on the scale of Anscombe's transform, by median and median absolute deviation.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from dogwatch.logs.book import Book, Entry
from dogwatch.logs.judge import CRITICAL, ERROR, INFO, SEVERITIES, WARNING
from dogwatch.logs.trend import HOUR, Change, deviation

LEARNING = 24
"""Hours that have to be known of a component before something can be new."""
_DAY, _WEEK = 24, 168
_RECENT = 2
"""Hours: what was not said for so long is over."""
_NEW_FOR = 7 * 24
"""Hours after which a message that does not stop is no longer new."""
_PAST_DAYS = 7
_PAST_WEEKS = 5
_ENOUGH_PAST = 3
_FAR = 5.0
_FEWEST_MORE = 10
_FEWEST_MISSED = 15
_SILENT = 6
"""Hours of silence that are looked at, at most."""
_LONGEST = 48
"""Hours that a surge is followed back to its beginning."""
_OFTEN = {WARNING: 5, ERROR: 3}
"""Lines of a new message from which on it is as bad as it sounds; fewer are one step less."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One kind of message that is not as usual."""

    change: Change
    severity: str
    began: float
    """Seconds since 1970."""
    anchor: str
    """Names the message: the first of its shapes, which stays the same when most others join it."""


def verdicts(book: Book, until: float) -> list[Verdict]:
    """What is wrong with one component's log, the worst first.

    ``until``, in seconds since 1970: nearly everything that was said before has been read.
    """
    entries = [entry for entry in book.entries() if entry.first is not None]
    if not entries:
        return []
    whole = _Whole(book, entries, until)
    found = [one for entry in entries for one in whole.judge(entry)]
    silent = [one for one in found if one.change.kind == "vanished"]
    if len(silent) > 1:  # a component that says nothing at all is one trouble
        worst = max(silent, key=lambda one: one.change.usual)
        found = [one for one in found if one.change.kind != "vanished" or one is worst]
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.began, one.anchor))


class _Whole:
    """A component's log and what is usual in it."""

    def __init__(self, book: Book, entries: Sequence[Entry], until: float) -> None:
        by_leaf = book.hours()
        self._hours = {
            entry.template.id: _sum(by_leaf[leaf] for leaf in entry.leaves if leaf in by_leaf)
            for entry in entries
        }
        self._all = _sum(self._hours.values())
        self._shapes = book.miner.shapes.leaves()
        self._since = min(entry.first or 0.0 for entry in entries)
        self._first_hour = int(self._since // HOUR) + 1
        """The first hour of which everything is known."""
        self._until = until
        self._hour = int(until // HOUR)
        """The hour that is not over, as far as reading goes."""

    def judge(self, entry: Entry) -> Iterator[Verdict]:
        """What is wrong with one message."""
        hours = self._hours[entry.template.id]
        first, last = entry.first or 0.0, entry.last or 0.0
        spoke = last >= self._until - _RECENT * HOUR
        if spoke and first >= self._since + LEARNING * HOUR and first >= self._until - _NEW_FOR * HOUR:
            severity = self._severity_of_new(entry, hours)
            if severity is not None:
                yield self._verdict(Change("new", entry, hours.total(), 0.0), severity, first)
            return
        if spoke:
            surge = self._surge(entry, hours)
            if surge is not None:
                yield surge
            return
        vanished = self._vanished(entry, hours)
        if vanished is not None:
            yield vanished

    def _severity_of_new(self, entry: Entry, hours: Mapping[int, int]) -> str | None:
        """As bad as it sounds if it is said often enough; None if it is harmless."""
        told = entry.severity
        if told in (INFO, CRITICAL):
            return None if told == INFO else told
        often = sum(n for hour, n in hours.items() if hour >= self._hour - _RECENT) >= _OFTEN[told]
        return told if often else SEVERITIES[SEVERITIES.index(told) - 1]

    def _surge(self, entry: Entry, hours: Mapping[int, int]) -> Verdict | None:
        """The worst of the last hours in which it surges, told with the hour in which that began."""
        recent = range(self._hour - _RECENT, self._hour + 2)
        surging = [hour for hour in recent if self._surges(entry, hours, hour)]
        if not surging:
            return None
        worst = max(surging, key=lambda hour: hours.get(hour, 0))
        begin = surging[0]
        while begin > self._hour - _LONGEST and self._surges(entry, hours, begin - 1):
            begin -= 1
        usual = self._usual(hours, worst)
        change = Change("surging", entry, hours.get(worst, 0), usual, worst * HOUR)
        if entry.severity != INFO:
            severity = entry.severity
        elif self._known_week(worst) and not self._is_load(hours, worst):
            severity = WARNING
        else:
            severity = INFO
        return self._verdict(change, severity, float(begin * HOUR))

    def _surges(self, entry: Entry, hours: Mapping[int, int], hour: int) -> bool:
        seen = hours.get(hour, 0)
        past = [hours.get(one, 0) for one in self._alike(hour)]
        if len(past) < _ENOUGH_PAST or seen < 2 * median(past) + _FEWEST_MORE:
            return False
        if deviation(seen, past) < _FAR or seen < 1.5 * max(past):
            return False
        before = [n for one, n in hours.items() if self._first_hour <= one < hour - _LONGEST]
        return self._known_week(hour) or seen >= 2 * max(before, default=0)

    def _is_load(self, hours: Mapping[int, int], hour: int) -> bool:
        """Whether the component says everything more often in that hour."""
        usual, all_usual = self._usual(hours, hour), self._usual(self._all, hour)
        return all_usual > 0 and hours.get(hour, 0) * all_usual < 2 * usual * self._all.get(hour, 0)

    def _usual(self, hours: Mapping[int, int], hour: int) -> float:
        return float(median(hours.get(one, 0) for one in self._alike(hour)))

    def _alike(self, hour: int) -> list[int]:
        """The hours to compare one with: of the week, else of the day, else those of the first day."""
        for rhythm, times in ((_WEEK, _PAST_WEEKS), (_DAY, _PAST_DAYS)):
            past = [hour - rhythm * n for n in range(1, times + 1)]
            alike = [one for one in past if one >= self._first_hour]
            if len(alike) >= _ENOUGH_PAST:
                return alike
        known_day = hour >= self._first_hour + LEARNING
        return list(range(self._first_hour, self._first_hour + LEARNING)) if known_day else []

    def _known_week(self, hour: int) -> bool:
        return hour - self._first_hour >= _WEEK

    def _vanished(self, entry: Entry, hours: Mapping[int, int]) -> Verdict | None:
        """If it was silent for hours in which it always spoke."""
        end = self._hour
        begin = max(int((entry.last or 0.0) // HOUR) + 1, end - _SILENT)
        if begin >= end or not self._known_week(begin):
            return None
        missed = 0.0
        for hour in range(begin, end):
            weeks = [hour - _WEEK * n for n in range(1, _PAST_WEEKS + 1)]
            near = [one for one in weeks if one >= self._first_hour]
            missed += min(hours.get(one, 0) for one in (*near, hour - _DAY, hour - 2 * _DAY))
        if missed < _FEWEST_MISSED:
            return None
        return self._verdict(Change("vanished", entry, 0, missed), WARNING, float(begin * HOUR))

    def _verdict(self, change: Change, severity: str, began: float) -> Verdict:
        leaves = [self._shapes[leaf] for leaf in change.entry.leaves if leaf in self._shapes]
        words = [
            b"".join(
                part for pair in zip(leaf.words, (*leaf.marks, b""), strict=True) for part in pair if part
            )
            for leaf in leaves
        ]
        anchor = min(words, default=b"").decode("latin-1")
        return Verdict(change, severity, began, anchor)


def _sum(counters: Iterable[Counter[int]]) -> Counter[int]:
    total = Counter[int]()
    for counter in counters:
        total.update(counter)
    return total
