"""The miner: feed it blocks of lines, add up parts, ask for the templates.

One configuration for every log, no randomness, no model. Parts can be mined anywhere and absorbed later;
the templates are those of the whole.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass

from dogwatch.logs.merge import spell, templates
from dogwatch.logs.place import V
from dogwatch.logs.redact import redact
from dogwatch.logs.shapes import DEFAULT_LIMITS, Limits, Shapes

MARK = "<*>"
"""A variable in the text of a template."""


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of message."""

    id: str
    """First 12 hex digits of the SHA-256 of the text: the same on every machine and in every run."""
    text: str
    """The message with ``<*>`` for every variable, and without secrets."""
    lines: int
    """How many lines it has."""


def template_id(text: str) -> str:
    """The stable id of a template."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Mined:
    """The templates of everything that was fed, most frequent first."""

    templates: list[Template]
    of_leaf: list[int]
    """For each number that ``Miner.feed`` returned, the index of its template."""


class Miner:
    """Mines templates from lines."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.shapes = Shapes(limits)
        self.feed = self.shapes.feed
        """Counts the lines of a block; see ``Shapes.feed``."""

    def absorb(self, other: "Miner") -> list[int]:
        """Add a part that was mined elsewhere. Returns, for each of its leaves, the leaf here."""
        return self.shapes.absorb(other.shapes)

    def mine(self) -> Mined:
        """The templates of all lines so far. Feeding may go on afterwards."""
        leaves = self.shapes.leaves()
        spelled = {number: spell(leaf.words, leaf.marks, leaf.digits) for number, leaf in leaves.items()}
        merged = templates(set(spelled.values()))
        texts = {shape: redact(text.replace(V, MARK)) for shape, text in merged.items()}
        lines = Counter[str]()
        for number, leaf in leaves.items():
            lines[texts[spelled[number]]] += leaf.lines
        found = [
            Template(template_id(text), text, count)
            for text, count in sorted(lines.items(), key=lambda item: (-item[1], item[0]))
        ]
        index = {template.text: i for i, template in enumerate(found)}
        resolved = map(self.shapes.resolve, range(self.shapes.numbered))
        return Mined(found, [index[texts[spelled[leaf]]] for leaf in resolved])
