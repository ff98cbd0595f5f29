"""Agents in a conversation: what they add to an answer of the rules, each sentence on evidence. No framework.

The rules' answer stands whatever they say; a sentence whose citations, numbers or names do not stand is sent
back twice and then dropped, as in an investigation. One that stands is told as soon as it is written, and
is not taken back whatever becomes of the others.
"""

from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from dogwatch.agents.data import block
from dogwatch.agents.grounding import ground_of
from dogwatch.agents.hearing import Hearing
from dogwatch.agents.roster_files import AgentFile
from dogwatch.agents.session import CITING, Desk, Purse, Runtime, Session, Spent, Task, within
from dogwatch.agents.tools import TOOLS, call
from dogwatch.model import Evidence
from dogwatch.model.answer import Answer, Statement
from dogwatch.model.investigation import Answer as SaidAnswer
from dogwatch.model.investigation import Statement as Said

SPOKESMAN = "orchestrator"
_FACTS = 30
_TURNS = 4
"""Earlier questions and answers that are shown."""


async def discuss(
    told: Answer,
    number: int,
    history: Sequence[Answer],
    roster: Mapping[str, AgentFile],
    runtime: Runtime,
    desk: Desk,
    purse: Purse,
    progress: Callable[[str], None],
    heard: Callable[[Statement], None] = lambda statement: None,
) -> Answer:
    """The answer with what agents add about one incident; ``heard`` gets each sentence that stands while the
    others are still written. Raises IncidentError or StoreError."""
    dossier = await desk.incident(number)
    ground = ground_of(dossier, (), desk.scrub)
    session = Session(number, desk, ground, roster, runtime, purse, progress)
    facts = await call(TOOLS["read_evidence"], desk, {"incident": number, "limit": _FACTS}, "agent:crew")
    before = [
        {"question": one.question, "answer": [two.said for two in (*one.statements, *one.added)]}
        for one in history[-_TURNS:]
    ]
    prompt = (
        f"A person asks about {session.subject}. Add to the rules' answer only what helps and what the "
        f"evidence shows; nothing is a good answer.\n{block('question', told.question)}\n"
        f"{block('rules', [one.said for one in told.statements])}\n{block('before', before)}\n"
        f"{block('read_evidence', facts)}\n{CITING}"
    )
    await desk.record("agent:crew", "agent.started", session.shelf, {"by": "chat"})
    hearing = Hearing(session, lambda one: heard(_spoken(one)))
    kept: tuple[Said, ...] = ()
    note = ""

    async def work() -> None:
        nonlocal kept, note
        agent = roster[SPOKESMAN]
        task = Task(agent, prompt, SaidAnswer, session.check_answer, 1, hearing)
        outcome = await runtime.run(task, session)
        note = outcome.stopped
        if outcome.output is not None:
            kept = (await session.sifted(agent.name, outcome.output)).statements

    try:
        with session.spans.run(session.subject):
            await within(purse.seconds, work())
    except Spent as spent:
        note = str(spent)
    finally:  # also if the person does not want to hear more
        await desk.record("agent:crew", "agent.finished", session.shelf, _ending(session, note))
    added = tuple(_spoken(one) for one in hearing.with_rest(kept))
    known = {one.id: one for one in (*told.evidence, *dossier.evidence)}
    cited = dict.fromkeys(id_ for one in (*told.statements, *added) for id_ in one.cites)
    evidence: list[Evidence] = [known[id_] for id_ in cited if id_ in known]
    by = "agent" if added else told.by
    return told.model_copy(update={"added": added, "note": note, "evidence": tuple(evidence), "by": by})


def _spoken(one: Said) -> Statement:
    return Statement(said=one.text, cites=one.evidence)


def _ending(session: Session, note: str) -> Mapping[str, JsonValue]:
    """What the record keeps of it."""
    used = session.purse.used.model_dump(mode="json")
    return {"by": "chat", "note": note, "refused": {**session.tally()}, "usage": used}
