"""One place in a family of shapes that are equal elsewhere: do values stand there, or different messages?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from dogwatch.logs.words import ACCOUNTS, LEVELS, SIZE_UNITS, TIME_UNITS, outcome_of, weight, word_set

V = "\0"
"""A variable in a text."""

Tokens = tuple[str, ...]
"""A text as words, marks and blanks."""

NAME_CUES = word_set(
    """
    user username account host hostname ruser
    """
)
"""Words that a name follows."""

_CUES = word_set(
    """
    users accounts domain node device file filename table database schema topic queue bucket job task
    dag pod container service process program module class method function package plugin key named
    called instance cluster namespace partition region zone group role member rule command property
    parameter option field column application app image volume disk network daemon interface server
    driver backend tenant model endpoint selector
    """
)
"""Words that the name of a thing may follow."""

_UNITS = SIZE_UNITS | TIME_UNITS
_NAMELESS = re.compile(r"[^0-9A-Za-z\0\x80-\U0010ffff]*")
_MANY = 12
_MANY_CAPITALS = 8
_SEVERAL = 5
_ENUMERATOR = re.compile(r"(?:[a-z]\w*+\.)*+[A-Z][A-Z._'/-]*+")
"""WARNING, NOT_READY, some.package.NOT_READY: a kind or a state, of which a program has few."""
_NUMBERED = re.compile(r"[A-Za-z]+\0")


@lru_cache(maxsize=100_000)
def is_word(token: str) -> bool:
    """Whether something could be a name here: not a blank, a mark or dashes."""
    return not _NAMELESS.fullmatch(token)


def letters(token: str) -> str:
    """A token without its variables."""
    return token.replace(V, "")


def before(text: Tokens, at: int, steps: int = 1) -> str:
    """The nearest token before a place that is no blank, or the one before that; empty if there is none."""
    for i in range(at - 1, -1, -1):
        if text[i][0] != " ":
            steps -= 1
            if not steps:
                return text[i]
    return ""


@dataclass(frozen=True, slots=True)
class Place:
    """What stands around a place and what stands in it."""

    around: Tokens
    at: int
    values: list[str]
    proven: bool = False
    """Whether names were found in this place before."""

    @property
    def fixed(self) -> int:
        """How many words of text are around it."""
        return sum(
            1 for i, token in enumerate(self.around) if i != self.at and is_word(token) and V not in token
        )

    @property
    def first(self) -> bool:
        """Whether it is the first word."""
        return not any(is_word(token) for token in self.around[: self.at])

    @property
    def told(self) -> bool:
        """Whether it is all that comes after a colon."""
        colon = before(self.around, self.at) == ":"
        after = self.around[self.at + 1 :]
        return colon and not outcome_of(before(self.around, self.at, 2)) and not any(map(is_word, after))

    @property
    def quoted(self) -> bool:
        """Whether it is all that stands between two quotes."""
        i = self.at
        return (
            0 < i < len(self.around) - 1
            and self.around[i - 1] == self.around[i + 1]
            and self.around[i - 1] in "\"'"
        )

    def without_outcomes(self) -> list[str]:
        """The values; those that say how it went or how bad it is are left out unless they agree."""
        outcome = {value: outcome_of(value) for value in self.values}
        found = set(outcome.values())
        if len(found & LEVELS) > 1 or {"good", "bad"} <= found:
            return [value for value in self.values if not outcome[value]]
        return self.values


def without_units(place: Place) -> Tokens | None:
    """If a place holds different units of the number before it: the text without any such unit; else None."""
    words = set(place.values)
    for units in (SIZE_UNITS, TIME_UNITS):
        if words <= units and _is_unit(place.around, place.at, units):
            text = (*place.around[: place.at - 1], *place.around[place.at + 1 :])
            short = frozenset(unit for unit in units if len(unit) < 4)
            return tuple(
                token
                for i, token in enumerate(text)
                if not (_is_unit(text, i, short) or _is_unit(text, i + 1, short))
            )
    return None


def with_one_unit_less(text: Tokens) -> Iterator[Tokens]:
    """A text without one of the units of time and size behind its variables, for each of them."""
    for at in range(2, len(text)):
        if _is_unit(text, at, _UNITS):
            yield (*text[: at - 1], *text[at + 1 :])


def _is_unit(text: Tokens, at: int, units: frozenset[str]) -> bool:
    return 1 < at < len(text) and text[at] in units and text[at - 1] == " " and text[at - 2].endswith(V)


def is_variable(place: Place) -> bool:
    """Whether the different words in a place are values."""
    words = [value for value in place.values if value != V]
    bare = len(words) < len(place.values)
    weights = [weight(word) for word in words]
    likely = sum(weights)
    near = before(place.around, place.at).lower()
    if near == "=":
        return True
    if words and all(_NUMBERED.fullmatch(word) for word in words):
        return place.fixed > 0
    if place.first:
        return _first_is_variable(place, weights, bare)
    if not place.fixed:
        return False
    if place.proven or not words:
        return True
    if bare:
        return 2 * likely >= len(words)
    if all(_ENUMERATOR.fullmatch(word) for word in words):
        return len(words) >= _MANY_CAPITALS
    if place.quoted and len(words) > 2:
        return True
    if near in NAME_CUES or near in _CUES or place.quoted:
        likely = sum(1 for word in words if word.lower() in ACCOUNTS or weight(word))
        return likely >= 2 and (len(words) >= _SEVERAL or 2 * likely >= len(words))
    return _enough(place, words, weights)


def _enough(place: Place, words: list[str], weights: list[int]) -> bool:
    """Whether there are enough different words, and enough names among them, if nothing announces names."""
    if place.told and not any(map(outcome_of, words)):
        return any(weights)
    if place.fixed < 2:
        likely = sum(1 for weight in weights if weight)
        return (len(weights) >= _SEVERAL and all(weights)) or (
            len(weights) >= _MANY and 2 * likely >= len(weights)
        )
    if len(weights) >= _MANY or (len(weights) >= _SEVERAL and place.fixed >= 4):
        return True
    if all(weights) and place.fixed >= 3 and (len(weights) > 2 or min(weights) == 2):
        return True
    return len(weights) > 2 and sum(weights) >= 4 and 2 * sum(weights) >= len(weights)


def _first_is_variable(place: Place, weights: list[int], bare: bool) -> bool:
    """The first word is what a message is about: it takes a lot to call it a value."""
    likely = sum(1 for weight in weights if weight)
    if bare and place.fixed:
        several = likely >= _SEVERAL and 2 * likely >= len(weights)
        return several or (place.fixed >= 2 and likely == len(weights))
    if place.fixed >= 3 and likely >= _SEVERAL and 2 * likely >= len(weights):
        return True
    return likely >= (_MANY if place.fixed >= 2 else 2 * _MANY) or (
        place.fixed > 0 and len(weights) >= _SEVERAL and min(weights) == 2
    )
