"""What ``dogwatch ask`` says: sentences, what they rest on, what to do."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich.text import Text

from dogwatch.model import Evidence
from dogwatch.model.answer import Answer, Statement
from dogwatch.report import words
from dogwatch.report.explain import fact
from dogwatch.report.lines import hanging, page, wrap
from dogwatch.report.markdown import code, plain

_LABEL = 10


def answer(told: Answer, width: int, program: str = "dogwatch") -> Text:
    """The answer for a terminal ``width`` columns wide."""
    return page([*opening(told, width), *closing(told, width, program)])


def opening(told: Answer, width: int) -> list[Text]:
    """What is known before any agent is asked."""
    lines: list[Text] = []
    for one in told.statements:
        cited = " ".join(f"[{id_[:8]}]" for id_ in one.cites)
        first, *rest = wrap(f"{one.said} {cited}".strip(), width - 2)
        lines += [Text(first), *(Text(f"  {line}") for line in rest)]
    return lines


def addition(one: Statement, width: int) -> list[Text]:
    """One sentence that agents add."""
    cited = " ".join(f"[{id_[:8]}]" for id_ in one.cites)
    return hanging(Text(" agents", style="dim"), wrap(f"{one.said} {cited}", width - _LABEL), _LABEL)


def closing(told: Answer, width: int, program: str = "dogwatch", heard: int = 0) -> list[Text]:
    """What follows; ``heard``: so many of the sentences that agents add were shown already."""
    lines = _added(told, width, heard)
    if told.suggestions:
        lines += [Text(_opening(told)), *(Text(f"  {text}") for text in told.suggestions)]
    lines += _proof(told, told.evidence, width)
    return [*lines, *_rows("next", [_called(step, program) for step in told.next])]


def afterwards(told: Answer, before: Answer, width: int, heard: int = 0) -> list[Text]:
    """What agents made of an answer that was shown in full ``before``."""
    known = {one.id for one in before.evidence}
    news = [one for one in told.evidence if one.id not in known]
    return [*_added(told, width, heard), *_proof(told, news, width)]


def _added(told: Answer, width: int, heard: int) -> list[Text]:
    """What agents add, and why they add nothing."""
    lines = [line for one in told.added[heard:] for line in addition(one, width)]
    if told.note:
        lines += hanging(Text(" agents", style="dim"), wrap(told.note, width - _LABEL), _LABEL, "dim")
    return lines


def _proof(told: Answer, evidence: Sequence[Evidence], width: int) -> list[Text]:
    zone = ZoneInfo(told.timezone)
    said = [f"{one.id[:8]} {fact(one, told.at, zone)}" for one in evidence]
    return _rows("rests on", [line for one in said for line in wrap(one, width - _LABEL)])


def markdown(told: Answer, program: str = "dogwatch") -> str:
    """The same for tickets and chat."""
    zone = ZoneInfo(told.timezone)
    lines = [
        f"- {plain(one.said, 600)}" + "".join(f" `{id_[:8]}`" for id_ in one.cites) for one in told.statements
    ]
    if told.added:
        lines += ["", "Agents add:", "", *(f"- {plain(one.said, 600)}" for one in told.added)]
    if told.note:
        lines += ["", plain(f"Agents: {told.note}", 400)]
    if told.suggestions:
        lines += [_opening(told), "", *(f"- {plain(text, 200)}" for text in told.suggestions)]
    if told.evidence:
        lines += ["", "Rests on:", ""]
        lines += [f"- `{one.id[:8]}` {plain(fact(one, told.at, zone), 600)}" for one in told.evidence]
    if told.next:
        lines += ["", "Next:", "", *(f"- {code(_called(step, program))}" for step in told.next)]
    return "\n".join(lines)


def _opening(told: Answer) -> str:
    return "These can be answered:" if told.understood else "That was not understood. Ask:"


def _called(step: str, program: str) -> str:
    (first,) = words.next_steps(step, program)[:1] or [step]
    return first


def _rows(label: str, said: Sequence[str]) -> list[Text]:
    return [Text(), *hanging(Text(label, style="dim"), list(said), _LABEL)] if said else []
