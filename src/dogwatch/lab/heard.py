"""What dogwatch told in a night: incidents as it stored them, messages, its words and its citations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dogwatch.lab.run import Night
from dogwatch.model import Cause, Evidence, EvidenceKind, Finding, Harm, Incident, Message, Severity
from dogwatch.model.message import Quote
from dogwatch.model.report import CheckReport
from dogwatch.model.text import one_line

_SHORTEST_QUOTE = 4


@dataclass(frozen=True, slots=True)
class Told:
    """One incident as dogwatch told it, in the estate's own names."""

    number: int
    culprits: tuple[str, ...]
    """Whom it blames in the end, the most likely first, each once."""
    accused: frozenset[str]
    """Everybody whom it blamed first at any time."""
    subjects: frozenset[str]
    """Everything that it is about: culprits, and those that share its trouble or are hit."""
    affected: frozenset[str]
    """Who is hit, those that are merely threatened left out."""
    first: datetime
    """The round that told it first."""
    last: datetime
    """The last round in which it was live."""
    severity: Severity
    """The worst it came to."""
    cause: Cause | None
    """The first cause that it names in the end."""
    cites: frozenset[EvidenceKind]
    """Kinds of evidence that this cause cites."""


def told(night: Night) -> list[Told]:
    """The incidents that were told, by the order of telling. What is muted or a mere note is not told."""
    lives: dict[int, list[tuple[datetime, Incident]]] = {}
    last: dict[int, Incident] = {}
    for report in night.reports:
        for incident in report.incidents:
            lives.setdefault(incident.number, []).append((report.at, incident))
        last |= {incident.number: incident for incident in report.ended}
    kinds = {proof.id: proof.kind for proof in ledger(night).values()}
    subjects = _subjects(night.reports)
    found = [_told(life, last.get(key), night.names, kinds, subjects) for key, life in lives.items()]
    return sorted((one for one in found if one is not None), key=lambda one: (one.first, one.number))


def _told(
    life: Sequence[tuple[datetime, Incident]],
    ended: Incident | None,
    names: Mapping[str, str],
    kinds: Mapping[str, EvidenceKind],
    subjects: Mapping[str, str],
) -> Told | None:
    loud = [(at, incident) for at, incident in life if is_told(incident)]
    if not loud:
        return None
    final = loud[-1][1]
    cause = final.causes[0] if final.causes else None

    def name(subject: str) -> str:
        return names.get(subject, subject)

    blamed = dict.fromkeys([name(final.culprit), *(name(cause.subject) for cause in final.causes)])
    versions = [each for _, each in life] + ([] if ended is None or ended.merged_into else [ended])
    hit = {name(one.subject) for each in versions for one in each.affected if one.harm is not Harm.threatened}
    members = {name(subjects[key]) for _, each in life for key in each.findings if key in subjects}
    return Told(
        number=final.number,
        culprits=tuple(blamed),
        accused=frozenset(name(incident.culprit) for _, incident in loud),
        subjects=frozenset({*blamed, *hit, *members}),
        affected=frozenset(hit - {name(final.culprit)}),
        first=loud[0][0],
        last=life[-1][0],
        severity=max((incident.severity for _, incident in loud), key=lambda severity: severity.rank),
        cause=cause,
        cites=frozenset(kinds[id_] for id_ in (cause.cites if cause else ()) if id_ in kinds),
    )


def is_told(incident: Incident) -> bool:
    """Whether anybody is told of it: of WARNING or worse, and not muted."""
    return incident.severity.rank >= Severity.WARNING.rank and not incident.muted


def _subjects(reports: Iterable[CheckReport]) -> dict[str, str]:
    """Fingerprint of a finding -> its subject."""
    return {finding.fingerprint: finding.subject for report in reports for finding in report.findings}


def notifications(night: Night) -> int:
    """How many messages the rounds decided to send, whether or not there is a channel."""
    return sum(len(report.messages) for report in night.reports)


def ledger(night: Night) -> dict[str, Evidence]:
    """All evidence that was given in the night, by id."""
    return {proof.id: proof for report in night.reports for proof in report.evidence}


def citations(night: Night) -> Iterable[bool]:
    """For every citation of a finding whether it leads to evidence that was given by then; for every cause
    whether all that it cites does, something of it is about its subject, and the words it quotes stand there.
    """
    given: dict[str, Evidence] = {}
    for report in night.reports:
        given |= {proof.id: proof for proof in report.evidence}
        for finding in report.findings:
            yield from (id_ in given for id_ in finding.evidence)
        for incident in (*report.incidents, *report.ended):
            yield from (_supported(cause, given) for cause in incident.causes)
            yield from (id_ in given for one in incident.affected for id_ in one.cites)


def _supported(cause: Cause, given: Mapping[str, Evidence]) -> bool:
    proofs = [given[id_] for id_ in cause.cites if id_ in given]
    if len(proofs) < len(cause.cites) or not proofs:
        return False
    about = any(
        proof.subject == cause.subject or proof.subject.startswith(f"{cause.subject}/") for proof in proofs
    )
    quoted = "".join(filter(str.isalnum, cause.phrase)).casefold()
    said = (text for proof in proofs for text in texts(proof.content))
    return about and (
        not quoted or any(quoted in "".join(filter(str.isalnum, text)).casefold() for text in said)
    )


def claims(night: Night, forbidden: Sequence[str]) -> int:
    """How many forbidden claims dogwatch made in its own words, in whatever number of rounds."""
    said: set[str] = set()
    given: dict[str, Evidence] = {}
    for report in night.reports:
        given |= {proof.id: proof for proof in report.evidence}
        for finding in report.findings:
            said |= {_own_words(text, _quoted(finding.evidence, given)) for text in _of_finding(finding)}
        bodies = {finding.fingerprint: finding for finding in report.findings}
        for incident in (*report.incidents, *report.ended):
            cited = [id_ for key in incident.findings if key in bodies for id_ in bodies[key].evidence]
            cited += [id_ for cause in incident.causes for id_ in cause.cites]
            quoted = _quoted(cited, given)
            said |= {_own_words(text, quoted) for text in _of_incident(incident)}
        everything = [text for proof in given.values() for text in texts(proof.content)]
        for message in report.messages:
            said |= {_own_words(text, everything) for text in _of_message(message)}
    return sum(any(claim.casefold() in text.casefold() for text in said) for claim in forbidden)


def _of_finding(finding: Finding) -> tuple[str, ...]:
    return finding.summary, finding.next_step


def _of_incident(incident: Incident) -> tuple[str, ...]:
    causes = [text for cause in incident.causes for text in (cause.claim, cause.settle)]
    return incident.title, *causes


def _of_message(message: Message) -> Iterable[str]:
    """What a message says itself; what it shows as a quotation is evidence."""
    yield message.title
    for block in message.blocks:
        if not isinstance(block, Quote):
            yield from texts(block.model_dump(mode="json", exclude={"block"}))


def _quoted(cited: Iterable[str], given: Mapping[str, Evidence]) -> list[str]:
    return [text for id_ in dict.fromkeys(cited) if id_ in given for text in texts(given[id_].content)]


def _own_words(text: str, quoted: Iterable[str]) -> str:
    """The sentence without what it quotes: evidence, whole or shortened, and what stands between quotes and
    is a part of it."""
    known = sorted(set(quoted), key=len, reverse=True)
    for quote in known:
        for form in (quote, one_line(quote), one_line(quote).rstrip("…")):
            if len(form) >= _SHORTEST_QUOTE:
                text = text.replace(form, "…")
    own, *rest = text.split("“")
    for part in rest:
        inside, _, after = part.partition("”")
        if not any(inside.rstrip("…") in one_line(quote, 100_000) or inside in quote for quote in known):
            own += inside
        own += after
    return own


def texts(value: Any) -> Iterable[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():  # pyright: ignore[reportUnknownVariableType]  # any JSON object
            yield from texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:  # pyright: ignore[reportUnknownVariableType]  # any JSON array
            yield from texts(item)
