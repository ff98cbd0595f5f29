"""OpenAI's Chat Completions and Responses, Anthropic's Messages and Gemini, through the vendors' own clients:
aimock plays the providers, and what they may do wrong is done."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr
from pydantic_ai import models
from pydantic_ai.models import Model

from dogwatch.agents.crew import Crew
from dogwatch.agents.models import Choice, build, chosen, client_for
from dogwatch.agents.runtime import ANSWER, PydanticRuntime
from dogwatch.agents.session import Purse
from dogwatch.agents.talk import discuss
from dogwatch.app import Dogwatch
from dogwatch.model.answer import Answer
from dogwatch.model.investigation import Investigation
from support.crew import analysis, evidence_of, in_trouble, issue, report, roster_of, triage
from support.healing import Ward
from support.wire_models import aimock, journal

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    # aimock's word where Gemini itself says STOP; google-genai takes unknown words with a warning
    pytest.mark.filterwarnings("ignore:FUNCTION_CALL is not a valid FinishReason:UserWarning"),
]

T = TypeVar("T")
MODELS = {
    "openai": "gpt-4o",
    "openai-responses": "gpt-5-mini",
    "anthropic": "claude-sonnet-4-5",
    "google": "gemini-2.5-pro",
}
ROOTED = ("anthropic", "google")
"""Their clients name the API's version themselves."""
REFUSED = {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429, "retryAfter": 1}


@dataclass(frozen=True)
class Place:
    """An incident, and a provider of models."""

    ward: Ward
    url: str


def _name(provider: str, case: str) -> str:
    return f"{MODELS[provider]}-{case}"


def _crew(model: str, ids: Sequence[str], subject: str) -> Iterator[dict[str, Any]]:
    """A whole crew: triage reads first, then all answer by the form."""
    read = {"name": "read_evidence", "arguments": {"incident": 1}}
    told = {
        "triage": triage(ids, subject),
        "root-cause": analysis(issue(ids, subject)),
        "reporter": report(),
    }
    for agent, answer in told.items():
        match: dict[str, Any] = {"model": model, "systemMessage": f"You are {agent} of"}
        if agent == "triage":
            yield {"match": {**match, "hasToolResult": False}, "response": {"toolCalls": [read]}}
        yield {"match": match, "response": {"toolCalls": [{"name": ANSWER, "arguments": answer}]}}


def _fixtures(ids: Sequence[str], subject: str) -> Iterator[dict[str, Any]]:
    for provider in MODELS:
        yield from _crew(_name(provider, "good"), ids, subject)
        yield from _crew(_name(provider, "stream"), ids, subject)
        limited = _name(provider, "limited")
        yield {"match": {"model": limited, "sequenceIndex": 0}, "response": REFUSED}
        yield from _crew(limited, ids, subject)
        yield {"match": {"model": _name(provider, "always-limited")}, "response": REFUSED}
        down = {"error": {"message": "down", "type": "server_error"}, "status": 503}
        yield {"match": {"model": _name(provider, "down")}, "response": down}
        words = {"content": "I can't help with that."}
        yield {"match": {"model": _name(provider, "refuses")}, "response": words}
        for case in ("malformed", "disconnect"):
            chaos = {f"{case}Rate": 1.0}
            yield {"match": {"model": _name(provider, case)}, "response": words, "chaos": chaos}


SAID, LIE = "The password was not accepted.", "Competitors wiped 42 backups."


def _talks(ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    """An answer to a person: one sentence that stands, one that does not."""
    said = {"statements": [{"text": text, "evidence": ids[:1]} for text in (SAID, LIE)]}
    for provider in MODELS:
        match = {"model": _name(provider, "talks"), "systemMessage": "You are orchestrator of"}
        yield {"match": match, "response": {"toolCalls": [{"name": ANSWER, "arguments": said}]}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, require_real: bool) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("wire")
    models.ALLOW_MODEL_REQUESTS = True
    try:
        with in_trouble(folder) as ward:
            ward.rounds((9, 0), (9, 15))
            ids = evidence_of(ward)
            fixtures = [*_fixtures(ids, ward.subject), *_talks(ids)]
            with aimock(folder, fixtures, require_real) as url:
                yield Place(ward, url)
    finally:
        models.ALLOW_MODEL_REQUESTS = False


@pytest.fixture(scope="module")
def require_real() -> bool:
    from conftest import REQUIRE_REAL

    return REQUIRE_REAL


@asynccontextmanager
async def opened(
    place: Place, provider: str, case: str, stream: bool = False
) -> AsyncGenerator[tuple[PydanticRuntime, Dogwatch]]:
    """dogwatch, and what asks the model of a case."""
    key = {provider.removesuffix("-responses"): SecretStr("sk-test-0123456789abcdef")}
    base = place.url if provider in ROOTED else f"{place.url}/v1"
    choice = Choice(f"{provider}:{_name(provider, case)}", endpoints={provider: base}, keys=key)
    headroom: dict[str, float] = {}
    async with client_for(headroom, choice) as client, place.ward.app() as app:

        def model(agent: str, own: str) -> Model:
            return build(chosen(choice, agent, own), choice, client)

        yield PydanticRuntime(model, headroom=headroom, stream=stream), app


def with_all(one: Callable[[str], Awaitable[T]]) -> Mapping[str, T]:
    """What comes of it with each provider; all are asked at the same time, on real time."""

    async def together() -> list[T]:
        return list(await asyncio.gather(*(one(provider) for provider in MODELS)))

    return dict(zip(MODELS, asyncio.run(together()), strict=True))


def ask(place: Place, case: str, *, stream: bool = False) -> Mapping[str, Investigation]:
    """An investigation with each provider."""

    async def one(provider: str) -> Investigation:
        async with opened(place, provider, case, stream) as (runtime, app):
            return await Crew(roster_of(), runtime, app.desk(), lambda: Purse(seconds=60)).investigate(1)

    return with_all(one)


def test_a_sentence_that_stands_is_heard_from_every_provider_and_a_lie_from_none(place: Place) -> None:
    heard: dict[str, list[str]] = {provider: [] for provider in MODELS}

    async def one(provider: str) -> Answer:
        async with opened(place, provider, "talks") as (runtime, app):
            told, purse = await app.ask("what is broken?"), Purse(seconds=60)
            about = told, 1, (), roster_of(), runtime, app.desk(), purse
            hears = heard[provider]
            return await discuss(*about, lambda step: None, lambda said: hears.append(said.said))

    for provider, found in with_all(one).items():
        assert (provider, heard[provider]) == (provider, [SAID])
        assert [said.said for said in found.added] == [SAID]


@pytest.mark.parametrize("case", ["good", "stream", "limited"])
def test_a_crew_works_with_every_provider_also_streamed_and_after_a_limit(place: Place, case: str) -> None:
    for provider, found in ask(place, case, stream=case == "stream").items():
        assert (provider, found.note, found.by) == (provider, "", "agents")
        assert len(found.analysis.issues) == 1
        assert found.report is not None
        assert found.usage.requests == 4
        assert found.usage.tool_calls == 1
        if (provider, case) == ("openai", "limited"):  # aimock tells only then what is left
            assert found.headroom == {"openai:requests": 0.0, "openai:tokens": 0.0}


@pytest.mark.parametrize(
    ("case", "note"),
    [
        ("always-limited", "the model's provider answered 429"),
        ("down", "the model's provider answered 503"),
        ("refuses", "the model gave no answer of the right form"),
        ("malformed", ""),
        ("disconnect", ""),
    ],
)
def test_whatever_a_provider_does_wrong_the_rules_answer(place: Place, case: str, note: str) -> None:
    for provider, found in ask(place, case).items():
        assert (provider, found.by) == (provider, "rules")
        assert found.note.startswith("triage: the model")
        assert note in found.note
        assert found.rules


def test_no_key_is_sent_but_to_its_provider_and_none_stands_in_a_prompt(place: Place) -> None:
    for entry in journal(place.url):
        assert "sk-test-0123456789abcdef" not in str(entry.get("body"))
