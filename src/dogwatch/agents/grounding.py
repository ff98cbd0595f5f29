"""What may stand of what agents say. Every check is code; a model's word decides nothing. No agent framework.

A claim stands if its citations exist and are about its subject, if the words of the evidence do not say
another thing, and if every number, name and quotation in it occurs in what it cites. How sure it is, is
computed from the evidence by the same function that judges the rules (``causes.grounds``). A report's
sentence stands if it says nothing that the claims it is about, and their evidence, do not say.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dogwatch.agents.data import Scrub, unharmed
from dogwatch.agents.wording import (
    LETTERS,
    STEM,
    WORD,
    foreign_words,
    names_missing,
    numbers_missing,
    plain,
    unfit,
    vocabulary,
)
from dogwatch.causes.classify import classify
from dogwatch.causes.grounds import Grounds, confidence, grounded
from dogwatch.causes.testimony import words_of
from dogwatch.model import Cause, Confidence, Evidence, EvidenceKind, Finding
from dogwatch.model.dossier import Dossier
from dogwatch.model.investigation import Issue, Line
from dogwatch.model.text import one_line

SEND_BACKS = 2
"""How often an answer goes back before what is wrong in it is dropped."""
_NAMES_IT = 3
_FOREIGN_SHARE = 0.5
"""Of a claim's own words, how many may be new: a hypothesis needs words, a story needs more of them."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why something that an agent said does not stand."""

    what: str
    """The part of the answer: ``issues[0]``."""
    kind: str
    """unknown_evidence, wrong_evidence, contradicted, unsupported, foreign_subject, number, name, markup,
    command, secret, asks_secret, overreach, foreign_words, unknown_issue, unknown_error, duplicate."""
    why: str
    """In words that help to mend it. Quotes nothing at length."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What there is to stand on: the facts of one incident."""

    evidence: Mapping[str, Evidence]
    findings: Sequence[Finding]
    subjects: frozenset[str]
    """Whom it may be about."""
    names: frozenset[str]
    """Names that may always be said, in lower case: of jobs, platforms, the incident."""
    rules: Sequence[Cause] = ()
    scrub: Scrub = unharmed
    _texts: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])

    def said(self, cites: Iterable[str]) -> str:
        """Everything that these facts, and the findings and rules that rest on them, say; in lower case."""
        ids = tuple(sorted({one for one in cites if one in self.evidence}))
        if ids not in self._texts:
            chosen = set(ids)
            parts = [_told(self.evidence[id_]) for id_ in ids]
            parts += [one.summary for one in self.findings if chosen.intersection(one.evidence)]
            parts += [one.claim for one in self.rules if set(one.cites) <= chosen]
            self._texts[ids] = plain(" ".join(parts))
        return self._texts[ids]


def ground_of(dossier: Dossier, names: Iterable[str] = (), scrub: Scrub = unharmed) -> Ground:
    """The ground of an incident. ``names``: further names that may be said, such as precedents'."""
    incident = dossier.incident
    hit = [(one.subject, one.name) for one in incident.affected]
    known = [(incident.culprit, incident.culprit_name), *hit]
    subjects = {subject for subject, _ in known}
    subjects |= {one.subject for one in dossier.findings} | {one.subject for one in dossier.evidence}
    subjects |= {subject.partition("/")[0] for subject in subjects if "/" in subject}
    said = {
        incident.name,
        *subjects,
        *(name for _, name in known),
        *incident.pipelines,
        *incident.owners,
        *names,
    }
    return Ground(
        evidence={one.id: one for one in dossier.evidence},
        findings=dossier.findings,
        subjects=frozenset(subjects),
        names=frozenset(plain(name) for name in said),
        rules=tuple(one for one in incident.causes if one.by == "rules"),
        scrub=scrub,
    )


def _told(proof: Evidence) -> str:
    body = json.dumps(dict(proof.content), ensure_ascii=False, default=str)
    return f"{proof.kind} {proof.source} {proof.subject} {proof.at.isoformat()} {body}"


# ── claims ──────────────────────────────────────────────────────────────────────────────────────────────────


def cited(what: str, cites: Sequence[str], ground: Ground) -> list[Objection]:
    """Every citation exists."""
    unknown = [id_ for id_ in cites if id_ not in ground.evidence]
    if not unknown:
        return []
    named = ", ".join(repr(one_line(id_, 24)) for id_ in unknown[:5])
    return [Objection(what, "unknown_evidence", f"there is no evidence {named}; cite ids of read_evidence")]


def worded(what: str, text: str, cites: Sequence[str], ground: Ground) -> list[Objection]:
    """The text is fit for people, and its numbers and names stand in what it cites."""
    if (bad := unfit(text, ground.scrub)) is not None:
        return [Objection(what, *bad)]
    said = ground.said(cites)
    found: list[Objection] = []
    if missing := numbers_missing(text, said):
        found.append(Objection(what, "number", f"not in the cited evidence: {', '.join(missing[:5])}"))
    if missing := names_missing(text, said, ground.names):
        shown = ", ".join(one_line(name, 40) for name in missing[:5])
        found.append(Objection(what, "name", f"not in the cited evidence: {shown}"))
    return found


def supported(what: str, text: str, cites: Sequence[str], ground: Ground) -> list[Objection]:
    """Most of the words of a claim are those of what it cites; it tells no other story."""
    said = ground.said(cites)
    words = [word for word in WORD.findall(plain(text)) if len(word) >= LETTERS]
    foreign = foreign_words(text, said)
    own = [word for word in words if word[:STEM] not in vocabulary()]
    if own and len(foreign) > _FOREIGN_SHARE * len(set(own)):
        return [
            Objection(what, "foreign_words", f"the cited evidence does not speak of {', '.join(foreign[:6])}")
        ]
    return []


def judge_issue(what: str, issue: Issue, errors: Iterable[str] | None, ground: Ground) -> list[Objection]:
    """Everything against a claim of root cause. ``errors``: ids that triage listed, if it did."""
    found = cited(what, issue.evidence, ground)
    if errors is not None and issue.error_id not in set(errors):
        found.append(
            Objection(what, "unknown_error", f"triage listed no error {one_line(issue.error_id, 24)!r}")
        )
    if issue.subject not in ground.subjects:
        found.append(Objection(what, "foreign_subject", "its subject has nothing to do with the incident"))
    if found:
        return found
    proofs = [ground.evidence[id_] for id_ in issue.evidence]
    found += worded(what, issue.root_cause, issue.evidence, ground)
    found += worded(f"{what}.suggested_fix", issue.suggested_fix, issue.evidence, ground)
    if not grounded([_cause(issue, Confidence.inconclusive, "")], ground.evidence):
        found.append(
            Objection(what, "wrong_evidence", f"nothing it cites is about {one_line(issue.subject, 80)}")
        )
    found += _contradicted(what, issue, proofs)
    return found or supported(what, issue.root_cause, issue.evidence, ground)


def _contradicted(what: str, issue: Issue, proofs: Sequence[Evidence]) -> list[Objection]:
    """The words of the evidence, and those of the claim, have to name the class that is claimed."""
    said = {
        words.cause_class
        for words in (words_of(proof).said for proof in proofs)
        if words.strength >= _NAMES_IT
    }
    any_said = {words_of(proof).said.cause_class for proof in proofs} - {None}
    if issue.cause_class is not None and said and issue.cause_class not in said:
        named = ", ".join(sorted(one for one in said if one))
        return [Objection(what, "contradicted", f"the evidence names {named}, not {issue.cause_class}")]
    own = classify(issue.root_cause)
    if own.cause_class is not None and own.strength > 1 and own.cause_class not in any_said:
        return [Objection(what, "unsupported", f"nothing cited speaks of {own.cause_class}")]
    return []


def sure_of(issue: Issue, ground: Ground) -> Cause:
    """The claim as a cause, its confidence computed from what it cites: never above what the words of the
    evidence give, and inconclusive where the rules suspect somebody else."""
    proofs = [ground.evidence[id_] for id_ in issue.evidence if id_ in ground.evidence]
    words = [
        said for said in (words_of(proof).said for proof in proofs) if said.cause_class == issue.cause_class
    ]
    best = max(words, key=lambda said: said.strength, default=None) if issue.cause_class else None
    findings = [one for one in ground.findings if one.subject == issue.subject]
    first = ground.rules[0] if ground.rules else None
    grounds = Grounds(
        strength=best.strength if best else 0,
        recorded=False,
        changed=any(proof.kind is EvidenceKind.change for proof in proofs),
        kinds=frozenset(proof.kind for proof in proofs),
        rivalled=first is not None and first.subject != issue.subject,
    )
    return _cause(issue, confidence(grounds, findings), best.phrase if best else "")


def _cause(issue: Issue, sure: Confidence, phrase: str) -> Cause:
    return Cause(
        claim=issue.root_cause,
        cause_class=issue.cause_class,
        subject=issue.subject,
        confidence=sure,
        cites=issue.evidence,
        phrase=phrase,
        settle="" if sure is Confidence.confirmed else issue.suggested_fix,
        by="agent",
    )


def judge_line(what: str, line: Line, issues: Mapping[str, Issue], ground: Ground) -> list[Objection]:
    """Everything against a sentence of a report: it adds nothing to the issues it is about."""
    absent = [one for one in line.issues if one not in issues]
    if absent:
        return [Objection(what, "unknown_issue", f"the analysis has no issue {one_line(absent[0], 24)!r}")]
    about = [issues[one] for one in line.issues]
    cites = [id_ for one in about for id_ in one.evidence]
    if found := worded(what, line.text, cites, ground):
        return found
    said = " ".join((ground.said(cites), *(plain(f"{one.root_cause} {one.suggested_fix}") for one in about)))
    foreign = foreign_words(line.text, f"{said} {' '.join(ground.names)}")
    if foreign:
        return [Objection(what, "foreign_words", f"the analysis does not speak of {', '.join(foreign[:6])}")]
    return []
