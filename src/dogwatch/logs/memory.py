"""What is remembered of a log from round to round: per component, its templates and their lines by hour.

A memory holds everything that judging needs, so that a finding follows from what was stored and not from
the moment at which a line was read: a round that is killed changes nothing, and the next one finds the same.
It is bounded: so many components, so many shapes of each, so many hours.
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dogwatch.logs.book import OTHER, Book, Sample, Voice
from dogwatch.logs.events import Batch
from dogwatch.logs.judge import Components
from dogwatch.logs.shapes import Limits
from dogwatch.logs.trend import HOUR, leaf_of, told_leaf, without_secrets

WEEKS = 5
"""How long hours are remembered."""

_LIMITS = Limits(shapes=2_000, size=1_000_000, words=100)
_MOST_VOICES = 1_000
_MOST_COMPONENTS = 200
_LARGEST_BODY = 64 << 20
_FORMAT = 1
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, zlib.error)
"""What comes of a body that somebody else wrote, or a later version."""


@dataclass(slots=True)
class _Volume:
    """One component's book."""

    book: Book
    changed: bool = False


class Memory:
    """The books of one log."""

    def __init__(self, components: Components, stored: Mapping[str, bytes], now: float) -> None:
        """``stored`` is what ``changed`` gave before; a book that cannot be read begins anew. ``now``, in
        seconds since 1970, is the time of lines that tell none."""
        self._components = components
        self._now = now
        self._names: dict[str, str] = {}
        self.lines = 0
        """Events that were added."""
        self._volumes = {name: _Volume(_opened(body)) for name, body in stored.items()}

    @property
    def books(self) -> dict[str, Book]:
        """By component; what names none is under the empty name."""
        return {name: volume.book for name, volume in self._volumes.items()}

    def add(self, batch: Batch) -> None:
        """Count the events of a batch."""
        if not batch.events:
            return
        messages = batch.messages.split(b"\n")
        times = batch.times or [None] * batch.events
        levels = batch.levels or [""] * batch.events
        told = batch.components or [""] * batch.events
        whose: dict[str, list[int]] = {}
        for i, name in enumerate(told):
            if not messages[i].strip():
                continue
            whose.setdefault(self._component(name, messages[i]), []).append(i)
        self.lines += batch.events
        for name, mine in whose.items():
            part = Batch(
                b"\n".join([messages[i] for i in mine]),
                len(mine),
                [self._now if (at := times[i]) is None else at for i in mine],
                [levels[i] for i in mine],
                [""] * len(mine),
            )
            volume = self._volumes.setdefault(name, _Volume(_new()))
            volume.book.add(part)
            volume.changed = True

    def changed(self) -> dict[str, bytes]:
        """The books that changed since they were given last, packed. From now on they hold no secret, so that
        they are judged as they will be when they are read again."""
        found: dict[str, bytes] = {}
        for name, volume in self._volumes.items():
            if volume.changed:
                volume.book = volume.book.masked(without_secrets)
                volume.changed = False
                found[name] = _packed(volume.book)
        return found

    def part(self) -> bytes:
        """All that was counted here, packed, for ``absorb`` of another memory of the same log."""
        frames = [_frame({"format": _FORMAT, "lines": self.lines})]
        for name, volume in self._volumes.items():
            volume.book = volume.book.masked(without_secrets)
            voices = [_told(voice, None) for voice in volume.book.voices()]
            words = volume.book.miner.shapes.told_apart
            frames.append(_frame({"format": _FORMAT, "name": name, "words": words, "voices": voices}))
        return b"".join(frames)

    def absorb(self, part: bytes) -> bool:
        """Count what another memory, with the same components and none stored, counted of lines that come
        after those of this one: the outcome is that of one memory that was given all of them.

        False, and nothing is counted, if the part cannot be read. Where there are more components than are
        told apart, or more shapes of one, other ones than by one memory may be among the rest, and other
        lines be kept as samples; so may other lines of messages that are one without their secrets.
        """
        try:
            head, *rest = [_unpacked(frame) for frame in _frames(part)]
            lines = int(head["lines"])
            books = [
                (str(one["name"]), [_voice(voice) for voice in one["voices"]], _number(one["words"]))
                for one in rest
            ]
        except _UNREADABLE:
            return False
        self.lines += lines
        for name, voices, words in books:
            volume = self._volumes.setdefault(self._room_for(name), _Volume(_new()))
            volume.book.absorb(voices, words)
            volume.changed = True
        return True

    def _component(self, told: str, message: bytes) -> str:
        """Whose line it is; of more components than can be told apart, the rest is one."""
        if self._components.by_text:
            name = self._components.of(told, message[:2_000].decode("utf-8", "replace"))
        else:
            name = self._names.get(told, "")
            if told and not name:
                name = self._names[told] = (
                    self._components.of(told, "") if len(self._names) < 10_000 else OTHER
                )
        return self._room_for(name[:200])

    def _room_for(self, name: str) -> str:
        if name not in self._volumes and len(self._volumes) >= _MOST_COMPONENTS:
            return OTHER
        return name


def _new() -> Book:
    return Book(hourly=True, limits=_LIMITS)


def _packed(book: Book) -> bytes:
    """A book without secrets as compressed JSON, without what is too old or too much."""
    voices = book.voices()
    newest = max((voice.last for voice in voices), default=0.0)
    begin = int(newest // HOUR) - WEEKS * 168
    kept = sorted((v for v in voices if v.last // HOUR >= begin), key=_order)
    told = [_told(voice, begin) for voice in kept[:_MOST_VOICES]]
    return zlib.compress(json.dumps({"format": _FORMAT, "voices": told}).encode(), 6)


def _order(voice: Voice) -> tuple[float, int, tuple[bytes, ...], tuple[bytes, ...]]:
    """What was said last comes first; the same books are the same bytes, in whatever order they were read."""
    leaf = voice.leaf
    return -voice.last, -leaf.lines, leaf.marks, tuple(word or b"" for word in leaf.words)


def _told(voice: Voice, begin: int | None) -> dict[str, Any]:
    """A voice; of its hours those since ``begin``, if there is one."""
    return {
        **told_leaf(voice.leaf),
        "hours": sorted((hour, n) for hour, n in voice.hours.items() if begin is None or hour >= begin),
        "levels": dict(sorted(voice.levels.items())),
        "first": voice.first,
        "last": voice.last,
        "samples": [[sample.at, sample.text] for sample in voice.samples],
    }


def _opened(body: bytes) -> Book:
    """A stored book; an empty one if it cannot be read."""
    book = _new()
    try:
        book.remember([_voice(one) for one in _unpacked(body)["voices"]])
    except _UNREADABLE:
        return _new()
    return book


def _unpacked(body: bytes) -> Any:
    found: Any = json.loads(zlib.decompressobj().decompress(body, _LARGEST_BODY))
    if found["format"] != _FORMAT:
        raise ValueError
    return found


def _frame(told: object) -> bytes:
    """One of many, after its length."""
    body = zlib.compress(json.dumps(told).encode(), 1)
    return len(body).to_bytes(4, "big") + body


def _frames(part: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(part):
        end = at + 4 + int.from_bytes(part[at : at + 4], "big")
        yield part[at + 4 : end]
        at = end


def _number(found: Any) -> int | None:
    return None if found is None else int(found)


def _voice(found: Any) -> Voice:
    return Voice(
        leaf_of(found),
        Counter({int(hour): int(n) for hour, n in found["hours"]}),
        Counter({str(level): int(n) for level, n in found["levels"].items()}),
        float(found["first"]),
        float(found["last"]),
        [Sample(at, "", text.encode("utf-8", "replace")) for at, text in found["samples"]],
    )
