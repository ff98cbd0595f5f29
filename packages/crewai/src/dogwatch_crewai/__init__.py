"""dogwatch's crew on CrewAI: the same roster, tools, outputs, grounding and limits, another framework.

Nothing that makes agents safe is here: tools, scope, budgets and the record are the session's, what may stand
is judged by ``dogwatch.agents.grounding``. CrewAI runs in a thread, its tools answer from the calling loop.
Its telemetry is switched off before it is imported.
"""

import os

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")
os.environ.setdefault("CREWAI_DISABLE_TRACKING", "true")
os.environ.setdefault("CREWAI_TRACING_ENABLED", "false")
os.environ.setdefault("OTEL_SDK_DISABLED", "true")

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from crewai import Agent, BaseLLM, Crew, Process, Task
from crewai.tools import BaseTool
from pydantic import BaseModel, ConfigDict, Field

from dogwatch import connectors
from dogwatch.agents import crew as flow
from dogwatch.agents.data import RULE
from dogwatch.agents.grounding import SEND_BACKS, Objection
from dogwatch.agents.roster_files import AgentFile, roster
from dogwatch.agents.session import Desk, Outcome, Purse, Session, Spec, Spent
from dogwatch.agents.session import Task as Wanted
from dogwatch.agents.tools import TOOLS
from dogwatch.model.investigation import Investigation

T = TypeVar("T", bound=BaseModel)
_LARGEST = 60_000


class Question(BaseModel):
    """What one agent asks another."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(max_length=600)
    """One clear question."""


class SessionTool(BaseTool):
    """A tool of the session; it answers from the loop in which the session lives."""

    answer: Callable[[Mapping[str, Any]], str] = Field(exclude=True)

    def _run(self, **args: Any) -> str:
        return self.answer(args)


@dataclass
class CrewRuntime:
    """Lets CrewAI answer tasks: each a sequential crew, checked and sent back as any answer is."""

    llm: BaseLLM
    headroom: dict[str, float] = field(default_factory=dict)

    async def run(self, task: Wanted[T], session: Session) -> Outcome[T]:
        """One run of one agent, to its end or to the end of a budget."""
        loop = asyncio.get_running_loop()
        seen: list[T] = []
        spent: list[Spent] = []
        crew = self._crew(task, session, loop, seen, spent)
        try:
            await asyncio.to_thread(crew.kickoff)
        except Spent as error:
            return await self._ended(task, session, seen, str(error))
        except Exception as error:  # noqa: BLE001  # whatever CrewAI raises ends this run and nothing else
            said = (
                str(spent[0])
                if spent
                else f"CrewAI gave no answer of the right form ({type(error).__name__})"
            )
            return await self._ended(task, session, seen, said)
        finally:
            self._charge(session)
        return Outcome(seen[-1]) if seen else await self._ended(task, session, seen, "CrewAI gave no answer")

    async def _ended(self, task: Wanted[T], session: Session, seen: list[T], why: str) -> Outcome[T]:
        await session.tried(task.agent.name, "no_answer", "run", why)
        return Outcome(seen[-1] if seen else None, stopped=why)

    def _charge(self, session: Session) -> None:
        used = self.llm.get_token_usage_summary()
        known = session.shared.setdefault("crewai", [0, 0])
        session.purse.charge(used.prompt_tokens - known[0], used.completion_tokens - known[1], None)
        known[:] = [used.prompt_tokens, used.completion_tokens]

    def _crew(
        self,
        task: Wanted[T],
        session: Session,
        loop: asyncio.AbstractEventLoop,
        seen: list[T],
        spent: list[Spent],
    ) -> Crew:
        def wait(work: Any) -> Any:
            try:
                return asyncio.run_coroutine_threadsafe(work, loop).result()
            except Spent as error:
                spent.append(error)
                raise

        def step(_: Any) -> None:
            if spent:
                raise spent[0]
            session.purse.check()

        agent = agent_of(
            task.agent,
            self.llm,
            [tool_of(spec, wait) for spec in session.specs(task.agent, task.depth)],
            step,
        )
        job = Task(
            description=f"{task.prompt}\n\n{RULE}",
            expected_output=f"JSON of this schema alone: {task.output.model_json_schema()}",
            agent=agent,
            guardrail=_guard(task, session, wait, seen),
            guardrail_max_retries=SEND_BACKS + 1,
        )
        return Crew(agents=[agent], tasks=[job], process=Process.sequential, memory=False, verbose=False)


def agent_of(
    file: AgentFile, llm: BaseLLM, tools: Sequence[BaseTool], step: Callable[[Any], None] | None = None
) -> Agent:
    """An agent of the roster as CrewAI has it: no delegation, no code, no memory of CrewAI's own."""
    return Agent(
        role=file.name,
        goal=file.description,
        backstory=file.instructions,
        llm=llm,
        tools=list(tools),
        max_iter=file.limits.iterations,
        allow_delegation=False,
        memory=False,
        verbose=False,
        step_callback=step,
    )


def tool_of(spec: Spec, wait: Callable[[Any], Any]) -> BaseTool:
    """A tool of the session as CrewAI has it."""
    schema = TOOLS[spec.name].args if spec.name in TOOLS else Question
    return SessionTool(
        name=spec.name,
        description=spec.description,
        args_schema=schema,
        answer=lambda args: wait(spec.call(args)),
    )


def _guard(
    task: Wanted[T], session: Session, wait: Callable[[Any], Any], seen: list[T]
) -> Callable[[Any], tuple[bool, Any]]:
    """CrewAI's guardrail: the form, then all that grounding says; twice back, then it is what it is."""
    tries = 0

    def guard(output: Any) -> tuple[bool, Any]:
        nonlocal tries
        tries += 1
        text = str(output.raw)
        if len(text) > _LARGEST:
            wait(session.tried(task.agent.name, "too_large", "answer", f"{len(text):,} characters"))
            raise Spent(f"{task.agent.name} wrote {len(text):,} characters at once")
        try:
            said = task.output.model_validate_json(_json(text))
        except ValueError:
            wait(session.tried(task.agent.name, "bad_form", "answer", "not of the form that was asked for"))
            if tries > SEND_BACKS:
                raise Spent(f"{task.agent.name} gave no answer of the right form") from None
            return False, "answer with JSON of the schema alone"
        seen.append(said)
        found: Sequence[Objection] = task.check(said)
        if not found or tries > SEND_BACKS:
            return True, text
        for one in found:
            wait(session.tried(task.agent.name, one.kind, one.what, one.why))
        return False, "; ".join(f"{one.what}: {one.why}" for one in found[:8])

    return guard


def _json(text: str) -> str:
    """The JSON in an answer that may stand in a fence."""
    begin, end = text.find("{"), text.rfind("}")
    return text[begin : end + 1] if 0 <= begin < end else text


async def investigate(
    desk: Desk,
    number: int,
    llm: BaseLLM,
    purse: Callable[[], Purse] = Purse,
    agents: Mapping[str, AgentFile] | None = None,
) -> Investigation:
    """What rules and CrewAI's crew say of an incident. Raises IncidentError or StoreError."""
    found = agents or roster({name: connectors.load(name).title for name in connectors.names()})
    return await flow.Crew(found, CrewRuntime(llm), desk, purse).investigate(number)
