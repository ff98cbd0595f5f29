"""Traces of the crew: what a run consisted of arrives, its cost adds up, nothing that was said is in it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from dogwatch.agents.crew import Crew
from dogwatch.agents.runtime import PydanticRuntime
from dogwatch.agents.spans import Spans
from dogwatch.errors import SettingsError
from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.estate import Component
from dogwatch.lab.platforms.langfuse import Langfuse
from dogwatch.lab.world import World
from dogwatch.model.investigation import Investigation
from dogwatch.wire.http import Doors
from dogwatch.wire.otlp import Score, Span, headers_of, send
from support.clock import NOON, JumpingClock
from support.crew import Script, evidence_of, good, in_trouble, roster_of
from support.healing import Ward
from support.serve import served


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with in_trouble(tmp_path_factory.mktemp("traces")) as ward:
        ward.rounds((9, 0), (9, 15))
        yield ward


@pytest.fixture(scope="module")
def ran(ward: Ward) -> tuple[Investigation, Spans]:
    """An investigation and what it consisted of; every answer costs a fifth of a cent."""
    script = Script(good(evidence_of(ward), ward.subject))

    async def work() -> tuple[Investigation, Spans]:
        async with ward.app() as app:
            crew = Crew(roster_of(), PydanticRuntime(script.model, price=lambda answer: 0.002), app.desk())
            found = await crew.investigate(1)
            assert crew.spans is not None
            return found, crew.spans

    return ward.does(work())


def cost(span: Span) -> float:
    return float(
        json.loads(str(span.attributes.get("langfuse.observation.cost_details", '{"total": 0}')))["total"]
    )


def test_a_run_is_a_tree_of_agents_models_and_tools(ran: tuple[Investigation, Spans]) -> None:
    _, spans = ran
    (root,) = [one for one in spans.all if not one.parent]
    assert root.name == "investigate INC-1"
    known = {one.id: one for one in spans.all}
    agents = [one for one in spans.all if one.attributes["langfuse.observation.type"] == "agent"]
    assert [one.name.split()[1] for one in agents][:2] == ["triage", "root-cause"]
    for one in spans.all:
        assert one.ended is not None
        assert one.began <= one.ended
        if one.attributes["langfuse.observation.type"] == "generation":
            assert known[one.parent] in agents


def test_cost_and_tokens_add_up_to_what_the_run_used(ran: tuple[Investigation, Spans]) -> None:
    found, spans = ran
    calls = [one for one in spans.all if one.outgoing]
    assert len(calls) == found.usage.requests > 2
    assert sum(map(cost, calls)) == pytest.approx(found.usage.usd)
    for kind, used in (("input", found.usage.input_tokens), ("output", found.usage.output_tokens)):
        assert sum(int(one.attributes[f"gen_ai.usage.{kind}_tokens"]) for one in calls) == used


def test_nothing_that_anybody_said_is_in_a_trace(ran: tuple[Investigation, Spans]) -> None:
    found, spans = ran
    text = str(spans.all)
    assert "password authentication" not in text
    assert found.causes[0].claim not in text


def test_langfuse_gets_the_trace_its_cost_and_a_score(ran: tuple[Investigation, Spans]) -> None:
    found, spans = ran
    parts = {"component/x": Component("component/x", "langfuse")}
    twin = Langfuse(World("shop", "UTC", {}, [], SimulatedClock(NOON), components=parts))
    keys = (str(twin.settings("")["public_key"]), twin.credentials()["secret_key"])
    basic = httpx2.BasicAuth(*keys)._auth_header
    score = Score(spans.trace, "grounded", 1.0)
    with served(twin.app()) as url:

        async def post(secret: str) -> None:
            doors = Doors(JumpingClock(), pace=None)
            await send(doors, f"{url}/api/public/otel/", SecretStr(secret), spans.all, [score])

        asyncio.run(post(f"Authorization={basic.replace(' ', '%20')}"))
    rows = [one for one in twin.taken.observations if one["traceId"] == spans.trace]
    assert len(rows) == len(spans.all)
    assert {one["type"] for one in rows} >= {"SPAN", "AGENT", "GENERATION"}
    assert sum(one["totalCost"] for one in rows) == pytest.approx(found.usage.usd)
    assert {one["traceName"] for one in rows} == {"dogwatch investigate"}
    assert [(one["name"], one["value"], one["subject"]["id"]) for one in twin.taken.scores] == [
        ("grounded", 1.0, spans.trace)
    ]


def test_a_backend_that_is_not_there_costs_the_traces_and_nothing_else(ward: Ward) -> None:
    from dogwatch.app import Dogwatch
    from dogwatch.settings import load
    from dogwatch.wire.http import Pace

    script = Script(good(evidence_of(ward), ward.subject))
    agents = {"traces": "http://127.0.0.1:9", "traces_headers": SecretStr("Authorization=Bearer sesame-1234")}

    async def work() -> tuple[Investigation, list[Any]]:
        settings = load(None, {}, ward.home)
        settings = settings.model_copy(update={"agents": settings.agents.model_copy(update=agents)})
        runtime = PydanticRuntime(script.model)
        async with Dogwatch(
            settings, clock=ward.clock, pace=Pace(per_second=0, tries=1), runtime=runtime
        ) as app:
            return await app.investigate(1), list((await app.audit("INC-1")).events)

    found, events = ward.does(work())
    assert found.by == "agents"
    (lost,) = [one for one in events if one.kind == "agent.traces_lost"]
    assert "cannot connect" in str(lost.detail["why"])
    assert "sesame" not in str(events)


@pytest.mark.parametrize("given", ["Authorization", "=x", "a=b,c"])
def test_headers_that_are_none_are_refused(given: str) -> None:
    if given == "=x":
        given = "x\u00e9"
    with pytest.raises(SettingsError, match="traces_headers"):
        headers_of(SecretStr(given))


def test_headers_are_read_as_opentelemetry_writes_them() -> None:
    given = SecretStr("Authorization=Basic%20cGs6c2s=, x-tenant=shop")
    assert headers_of(given) == {"Authorization": "Basic cGs6c2s=", "x-tenant": "shop"}
    assert headers_of(None) == {}
