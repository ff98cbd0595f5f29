"""How sure the evidence makes us, and what may be claimed at all. Computed, whoever makes the claim."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from dogwatch.causes.testimony import OWN_CHANGE
from dogwatch.model import Cause, Confidence, Evidence, EvidenceKind, Finding

_NAMES_IT = 3
"""Strength from which on words name one cause in practice."""
_SEVERAL_KINDS = 2


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a claim rests on."""

    strength: int
    """Of the words that decided the class; 0 if there are none."""
    recorded: bool
    """The class follows from what the platform recorded, without words."""
    changed: bool
    """Something was changed just before."""
    kinds: frozenset[EvidenceKind]
    rivalled: bool
    """Somebody else is more suspect."""


def confidence(grounds: Grounds, findings: Sequence[Finding]) -> Confidence:
    """Confirmed: the platform's own words or record name the cause, or independent kinds of evidence agree.
    Likely: words that often wrap another cause, or a change just before. Inconclusive: all else."""
    if grounds.rivalled:
        return Confidence.inconclusive
    if grounds.strength >= _NAMES_IT:
        return Confidence.confirmed
    if grounds.recorded:
        known = any(finding.rule in OWN_CHANGE for finding in findings)
        return Confidence.confirmed if known else Confidence.likely
    independent = grounds.kinds - {EvidenceKind.runbook, EvidenceKind.lineage}
    if grounds.strength and len(independent) >= _SEVERAL_KINDS:
        return Confidence.confirmed
    return Confidence.likely if grounds.strength > 1 or grounds.changed else Confidence.inconclusive


def grounded(causes: Iterable[Cause], evidence: Mapping[str, Evidence]) -> tuple[Cause, ...]:
    """The causes that something supports, each with those citations alone that resolve.

    A claim stays only if one of its citations is about its subject, and if the words that it says decided
    stand in what it cites. ``evidence`` is by id, and an entry under another id than its own does not count.
    """
    kept: list[Cause] = []
    for cause in causes:
        cites = tuple(id_ for id_ in cause.cites if id_ in evidence and evidence[id_].id == id_)
        proofs = [evidence[id_] for id_ in cites]
        if any(_is_about(proof, cause.subject) for proof in proofs) and _said(cause.phrase, proofs):
            kept.append(cause if cites == cause.cites else cause.model_copy(update={"cites": cites}))
    return tuple(kept)


def _is_about(proof: Evidence, subject: str) -> bool:
    """Whether evidence is about a subject: its own, that of one of a platform's jobs, or one it touches."""
    touched = proof.content.get("touches")
    return (
        proof.subject == subject
        or proof.subject.startswith(f"{subject}/")
        or (isinstance(touched, (list, tuple)) and subject in touched)
    )


def _said(phrase: str, proofs: Iterable[Evidence]) -> bool:
    wanted = _letters(phrase)
    return not wanted or any(wanted in _letters(text) for proof in proofs for text in _strings(proof.content))


def _letters(text: str) -> str:
    """Letters and digits alone: quotes, blanks and underscores are unified before words are looked for."""
    return "".join(filter(str.isalnum, text)).casefold()


def _strings(value: JsonValue | Mapping[str, JsonValue]) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)
