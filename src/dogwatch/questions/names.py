"""What a question is about: jobs, pipelines, platforms, components and incidents, found by their names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

_WORD = re.compile(r"[^\W_]+")
_INCIDENT = re.compile(r"\binc[- ]?(\d{1,9})\b", re.IGNORECASE)
_LONGEST = 400
_MOST = 5
_EMPTY = frozenset(
    (resources.files("dogwatch.questions") / "empty.txt").read_text("utf-8").split()
)  # words that name nothing
_RANK = {"incident": 0, "pipeline": 1, "job": 2, "component": 3, "platform": 4}


@dataclass(frozen=True, slots=True)
class Named:
    """Something that a question may be about."""

    kind: str
    """incident, pipeline, job, component or platform."""
    subject: str
    """``<instance>/<job id>``, ``component/<name>``, an instance, a pipeline's name, or INC-7."""
    name: str
    """For people."""
    concern: int = 0
    """2: an incident that is not over began there; 1: it is hit by one."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a question."""

    things: tuple[Named, ...] = ()
    """What is meant, the likeliest first; several only if the name fits all of them equally well."""
    exact: bool = True
    """False if only a part of the name was said."""


def find(question: str, known: Iterable[Named]) -> Found:
    """What of the ``known`` a question names: by its whole name or id, else by words of the name."""
    text = question[:_LONGEST]
    numbered = _INCIDENT.search(text)
    if numbered is not None:
        name = f"INC-{int(numbered[1])}"
        return Found((Named("incident", name, name),))
    said = f" {' '.join(_words(text))} "
    words = set(said.split()) - _EMPTY
    whole: list[tuple[tuple[int, int, int], Named]] = []
    part: list[tuple[tuple[int, int, float, int], Named]] = []
    for thing in known:
        longest = max((_whole(said, text, one) for one in (thing.name, thing.subject, _id(thing))), default=0)
        if longest:
            whole.append(((longest, -_RANK[thing.kind], thing.concern), thing))
            continue
        own = set(_words(thing.name)) - _EMPTY
        shared = len(own & words)
        if shared:
            part.append(((shared, thing.concern, shared / len(own), -_RANK[thing.kind]), thing))
    if whole:
        return Found(_best(whole))
    return Found(_best(part), exact=False) if part else Found()


def _best(ranked: Sequence[tuple[tuple[float, ...], Named]]) -> tuple[Named, ...]:
    top = max(rank for rank, _ in ranked)
    return tuple(thing for rank, thing in ranked if rank == top)[:_MOST]


def _whole(said: str, text: str, name: str) -> int:
    """How many characters of the question the whole name makes up; 0 if it is not there."""
    words = " ".join(_words(name))
    if not words or set(words.split()) <= _EMPTY:
        return 0
    return len(words) if f" {words} " in said or (len(name) > 5 and name.lower() in text.lower()) else 0


def _id(thing: Named) -> str:
    return thing.subject.partition("/")[2] if thing.kind in {"job", "component"} else thing.subject


def _words(text: str) -> list[str]:
    return [word.removesuffix("'s") for word in _WORD.findall(text.lower().replace("'s", " "))]
