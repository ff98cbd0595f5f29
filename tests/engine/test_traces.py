"""A round as a trace, sent where somebody wants it."""

import asyncio
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dogwatch.app import Dogwatch
from dogwatch.engine.traces import RoundTrace
from dogwatch.model.report import CheckReport
from dogwatch.round import Step
from support.calling import settings_in
from support.clock import NOON, JumpingClock
from support.serve import served


def test_a_round_is_a_trace_with_a_span_for_each_platform() -> None:
    clock = JumpingClock()
    trace = RoundTrace(clock, "all")
    trace(Step("another round", "waiting"))
    trace(Step("airbyte", "jobs"))
    trace(Step("snowflake", "jobs"))
    clock.move(timedelta(seconds=2))
    trace(Step("airbyte", "runs", 5))
    trace(Step("airbyte", "read", 7))
    clock.move(timedelta(seconds=1))
    trace(Step("snowflake", "blind"))
    clock.move(timedelta(seconds=1))
    root, airbyte, snowflake = trace.ended(CheckReport(at=NOON, timezone="UTC", exit_code=3))
    assert {one.trace for one in (root, airbyte, snowflake)} == {root.trace}
    assert (airbyte.parent, snowflake.parent, root.parent) == (root.id, root.id, "")
    assert (airbyte.ended, airbyte.attributes) == (NOON + timedelta(seconds=2), {"dogwatch.runs": 7})
    assert (snowflake.ended, root.ended) == (NOON + timedelta(seconds=3), NOON + timedelta(seconds=4))
    assert snowflake.failed
    assert not airbyte.failed
    assert root.attributes["dogwatch.exit_code"] == 3


def test_it_is_posted_with_its_headers_and_a_failure_is_told_without_them(tmp_path: Path) -> None:
    heard: list[tuple[str, str | None, int]] = []

    async def take(request: Request) -> Response:
        body = await request.body()
        heard.append((request.url.path, request.headers.get("x-key"), len(body)))
        return Response()

    settings = settings_in(tmp_path)
    spans = RoundTrace(JumpingClock(), "all").ended(CheckReport(at=NOON, timezone="UTC", exit_code=0))

    async def send(url: str) -> str:
        told = {"traces": url, "traces_headers": SecretStr("x-key=very-secret")}
        watch = settings.watch.model_copy(update=told)
        async with Dogwatch(settings.model_copy(update={"watch": watch}), clock=JumpingClock()) as app:
            return await app.watchkeeping().trace(spans)

    with served(Starlette(routes=[Route("/v1/traces", take, methods=["POST"])])) as url:
        assert asyncio.run(send(url)) == ""
    assert [(path, key) for path, key, size in heard if size > 50] == [("/v1/traces", "very-secret")]
    problem = asyncio.run(send(url))
    assert "cannot connect" in problem
    assert "very-secret" not in problem
    assert asyncio.run(send("")) == ""
