"""An incident in the lab and a crew whose model is a script: what comes of it, and what the record says."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_ai import models
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from dogwatch import connectors
from dogwatch.agents.crew import Crew
from dogwatch.agents.roster_files import AgentFile, roster
from dogwatch.agents.runtime import ANSWER, PydanticRuntime
from dogwatch.agents.session import Purse
from dogwatch.model import Event
from dogwatch.model.investigation import Investigation
from support.healing import FOR_GOOD, Ward

models.ALLOW_MODEL_REQUESTS = False  # a request by accident is an error
ERROR = 'FATAL: password authentication failed for user "sync_user"'
FAULT = f"kind: run_fails, {FOR_GOOD}, error: {json.dumps(ERROR)}"

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

        return FunctionModel(answer, model_name="script")


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


def in_trouble(folder: Path, *, policy: str = "") -> Ward:
    """A ward in which INC-1 is open: logins are refused since 09:05."""
    return Ward(folder, "airbyte", FAULT, policy)


def evidence_of(ward: Ward) -> list[str]:
    """The ids of INC-1."""

    async def work() -> Sequence[str]:
        async with ward.app() as app:
            return [one.id for one in (await app.incident(1)).evidence]

    return list(ward.does(work()))


def triage(ids: Sequence[str], subject: str, **changes: Any) -> dict[str, Any]:
    """A good answer of triage."""
    return {
        "total_events": 1,
        "errors": [
            {
                "error_id": "E1",
                "timestamp": "2026-03-04T09:10:05Z",
                "component": subject,
                "message": "JOB_1 failed: password authentication failed",
                "severity": "ERROR",
                "evidence": list(ids),
            }
        ],
        "health": {
            "overall_health": "unhealthy",
            "risk_level": "HIGH",
            "requires_notification": True,
            "notification_priority": "high",
        },
        "summary": "JOB_1 failed because its authentication failed.",
        **changes,
    }


def issue(ids: Sequence[str], subject: str, **changes: Any) -> dict[str, Any]:
    """A good claim of root cause."""
    return {
        "error_id": "E1",
        "root_cause": "The password of user sync_user is refused: password authentication failed.",
        "cause_class": "auth_permission",
        "subject": subject,
        "evidence": list(ids),
        "suggested_fix": "Renew the password of the user in the source.",
        **changes,
    }


def analysis(*issues: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """An answer of root cause."""
    return {"issues": list(issues), "patterns": [], "metrics_correlation": [], "not_known": "", **changes}


def line(text: str) -> dict[str, Any]:
    """A sentence of a report about E1."""
    return {"text": text, "issues": ["E1"]}


def report(**changes: Any) -> dict[str, Any]:
    """A good answer of the reporter."""
    return {
        "executive_summary": [line("JOB_1 failed because the password of its user was refused.")],
        "critical_issues": [line("Authentication failed for user sync_user.")],
        "action_items": [line("Renew the password of the user.")],
        "email_subject": line("JOB_1 failed: password refused"),
        "email_opening": line("You need to renew a password."),
        **changes,
    }


def good(ids: Sequence[str], subject: str, **changes: Any) -> dict[str, Any]:
    """A crew that does its work."""
    return {
        "triage": triage(ids, subject),
        "root-cause": analysis(issue(ids, subject)),
        "reporter": report(),
        **changes,
    }
