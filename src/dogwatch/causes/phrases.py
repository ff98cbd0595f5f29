"""The phrase tables beside this file, read once, and a matcher that cannot be made slow.

What the platforms' own error catalogues say stands in ``catalogue/*.txt``: ``#`` begins a comment, a line
``== class strength`` opens a group (``@name,name`` after it keeps the group to platforms whose name contains
one of these), every other line is a phrase. A phrase is matched in whole words on the normalised text; ``*``
stands for up to ``GAP`` characters.

There is no backtracking: each part is searched for once behind the part before it, so the work is bounded by
the length of the text times the number of phrases.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from dogwatch.causes.text import normal
from dogwatch.model.cause_class import CauseClass

GAP = 90
"""Most characters that a ``*`` stands for: a quoted name and a few words, not a paragraph."""
MAX_TRIES = 200
"""Occurrences of a first part that are tried in one piece of text: more is noise or an attack."""


_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Phrase:
    """One entry of the catalogue."""

    parts: tuple[str, ...]
    """What has to follow each other, normalised."""
    cause_class: CauseClass
    strength: int
    """4 names one cause exactly, 3 in practice, 2 often wraps another cause, 1 is a hint, 0 says nothing:
    it keeps the words in it from saying something."""
    rule: str
    """Table and phrase, for people: ``kubernetes: the node was low on resource``."""
    platforms: tuple[str, ...] = ()
    """It speaks only where the platform's name contains one of these; everywhere if empty."""

    @property
    def weight(self) -> int:
        """Letters that had to agree: of two phrases equally strong the longer knows more."""
        return sum(map(len, self.parts))


@dataclass(frozen=True)
class Span:
    """Where something was found in a piece of text."""

    start: int
    end: int


def read_table(name: str, text: str) -> Iterator[Phrase]:
    """The phrases of one table, in its order. Raises ValueError for a line before the first group."""
    cause_class: CauseClass | None = None
    strength, platforms = 0, tuple[str, ...]()
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("#"):
            continue
        if line.startswith("== "):
            word, number, *where = line[3:].split()
            cause_class, strength = CauseClass(word), int(number)
            platforms = tuple(where[0].removeprefix("@").split(",")) if where else ()
        elif cause_class is None:
            raise ValueError(f"{name}: {line!r} stands before the first group")
        else:
            parts = tuple(filter(None, (normal(part) for part in line.split("*"))))
            yield Phrase(parts, cause_class, strength, f"{name}: {line}", platforms)


def tables() -> dict[str, str]:
    """Name of each table -> its text, in the order of their names."""
    files = resources.files("dogwatch.causes") / "catalogue"
    found = sorted((file.name, file.read_text("utf-8")) for file in files.iterdir())
    return {name.removesuffix(".txt"): text for name, text in found if name.endswith(".txt")}


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, tuple[Phrase, ...]]:
    """All phrases by their first word; of a phrase that occurs twice the stronger, then the later counts."""
    entries = itertools.chain.from_iterable(read_table(name, text) for name, text in tables().items())
    best: dict[tuple[object, ...], Phrase] = {}
    for entry in entries:
        key = (entry.parts, entry.platforms)
        known = best.get(key)
        if known is None or entry.strength >= known.strength:
            best[key] = entry
    by_first: dict[str, list[Phrase]] = {}
    for entry in best.values():
        by_first.setdefault(_WORD.findall(entry.parts[0])[0], []).append(entry)
    return {first: tuple(group) for first, group in by_first.items()}


def find_all(text: str, platform: str = "") -> Iterator[tuple[Phrase, Span]]:
    """Every phrase of the catalogue that occurs in normalised ``text``, at its last occurrence."""
    known = catalogue()
    for word in sorted(known.keys() & set(_WORD.findall(text))):
        for entry in known[word]:
            if entry.parts[0] in text and _speaks(entry, platform):
                span = _last(text, entry.parts)
                if span is not None:
                    yield entry, span


def _speaks(entry: Phrase, platform: str) -> bool:
    return not entry.platforms or any(name in platform for name in entry.platforms)


def _last(text: str, parts: tuple[str, ...]) -> Span | None:
    end = len(text)
    for _ in range(MAX_TRIES):
        start = text.rfind(parts[0], 0, end)
        if start < 0:
            return None
        stop = _follow(text, start, parts)
        if stop is not None:
            return Span(start, stop)
        end = start + len(parts[0]) - 1
    return None


def _follow(text: str, start: int, parts: tuple[str, ...]) -> int | None:
    """Where the phrase that starts here ends, None if it does not hold."""
    at = start
    for i, part in enumerate(parts):
        if i:
            at = text.find(part, at, at + GAP + len(part))
            if at < 0:
                return None
        if not _whole_words(text, at, at + len(part)):
            return None
        at += len(part)
    return at


def _whole_words(text: str, start: int, end: int) -> bool:
    """Whether the match begins and ends where a word does, so that ``eof`` is not found in ``thereof``."""
    before = start == 0 or not (text[start].isalnum() and text[start - 1].isalnum())
    after = end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
    return before and after
