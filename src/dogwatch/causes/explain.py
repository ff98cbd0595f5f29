"""Why an incident happened: its culprits, ranked, each bound to the evidence that supports it.

The machinery is that of ``causes.rank``: every finding becomes facts on the scale of ``causes.evidence``, and
``weigh`` explains symptoms away by an anomalous upstream. A job "calls" what it depends on. On top of it
come the words of the errors (``causes.classify``), changes before onset, and a confidence that is computed.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dogwatch.causes.evidence import Evidence as Fact
from dogwatch.causes.evidence import Kind, Suspect, weigh
from dogwatch.causes.grounds import Grounds, confidence, grounded
from dogwatch.causes.testimony import (
    LOOKS_LIKE,
    OWN_CHANGE,
    SILENT,
    Words,
    class_of,
    onset,
    testify,
    words,
    words_of,
)
from dogwatch.causes.wording import claim, settle
from dogwatch.model import Cause, CauseClass, Confidence, Evidence, EvidenceKind, Finding
from dogwatch.model.signal import COMPONENT

_SLACK = timedelta(minutes=15)
"""Clocks of platforms differ, and a round sees things in the order in which it looks."""
_BEFORE = timedelta(hours=24)
"""A change before the last run that went well explains nothing, nor does one so long ago."""
_BEFORE_AT_ONCE = timedelta(hours=3)
"""The same for what is at work all the time, where a change shows soon."""
_RIGHT_AFTER = timedelta(hours=2)
"""So soon after a deployment that might concern anything, it is worth naming."""
_TOGETHER = timedelta(hours=2)
_SEVERAL = 3
"""Jobs that must be in the same trouble before their platform is suspected rather than each of them."""
MOST = 3
"""Causes of one incident."""
_WORTH_NAMING = 0.25
"""The share of the first suspect's score below which nobody else is named."""
_CITED = 6


@dataclass(frozen=True, slots=True)
class Link:
    """``downstream`` depends on ``upstream``, both named as findings name them."""

    upstream: str
    downstream: str


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of one incident."""

    members: Sequence[Finding]
    evidence: Mapping[str, Evidence]
    """By id; what is not in it cannot be cited."""
    links: Sequence[Link] = ()
    """The graph around the members; may hold others too."""
    besides: Sequence[Evidence] = ()
    """Changes, alerts, metric shifts and log templates of about that time which no finding cites."""
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    """Subject -> name for people."""
    culprit: str = ""
    """Where correlation sees the beginning: a member, or the platform of several; empty if unsaid."""
    group: Sequence[str] = ()
    """The subjects that correlation counts as one trouble of the culprit, if there are several."""
    last_good: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """When each job last ended well."""


def explain(case: Case) -> tuple[Cause, ...]:
    """The causes of an incident, the likeliest first, at most three; none if nothing can be cited.

    Neither the order of the members, nor of the evidence, nor repetitions change the answer.
    """
    members = _distinct(case.members)
    if not members:
        return ()
    known = {**{proof.id: proof for proof in case.besides}, **case.evidence}
    dossiers = _dossiers(members, case, known)
    suspects = _ranked(dossiers, case)
    enough = _WORTH_NAMING * suspects[0].score
    named = suspects[:1] + [one for one in suspects[1:MOST] if one.score >= enough]
    causes = [_cause(dossiers[one.node], case, known, first=one is named[0]) for one in named]
    return grounded([cause for cause in causes if cause is not None], known)


@dataclass(slots=True)
class _Dossier:
    """Everything about one subject."""

    subject: str
    findings: list[Finding]
    since: datetime
    said: Words = SILENT
    cause_class: CauseClass | None = None
    changes: list[Evidence] = field(default_factory=list[Evidence])
    besides: list[Evidence] = field(default_factory=list[Evidence])
    jobs: list[str] = field(default_factory=list[str])
    """Of a platform: its jobs that are in the same trouble."""


def _distinct(members: Iterable[Finding]) -> list[Finding]:
    of = {finding.fingerprint: finding for finding in sorted(members, key=lambda one: (one.at, one.summary))}
    return [of[key] for key in sorted(of)]


def _dossiers(members: Sequence[Finding], case: Case, known: Mapping[str, Evidence]) -> dict[str, _Dossier]:
    found: dict[str, _Dossier] = {}
    for finding in sorted(members, key=lambda one: (-one.severity.rank, one.at, one.fingerprint)):
        since = onset(finding, known)
        dossier = found.setdefault(finding.subject, _Dossier(finding.subject, [], since))
        dossier.findings.append(finding)
        dossier.since = min(dossier.since, since)
        said = words(finding, known)
        if said.said.strength > dossier.said.said.strength:
            dossier.said = said
        dossier.cause_class = dossier.cause_class or class_of(finding, said, known)
    for dossier in found.values():
        if dossier.said.said.cause_class is not None:
            dossier.cause_class = dossier.said.said.cause_class
        dossier.cause_class = dossier.cause_class or LOOKS_LIKE.get(dossier.findings[0].rule)
    _attach(found, case)
    for platform in _shared(found, case):
        found[platform.subject] = platform
    return found


def _attach(found: Mapping[str, _Dossier], case: Case) -> None:
    """Give each subject what else is known of it: changes before its trouble, the rest around it.

    A job that was switched off or rescheduled is in trouble by that very change, which explains nothing more.
    """
    above = _ancestors(case.links, found)
    roots = [one for one in found.values() if not above[one.subject] & found.keys()]
    for proof in sorted({one.id: one for one in case.besides}.values(), key=lambda one: (one.at, one.id)):
        for dossier in _concerned(proof, found, roots, above):
            if proof.kind is not EvidenceKind.change:
                dossier.besides.append(proof)
            elif dossier.findings[0].rule not in OWN_CHANGE and _just_before(proof, dossier, case):
                dossier.changes.append(proof)


def _just_before(change: Evidence, dossier: _Dossier, case: Case) -> bool:
    """Whether a change came after all was well and before the trouble."""
    steady = dossier.subject.startswith(COMPONENT)
    since = dossier.since - (_BEFORE_AT_ONCE if steady else _BEFORE)
    good = case.last_good.get(dossier.subject)
    if good is not None and good <= dossier.since:
        since = max(since, good)
    return since <= change.at <= dossier.since + _SLACK


def _concerned(
    proof: Evidence,
    found: Mapping[str, _Dossier],
    roots: Sequence[_Dossier],
    above: Mapping[str, frozenset[str]],
) -> list[_Dossier]:
    """Whom evidence is about: its own subject, what it names as touched, what depends on it or runs there.
    A deployment that nobody has placed concerns everything whose trouble begins right after it."""
    told = proof.content.get("touches")
    named = (
        {name for name in told if isinstance(name, str)} if isinstance(told, (list, tuple)) else set[str]()
    )
    subjects = {proof.subject, *named}
    near = [
        one
        for one in found.values()
        if one.subject in subjects
        or one.subject.partition("/")[0] in subjects
        or above[one.subject] & subjects
    ]
    unplaced = (
        not near
        and proof.content.get("kind") == "deployment"
        and proof.subject.startswith(f"{proof.source}/")
    )
    if unplaced:
        near = [one for one in roots if proof.at <= one.since + _SLACK <= proof.at + _RIGHT_AFTER + _SLACK]
    useful = proof.kind is not EvidenceKind.runbook and proof.content.get("kind") != "resumed"
    return near if useful else []


def _shared(found: Mapping[str, _Dossier], case: Case) -> list[_Dossier]:
    """Platforms of which several jobs, none upstream of another, fell into the same trouble together: the
    one that correlation blames, or, if it blames nobody, those whose jobs say the same."""
    if case.culprit:
        told = [found[subject] for subject in sorted(set(case.group)) if subject in found]
        return [] if case.culprit in found or not told else [_platform(case.culprit, told)]
    above = _ancestors(case.links, found)
    groups: dict[tuple[str, CauseClass], list[_Dossier]] = {}
    for dossier in found.values():
        instance, slash, _ = dossier.subject.partition("/")
        cause_class = dossier.said.said.cause_class
        if slash and instance not in found and cause_class and not above[dossier.subject] & found.keys():
            groups.setdefault((instance, cause_class), []).append(dossier)
    platforms: list[_Dossier] = []
    for (instance, _), group in sorted(groups.items()):
        first = min(one.since for one in group)
        near = [one for one in group if one.since - first <= _TOGETHER]
        if len(near) >= _SEVERAL:
            platforms.append(_platform(instance, near))
    return platforms


def _platform(instance: str, group: Iterable[_Dossier]) -> _Dossier:
    """Several jobs of a platform as one trouble of that platform."""
    jobs = sorted(group, key=lambda one: (one.since, one.subject))
    speaks = max(jobs, key=lambda one: one.said.said.strength)
    held = _Dossier(instance, [one.findings[0] for one in jobs], jobs[0].since)
    held.said, held.cause_class = speaks.said, speaks.cause_class
    held.jobs = [one.subject for one in jobs]
    return held


def _ancestors(links: Iterable[Link], of: Iterable[str]) -> dict[str, frozenset[str]]:
    """Everything upstream of each of these; a cycle makes its nodes upstream of each other."""
    direct: dict[str, set[str]] = {}
    for link in links:
        if link.upstream != link.downstream:
            direct.setdefault(link.downstream, set()).add(link.upstream)
    found: dict[str, frozenset[str]] = {}
    for node in of:
        seen, waiting = set[str](), [node]
        while waiting:
            for up in direct.get(waiting.pop(), ()):
                if up not in seen:
                    seen.add(up)
                    waiting.append(up)
        found[node] = frozenset(seen - {node})
    return found


def _ranked(dossiers: Mapping[str, _Dossier], case: Case) -> list[Suspect]:
    above = _ancestors(case.links, dossiers)
    edges = [
        (down.subject, up)
        for down in dossiers.values()
        for up in sorted(above[down.subject] & dossiers.keys())
        if dossiers[up].since <= down.since + _SLACK
    ]
    edges += [(job, one.subject) for one in dossiers.values() for job in one.jobs]
    shared = {job for one in dossiers.values() for job in one.jobs}
    facts: list[Fact] = []
    underneath = Counter(up for _, up in edges)
    for subject, dossier in sorted(dossiers.items()):
        facts += _facts(dossier, case.evidence, alone=subject not in shared)
        below = underneath[subject]
        if below and len(dossiers) > 1:
            facts.append(
                Fact(subject, Kind.reach, below / (len(dossiers) - 1), "it lies upstream of the others")
            )
    return sorted(
        weigh(dossiers, edges, facts),
        key=lambda one: (
            one.node != case.culprit,
            -round(one.score, 9),
            dossiers[one.node].since,
            one.node,
        ),
    )


def _facts(dossier: _Dossier, evidence: Mapping[str, Evidence], *, alone: bool) -> list[Fact]:
    """What is held against a subject. Of several findings that say the same the gravest counts."""
    if dossier.jobs:
        strength = 1 + math.log(len(dossier.jobs) / _SEVERAL + 1)
        return [Fact(dossier.subject, Kind.shared, strength, "several of its jobs are in the same trouble")]
    gravest: dict[Kind, Fact] = {}
    for finding in dossier.findings:
        for fact in testify(finding, evidence):
            if alone or fact.kind is not Kind.own_words:
                known = gravest.get(fact.kind)
                gravest[fact.kind] = fact if known is None or fact.strength > known.strength else known
    if dossier.changes:
        nearest = min(abs(dossier.since - change.at) for change in dossier.changes)
        strength = 1 - 0.6 * min(1.0, nearest / _BEFORE)
        gravest.setdefault(Kind.change, Fact(dossier.subject, Kind.change, strength, "it was changed before"))
    return list(gravest.values())


def _cause(dossier: _Dossier, case: Case, known: Mapping[str, Evidence], *, first: bool) -> Cause | None:
    cites = _cites(dossier, known)
    if not cites:
        return None
    proofs = [known[id_] for id_ in cites]
    said = dossier.said
    if said is SILENT:
        said = max(
            (words_of(one) for one in dossier.besides), key=lambda one: one.said.strength, default=SILENT
        )
    cause_class = said.said.cause_class or dossier.cause_class
    findings = dossier.findings
    grounds = Grounds(
        strength=said.said.strength,
        recorded=said is SILENT and cause_class not in (None, LOOKS_LIKE.get(findings[0].rule)),
        changed=bool(dossier.changes),
        kinds=frozenset(proof.kind for proof in proofs),
        rivalled=not first,
    )
    sure = confidence(grounds, findings)
    name = case.names.get(dossier.subject) or _name(dossier.subject, proofs)
    return Cause(
        claim=claim(name, findings, cause_class, said.said.phrase, dossier.changes, len(dossier.jobs)),
        cause_class=cause_class or _of_changes(dossier.changes, sure),
        subject=dossier.subject,
        confidence=sure,
        cites=cites,
        phrase=said.said.phrase,
        settle=settle(name, findings, sure, cause_class),
    )


def _of_changes(changes: Iterable[Evidence], sure: Confidence) -> CauseClass | None:
    """What it looks like if nobody says why, and new code that may be it came just before."""
    deployed = any(change.content.get("kind") == "deployment" for change in changes)
    return CauseClass.code_bug if deployed and sure is not Confidence.inconclusive else None


def _cites(dossier: _Dossier, known: Mapping[str, Evidence]) -> tuple[str, ...]:
    """What supports it: first what said the deciding words, then one of each finding, changes, the rest."""
    rounds = itertools.zip_longest(*(finding.evidence for finding in dossier.findings))
    own = [id_ for ids in rounds for id_ in ids if id_ is not None]
    extra = [proof.id for proof in (*dossier.changes[-2:], *dossier.besides[:2])]
    ordered = [dossier.said.evidence, *own[:1], *extra, *own[1:]]
    return tuple([id_ for id_ in dict.fromkeys(ordered) if id_ in known][:_CITED])


def _name(subject: str, proofs: Iterable[Evidence]) -> str:
    for proof in proofs:
        name = proof.content.get("job_name")
        if isinstance(name, str) and proof.subject == subject:
            return name
    return subject
