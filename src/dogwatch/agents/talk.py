"""Agents in a conversation: what they add to an answer of the rules, each sentence on evidence. No framework.

The rules' answer stands whatever they say; a sentence whose citations, numbers or names do not stand is sent
back twice and then dropped, as in an investigation.
"""

from collections.abc import Callable, Mapping, Sequence

from dogwatch.agents.data import block
from dogwatch.agents.grounding import ground_of
from dogwatch.agents.roster_files import AgentFile
from dogwatch.agents.session import CITING, Desk, Purse, Runtime, Session, Spent, Task, within
from dogwatch.agents.tools import TOOLS, call
from dogwatch.model import Evidence
from dogwatch.model.answer import Answer, Statement
from dogwatch.model.investigation import Answer as Said

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
) -> Answer:
    """The answer with what agents add about one incident. Raises IncidentError or StoreError."""
    dossier = await desk.incident(number)
    ground = ground_of(dossier, (), desk.scrub)
    session = Session(number, desk, ground, roster, runtime, purse, progress)
    facts = await call(TOOLS["read_evidence"], desk, {"incident": number, "limit": _FACTS}, "agent:crew")
    before = [{"question": one.question, "answer": [two.said for two in one.statements]} for one in history]
    prompt = (
        f"A person asks about {session.subject}. Add to the rules' answer only what helps and what the "
        f"evidence shows; nothing is a good answer.\n{block('question', told.question)}\n"
        f"{block('rules', [one.said for one in told.statements])}\n{block('before', before[-_TURNS:])}\n"
        f"{block('read_evidence', facts)}\n{CITING}"
    )
    await desk.record("agent:crew", "agent.started", session.shelf, {"by": "chat"})
    added: tuple[Statement, ...] = ()
    note = ""

    async def work() -> None:
        nonlocal added, note
        agent = roster[SPOKESMAN]
        outcome = await runtime.run(Task(agent, prompt, Said, session.check_answer, 1), session)
        note = outcome.stopped
        if outcome.output is not None:
            kept = await session.sifted(agent.name, outcome.output)
            added = tuple(Statement(said=one.text, cites=one.evidence) for one in kept.statements)

    try:
        with session.spans.run(session.subject):
            await within(purse.seconds, work())
    except Spent as spent:
        note = str(spent)
    known = {one.id: one for one in (*told.evidence, *dossier.evidence)}
    cited = dict.fromkeys(id_ for one in (*told.statements, *added) for id_ in one.cites)
    evidence: list[Evidence] = [known[id_] for id_ in cited if id_ in known]
    by = "agent" if added else told.by
    return told.model_copy(update={"added": added, "note": note, "evidence": tuple(evidence), "by": by})
