"""The phrases and lines in which incidents are shown: on the board, as a list, and one in full."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from dogwatch.model import Action, ActionState, Evidence, Incident, IncidentState, Severity
from dogwatch.model.dossier import Dossier, Happening, IncidentList
from dogwatch.model.report import CheckReport
from dogwatch.model.text import one_line, plural
from dogwatch.report import words
from dogwatch.report.explain import fact
from dogwatch.report.lines import hanging, page, wrap
from dogwatch.report.message import because, due_at, hits

LABEL = 10
"""Column in which every sentence begins; the severity words stand before it."""
KEY = 20
"""Column in which the details begin; the words cause, started, next stand before it."""
STYLES = {
    Severity.INFO: "dim",
    Severity.WARNING: "bold yellow",
    Severity.ERROR: "bold red",
    Severity.CRITICAL: "bold white on red",
}
_MUTED_MARK = "◌"
_MOMENT = 14
"""Columns of a time in a timeline."""


def mark(incident: Incident) -> str:
    """● incident, ◐ blind, ○ over, ◌ muted."""
    if not incident.state.live:
        return words.WELL_MARK
    return _MUTED_MARK if incident.muted else words.BLIND_MARK if incident.blind else "●"


def standing(incident: Incident) -> str:
    """Where it stands, and who has it: ``open``, ``taken on by ana``, ``a part of INC-3``."""
    if incident.state is IncidentState.merged:
        return f"a part of INC-{incident.merged_into}"
    said = incident.state.value
    if incident.acknowledged_by and incident.state.live:
        taken = f"taken on by {one_line(incident.acknowledged_by, 60)}"
        said = taken if incident.state is IncidentState.acknowledged else f"{said}, {taken}"
    return f"{said}, {one_line(incident.muted, 160)}" if incident.muted and incident.state.live else said


def facts(
    incident: Incident,
    evidence: Mapping[str, Evidence],
    zone: ZoneInfo,
    now: datetime,
    *,
    news: bool = False,
) -> list[tuple[str, str]]:
    """(label, sentence): why, since when (and whether that is news), whom it hits and by when, who has it."""
    started = words.since(incident.began_at, now, zone) + (" · new" if news else "")
    told = [("cause", _cause(incident, evidence)), ("started", started)]
    if incident.state is not IncidentState.open or incident.muted:
        told.append(("state", standing(incident)))
    if incident.resolved_at is not None:
        told.append(("ended", words.since(incident.resolved_at, now, zone)))
    if incident.reopened:
        told.append(("again", f"it came back {plural(incident.reopened, 'time')}"))
    hit = hits(incident.affected, evidence)
    due = [due_at(deadline, zone, now) for deadline in incident.deadlines]
    if hit or due:
        told.append(("hits", " · ".join([*([hit] if hit else []), *due])))
    return told


def _cause(incident: Incident, evidence: Mapping[str, Evidence]) -> str:
    cause = next((one for one in incident.causes if any(id_ in evidence for id_ in one.cites)), None)
    if cause is None:
        return "can't tell: nothing that was read says why"
    cited = " · ".join(id_[:8] for id_ in cause.cites if id_ in evidence)
    return f"{because(cause)}  ev {cited}"


# ── lines for a terminal ──────────────────────────────────────────────────────────────────────────────────


def sentence(label: str, style: str, said: str, width: int, body: str = "") -> list[Text]:
    """A sentence beside its label."""
    head = Text.assemble(" ", (label, style))
    return hanging(head, wrap(one_line(said, 400), width - LABEL), LABEL, body)


def detail(key: str, said: Iterable[str]) -> list[Text]:
    """Lines beside their key, under a sentence."""
    return hanging(Text.assemble(" " * LABEL, (key, "dim")), list(said), KEY)


def steps(said: Iterable[str], width: int, program: str) -> list[Text]:
    """What to do; commands and links are never broken."""
    lines: list[str] = []
    for step in said:
        lines += [step] if words.verbatim(step, program) else wrap(step, width - KEY)
    return detail("next", lines) if lines else []


def head(incident: Incident, width: int) -> list[Text]:
    """``● INC-7 ERROR`` and what is wrong; the sentence goes on under itself."""
    style = "dim" if incident.muted or not incident.state.live else STYLES[incident.severity]
    label = Text.assemble(" ", (f"{incident.name}  {incident.severity.value}", style), "  ")
    first, *rest = wrap(one_line(incident.title, 400), max(20, width - label.cell_len))
    left = wrap(" ".join(rest), width - LABEL) if rest else []
    return [label.append(first), *(Text(" " * LABEL + line) for line in left)]


def in_short(report: CheckReport, incident: Incident, width: int, program: str) -> list[Text]:
    """An incident as the board tells it: what, why, since when, whom it hits, what to do."""
    evidence = {item.id: item for item in report.evidence}
    news = words.is_news(report, incident)
    lines = head(incident, width)
    for key, said in facts(incident, evidence, ZoneInfo(report.timezone), report.at, news=news):
        lines += detail(key, wrap(said, width - KEY))
    return [*lines, *steps(words.incident_steps(report, incident, program), width, program)]


def listing(found: IncidentList, width: int, program: str = "dogwatch") -> Text:
    """Two lines for each incident: what it is, and where it stands."""
    zone = ZoneInfo(found.timezone)
    if not found.incidents:
        return page(
            [
                Text("no incident fits"),
                Text(f"  look now: {program} check"),
                Text(f"  those that are over: {program} incidents --all"),
            ]
        )
    lines: list[Text] = []
    for incident in found.incidents:
        lines += head(incident, width)
        hit = sum(one.since is not None for one in incident.affected)
        parts = [f"{mark(incident)} {standing(incident)}", words.since(incident.began_at, found.at, zone)]
        if incident.resolved_at is not None:
            parts.append(f"ended {words.clock(incident.resolved_at, found.at, zone)}")
        if hit:
            parts.append(f"{plural(hit, 'job')} hit")
        lines += [Text(" " * LABEL + line, style="dim") for line in wrap(" · ".join(parts), width - LABEL)]
    return page(lines)


def full(told: Dossier, width: int, program: str = "dogwatch") -> Text:
    """One incident with its causes, whom it hits, what it rests on, and its timeline."""
    zone, incident = ZoneInfo(told.timezone), told.incident
    evidence = {item.id: item for item in told.evidence}
    lines = head(incident, width)
    for key, said in facts(incident, evidence, zone, told.at):
        lines += detail(key, wrap(said, width - KEY))
    for key, said in _more(incident):
        lines += detail(key, wrap(said, width - KEY))
    lines += [*steps(next_steps(told, program), width, program), Text()]
    lines += _section("actions", [_action(one, told.at, zone, width) for one in told.actions])
    lines += _section("timeline", [_moment(one, told.at, zone, width) for one in told.timeline])
    lines += _section("evidence", [_item(item, told.at, zone, width) for item in _cited(told)])
    return page(lines)


def _more(incident: Incident) -> list[tuple[str, str]]:
    """What the board leaves out: other causes, what would settle it, pipelines, owners."""
    said = [(f"or {number}", because(cause)) for number, cause in enumerate(incident.causes[1:], 2)]
    settle = incident.causes[0].settle if incident.causes else ""
    if settle:
        said.append(("settle", one_line(settle, 300)))
    if incident.pipelines:
        said.append(("pipeline", one_line(" · ".join(incident.pipelines), 300)))
    if incident.owners:
        said.append(("owner", one_line(" · ".join(incident.owners), 300)))
    return said


def next_steps(told: Dossier, program: str) -> list[str]:
    """What can be done about it: where to look, what the findings advise, how to take it on."""
    incident = told.incident
    if not incident.state.live:
        return [f"{program} incident postmortem {incident.name}"]
    advised = [step for finding in told.findings[:1] for step in words.next_steps(finding.next_step, program)]
    advised += [words.explain(finding, program) for finding in told.findings[:1]]
    advised += [f"{program} actions approve {one.id}" for one in told.actions if _waits(one)]
    if any(one.actor == "agent:crew" for one in told.timeline):
        advised.append(f"{program} investigate {incident.name} --kept")
    if incident.state is IncidentState.open:
        advised.append(f"{program} incident ack {incident.name}")
    return list(dict.fromkeys(advised))


def _section(name: str, items: Sequence[Sequence[Text]]) -> list[Text]:
    lines = [line for item in items for line in item]
    return [Text(f" {name}", style="bold"), *lines, Text()] if lines else []


def _moment(one: Happening, now: datetime, zone: ZoneInfo, width: int) -> list[Text]:
    said = wrap(f"{one.said}{actor(one)}", width - _MOMENT)
    return hanging(Text(f" {words.clock(one.at, now, zone)}", style="dim"), said, _MOMENT)


def _waits(action: Action) -> bool:
    return action.state is ActionState.waiting


def proposal(action: Action, now: datetime, zone: ZoneInfo) -> str:
    """``rerun orders (waiting until 04:30)  2a73ff0399-1``."""
    state = action.state.value.replace("_", " ")
    until = f" until {words.clock(action.expires_at, now, zone)}" if _waits(action) else ""
    step = action.args.get("step")
    what = f": {one_line(step, 160)}" if isinstance(step, str) else ""
    return f"{action.verb} {one_line(action.target_name, 120)}{what} ({state}{until})  {action.id}"


def _action(action: Action, now: datetime, zone: ZoneInfo, width: int) -> list[Text]:
    """What was proposed, and why it stands as it does."""
    said = proposal(action, now, zone)
    why = [Text(" " * LABEL + line, style="dim") for line in wrap(one_line(action.why, 300), width - LABEL)]
    return [*hanging(Text(" "), wrap(said, width - LABEL), LABEL), *why]


def actor(one: Happening) -> str:
    """`` (ana)`` behind what somebody did, unless the sentence says it already."""
    name = one_line(one.actor.removeprefix("user:"), 60)
    return "" if name in ("", "rules") or name in one.said else f" ({name})"


def _item(item: Evidence, now: datetime, zone: ZoneInfo, width: int) -> list[Text]:
    lines = hanging(Text(f" {item.id[:8]}", style="dim"), wrap(fact(item, now, zone), width - LABEL), LABEL)
    return [*lines, Text(" " * LABEL + item.url, style="dim")] if item.url else lines


def _cited(told: Dossier) -> list[Evidence]:
    """What it rests on now, causes first; what it cited once is in the JSON."""
    known = {item.id: item for item in told.evidence}
    ids = [*told.incident.cites, *(id_ for finding in told.findings for id_ in finding.evidence)]
    return [known[id_] for id_ in dict.fromkeys(ids) if id_ in known]
