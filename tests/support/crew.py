"""An incident in the lab and a crew whose model is a script: what comes of it, and what the record says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai import models
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from dogwatch import connectors
from dogwatch.agents.crew import Crew
from dogwatch.agents.roster_files import AgentFile, roster
from dogwatch.agents.runtime import ANSWER, PydanticRuntime
from dogwatch.agents.scripted import in_pieces
from dogwatch.agents.session import Purse
from dogwatch.model import Event
from dogwatch.model.investigation import Investigation
from support.healing import Ward
from support.plain_crew import analysis as analysis
from support.plain_crew import evidence_of as evidence_of
from support.plain_crew import good as good
from support.plain_crew import in_trouble as in_trouble
from support.plain_crew import issue as issue
from support.plain_crew import line as line
from support.plain_crew import report as report
from support.plain_crew import triage as triage

models.ALLOW_MODEL_REQUESTS = False  # a request by accident is an error


Answers = Mapping[str, Any]
"""By agent: an answer as JSON, or a function (AgentInfo, messages so far) -> ModelResponse."""


def roster_of() -> dict[str, AgentFile]:
    """All agents that come with dogwatch."""
    return roster({name: connectors.load(name).title for name in connectors.names()})


def say(agent: str, answer: Any) -> ModelResponse:
    """A model's answer by the form."""
    return ModelResponse(parts=[ToolCallPart(ANSWER, answer)])


def use(*calls: tuple[str, Mapping[str, Any]]) -> ModelResponse:
    """A model's calls of tools."""
    return ModelResponse(parts=[ToolCallPart(name, dict(args)) for name, args in calls])


def words(text: str) -> ModelResponse:
    """Plain words of a model."""
    return ModelResponse(parts=[TextPart(text)])


@dataclass
class Script:
    """What the model answers, by agent: one thing for ever, or a list, of which the last is repeated."""

    answers: Answers
    asked: list[str] = field(default_factory=list[str])
    """The agents that asked, in order."""
    prompts: list[str] = field(default_factory=list[str])
    """Everything that the model was shown last, by request."""

    def model(self, agent: str, own: str) -> FunctionModel:
        """The model of one agent."""

        async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            self.asked.append(agent)
            self.prompts.append(str(messages) + str(info.instructions))
            given = self.answers.get(agent, self.answers.get("*"))
            if isinstance(given, list):
                given = given[min(self.asked.count(agent), len(given)) - 1]
            if callable(given):
                given = given(messages, info)
            if isinstance(given, ModelResponse):
                return given
            return say(agent, given)

        return FunctionModel(answer, stream_function=in_pieces(answer), model_name="script")


@dataclass
class Case:
    """An investigation of INC-1 and what the record holds of it."""

    found: Investigation
    script: Script
    events: list[Event]

    def tried(self, agent: str | None = None) -> list[str]:
        """Kinds of what was refused, each once, in order."""
        kinds = [
            str(one.detail["kind"])
            for one in self.events
            if one.kind == "agent.refused" and agent in (None, one.actor.removeprefix("agent:"))
        ]
        return list(dict.fromkeys(kinds))

    def messages(self) -> list[tuple[str, str, str]]:
        """(from, to, type) of what agents said to each other."""
        notes = [one.detail for one in self.events if one.kind == "agent.message"]
        return [(str(one["from"]), str(one["to"]), str(one["type"])) for one in notes]


def investigate(
    ward: Ward,
    answers: Answers,
    purse: Callable[[], Purse] = Purse,
    agents: Mapping[str, AgentFile] | None = None,
) -> Case:
    """Let the crew investigate INC-1 with a scripted model."""
    script = Script(answers)
    runtime = PydanticRuntime(script.model)

    async def work() -> tuple[Investigation, list[Event]]:
        async with ward.app() as app:
            before = (await app.verify_audit()).events
            found = await Crew(agents or roster_of(), runtime, app.desk(), purse).investigate(1)
            assert (await app.verify_audit()).whole
            return found, list((await app.audit(after=before)).events)

    found, events = ward.does(work())
    return Case(found, script, events)
