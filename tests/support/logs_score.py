"""How well found templates agree with true ones: the four measures of the template-mining literature.

The normaliser is our own and small: neighbouring variables are one, and a token that holds a variable or is
a number is one.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

_SPLIT = re.compile(r"([\s,!;:=|\"'\[\](){}.\-+@#$%&])")
_JOIN = re.compile(r"<\*>(?:[.:#/@]?<\*>)+")


@dataclass(frozen=True, slots=True)
class Score:
    """All between 0 and 1."""

    grouping: float
    """Share of lines whose group is exactly a true group."""
    grouping_f1: float
    """F1 over groups."""
    text: float
    """Share of lines with the true template."""
    text_f1: float
    """F1 over templates that are right in text and in lines."""


def normal(template: str) -> str:
    """A template as it is compared."""
    parts = _SPLIT.split(" ".join(template.split()))
    text = "".join("<*>" if p.isdigit() or ("<*>" in p and "/" not in p) else p for p in parts)
    return _JOIN.sub("<*>", text)


def _f1(right: int, found: int, true: int) -> float:
    return 2 * right / (found + true)


def score(truth: list[str], found: list[str]) -> Score:
    """Compare, line by line, the true templates with the found ones."""
    true_groups: dict[str, list[int]] = defaultdict(list)
    groups: dict[str, list[int]] = defaultdict(list)
    for line, (true, text) in enumerate(zip(truth, found, strict=True)):
        true_groups[true].append(line)
        groups[text].append(line)
    exact = {tuple(group) for group in true_groups.values()}
    right = [group for group in groups.values() if tuple(group) in exact]
    spelled: dict[str, list[str]] = defaultdict(list)
    for true, text in set(zip(truth, found, strict=True)):
        spelled[normal(text)].append(normal(true))
    good = sum(set(trues) == {text} for text, trues in spelled.items())
    return Score(
        grouping=sum(map(len, right)) / len(truth),
        grouping_f1=_f1(len(right), len(groups), len(true_groups)),
        text=sum(normal(a) == normal(b) for a, b in zip(truth, found, strict=True)) / len(truth),
        text_f1=_f1(good, len(spelled), len({normal(true) for true in true_groups})),
    )
