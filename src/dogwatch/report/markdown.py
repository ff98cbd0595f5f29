"""The same answers as Markdown, for tickets and chat. Everything a platform said is escaped."""

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from dogwatch.model import HealthAssessment, Incident, Run
from dogwatch.model.call import Organ
from dogwatch.model.dossier import Dossier, IncidentList
from dogwatch.model.keeping import StoreView
from dogwatch.model.report import CheckReport, Diagnosis, Explanation, Timetable
from dogwatch.model.text import one_line
from dogwatch.report import explain as explain_words
from dogwatch.report import incident, words
from dogwatch.report import schedule as schedule_words
from dogwatch.report.keeping import store
from dogwatch.report.runs import COLUMNS, cells

_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")
_WORD_JOINER = "\u2060"


def plain(text: str, limit: int = 400) -> str:
    """Text that stays text: no markup, no HTML, no mention, no bare link."""
    safe = one_line(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    safe = _SPECIAL.sub(r"\\\1", safe)
    return safe.replace("@", f"@{_WORD_JOINER}").replace("://", f":{_WORD_JOINER}//")


def code(text: str) -> str:
    """The text as a code span, with a fence longer than any run of backticks within."""
    flat = one_line(text, 400)
    fence = "`" * (max((len(ticks) for ticks in re.findall("`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def check(report: CheckReport, program: str = "dogwatch") -> str:
    """The answer of ``dogwatch check``; ``program`` is how the reader has to call it."""
    zone = ZoneInfo(report.timezone)
    lines = [
        f"# dogwatch: {' · '.join(said for _, _, said in words.counts(report))}",
        "",
        " · ".join(plain(part) for part in words.heading(report)),
        "",
    ]
    for one in words.told(report):
        lines += _incident(report, one, program)
    for platform in report.blind:
        lines += [f"## {words.BLIND_MARK} BLIND {plain(words.blindness(platform, report.at, zone))}", ""]
        lines += [f"- unseen: {plain(words.unseen(platform, report.at, zone))}"]
        lines += [f"- next: {step_told(step, program)}" for step in words.blind_steps(platform, program)] + [
            ""
        ]
    lines += [f"- muted: {one.name}: {plain(one.title)}" for one in words.muted(report)]
    lines += [f"- {label}: {plain(said)}" for label, said in words.remarks(report)]
    lines += [f"- unseen: {plain(said)}" for said in words.gaps(report)]
    lines += [f"- quiet: {plain(' · '.join(words.quiet(report)))}"]
    return "\n".join([*lines, *_health(report.health, program)])


def _health(assessments: Sequence[HealthAssessment], program: str) -> list[str]:
    """A row for each scope, and what is recommended for the whole."""
    if not assessments:
        return []
    lines = ["", "## Health", "", "| scope | health | risk | notify | what |", "|---|---|---|---|---|"]
    for one in assessments:
        notify = one.notification_priority.value if one.requires_notification else "no"
        state = f"{one.overall_health.value} | {one.risk_level.value} | {notify}"
        lines.append(f"| {plain(one.scope)} | {state} | {plain(one.summary)} |")
    whole = assessments[0].recommendations
    return [*lines, *([""] if whole else []), *(f"- do: {_recommended(text, program)}" for text in whole)]


def _recommended(text: str, program: str) -> str:
    """Whom it is about, and each thing to do, commands as code."""
    about, _, todo = text.partition("): ")
    steps = [step_told(step, program) for step in words.next_steps(todo, program)]
    return f"{plain(about)}): {' or '.join(steps)}"


def _incident(report: CheckReport, one: Incident, program: str) -> list[str]:
    zone = ZoneInfo(report.timezone)
    evidence = {item.id: item for item in report.evidence}
    news = words.is_news(report, one)
    told = incident.facts(one, evidence, zone, report.at, news=news)
    return [
        f"## {incident.mark(one)} {one.name} {one.severity.value} {plain(one.title)}",
        "",
        *(f"- {label}: {plain(said, 800)}" for label, said in told),
        *(f"- next: {step_told(step, program)}" for step in words.incident_steps(report, one, program)),
        "",
    ]


def incidents(found: IncidentList) -> str:
    """Incidents as a table."""
    zone = ZoneInfo(found.timezone)
    lines = ["| incident | severity | what | state | began |", "|---|---|---|---|---|"]
    for one in found.incidents:
        began = words.since(one.began_at, found.at, zone)
        told = (one.severity.value, plain(one.title), plain(incident.standing(one)), began)
        lines.append(f"| {incident.mark(one)} {one.name} | {' | '.join(told)} |")
    return "\n".join(lines)


def dossier(told: Dossier, program: str = "dogwatch") -> str:
    """One incident with its timeline and what it rests on."""
    zone, one = ZoneInfo(told.timezone), told.incident
    evidence = {item.id: item for item in told.evidence}
    lines = [f"# {incident.mark(one)} {one.name} {one.severity.value} {plain(one.title)}", ""]
    lines += [
        f"- {label}: {plain(said, 800)}" for label, said in incident.facts(one, evidence, zone, told.at)
    ]
    lines += [f"- next: {step_told(step, program)}" for step in incident.next_steps(told, program)]
    if told.actions:
        lines += ["", "## Actions", ""]
        lines += [f"- {plain(incident.proposal(act, told.at, zone))}" for act in told.actions]
    lines += ["", "## Timeline", ""]
    for happened in told.timeline:
        when, who = words.clock(happened.at, told.at, zone), plain(incident.actor(happened))
        lines.append(f"- {when} {plain(happened.said)} {who}".rstrip())
    lines += ["", "## Evidence", ""]
    lines += [
        f"- {code(item.id[:8])} {plain(explain_words.fact(item, told.at, zone))}" for item in told.evidence
    ]
    return "\n".join(lines)


def step_told(step: str, program: str) -> str:
    """Something to do: as code if it is to be typed."""
    return code(step) if words.verbatim(step, program) else plain(step)


def runs(found: Sequence[Run], zone: ZoneInfo) -> str:
    """Runs as a table."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(plain(cell) for cell in cells(run, zone))} |" for run in found]
    return "\n".join(lines)


def doctor(
    diagnoses: Sequence[Diagnosis], kept: StoreView | None = None, organs: Sequence[Organ] = ()
) -> str:
    """One row for the store, each connector, and each part of the watch that was looked at."""
    lines = ["| connector | state | what | next |", "|---|---|---|---|"]
    if kept is not None:
        lines.append(f"| store | ok | {plain(store(kept))} |  |")
    for one in diagnoses:
        state = "ok" if one.ok else one.fault
        lines.append(f"| {plain(one.instance)} | {state} | {plain(one.line)} | {plain(one.hint)} |")
    for organ in organs:
        how = "ok" if organ.ok else "not well"
        lines.append(f"| {plain(organ.name)} | {how} | {plain(organ.line)} | {plain(organ.hint)} |")
    return "\n".join(lines)


def schedule(found: Timetable) -> str:
    """Jobs by their next slot, as a table."""
    heads = schedule_words.columns()
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(plain(cell) for cell in row)} |" for row in schedule_words.rows(found)]
    return "\n".join(lines)


def explanation(told: Explanation, program: str = "dogwatch") -> str:
    """A finding with what it rests on, and its picture as a code block."""
    lines = [f"# {told.finding.severity.value} {plain(told.finding.summary)}", ""]
    lines += [f"- {label}: {plain(said)}" for label, said in explain_words.facts(told)]
    lines += [f"- rests on: {plain(said, 600)}" for said in explain_words.evidence(told)]
    steps = words.next_steps(told.finding.next_step, program)
    lines += [f"- next: {step_told(step, program)}" for step in steps]
    picture = explain_words.picture(told, 80)
    return "\n".join([*lines, "", *(f"    {line}".rstrip() for line in picture if line)])
