"""What people are told of an incident, as typed blocks: what is wrong, why, who is hit, what to do.

Nothing is claimed that no evidence supports: a cause or a hit job whose citations do not resolve is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dogwatch.model import (
    Affected,
    Block,
    Cause,
    Confidence,
    Consent,
    Deadline,
    Evidence,
    Fields,
    Harm,
    Incident,
    IncidentState,
    Items,
    Message,
    Occasion,
    Quote,
    Severity,
    Steps,
    Text,
)
from dogwatch.model.text import one_line, plural, span
from dogwatch.report import words

_TITLE = 300
_HIT = 8
"""Hit jobs that are named; of further ones their number is told."""
_QUOTES = 2
_QUOTED = 1_500
_IN_FULL = 15
"""Incidents that a digest tells with their titles, worst first; of all others it tells the numbers."""
_NUMBERS = 100
"""Numbers in one field of a digest: at most 800 characters."""
HARM = {
    Harm.failed: "failed",
    Harm.skipped: "skipped",
    Harm.late: "late",
    Harm.missed: "missed",
    Harm.stale: "ran on stale data",
    Harm.degraded: "works worse than usual",
    Harm.threatened: "next in the way",
}


@dataclass(frozen=True, slots=True)
class Line:
    """An incident as a digest tells it."""

    number: int
    severity: Severity
    title: str
    culprit: str
    """Subject of the culprit; incidents are counted by its platform."""
    over: bool = False
    """True if it is resolved."""


def key_of(incident: Incident, occasion: Occasion) -> str:
    """The name of what is said: the same occasion of the same state of an incident has the same key."""
    if occasion is Occasion.changed:
        return f"{incident.name}/changed/{incident.version}"
    return f"{incident.name}/{occasion.value}/{incident.reopened}"


def brief(
    incident: Incident,
    causes: Sequence[Cause],
    evidence: Mapping[str, Evidence],
    occasion: Occasion,
    pipelines: Sequence[str],
    zone: ZoneInfo,
    now: datetime,
) -> Message:
    """What is told of an incident on an occasion.

    ``causes`` come best first, ``evidence`` by id, ``pipelines`` are the names that the reader knows.
    """
    supported = [cause for cause in causes if any(cited in evidence for cited in cause.cites)]
    cause = supported[0] if supported else None
    blocks: list[Block] = [
        Text(text=_opening(incident, occasion, zone, now)),
        Fields(fields=tuple(_fields(incident, cause, evidence, pipelines, zone, now))),
        *_quotes(incident, cause, evidence),
    ]
    if len(supported) > 1 and incident.state.live:
        blocks.append(Items(title="could also be", items=tuple(because(other) for other in supported[1:3])))
    blocks.append(Steps(steps=tuple(_steps(incident, cause, evidence))))
    return Message(
        key=key_of(incident, occasion),
        thread=incident.name,
        occasion=occasion,
        title=one_line(f"{incident.name} {_head(incident, occasion)}", _TITLE),
        severity=incident.severity,
        blocks=tuple(blocks),
        at=now,
        timezone=zone.key,
    )


def asked(message: Message, consents: Iterable[Consent]) -> Message:
    """The message with the actions that wait for a person, before what can be done otherwise."""
    steps = [block for block in message.blocks if isinstance(block, Steps)]
    others = [block for block in message.blocks if not isinstance(block, Steps)]
    return message.model_copy(update={"blocks": (*others, *consents, *steps)})


def digest(lines: Sequence[Line], why: str, key: str, zone: ZoneInfo, now: datetime) -> Message:
    """One message for many incidents: the worst in full, every other one by its number.

    ``why`` says why they were not told one by one. ``lines`` must not be empty.
    """
    ordered = sorted(lines, key=lambda line: (line.over, -line.severity.rank, line.number))
    full, rest = ordered[:_IN_FULL], ordered[_IN_FULL:]
    worst = max((line.severity for line in lines), key=lambda severity: severity.rank)
    over = sum(line.over for line in lines)
    title = f"{plural(len(lines), 'more incident')}, worst {worst.value}"
    if over:
        title += f"; {over} of them resolved by now"
    blocks: list[Block] = [Text(text=why), Items(title="", items=tuple(_digest_line(line) for line in full))]
    if rest:
        blocks.append(Fields(fields=tuple(_by_platform(rest))))
    blocks.append(Steps(steps=(("all of them", "dogwatch incidents"),)))
    return Message(
        key=key,
        thread=key,
        occasion=Occasion.digest,
        title=title,
        severity=worst,
        blocks=tuple(blocks),
        at=now,
        timezone=zone.key,
    )


def trial(channel: str, key: str, zone: ZoneInfo, now: datetime) -> Message:
    """What ``dogwatch notify test`` sends: a word of each kind of block, and nothing to worry about."""
    local = now.astimezone(zone)
    return Message(
        key=key,
        thread=key,
        occasion=Occasion.test,
        title=f"A test of the channel {channel}; nothing is wrong",
        severity=Severity.INFO,
        blocks=(
            Text(text="If you can read this, dogwatch can tell you here when something breaks."),
            Fields(
                fields=(
                    ("channel", channel),
                    ("sent", f"{local:%H:%M} {words.zone_word(zone.key)}"),
                )
            ),
            Steps(steps=(("how all channels are", "dogwatch notify status"),)),
        ),
        at=now,
        timezone=zone.key,
    )


# ── the sentences ───────────────────────────────────────────────────────────────────────────────────────


def _head(incident: Incident, occasion: Occasion) -> str:
    title = incident.title
    if occasion is Occasion.resolved:
        merged = incident.state is IncidentState.merged
        return f"{'merged' if merged else 'resolved'}: {title}"
    if occasion is Occasion.reopened:
        return f"{incident.severity.value} again: {title}"
    if occasion is Occasion.escalated:
        return f"{incident.severity.value}, not taken on yet: {title}"
    if occasion is Occasion.changed and incident.state is IncidentState.acknowledged:
        return f"{incident.severity.value}, taken on: {title}"
    if occasion is Occasion.changed and incident.state is IncidentState.mitigated:
        return f"{incident.severity.value}, mitigated: {title}"
    return f"{incident.severity.value} {title}"


def _opening(incident: Incident, occasion: Occasion, zone: ZoneInfo, now: datetime) -> str:
    culprit = one_line(incident.culprit_name, 120)
    lasted = span((now - incident.began_at).total_seconds())
    if occasion is Occasion.resolved:
        if incident.state is IncidentState.merged:
            into = "another incident" if incident.merged_into is None else f"INC-{incident.merged_into}"
            return f"This is a part of {into}; it is told there from now on."
        ended = incident.resolved_at or now
        whole = span((ended - incident.began_at).total_seconds())
        return f"{culprit} is as expected again since {words.clock(ended, now, zone)}, after {whole}."
    if occasion is Occasion.reopened:
        times = "once" if incident.reopened == 1 else f"{incident.reopened} times"
        return f"It was resolved, and is back ({times} so far)."
    if occasion is Occasion.escalated:
        opened = words.age(incident.opened_at, now)
        return f"It was told first {opened}, and nobody has taken it on."
    hit = _impact(incident, zone, now)
    if incident.state is IncidentState.acknowledged:
        return f"{one_line(incident.acknowledged_by or 'Somebody', 80)} has taken it on. {hit}"
    if incident.state is IncidentState.mitigated:
        return f"{culprit} is as expected again. {hit}"
    if occasion is Occasion.changed:
        return f"It is {incident.severity.value} now and has lasted {lasted}. {hit}"
    return hit


def _impact(incident: Incident, zone: ZoneInfo, now: datetime) -> str:
    """Who is hit, and by when it matters, in a sentence or two."""
    hit = sum(one.harm is not Harm.threatened for one in incident.affected)
    next_ones = len(incident.affected) - hit
    said = f"{plural(hit, 'more job')} hit" if hit else "No other job is known to be hit"
    if next_ones:
        said += f", {next_ones} next in the way" if hit else f"; {next_ones} next in the way"
    due = min(incident.deadlines, key=lambda one: one.due, default=None)
    return f"{said}." if due is None else f"{said}. {due_at(due, zone, now)}."


def _fields(
    incident: Incident,
    cause: Cause | None,
    evidence: Mapping[str, Evidence],
    pipelines: Sequence[str],
    zone: ZoneInfo,
    now: datetime,
) -> Iterable[tuple[str, str]]:
    yield "cause", _why(incident, cause, evidence)
    yield "started", words.since(incident.began_at, now, zone)
    over = not incident.state.live  # then nothing threatens any more
    hit = hits([one for one in incident.affected if not (over and one.harm is Harm.threatened)], evidence)
    if hit:
        yield "hits", hit
    due = " · ".join(
        due_at(deadline, zone, now) for deadline in incident.deadlines if deadline.missed or not over
    )
    if due:
        yield "deadline", due
    names = [name for name in dict.fromkeys((*pipelines, *incident.pipelines)) if name]
    if names and not due:
        yield "pipeline", one_line(" · ".join(names), 300)
    if incident.owners:
        yield "owner", one_line(" · ".join(incident.owners), 300)
    if incident.acknowledged_by:
        yield "taken on by", one_line(incident.acknowledged_by, 120)


def _why(incident: Incident, cause: Cause | None, evidence: Mapping[str, Evidence]) -> str:
    if cause is None:
        return "can't tell: nothing that was read says why"
    cited = " · ".join(cited[:4] for cited in cause.cites if cited in evidence)
    return f"{because(cause)}  (evidence {cited})"


def because(cause: Cause) -> str:
    """How sure it is, the claim, and the class."""
    sure = "can't tell" if cause.confidence is Confidence.inconclusive else cause.confidence.value
    said = f"{sure}: {one_line(cause.claim, 400)}"
    return said if cause.cause_class is None else f"{said} ({cause.cause_class.value})"


def hits(affected: Sequence[Affected], evidence: Mapping[str, Evidence]) -> str:
    """Who is hit and how, as far as evidence shows it."""
    shown = [
        hit
        for hit in affected
        if hit.harm is Harm.threatened or any(cited in evidence for cited in hit.cites)
    ]
    told = [f"{one_line(hit.name, 80)} {HARM[hit.harm]}" for hit in shown[:_HIT]]
    more = len(shown) - _HIT
    return " · ".join([*told, *([f"{more} more"] if more > 0 else [])])


def due_at(deadline: Deadline, zone: ZoneInfo, now: datetime) -> str:
    """A promise, and whether it is broken."""
    when = words.clock(deadline.due, now, zone)
    away = span((deadline.due - now).total_seconds())
    name = one_line(deadline.pipeline, 80)
    if deadline.missed:
        return f"{name} {when} missed, {away} ago" if deadline.due <= now else f"{name} {when} will be missed"
    return f"{name} {when}, in {away}"


def _quotes(incident: Incident, cause: Cause | None, evidence: Mapping[str, Evidence]) -> Iterable[Quote]:
    """What the cause cites, verbatim: the first few things that say something."""
    if cause is None or not incident.state.live:
        return
    shown = 0
    for cited in cause.cites:
        item = evidence.get(cited)
        said = "" if item is None else _said(item)
        if item is None or not said:
            continue
        yield Quote(evidence=item.id, source=item.source, text=said[:_QUOTED], at=item.at, url=item.url)
        shown += 1
        if shown == _QUOTES:
            return


_TELLING = ("error_message", "error", "message", "text", "line", "reason", "template", "said")
"""Where in a piece of evidence its words stand, the most telling first."""


def _said(item: Evidence) -> str:
    for key in _TELLING:
        value = item.content.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _steps(
    incident: Incident, cause: Cause | None, evidence: Mapping[str, Evidence]
) -> Iterable[tuple[str, str]]:
    if incident.state.live and cause is not None and cause.settle:
        yield f"this would settle it: {one_line(cause.settle, 300)}", ""
    if incident.state.live and cause is not None:
        url = next((item.url for key in cause.cites if (item := evidence.get(key)) and item.url), None)
        if url:
            yield "look at it there", url
    yield "all about it", f"dogwatch incident show {incident.name}"
    if incident.state is IncidentState.open:
        yield "take it on", f"dogwatch incident ack {incident.name}"


def _digest_line(line: Line) -> str:
    state = "resolved" if line.over else line.severity.value
    return one_line(f"INC-{line.number} {state} {line.title}", 200)


def _by_platform(lines: Sequence[Line]) -> Iterable[tuple[str, str]]:
    """(platform, how many and which) of incidents that are told by number alone; few enough in each field
    that no channel has to cut it."""
    platforms: dict[str, list[Line]] = {}
    for line in lines:
        platforms.setdefault(line.culprit.partition("/")[0], []).append(line)
    for platform, found in sorted(platforms.items(), key=lambda item: (-len(item[1]), item[0])):
        numbers = sorted(line.number for line in found)
        for start in range(0, len(numbers), _NUMBERS):
            part = numbers[start : start + _NUMBERS]
            yield one_line(platform, 60), f"{len(part)} more: {_ranges(part)}"


def _ranges(numbers: Sequence[int]) -> str:
    """``INC-6–310, 312`` for numbers in order."""
    told: list[str] = []
    start = before = numbers[0]
    for number in (*numbers[1:], None):
        if number is not None and number == before + 1:
            before = number
            continue
        told.append(f"{start}" if start == before else f"{start}–{before}")
        if number is not None:
            start = before = number
    return "INC-" + ", ".join(told)
