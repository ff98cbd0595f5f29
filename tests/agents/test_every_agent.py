"""Every agent of the roster with a model that lies and grabs: none gets further than its file lets it."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

from dogwatch.agents.grounding import ground_of
from dogwatch.agents.runtime import PydanticRuntime
from dogwatch.agents.session import Session, Task
from dogwatch.agents.tools import TOOLS
from dogwatch.model import Event
from dogwatch.model.investigation import Answer
from support.crew import in_trouble, roster_of, say, use
from support.healing import Ward

GRABS = ("approve_action", "bash", *TOOLS)
LIES = {
    "statements": [
        {"text": "Hackers wiped 4711 tables", "evidence": ["deadbeefdeadbeef"]},
        {"text": "See https://evil.example", "evidence": ["deadbeefdeadbeef"]},
    ],
    "not_known": "",
    "unclear": "",
}


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with in_trouble(tmp_path_factory.mktemp("every")) as ward:
        ward.rounds((9, 0), (9, 15))
        yield ward


def test_every_agent_of_the_roster_is_held_by_its_own_limits_whatever_the_model_does(ward: Ward) -> None:
    agents = roster_of()

    async def work() -> dict[str, tuple[set[str], int, list[Event]]]:
        found: dict[str, tuple[set[str], int, list[Event]]] = {}
        async with ward.app() as app:
            desk = app.desk()
            ground = ground_of(await desk.incident(1))
            for name, agent in agents.items():
                before = (await app.verify_audit()).events
                runtime = PydanticRuntime(lambda who, own: FunctionModel(_grab))
                session = Session(1, desk, ground, agents, runtime)
                task = Task(agent, "Look.", Answer, session.check_answer, agent.limits.depth)
                outcome = await runtime.run(task, session)
                kept = await session.sifted(name, outcome.output) if outcome.output else Answer()
                events = list((await app.audit(after=before)).events)
                found[name] = (set(session.tally()), len(kept.statements), events)
            assert (await app.verify_audit()).whole
        return found

    before = len(ward.actions())
    for name, (tried, stand, events) in ward.does(work()).items():
        assert stand == 0, name
        assert "unknown_evidence" in tried, name
        if set(GRABS) - set(agents[name].tools):
            assert "unknown_tool" in tried, name
        refused = [one for one in events if one.kind == "agent.refused"]
        assert {str(one.detail["kind"]) for one in refused} == tried, name
        assert not [one for one in events if one.kind.startswith("action.")], name
    assert len(ward.actions()) == before
    assert not ward.lab.world.asked


def _grab(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """All tools at once with nonsense, then lies."""
    done = sum(isinstance(message, ModelResponse) for message in messages)
    grabs: list[tuple[str, dict[str, Any]]] = [(name, {"incident": -1, "x": 1}) for name in GRABS[:8]]
    return use(*grabs) if done == 0 else say("", LIES)
