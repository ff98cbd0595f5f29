"""The report as Markdown: for step summaries, tickets and mail."""

from zoneinfo import ZoneInfo

from dogwatch.model import ScopeKind
from dogwatch.model.dossier import Dossier
from dogwatch.model.overview import Day, Overview
from dogwatch.model.text import plural
from dogwatch.report import words
from dogwatch.report.incident import facts, mark, next_steps, standing
from dogwatch.report.markdown import code, plain, step_told
from dogwatch.report.verdict import verdict

_WORST_DAYS = 10


def digest(found: Overview, program: str = "dogwatch") -> str:
    """Verdict first, then incidents, what is not seen, what can be done, and the days behind."""
    zone = ZoneInfo(found.timezone)
    parts = [f"# dogwatch: {verdict(found)[1]}"]
    looked = "nothing has been looked at yet"
    if found.last_round_at is not None:
        looked = f"last looked {words.since(found.last_round_at, found.at, zone)}"
    whole = [plain(one.summary) for one in found.health if one.kind is ScopeKind.all]
    parts.append(" · ".join([looked, *whole, *([words.ran(found)] if found.runs else [])]))
    shown = {told.incident.number for told in found.dossiers}
    parts += [_incident(told, program, zone) for told in found.dossiers if not told.incident.blind]
    rest = [one for one in found.incidents if one.number not in shown and not one.blind]
    if rest:
        lines = [f"- {one.name} {one.severity.value} {standing(one)}: {plain(one.title)}" for one in rest]
        parts.append("\n".join(["## Other incidents", "", *lines]))
    blind = [one for one in found.platforms if one.blind_since is not None]
    lines = [
        f"- {plain(words.blindness(one, found.at, zone))}; {plain(words.unseen(one, found.at, zone))}"
        for one in blind
    ]
    lines += [f"- {plain(one.title, 80)}: {plain(said)}" for one in found.platforms for said in one.caveats]
    if lines:
        parts.append("\n".join(["## Not seen", "", *lines]))
    if found.actions:
        lines = [
            f"- {plain(found.labels.get(one.id, one.verb))} ({one.state.value.replace('_', ' ')})"
            + (f": {code(f'{program} actions approve {one.id}')}" if one.state.value == "waiting" else "")
            for one in found.actions
        ]
        parts.append("\n".join(["## What can be done", "", *lines]))
    parts += _days(found)
    return "\n\n".join(parts) + "\n"


def _incident(told: Dossier, program: str, zone: ZoneInfo) -> str:
    """What, why, since when, whom it hits, what to do."""
    one, evidence = told.incident, {item.id: item for item in told.evidence}
    lines = [f"## {mark(one)} {one.name} {one.severity.value} {plain(one.title)}", ""]
    lines += [f"- {label}: {plain(said, 800)}" for label, said in facts(one, evidence, zone, told.at)]
    lines += [f"- next: {step_told(step, program)}" for step in next_steps(told, program)]
    return "\n".join(lines)


def _days(found: Overview) -> list[str]:
    """The jobs with the most bad days."""
    worst = [
        (sum(day in (Day.bad, Day.missed) for day in row.days), row)
        for row in found.heat
        if any(day in (Day.bad, Day.missed) for day in row.days)
    ]
    if not worst:
        return []
    worst.sort(key=lambda one: (-one[0], one[1].name))
    lines = [
        f"| {plain(row.name, 80)} | {bad} | {sum(row.failures)} of {sum(row.runs)} |"
        for bad, row in worst[:_WORST_DAYS]
    ]
    head = [f"## {plural(len(found.days), 'day')}", "", "| job | bad days | runs failed |", "|---|---|---|"]
    return ["\n".join([*head, *lines])]
