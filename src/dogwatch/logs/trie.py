"""Shapes whose words may be values: a prefix tree that gives up telling words apart where there are too many.

The tree is the smallest one that is closed under two rules: a place with more than ``words`` different
children has one child, the variable; and what follows a variable is the union of what followed its words.
Both only ever grow with what was inserted, so the tree depends on the set of shapes and not on their order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dogwatch.logs.mask import VAR

DEEPEST = 64
"""Words of a shape that are told apart; the rest is one variable."""

Words = tuple[bytes | None, ...]
"""The words of a shape; None where the tree has a variable in their place."""

Marks = tuple[bytes, ...]
"""What stands between the words."""


@dataclass(slots=True)
class _Node:
    children: "dict[bytes, _Node]" = field(default_factory=dict[bytes, "_Node"])
    rest: "_Node | None" = None
    """The one child of a place that is a variable; ``children`` is empty then."""
    leaf: int | None = None


class Trie:
    """Leaves by the words that lead to them."""

    def __init__(
        self, words: int, new_leaf: Callable[[], int], unite: Callable[[int, int, int], None]
    ) -> None:
        """``new_leaf`` numbers a leaf; ``unite(a, b, depth)`` makes b part of a and drops the word there.

        ``unite(a, a, depth)`` is called for a leaf that stays but loses that word.
        """
        self.words = words
        self._new_leaf = new_leaf
        self._unite = unite
        self._roots: dict[Marks, _Node] = {}
        """Shapes with different marks share nothing."""

    def insert(self, words: Words, marks: Marks) -> tuple[int, Words]:
        """The leaf of a shape, and the words that led to it. A None among them makes its place a variable."""
        if len(words) > DEEPEST:
            words, marks = (*words[:DEEPEST], VAR), marks[:DEEPEST]
        node = self._roots.get(marks)
        if node is None:
            node = self._roots[marks] = _Node()
        path: list[bytes | None] = []
        for depth, word in enumerate(words):
            if node.rest is None and word is not None:
                child = node.children.get(word)
                if child is None:
                    child = node.children[word] = _Node()
                    if len(node.children) > self.words:
                        child, word = self._open(node, depth), None
                node = child
                path.append(word)
                continue
            node = node.rest or self._open(node, depth)
            path.append(None)
        if node.leaf is None:
            node.leaf = self._new_leaf()
        return node.leaf, tuple(path)

    def leaves(self) -> Iterator[tuple[Words, Marks, int]]:
        """All leaves with the words that lead to them and the marks between them."""
        for marks, root in self._roots.items():
            stack: list[tuple[_Node, Words]] = [(root, ())]
            while stack:
                node, path = stack.pop()
                if node.leaf is not None:
                    yield path, marks, node.leaf
                if node.rest is not None:
                    stack.append((node.rest, (*path, None)))
                for word, child in node.children.items():
                    stack.append((child, (*path, word)))

    def coarsen(self, words: int) -> None:
        """Allow fewer words at a place from now on, everywhere."""
        self.words = words
        for root in self._roots.values():
            stack = [(root, 0)]
            while stack:
                node, depth = stack.pop()
                if len(node.children) > words:
                    self._open(node, depth)
                if node.rest is not None:
                    stack.append((node.rest, depth + 1))
                stack.extend((child, depth + 1) for child in node.children.values())

    def _open(self, node: _Node, depth: int) -> _Node:
        """Make a place a variable: its children become one."""
        united = _Node()
        for child in node.children.values():
            self._merge(united, child, depth + 1, depth)
        node.children = {}
        node.rest = united
        return united

    def _merge(self, into: _Node, other: _Node, depth: int, lost: int) -> None:
        """Add what is below ``other`` to ``into``; the word at depth ``lost`` has become a variable."""
        if other.leaf is not None:
            if into.leaf is None:
                into.leaf = other.leaf
            self._unite(into.leaf, other.leaf, lost)
        if into.rest is None and other.rest is not None:
            self._open(into, depth)
        if into.rest is not None:
            if other.rest is not None:
                self._merge(into.rest, other.rest, depth + 1, lost)
            for child in other.children.values():
                self._merge(into.rest, child, depth + 1, lost)
                # words below a place that was a variable already are lost at that depth too
                self._forget(child, depth)
            return
        for word, child in other.children.items():
            mine = into.children.get(word)
            if mine is None:
                mine = into.children[word] = _Node()
            self._merge(mine, child, depth + 1, lost)
        if len(into.children) > self.words:
            self._open(into, depth)

    def _forget(self, node: _Node, depth: int) -> None:
        """Tell every leaf below that its word at this depth is a variable now."""
        stack = [node]
        while stack:
            at = stack.pop()
            if at.leaf is not None:
                self._unite(at.leaf, at.leaf, depth)
            if at.rest is not None:
                stack.append(at.rest)
            stack.extend(at.children.values())
