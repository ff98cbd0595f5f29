"""The real CrewAI with a scripted model: the same answers stand and fall as with dogwatch's own runtime."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crewai import BaseLLM
from dogwatch_crewai import investigate

from dogwatch.model import Event
from dogwatch.model.investigation import Investigation
from support.healing import Ward
from support.plain_crew import analysis, evidence_of, in_trouble, issue, report, triage

STORY = "Competitors wiped the backups, see https://evil.example"


class Script(BaseLLM):
    """A model that answers by agent; of a list one after the other, the last for ever."""

    answers: dict[str, Any]
    asked: list[str]

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        """The next answer, in the form in which CrewAI reads plain text."""
        text = json.dumps(messages) if not isinstance(messages, str) else messages
        agent = next(
            name for name in ("triage", "root-cause", "reporter", "log-analyst") if f"You are {name}" in text
        )
        self.asked.append(agent)
        given = self.answers[agent]
        if isinstance(given, list):
            given = given[min(self.asked.count(agent), len(given)) - 1]
        if isinstance(given, tuple):
            return f"Thought: I look.\nAction: {given[0]}\nAction Input: {json.dumps(given[1])}"
        return f"Thought: I know.\nFinal Answer: {given if isinstance(given, str) else json.dumps(given)}"

    def supports_function_calling(self) -> bool:
        """It reads tools as text."""
        return False


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with in_trouble(tmp_path_factory.mktemp("crewai")) as ward:
        ward.rounds((9, 0), (9, 15))
        yield ward


def ask(ward: Ward, **changes: Any) -> tuple[Investigation, list[Event], Script]:
    ids = evidence_of(ward)
    answers = {
        "triage": triage(ids, ward.subject),
        "root-cause": analysis(issue(ids, ward.subject)),
        "reporter": report(),
        **changes,
    }
    script = Script(model="script", answers=answers, asked=[])

    async def work() -> tuple[Investigation, list[Event]]:
        async with ward.app() as app:
            before = (await app.verify_audit()).events
            found = await investigate(app.desk(), 1, script)
            return found, list((await app.audit(after=before)).events)

    found, events = asyncio.run(work())
    return found, events, script


def tried(events: list[Event]) -> list[str]:
    kinds = [str(one.detail["kind"]) for one in events if one.kind == "agent.refused"]
    return list(dict.fromkeys(kinds))


def test_a_crew_works_with_the_same_outputs(ward: Ward) -> None:
    found, events, script = ask(ward)
    assert (found.by, found.note) == ("agents", "")
    assert script.asked == ["triage", "root-cause", "reporter"]
    assert found.causes[0].confidence == "confirmed"
    assert found.report is not None
    assert tried(events) == []


def test_tools_are_the_sessions(ward: Ward) -> None:
    ids = evidence_of(ward)
    steps = [("read_evidence", {"incident": 1}), analysis(issue(ids, ward.subject))]
    found, events, _ = ask(ward, **{"root-cause": steps})
    assert len(found.analysis.issues) == 1
    assert found.usage.tool_calls == 1
    assert tried(events) == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"evidence": ["deadbeefdeadbeef"]}, "unknown_evidence"),
        ({"cause_class": "schema_drift"}, "contradicted"),
        ({"root_cause": STORY}, "markup"),
        ({"subject": "databricks/1"}, "foreign_subject"),
        ({"root_cause": "Authentication failed 4711 times"}, "number"),
        ({"confidence": "confirmed"}, "bad_form"),
    ],
)
def test_what_does_not_stand_goes_back_twice_and_is_dropped(
    ward: Ward, changes: dict[str, Any], kind: str
) -> None:
    claim = {**issue(evidence_of(ward), ward.subject), **changes}
    found, events, script = ask(ward, **{"root-cause": analysis(claim)})
    assert found.analysis.issues == ()
    assert kind in tried(events)
    assert script.asked.count("root-cause") == 3
    assert found.rules


def test_a_model_that_only_calls_tools_comes_to_the_end_of_its_limits(ward: Ward) -> None:
    found, events, script = ask(ward, **{"root-cause": ("list_runs", {"limit": 1})})
    assert found.analysis.issues == ()
    assert len(script.asked) < 40
    assert "no_answer" in tried(events)
    assert not ward.lab.world.asked


def test_a_useless_model_leaves_the_rules(ward: Ward) -> None:
    found, _, _ = ask(ward, triage="I don't know.")
    assert found.by == "rules"
    assert found.rules


def test_the_lock_is_its_own() -> None:
    assert (Path(__file__).parents[1] / "uv.lock").exists()
