"""The draft of a post-mortem: what dogwatch knows, in order, and the questions that only people can answer.

Everything that a platform or a person said is escaped; nothing is claimed that no evidence supports.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from dogwatch.model import Affected, Cause, Confidence, Evidence, Harm, Incident
from dogwatch.model.dossier import Dossier
from dogwatch.model.text import one_line, plural, span
from dogwatch.report import words
from dogwatch.report.explain import fact
from dogwatch.report.incident import actor, standing
from dogwatch.report.markdown import code, plain

_HARM = {
    Harm.failed: "failed",
    Harm.skipped: "was skipped",
    Harm.late: "was late",
    Harm.missed: "did not run",
    Harm.stale: "ran on stale data",
    Harm.degraded: "worked worse than usual",
    Harm.threatened: "had not run yet",
}
_SAID = ("error_message", "answer", "message", "line", "template")
_QUOTED = 2_000


def draft(told: Dossier, program: str = "dogwatch") -> str:
    """The whole draft as Markdown; times in the reader's zone."""
    incident = told.incident
    lines = [f"# Post-mortem of {incident.name}: {plain(incident.title)}", "", *_summary(told), ""]
    for title, part in (
        ("Impact", _impact(told)),
        ("Cause", _causes(told)),
        ("Timeline", _timeline(told)),
        ("Evidence", _evidence(told)),
        ("Actions", _actions(told, program)),
        ("Questions for people", _questions(told)),
    ):
        lines += [f"## {title}", "", *part, ""]
    return "\n".join(lines).rstrip() + "\n"


def _summary(told: Dossier) -> Iterable[str]:
    incident, zone = told.incident, ZoneInfo(told.timezone)
    end = incident.resolved_at
    lasted = span(((end or told.at) - incident.began_at).total_seconds())
    seen = span(max(0.0, (incident.opened_at - incident.began_at).total_seconds()))
    yield f"- state: {plain(standing(incident))}"
    yield f"- severity: {incident.severity.value}"
    yield f"- began: {_when(told, incident.began_at, zone)}"
    yield f"- noticed: {_when(told, incident.opened_at, zone)}, {seen} after it began"
    yield f"- ended: {_when(told, end, zone)}, after {lasted}" if end else f"- ended: not yet, after {lasted}"
    if incident.owners:
        yield f"- owners: {plain(' · '.join(incident.owners))}"
    if incident.reopened:
        yield f"- came back: {plural(incident.reopened, 'time')}"


def _when(told: Dossier, moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {words.zone_word(told.timezone)}"


def _impact(told: Dossier) -> Iterable[str]:
    incident, zone = told.incident, ZoneInfo(told.timezone)
    yield f"- {plain(incident.culprit_name, 120)} (`{incident.culprit}`): where it began"
    yield from (_hit(one, told, zone) for one in incident.affected)
    for deadline in incident.deadlines:
        due = _when(told, deadline.due, zone)
        yield f"- {plain(deadline.pipeline, 120)} was due at {due}: {'missed' if deadline.missed else 'kept'}"
    if incident.pipelines:
        yield f"- pipelines touched: {plain(' · '.join(incident.pipelines))}"
    if not incident.affected and not incident.deadlines:
        yield "- nothing else that dogwatch knows of was hit"


def _hit(one: Affected, told: Dossier, zone: ZoneInfo) -> str:
    since = f" at {_when(told, one.since, zone)}" if one.since else ""
    owner = f" (owner {plain(one.owner, 120)})" if one.owner else ""
    cited = f", evidence {_ids(one.cites)}" if one.cites else ""
    return f"- {plain(one.name, 120)} {_HARM[one.harm]}{since}{owner}{cited}"


def _ids(cites: Sequence[str]) -> str:
    return ", ".join(f"`{id_[:8]}`" for id_ in cites[:4])


def _causes(told: Dossier) -> Iterable[str]:
    known = {item.id for item in told.evidence}
    causes = [cause for cause in told.incident.causes if known.intersection(cause.cites)]
    if not causes:
        yield "Nothing that was read says why it happened."
        return
    first, *others = causes
    yield f"{_sure(first)}: {plain(first.claim)}{_class(first)} Evidence: {_ids(first.cites)}."
    if first.settle:
        yield f"\nWhat would settle it: {plain(first.settle)}"
    if others:
        yield "\nOther explanations that the evidence allows:\n"
        yield from (f"- {plain(other.claim)}{_class(other)} {_ids(other.cites)}" for other in others)


def _sure(cause: Cause) -> str:
    return (
        "Cannot tell" if cause.confidence is Confidence.inconclusive else cause.confidence.value.capitalize()
    )


def _class(cause: Cause) -> str:
    return f" ({cause.cause_class.value})." if cause.cause_class else "."


def _timeline(told: Dossier) -> Iterable[str]:
    zone = ZoneInfo(told.timezone)
    yield "| when | what | who |"
    yield "|---|---|---|"
    for one in told.timeline:
        who = one.actor.removeprefix("user:")
        yield f"| {_when(told, one.at, zone)} | {plain(one.said)} | {plain(who, 60)} |"


def _evidence(told: Dossier) -> Iterable[str]:
    zone = ZoneInfo(told.timezone)
    for item in told.evidence:
        yield f"- {code(item.id[:8])} {plain(fact(item, told.at, zone), 400)}"
        if item.url:
            yield f"  {code(item.url)}"
        yield from _quote(item)


def _quote(item: Evidence) -> Iterable[str]:
    """What the platform said, verbatim, as a block that nothing in it can leave."""
    said = next((text for key in _SAID if isinstance(text := item.content.get(key), str) and text), "")
    if said:
        yield ""
        yield from (f"      {one_line(line, 300)}" for line in said[:_QUOTED].splitlines()[:12])
        yield ""


def _actions(told: Dossier, program: str) -> Iterable[str]:
    done = [one for one in told.timeline if one.actor and one.actor != "rules"]
    for one in done:
        yield f"- {plain(one.said)} {plain(actor(one))}".rstrip()
    if not done:
        yield "- nobody told dogwatch of anything that was done"
    advised = [step for finding in told.findings[:1] for step in words.next_steps(finding.next_step, program)]
    yield from (f"- advised: {code(step)}" for step in advised)
    yield "- [ ] *what prevents it from happening again; owner; by when*"


def _questions(told: Dossier) -> Iterable[str]:
    """What no log says."""
    incident = told.incident
    yield "- [ ] Who noticed it outside the team, and what did they see?"
    if not incident.causes or incident.causes[0].confidence is not Confidence.confirmed:
        yield "- [ ] What was the cause in the end, and what showed it?"
    yield "- [ ] Why was it possible, and why was it not prevented?"
    yield "- [ ] Could it have been noticed earlier than it was?"
    stale = [one for one in incident.affected if one.harm is Harm.stale]
    if stale:
        names = plain(" · ".join(one.name for one in stale[:8]))
        yield f"- [ ] Who used what was made of stale data ({names}), and has it been made anew?"
    if incident.state.live:
        yield "- [ ] It is not over: who mends it?"
    elif _by_itself(incident, told):
        yield "- [ ] It went away without anybody saying what they did: what mended it?"
    yield "- [ ] What went well, and what was luck?"


def _by_itself(incident: Incident, told: Dossier) -> bool:
    return incident.acknowledged_by is None and not any(
        one.actor.startswith("user:") for one in told.timeline
    )
