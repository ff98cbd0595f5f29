"""What could be done, what waits for a person, what came of it; and the record of all that."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich.text import Text

from dogwatch.model import Action, ActionState, Event
from dogwatch.model.actions import ActionList, AuditTrail
from dogwatch.model.text import one_line, plural
from dogwatch.report import words
from dogwatch.report.lines import hanging, page, wrap

_INDENT = 4
_MARKS = {
    ActionState.waiting: ("◐", "bold yellow"),
    ActionState.proposed: ("○", ""),
    ActionState.failed: ("●", "bold red"),
    ActionState.made_worse: ("●", "bold red"),
    ActionState.unknown: ("●", "bold red"),
    ActionState.did_not_help: ("●", "bold yellow"),
}


def actions(found: ActionList, width: int, program: str = "dogwatch") -> Text:
    """All of them: what each would do, why, and what to type."""
    zone = ZoneInfo(found.timezone)
    lines: list[Text] = []
    if found.halted_by and found.halted_at:
        since = words.since(found.halted_at, found.at, zone)
        lines += [Text(f"● halted by {found.halted_by} since {since}: nothing is done", style="bold red")]
        lines += [Text(f"  next  {program} halt --off"), Text()]
    if found.policy_problem:
        lines += hanging(Text("●", style="bold red"), wrap(found.policy_problem, width - 2), 2)
        lines.append(Text())
    if not found.actions:
        return page([*lines, Text("nothing is proposed: no live incident, or nothing that would mend one")])
    for action, label in zip(found.actions, found.labels, strict=True):
        lines += _action(action, label, found, width, program)
    return page(lines)


def _action(action: Action, label: str, found: ActionList, width: int, program: str) -> list[Text]:
    zone = ZoneInfo(found.timezone)
    mark, style = _MARKS.get(action.state, ("○", "dim"))
    head = Text.assemble((f"{mark} ", style), (one_line(label, 200), style))
    state = action.state.value.replace("_", " ")
    facts = [f"{action.id} · INC-{action.incident} · {state} · {action.risk.value}"]
    if action.state is ActionState.waiting:
        facts.append(f"waits for your consent until {words.clock(action.expires_at, found.at, zone)}")
    lines = [head]
    for said in (" · ".join(facts), action.reason, action.why):
        lines += [
            Text(" " * _INDENT + line, style="dim") for line in wrap(one_line(said, 400), width - _INDENT)
        ]
    if action.state is ActionState.waiting:
        for verb in ("approve", "reject"):
            lines.append(Text(f"{' ' * _INDENT}{program} actions {verb} {action.id}"))
    return lines


def trail(found: AuditTrail, width: int) -> Text:
    """One line for each event."""
    zone = ZoneInfo(found.timezone)
    if not found.events:
        return page([Text("nothing is recorded yet")])
    return page([line for event in found.events for line in _event(event, found, zone, width)])


def _event(event: Event, found: AuditTrail, zone: ZoneInfo, width: int) -> Sequence[Text]:
    when = words.clock(event.at, found.at, zone)
    why = event.detail.get("why")
    said = f"{event.kind}  {event.subject}  {event.actor.removeprefix('user:')}"
    if isinstance(why, str) and why:
        said += f"  {one_line(why, 200)}"
    label = Text.assemble((f"{event.seq:>6}  ", "dim"), (f"{when:<12}  ", "dim"))
    return hanging(label, wrap(said, width - label.cell_len), label.cell_len)


def decided(action: Action, label: str) -> str:
    """What came of a person's decision, in one line."""
    state = action.state.value.replace("_", " ")
    return f"{action.id} {state}: {one_line(label, 200)}" + (
        f" ({one_line(action.why, 200)})" if action.why else ""
    )


def verified(count: int, broken_at: int | None, last_hash: str) -> str:
    """Whether the record is whole, in a sentence."""
    if broken_at is not None:
        return f"● the record was changed: event {broken_at} does not fit the one before it"
    last = last_hash[:16] or "-"
    return f"○ {plural(count, 'event')}, each fits the one before it; the last hash is {last}"
