"""Incidents and runbooks as resources, and prompts: what a client may read or put before its model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dogwatch.agents.data import RULE, block, masked
from dogwatch.app import Dogwatch, IncidentFilter
from dogwatch.causes.advice import Runbook, shipped
from dogwatch.errors import DogwatchError
from dogwatch.mcp.verbs import VERBS, answer
from dogwatch.model.text import bounded
from dogwatch.report import markdown
from dogwatch.settings.runbooks import runbooks_of

INCIDENT = "dogwatch://incident/"
RUNBOOK = "dogwatch://runbook/"
PAGE = 50
_LONGEST = 40_000
_NOT_KNOWN = "there is no such resource"


@dataclass(frozen=True, slots=True)
class Item:
    """One resource."""

    uri: str
    name: str
    title: str


def books(app: Dogwatch) -> Mapping[str, Runbook]:
    """The runbooks by name: the user's own before those that come with dogwatch."""
    found = {one.name: one for one in shipped()}
    return found | {one.name: one for one in runbooks_of(app.settings.runbooks)}


async def items(app: Dogwatch, cursor: str | None) -> tuple[list[Item], str | None]:
    """A page of resources and where the next one begins: runbooks, then incidents, the newest first."""
    known = books(app)
    shelf = [Item(f"{RUNBOOK}{name}", name, known[name].title or name) for name in sorted(known)]
    if cursor is None:
        found, more = await _incident_items(app, None, max(1, PAGE - len(shelf)))
        return [*shelf, *found], more
    if not cursor.isdecimal() or not 1 < len(cursor) + 1 < 12:
        raise DogwatchError("the cursor is none of ours", "begin without one")
    return await _incident_items(app, int(cursor), PAGE)


async def _incident_items(app: Dogwatch, before: int | None, count: int) -> tuple[list[Item], str | None]:
    found = await app.incidents(IncidentFilter(before=before, limit=count + 1))
    numbers = sorted(found.incidents, key=lambda one: one.number, reverse=True)
    shown = [
        Item(f"{INCIDENT}{one.number}", one.name, masked(one.title, app.desk().scrub, 160))
        for one in numbers[:count]
    ]
    return shown, str(numbers[count - 1].number) if len(numbers) > count else None


async def read(app: Dogwatch, uri: str) -> str:
    """A resource as Markdown; what platforms said in an incident stands in a block of data.

    Raises DogwatchError.
    """
    if uri.startswith(RUNBOOK):
        book = books(app).get(uri.removeprefix(RUNBOOK))
        if book is None:
            raise DogwatchError(_NOT_KNOWN, "resources/list names them")
        return bounded(book.text, _LONGEST)
    number = uri.removeprefix(INCIDENT)
    if not uri.startswith(INCIDENT) or not number.isdecimal() or len(number) > 9:
        raise DogwatchError(_NOT_KNOWN, "resources/list names them")
    told = markdown.dossier(await app.incident(int(number)))
    lines = [masked(line, app.desk().scrub, 2_000) if line.strip() else "" for line in told.splitlines()]
    inner = bounded("\n".join(lines), _LONGEST).replace("<", "&lt;")
    return f'{RULE}\n\n<data source="{uri}">\n{inner}\n</data>\n'


@dataclass(frozen=True, slots=True)
class Offer:
    """One prompt."""

    name: str
    description: str
    arguments: Sequence[tuple[str, str, bool]] = ()
    """(name, description, required)."""


PROMPTS: Mapping[str, Offer] = {
    one.name: one
    for one in (
        Offer("dataops-check", "How are the data pipelines, and what has to be done now?"),
        Offer("why", "Why something went wrong.", (("what", "A job, a pipeline, or INC-7.", True),)),
        Offer("handover", "What happened since yesterday evening, for whoever takes over."),
    )
}

_MANNER = (
    "Answer briefly for someone who was just woken: what is wrong, why (say confirmed, likely or can't "
    "tell), who is hit and by when, what to do. Claim only what the data shows, name the evidence ids. Say "
    "what could not be seen. You cannot act: actions can only be proposed with propose_action, and a person "
    "decides."
)


async def prompt(app: Dogwatch, name: str, given: Mapping[str, str]) -> str:
    """The text of a prompt, with what is known now. Raises DogwatchError."""
    if name not in PROMPTS:
        raise DogwatchError(f"there is no prompt {masked(name, longest=60)!r}", "prompts/list names them")
    if name == "why":
        what = masked(given.get("what", ""), app.desk().scrub, 200)
        if not what:
            raise DogwatchError("the prompt why needs what", "a job, a pipeline or an incident")
        opening, questions = "Explain why this went wrong.", [f"why {what}", f"who is hit by {what}"]
    elif name == "handover":
        opening, questions = "Write a handover.", ["what did you do last night", "what waits for me"]
    else:
        opening = "Check the data pipelines and tell what has to be done now."
        questions = ["what is broken", "what can you not see", "what waits for me"]
    parts = [opening, _MANNER, RULE]
    for question in questions:
        told = await answer(VERBS["ask"], app, {"question": question}, "agent:mcp")
        parts.append(block("dogwatch ask", told))
    return "\n\n".join(parts)
