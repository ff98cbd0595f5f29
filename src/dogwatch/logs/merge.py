"""Shapes to templates: which words that differ between similar shapes are values, and which are text.

Only shapes are looked at here, a few hundred to a few thousand of them, so that care costs little:

1. Shapes that are equal but for one place are a *family*; what stands in that place is judged by how many
   different words there are, whether they look like names, and what stands around them (``place``).
2. Shapes that differ in several places, in each of which stands an unlikely word, are one message.
3. Lists of values of different length and empty brackets are the same as full ones.
4. What was learned (after ``user`` stands a name) is applied to the shapes that have no relatives.

All of it is a function of the set of shapes; ties are broken by the text itself.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from dogwatch.logs.place import (
    NAME_CUES,
    Place,
    Tokens,
    V,
    before,
    is_variable,
    is_word,
    letters,
    with_one_unit_less,
    without_units,
)
from dogwatch.logs.words import ACCOUNTS, outcome_of, weight

_MARK = r" ,;:=()\[\]{}<>\"'|"
_TOKENS = re.compile(rf" +|\.{{2,}}|[{_MARK[1:]}]|[^{_MARK}.]*(?:\.[^{_MARK}.]+)+|[^{_MARK}.]+|\.")
"""Blanks, dots of a leader, marks, words with dots in them but not at their end, words."""
_MOST_TOKENS = 200
_LIST = re.compile(r"\0(?:,? ?\0)+")
_MOST_NAMES = 8
_FEWEST_RELATIVES = 4
_SURE_RELATIVES = 12
_FIRST_PLACE = 12
_MOST_NAME_SETS = 40


_QUOTED = re.compile(r"""("[^"]{1,100}"|(?<![A-Za-z0-9\0])'[^']{1,100}'(?![A-Za-z0-9\0]))""")


def tokens(text: str) -> Tokens:
    """Words, marks and blanks; joined they are the text again. A quotation without variables is one word."""
    if text.count('"') % 2 or ("'" not in text and '"' not in text):
        found: list[str] = _TOKENS.findall(text)
    else:
        found = []
        for part in _QUOTED.split(text):
            if V not in part and len(part) > 2 and part[0] in "\"'" and part[0] == part[-1]:
                found += (part[0], part[1:-1], part[0])
            else:
                found += _TOKENS.findall(part)
    return tuple(found) if len(found) <= _MOST_TOKENS else (*found[:_MOST_TOKENS], V)


class _Merger:
    """Shapes on their way to templates."""

    def __init__(self, shapes: Iterable[str]) -> None:
        self.members: dict[Tokens, list[str]] = {}
        """For each current text the shapes that have become it."""
        self.named: dict[Tokens, frozenset[int]] = {}
        """Per text the places that were found to hold names."""
        self.learned: dict[tuple[str, str], set[str]] = defaultdict(set)
        """Per context, the two tokens before a place, the names that were found to be values there."""
        self.values: dict[str, set[str]] = defaultdict(set)
        """The same per token before a place."""
        for shape in shapes:
            self.members.setdefault(tokens(shape), []).append(shape)

    def unite(self, family: list[Tokens], text: Tokens, places: Iterable[int]) -> None:
        """Make several texts one, because different names stand in these places."""
        same = [one for one in family if len(one) == len(text)]
        named = frozenset(places).union(*(self.named.get(one, frozenset()) for one in same))
        shapes = [shape for one in family for shape in self.members.pop(one)]
        self.members.setdefault(text, []).extend(shapes)
        self.named[text] = named | self.named.get(text, frozenset())
        for at in places:
            names = {letters(one[at]) for one in family}
            self.learned[before(text, at, 2), before(text, at)] |= names
            self.values[before(text, at)] |= names

    def single_places(self) -> bool:
        """Unite families that differ in one place. Returns whether there was one."""
        seen: dict[int, Tokens] = {}
        families: dict[int, list[Tokens]] = {}
        for text in self.members:
            hashes = [hash(f"{i} {token}") for i, token in enumerate(text)]
            whole = sum(hashes)
            for i, token in enumerate(text):
                if is_word(token):
                    key = (whole - hashes[i]) * _MOST_TOKENS + i
                    first = seen.setdefault(key, text)
                    if first is not text:
                        families.setdefault(key, [first]).append(text)
        found = sorted(
            ((key % _MOST_TOKENS, family) for key, family in families.items()),
            key=lambda family: (-len(family[1]), family[0], min(family[1])),
        )
        return sum(self._judge(family, at) for at, family in found) > 0

    def _judge(self, family: list[Tokens], at: int) -> bool:
        around = min(family)
        left, right = around[:at], around[at + 1 :]
        family = sorted(t for t in family if t in self.members and t[:at] == left and t[at + 1 :] == right)
        if len(family) < 2:
            return False
        proven = any(text[at] == V and at in self.named.get(text, ()) for text in family)
        place = Place(around, at, [text[at] for text in family], proven)
        shorter = without_units(place)
        if shorter is not None:
            self.unite(family, shorter, ())
            return True
        kept = set(place.without_outcomes())
        if len(kept) < len(family):
            family = [text for text in family if text[at] in kept]
            place = Place(around, at, [text[at] for text in family], proven)
        if len(family) < 2 or not is_variable(place):
            return False
        self.unite(family, (*around[:at], V, *around[at + 1 :]), (at,))
        return True

    def several_places(self) -> bool:
        """Unite families that differ in several places, all of which hold names.

        Returns whether there was one.
        """
        families: dict[tuple[int, tuple[int, ...]], list[Tokens]] = defaultdict(list)
        for text in self.members:
            names = [
                i
                for i, token in enumerate(text)
                if is_word(token) and token != V and (weight(token) or text[i - 1] == "=")
            ]
            if not 2 <= len(names) <= _MOST_NAMES:
                continue
            whole = sum(hash(f"{i} {token}") for i, token in enumerate(text)) + len(text)
            opening = {i: hash(f"{i} {text[i]}") for i in names}
            for a, b in combinations(names, 2):
                families[whole - opening[a] - opening[b], (a, b)].append(text)
            if len(names) > 2:
                families[whole - sum(opening.values()), tuple(names)].append(text)
        found = sorted(
            (
                (_opened(family[0], places), places, family)
                for (_, places), family in families.items()
                if len(family) >= _FEWEST_RELATIVES
            ),
            key=lambda family: (-len(family[2]), family[0], family[1]),
        )
        return sum(self._judge_several(*family) for family in found) > 0

    def _judge_several(self, around: Tokens, places: tuple[int, ...], family: list[Tokens]) -> bool:
        family = sorted(text for text in family if text in self.members and _opened(text, places) == around)
        if len(family) < _FEWEST_RELATIVES:
            return False
        places = tuple(i for i in places if len({text[i] for text in family}) > 1)
        if len(places) < 2:
            return False
        around = _opened(family[0], places)  # words that look unlikely but are always the same are text
        place = Place(around, places[0], [])
        if place.fixed < len(places) or (place.first and len(family) < _FIRST_PLACE):
            return False
        enough = max(3, len(family) // 2)
        if any(len({text[i] for text in family}) < enough for i in places):
            return False
        self.unite(family, around, places)
        return True

    def absorb(self) -> bool:
        """Unite with a template what differs from it in places of names only. True if something did."""
        by_length: dict[int, dict[tuple[int, ...], list[Tokens]]] = defaultdict(lambda: defaultdict(list))
        for text, named in self.named.items():
            if named and len(self.members.get(text, ())) >= _FEWEST_RELATIVES:
                by_length[len(text)][tuple(sorted(named))].append(text)
        same_length: dict[int, list[Tokens]] = defaultdict(list)
        for text in self.members:
            same_length[len(text)].append(text)
        changed = False
        for length, by_places in sorted(by_length.items()):
            likeliest = sorted(by_places.items(), key=lambda item: (-len(item[1]), item[0]))[:_MOST_NAME_SETS]
            for places, templates in likeliest:
                changed |= self._absorb(places, set(templates), same_length[length])
        return changed

    def _absorb(self, places: tuple[int, ...], templates: set[Tokens], candidates: list[Tokens]) -> bool:
        found: dict[Tokens, list[Tokens]] = defaultdict(list)
        for text in candidates:
            if any(text[i] != V for i in places) and all(is_word(text[i]) for i in places):
                opened = _opened(text, places)
                if opened in templates:
                    found[opened].append(text)
        changed = False
        for template, texts in sorted(found.items()):
            texts = [t for t in texts if t in self.members and not any(outcome_of(t[i]) for i in places)]
            if not texts or template not in self.members:
                continue
            fixed = Place(template, places[0], []).fixed
            if fixed >= 2 or (fixed and len(self.members[template]) >= _SURE_RELATIVES):
                self.unite([template, *texts], template, places)
                changed = True
        return changed

    def lists(self) -> bool:
        """Lists of values that differ in length are one list; an empty bracket is a value that is missing.

        Returns whether there was one.
        """
        changed = False
        by_list: dict[str, list[Tokens]] = defaultdict(list)
        for text in self.members:
            by_list[_LIST.sub(V, "".join(text).replace("()", f"({V})"))].append(text)
        for short, family in sorted(by_list.items()):
            lengths = {"".join(text).count(V) for text in family}
            gap = any("()" in "".join(text) for text in family)
            if len(family) > 1 and (len(lengths) > 2 or gap or max(lengths) > 6):
                self.unite(family, tokens(short), ())
                changed = True
        return changed

    def units(self) -> bool:
        """A number that has a unit in some texts and none in others is the same number (05:10, 3 sec).

        Returns whether there was one.
        """
        changed = False
        for text in sorted(self.members):
            short = next((one for one in with_one_unit_less(text) if one in self.members), None)
            if short is not None:
                self.unite([short, text], short, ())
                changed = True
        return changed

    def strays(self) -> bool:
        """Apply what was learned to texts without relatives. Returns whether there was one."""
        changed = False
        for text in sorted(self.members):
            places: list[int] = []
            near = far = ""
            for i, token in enumerate(text):
                if token[0] == " ":
                    continue
                if (near in self.values or near.lower() in NAME_CUES) and self._is_known(text, i, near, far):
                    places.append(i)
                near, far = token, near
            if places:
                self.unite([text], _opened(text, tuple(places)), places)
                changed = True
        return changed

    def _is_known(self, text: Tokens, at: int, near: str, far: str) -> bool:
        """Whether a word after these two was found to be a name elsewhere, or looks like one."""
        word = letters(text[at])
        if near == V or not is_word(word):
            return False
        known = self.learned.get((far, near), set[str]())
        unlikely_text = weight(word) or word.lower() in ACCOUNTS
        if word in known or (unlikely_text and is_word(near) and word in self.values.get(near, set[str]())):
            return True
        if weight(word) and len(known) >= _FEWEST_RELATIVES and is_word(far) and far != V:
            return True
        called = at + 1 < len(text) and text[at + 1] == "("
        is_name = weight(word) or word.lower() == "root"
        return bool(is_name) and near.lower() in NAME_CUES and text[at - 1] == " " and not called


def _opened(text: Tokens, places: tuple[int, ...]) -> Tokens:
    """A text with a variable in these places."""
    opened = list(text)
    for i in places:
        opened[i] = V
    return tuple(opened)


def templates(shapes: Iterable[str]) -> dict[str, str]:
    """For each shape the text of its template, with ``\\0`` for a variable."""
    merger = _Merger(sorted(shapes))
    while merger.single_places() or merger.several_places() or merger.absorb():
        pass
    changed = merger.lists() | merger.units()
    if merger.strays() or changed:
        while merger.single_places():
            pass
    return {
        shape: _JOINED.sub(V, "".join(text)) for text, members in merger.members.items() for shape in members
    }


_FIXED_NUMBER = re.compile(r"(?i)(?:sha|utf|base|u?int|float|aes|rsa|crc|rfc|amd|arm|i|x|win|cp|iso)\d+")
_NUMBERED_NAME = re.compile(r"[A-Za-z]+\d{3,}")
_JOINED = re.compile(r"\0(?:[.:/#@_]?\0)+")


def spell(
    words: Sequence[bytes | None], marks: Iterable[bytes], digits: Mapping[tuple[int, int], bytes | None]
) -> str:
    """The text of a shape, with the digits that all its lines share."""
    spelled: list[str] = []
    for number, (word, mark) in enumerate(zip(words, (*marks, b""), strict=True)):
        spelled.append(V if word is None else _spell_word(word.decode("utf-8", "replace"), number, digits))
        spelled.append(mark.decode())
    return _JOINED.sub(V, "".join(spelled))


def _spell_word(word: str, number: int, digits: Mapping[tuple[int, int], bytes | None]) -> str:
    if "0" not in word:
        return word
    parts = word.split("0")
    text = parts[0]
    for nth, part in enumerate(parts[1:]):
        value = digits.get((number, nth))
        text += (value.decode() if value else V) + part
    # a word that ends in many digits (storage442) is one of many, though we saw only one
    several = _NUMBERED_NAME.fullmatch(text) and not _FIXED_NUMBER.fullmatch(text)
    return f"{text.rstrip('0123456789')}{V}" if several else text
