"""Shapes to templates: which words that differ between similar shapes are values, and which are text.

Only shapes are looked at here, a few hundred to a few thousand of them, so that care costs little:

1. Shapes that are equal but for one place are a *family*; what stands in that place is judged by how many
   different words there are, whether they are English, and what stands before them.
2. Shapes that differ in several places, in each of which stands an unlikely word, are one message.
3. Lists of values of different length and empty brackets are the same as full ones.
4. What was learned (after ``user`` stands a name) is applied to the shapes that have no relatives.

All of it is a function of the set of shapes; ties are broken by the text itself.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dogwatch.logs.words import ACCOUNTS, BAD, GOOD, LEVELS, is_english

V = "\0"
"""A variable in a text."""

_TOKENS = re.compile(r" +|\.{2,}|[,;:=()\[\]{}<>\"'|]|[^ ,;:=()\[\]{}<>\"'|.]+(?:\.(?!\.)[^ ,;:=()\[\]{}<>\"'|.]*)*|\.")
_NAMELESS = re.compile(r"[^0-9A-Za-z\0\x80-\U0010ffff]*")
_MOST_TOKENS = 200

Tokens = tuple[str, ...]

_CUES = frozenset(
    """
user username users account accounts host hostname domain node device file filename table database schema topic queue bucket
job task dag pod container service process program module class method function package plugin key named called
instance cluster namespace partition region zone group role member rule command property parameter option field column
application app image volume disk network daemon
""".split()
)
_NAME_CUES = frozenset("user username account host hostname ruser login".split())


def tokens(text: str) -> Tokens:
    """Words, marks and blanks; joined they are the text again."""
    return tuple(_TOKENS.findall(text)[:_MOST_TOKENS])


def is_word(token: str) -> bool:
    """Whether something could be a name here: not a blank, a mark or dashes."""
    return not _NAMELESS.fullmatch(token)


def letters(token: str) -> str:
    """A token without its variables."""
    return token.replace(V, "")


@dataclass(frozen=True, slots=True)
class _Place:
    """One place of a family of shapes: what stands around it and what stands in it."""

    around: Tokens
    at: int
    values: list[str]

    def before(self, steps: int = 1) -> str:
        """The nearest token before it that is no blank."""
        return _before(self.around, self.at, steps)

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


def _before(around: Tokens, at: int, steps: int = 1) -> str:
    for i in range(at - 1, -1, -1):
        if around[i][0] != " ":
            steps -= 1
            if not steps:
                return around[i]
    return ""


def is_variable(place: _Place) -> bool:
    """Whether the different words in a place are values."""
    words = [word for word in map(letters, place.values) if is_word(word)]
    bare = len(words) < len(place.values)
    lower = {word.lower() for word in words}
    if len(lower & LEVELS) > 1 or (lower & GOOD and lower & BAD):
        return False
    names = [word for word in words if not is_english(word)]
    before = place.before().lower()
    if before == "=":
        return True
    if place.first:
        return place.fixed >= 2 and (len(names) >= 12 or (bare and len(names) == len(words)))
    if not words:
        return True
    if bare:
        return place.fixed >= 1 and 2 * len(names) >= len(words)
    if all(word.isupper() for word in words):
        return len(words) >= 8 and place.fixed >= 1
    if before in _NAME_CUES:
        likely = sum(1 for word in words if word.lower() in ACCOUNTS or not is_english(word))
        return place.fixed >= 1 and likely >= 2 and 2 * likely >= len(words)
    if before in _CUES:
        return place.fixed >= 1 and len(names) >= 2 and 2 * len(names) >= len(words)
    if place.fixed >= 2 and len(names) >= 4 and 2 * len(names) >= len(words):
        return True
    return len(words) >= 12 and place.fixed >= 2


class _Merger:
    """Shapes on their way to templates: for each current text the shapes that have become it."""

    def __init__(self, shapes: Iterable[str]) -> None:
        self.members: dict[Tokens, list[str]] = {}
        for shape in shapes:
            self.members.setdefault(tokens(shape), []).append(shape)
        self.learned: dict[tuple[str, str], set[str]] = defaultdict(set)
        """Per context, the two tokens before a place, the names that were found to be values there."""

    def replace(self, old: Iterable[Tokens], new: Tokens) -> None:
        """Make several texts one."""
        shapes = [shape for one in old for shape in self.members.pop(one)]
        self.members.setdefault(new, []).extend(shapes)

    def single_places(self) -> bool:
        """Unite families that differ in one place. Returns whether any was found."""
        families: dict[tuple[int, int, int], list[Tokens]] = defaultdict(list)
        for text in self.members:
            hashes = [hash((i, token)) for i, token in enumerate(text)]
            whole = sum(hashes)
            for i, token in enumerate(text):
                if is_word(token):
                    families[whole - hashes[i], i, len(text)].append(text)
        found = sorted(
            (family for family in families.items() if len(family[1]) > 1),
            key=lambda family: (-len(family[1]), family[0][1], min(family[1])),
        )
        changed = False
        for (_, at, _), family in found:
            family = [text for text in family if text in self.members]
            if len(family) < 2:
                continue
            around = family[0]
            place = _Place(around, at, sorted(text[at] for text in family))
            if not is_variable(place):
                continue
            self.learned[place.before(2), place.before()].update(letters(value) for value in place.values)
            self.replace(family, (*around[:at], V, *around[at + 1 :]))
            changed = True
        return changed

    def several_places(self) -> bool:
        """Unite families that differ in two or more places, all of which hold unlikely words."""
        families: dict[Tokens, list[Tokens]] = defaultdict(list)
        for text in self.members:
            names = [i for i, token in enumerate(text) if is_word(token) and V not in token and not is_english(token)]
            if not 2 <= len(names) <= 8:
                continue
            pairs = [(a, b) for k, a in enumerate(names) for b in names[k + 1 :]]
            for open_places in [*pairs, tuple(names)] if len(names) > 2 else [tuple(names)]:
                families[tuple(V if i in open_places else t for i, t in enumerate(text)) + tuple(map(str, open_places))].append(text)
        found = sorted((f for f in families.items() if len(f[1]) > 3), key=lambda f: (-len(f[1]), f[0]))
        changed = False
        for key, family in found:
            family = [text for text in family if text in self.members]
            if len(family) < 4:
                continue
            open_places = [int(i) for i in key[len(family[0]) :]]
            around = key[: len(family[0])]
            fixed = sum(1 for token in around if is_word(token) and V not in token)
            enough = max(3, len(family) // 2)
            if fixed < len(open_places) or any(len({text[i] for text in family}) < enough for i in open_places):
                continue
            for i in open_places:
                self.learned[_before(around, i, 2), _before(around, i)].update(text[i] for text in family)
            self.replace(family, around)
            changed = True
        return changed

    def lists(self) -> None:
        """Lists of values that differ in length are one list; an empty bracket is a value that is missing."""
        by_list: dict[str, list[Tokens]] = defaultdict(list)
        for text in self.members:
            by_list[_LIST.sub(V, "".join(text).replace("()", f"({V})"))].append(text)
        for short, family in sorted(by_list.items()):
            lengths = {"".join(text).count(V) for text in family}
            if len(family) > 1 and (len(lengths) > 2 or any("()" in "".join(text) for text in family) or max(lengths) > 6):
                self.replace(family, tokens(short))

    def strays(self) -> None:
        """Apply what was learned to texts without relatives."""
        for text in sorted(self.members):
            new = list(text)
            for i, token in enumerate(text):
                if is_word(token) and self._is_known_value(text, i, token):
                    new[i] = V
            if new != list(text):
                self.replace([text], tuple(new))

    def _is_known_value(self, text: Tokens, at: int, token: str) -> bool:
        word = letters(token)
        if not is_word(word):
            return False
        before, earlier = _before(text, at), _before(text, at, 2)
        if not before or before == V:
            return False
        known = self.learned.get((earlier, before))
        if known is not None and (word in known or not is_english(word)):
            return True
        if before.lower() in _NAME_CUES and text[at - 1] == " ":
            return not is_english(word) or word.lower() == "root"
        return False


_LIST = re.compile(r"\0(?:,? ?\0)+")


def templates(shapes: Iterable[str]) -> dict[str, str]:
    """For each shape the text of its template, with ``\\0`` for a variable."""
    merger = _Merger(sorted(shapes))
    while merger.single_places() or merger.several_places():
        pass
    merger.lists()
    merger.strays()
    while merger.single_places():
        pass
    return {shape: "".join(text) for text, members in merger.members.items() for shape in members}


_FIXED_NUMBER = re.compile(r"(?i)(?:sha|utf|base|u?int|float|aes|rsa|crc|rfc|amd|arm|i|x|win|cp|iso)\d+")


def spell(words: Iterable[bytes | None], digits: Mapping[tuple[int, int], bytes | None]) -> str:
    """The text of a shape, with the digits that all its lines share."""
    spelled: list[str] = []
    for number, word in enumerate(words):
        if word is None:
            spelled.append(V)
            continue
        parts = word.decode("utf-8", "replace").split("0")
        text = parts[0]
        for nth, part in enumerate(parts[1:]):
            value = digits.get((number, nth))
            text += (value.decode() if value else V) + part
        spelled.append(V if _is_numbered_name(text) else text)
    return " ".join(spelled)


def _is_numbered_name(text: str) -> bool:
    """Whether a word ends in so many digits that it is one of many (storage442), though we saw only one."""
    return re.fullmatch(r"[A-Za-z]+\d{3,}", text) is not None and _FIXED_NUMBER.fullmatch(text) is None
