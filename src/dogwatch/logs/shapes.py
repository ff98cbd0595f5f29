"""Shapes and how often each was seen, in memory that does not grow with the lines.

The state after any lines depends on the set of lines alone, not on their order or on how they were cut into
parts, so that ``absorb`` of two states is the state of both parts together:

* Up to ``Limits.shapes`` distinct shapes are kept exactly.
* Beyond that the log holds words that are values but do not look it (names, tokens of random letters). The
  shapes then move into a ``Trie``, which replaces the words at a place by a variable once it has seen more
  than ``Limits.words`` different ones there.
* The digits of a word such as ``ssh2`` are remembered while they are the same in every line of the shape,
  and forgotten for good when they are not.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

from dogwatch.logs.mask import KEY_TABLE, LONGEST, soft_digits, split_shape, to_shapes
from dogwatch.logs.trie import Trie

_CACHED_KEYS = 30_000
_CACHED_BYTES = 6_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept exactly. Parts that are to be absorbed must share the same limits."""

    shapes: int = 20_000
    """Distinct shapes before the trie takes over."""
    size: int = 8_000_000
    """Bytes of distinct shapes before the trie takes over."""
    words: int = 200
    """Distinct words at one place of the trie before they become a variable."""


DEFAULT_LIMITS = Limits()


Site = tuple[int, int]
"""Which digits of a shape: the word, and the how-manieth in the word."""

Digits = dict[Site, bytes | None]
"""The digits at the sites of a shape: ``b""`` before any line was seen, None where lines differ."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What is known of the lines of one shape."""

    words: tuple[bytes | None, ...]
    """The words of the shape; None for one that the trie made a variable."""
    marks: tuple[bytes, ...]
    """The blanks and marks between them, one less."""
    digits: Digits
    lines: int


@dataclass(slots=True)
class _SoftKey:
    """A key whose shape still holds digits, and where they stand in the key."""

    leaf: int
    digits: Digits
    """Those of the leaf; replaced when leaves are united."""
    sites: list[tuple[int, int, Site]]


class Shapes:
    """Counts shapes. Lines are fed in blocks; each line is answered with the number of its leaf."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.fed: Counter[int] = Counter()
        """Lines per leaf of the block that was fed last."""
        self._count: list[int] = []
        self._digits: list[Digits] = []
        self._into: list[int] = []
        self._exact: dict[bytes, int] = {}
        self._size = 0
        self._trie: Trie | None = None
        self._alive = 0
        self._path: tuple[bytes | None, ...] | None = None
        self._moved = False
        """Whether leaves were united since the block began, so that soft keys may know the wrong digits."""
        self._cache: dict[bytes, int] = {}
        self._cache_size = 0
        self._soft: list[_SoftKey] = []

    @property
    def coarse(self) -> bool:
        """Whether there were so many different shapes that even the trie had to tell fewer words apart."""
        return self._trie is not None and self._trie.words < self.limits.words

    @property
    def numbered(self) -> int:
        """How many leaf numbers were given out."""
        return len(self._into)

    def feed(self, block: bytes) -> list[int]:
        """Count the lines of a block. One newline separates two lines; there is none after the last.

        Returns the leaf of each line. Leaves may be united later: ``resolve`` tells the final one.
        """
        keys = block.translate(KEY_TABLE).split(b"\n")
        lengths: list[int] = []
        if _may_be_long(block):
            lengths = list(map(len, keys))
            keys = [key if len(key) <= LONGEST else key[:LONGEST] + b" 0" for key in keys]
        leaves = cast("list[int]", list(map(self._cache.get, keys)))
        missing = _places_of_none(leaves)
        self._moved = False
        if missing:
            self._learn(list({keys[line] for line in missing}))
            for line in missing:
                leaves[line] = self._cache[keys[line]]
        if min(leaves) < 0:
            self._compare_digits(block, keys, lengths or list(map(len, keys)), leaves)
        count = self._count
        self.fed = Counter(leaves)
        for leaf, lines in self.fed.items():
            count[leaf] += lines
        if self._moved or len(self._cache) > _CACHED_KEYS or self._cache_size > _CACHED_BYTES:
            self._forget_keys()
        return leaves

    def resolve(self, leaf: int) -> int:
        """The leaf that this one has become part of; itself if it is still one."""
        into = self._into
        while into[leaf] != leaf:
            into[leaf] = into[into[leaf]]
            leaf = into[leaf]
        return leaf

    def leaves(self) -> dict[int, Leaf]:
        """Everything counted so far, by final leaf number."""
        lines = Counter[int]()
        for leaf, count in enumerate(self._count):
            lines[self.resolve(leaf)] += count
        return {
            leaf: Leaf(words, marks, self._digits[leaf], lines[leaf])
            for words, marks, leaf in ((w, m, self.resolve(leaf)) for w, m, leaf in self._paths())
        }

    @property
    def told_apart(self) -> int | None:
        """How many words at one place are told apart by now; None as long as every shape is kept exactly."""
        return None if self._trie is None else self._trie.words

    def tell_apart(self, words: int | None) -> None:
        """Tell no more words apart than another one does that is going to be counted here."""
        if words is not None:
            trie = self._open_trie()
            if words < trie.words:
                trie.coarsen(words)

    def absorb(self, other: "Shapes") -> list[int]:
        """Add what another one has counted. Returns, for each of its leaves, the leaf here."""
        self.tell_apart(other.told_apart)
        leaves = other.leaves()
        here = dict(zip(leaves, self.restore(leaves.values()), strict=True))
        return [here[other.resolve(leaf)] for leaf in range(len(other._into))]

    def restore(self, leaves: Iterable[Leaf]) -> list[int]:
        """Count leaves that were read elsewhere, and return their numbers here."""
        numbers: list[int] = []
        for leaf in leaves:
            number, words = self._place(leaf)
            numbers.append(number)
            self._count[number] += leaf.lines
            digits = self._digits[number]
            for site, value in leaf.digits.items():
                if site[0] < len(words) and words[site[0]] is not None:
                    digits[site] = value if digits.get(site, b"") in (b"", value) else None
        self._bound()
        self._forget_keys()
        return [self.resolve(number) for number in numbers]

    def _place(self, leaf: Leaf) -> tuple[int, tuple[bytes | None, ...]]:
        """The leaf here of one from elsewhere."""
        if self._trie is not None or None in leaf.words:
            return self._open_trie().insert(leaf.words, leaf.marks)
        words = [word for word in leaf.words if word is not None]
        shape = b"".join(part for pair in zip(words, (*leaf.marks, b""), strict=True) for part in pair)
        return self._leaf(shape), leaf.words

    def _learn(self, keys: list[bytes]) -> None:
        """Find the leaf of keys that are not in the cache, and put them there."""
        for key, shape in zip(keys, to_shapes(keys), strict=True):
            leaf = self._leaf(shape)
            if b"0" not in shape:
                self._cache[key] = leaf
                continue
            sites = _sites(key, shape, self._path)
            digits = self._digits[leaf]
            for _, _, site in sites:
                digits.setdefault(site, b"")
            self._cache[key] = ~len(self._soft)
            self._soft.append(_SoftKey(leaf, digits, sites))
        self._cache_size += sum(map(len, keys))
        self._bound()

    def _leaf(self, shape: bytes) -> int:
        """The leaf of a shape; ``_path`` gets the words that led to it."""
        if self._trie is None:
            leaf = self._exact.get(shape)
            if leaf is None:
                leaf = self._exact[shape] = self._new_leaf()
                self._size += len(shape)
            if len(self._exact) <= self.limits.shapes and self._size <= self.limits.size:
                self._path = None
                return leaf
        leaf, self._path = self._open_trie().insert(*split_shape(shape))
        return leaf

    def _new_leaf(self) -> int:
        self._into.append(len(self._into))
        self._count.append(0)
        self._digits.append({})
        self._alive += 1
        return len(self._into) - 1

    def _open_trie(self) -> Trie:
        """Move all shapes into the trie."""
        if self._trie is None:
            self._moved = True
            self._trie = Trie(self.limits.words, self._new_leaf, self._unite)
            for shape, old in self._exact.items():
                leaf, words = self._trie.insert(*split_shape(shape))
                self._into[old] = leaf
                self._join_digits(
                    leaf, {s: v for s, v in self._digits[old].items() if words[s[0]] is not None}
                )
                self._digits[old] = self._digits[leaf]
            self._alive -= len(self._exact)
            self._exact.clear()
        return self._trie

    def _unite(self, leaf: int, other: int, word: int) -> None:
        """Make ``other`` part of ``leaf``, whose word at this place is a variable now."""
        self._moved = True
        leaf, other = self.resolve(leaf), self.resolve(other)
        if leaf != other:
            self._into[other] = leaf
            self._alive -= 1
            self._join_digits(leaf, self._digits[other])
            self._digits[other] = self._digits[leaf]
        digits = self._digits[leaf]
        for site in [site for site in digits if site[0] == word]:
            del digits[site]

    def _join_digits(self, leaf: int, more: Digits) -> None:
        digits = self._digits[leaf]
        for site, value in more.items():
            known = digits.get(site, b"")
            digits[site] = known if value in (b"", known) else value if known == b"" else None

    def _bound(self) -> None:
        """The last resort against a log of nothing but random words: tell fewer words apart."""
        trie = self._trie
        while trie is not None and trie.words > 1 and self._alive > 2 * self.limits.shapes:
            trie.coarsen(max(1, trie.words // 4))

    def _compare_digits(self, block: bytes, keys: list[bytes], lengths: list[int], leaves: list[int]) -> None:
        """Look at the digits of every line whose shape has some; ``leaves`` gets their true leaves."""
        ends = list(accumulate(lengths))
        for line in [line for line, leaf in enumerate(leaves) if leaf < 0]:
            soft = self._soft[~leaves[line]]
            leaves[line] = soft.leaf
            digits = self._digits[self.resolve(soft.leaf)] if self._moved else soft.digits
            start, undecided = ends[line] - lengths[line] + line, False
            for begin, end, site in soft.sites:
                known = digits.get(site)
                if known is None:
                    continue
                undecided = True
                value = block[start + begin : start + end]
                if known != value:
                    digits[site] = None if known else value
            if not undecided:
                self._cache[keys[line]] = soft.leaf

    def _forget_keys(self) -> None:
        self._cache.clear()
        self._soft.clear()
        self._cache_size = 0

    def _paths(self) -> Iterator[tuple[tuple[bytes | None, ...], tuple[bytes, ...], int]]:
        if self._trie is not None:
            yield from self._trie.leaves()
        for shape, leaf in self._exact.items():
            yield (*split_shape(shape), leaf)


def _sites(key: bytes, shape: bytes, path: tuple[bytes | None, ...] | None) -> list[tuple[int, int, Site]]:
    """Where in the key the digits stand that are left in the shape and not part of a variable of the path."""
    spans = iter(soft_digits(key))
    found: list[tuple[int, int, Site]] = []
    for number, word in enumerate(split_shape(shape)[0]):
        for nth in range(word.count(b"0")):
            span = next(spans, None)
            if span is not None and (path is None or (number < len(path) and path[number] is not None)):
                found.append((*span, (number, nth)))
    return found


def _places_of_none(leaves: list[int]) -> list[int]:
    """Where None stands in the list; quick if that is hardly anywhere."""
    places: list[int] = []
    at = -1
    none = cast("int", None)
    try:
        while True:
            at = leaves.index(none, at + 1)
            places.append(at)
    except ValueError:
        return places


def _may_be_long(block: bytes) -> bool:
    """Whether some line may be longer than we look: there is a stretch of half that without a newline."""
    half = LONGEST // 2
    return any(block.find(b"\n", at, at + half) < 0 for at in range(0, len(block) - half, half))
