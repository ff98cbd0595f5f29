"""Which of the twelve classes of cause an error text names, and the words that decided it.

Rules alone: the phrases of ``causes/catalogue`` and the codes of ``causes.codes``. Three principles decide
between several that match:

1. A stronger statement beats a weaker one ("quota exceeded" says more than "403 Forbidden").
2. The innermost cause counts one step stronger than what wraps it.
3. Of equals, the longer phrase knows more; then the later one, because wrapping goes from left to right.

A phrase inside a longer phrase does not count by itself: "lock wait timeout" is no timeout. But where a
phrase with a gap closes with the words of another that names their subject, the other one is meant: of
"configuration … JWT token is invalid" it is the token that is invalid.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dogwatch.causes.codes import find_codes
from dogwatch.causes.phrases import Phrase, Span, find_all
from dogwatch.causes.text import Piece, as_said, pieces
from dogwatch.model.cause_class import CauseClass

_MAX_PHRASE = 300
_SUBJECT = 6
"""Letters that name a subject; fewer are an auxiliary verb."""
_CODE_WEIGHT = 8
"""A code counts as a phrase of so many letters: less than a sentence, more than a word."""


@dataclass(frozen=True)
class Classification:
    """What an error text says about its cause."""

    cause_class: CauseClass | None
    """None if nothing in the text is known: an honest "cannot tell"."""
    phrase: str
    """The words of the text that decided it, as they were said; empty if nothing did."""
    strength: int
    """What these words are worth: 4 name one cause exactly, 3 in practice, 2 often wrap another, 1 hint."""
    rule: str
    """Which entry of the catalogue matched, for people."""


@dataclass(frozen=True)
class _Hit:
    cause_class: CauseClass
    strength: int
    rule: str
    phrase: str
    weight: int
    start: int
    end: int
    tail: int = 0
    """Letters behind the last gap; 0 if it has none."""


UNKNOWN = Classification(None, "", 0, "")


def classify(text: str, platform: str = "") -> Classification:
    """Classify an error text said by ``platform`` (empty if unknown). Bounded work; raises for no text."""
    parts = pieces(text)
    deepest = max((part.depth for part in parts), default=0)
    best: tuple[int, int, int, int] | None = None
    chosen = UNKNOWN
    for at, part in enumerate(parts):
        bonus = 1 if part.depth == deepest > 0 else 0
        for hit in filter(lambda one: one.strength, _hits(part, platform)):
            key = (hit.strength + bonus, hit.weight, at, hit.start)
            if best is None or key > best:
                best = key
                chosen = Classification(hit.cause_class, hit.phrase[:_MAX_PHRASE], hit.strength, hit.rule)
    return chosen


def _hits(part: Piece, platform: str) -> Iterator[_Hit]:
    for form in part.forms:
        found = find_all(form, platform)
        yield from _outermost([_phrase_hit(part, form, entry, span) for entry, span in found])
    for code in find_codes(part.raw):
        said = part.raw[code.start : code.end].strip()
        yield _Hit(code.cause_class, code.strength, code.rule, said, _CODE_WEIGHT, -1, -1)


def _phrase_hit(part: Piece, form: str, entry: Phrase, span: Span) -> _Hit:
    said = as_said(part.raw, form, span.start, span.end)
    tail = len(entry.parts[-1]) if len(entry.parts) > 1 else 0
    return _Hit(entry.cause_class, entry.strength, entry.rule, said, entry.weight, span.start, span.end, tail)


def _outermost(hits: list[_Hit]) -> Iterator[_Hit]:
    """Without the phrases that lie inside a longer one, and without those that borrow another's end."""
    hits = [hit for hit in hits if not (hit.tail and any(_owns_the_end(one, hit) for one in hits))]
    spans = sorted({(hit.start, hit.end) for hit in hits if hit.start >= 0}, key=lambda s: (s[0], -s[1]))
    inside, reach, reach_start = set[tuple[int, int]](), -1, -1
    for start, end in spans:
        if end <= reach and (start, end) != (reach_start, reach):
            inside.add((start, end))
        else:
            reach, reach_start = end, start
    return (hit for hit in hits if (hit.start, hit.end) not in inside)


def _owns_the_end(one: _Hit, other: _Hit) -> bool:
    """Whether ``other`` closes, behind a gap, with words that belong to ``one``, which says no less."""
    return (
        not one.tail
        and one.end == other.end
        and other.start < one.start <= other.end - other.tail - _SUBJECT
        and one.strength >= other.strength
    )
