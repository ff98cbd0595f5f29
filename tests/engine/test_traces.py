"""A round as a trace, sent where somebody wants it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dogwatch.app import Dogwatch
from dogwatch.engine.traces import RoundTrace, StepTrace, Traces
from dogwatch.model.report import CheckReport
from dogwatch.round import Step
from dogwatch.store.steps import Plan, Taken
from dogwatch.wire.otlp import Span, traceparent
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


def spans(
    kind: str, outcome: str, told: dict[str, int] | None = None, trace: str | None = None
) -> list[Span]:
    """Of a step that took two seconds."""
    plan = Plan("round", NOON, frozenset({"b", "a"}), 0, traceparent() if trace is None else trace)
    taken = Taken((7, kind, ""), plan, 3, True, {"": {"figures": {"exit_code": 1, "blind": 0}}})
    taken.facts.update(told or {})
    clock = JumpingClock()
    step = StepTrace("anna", clock)
    step.heard(taken)
    clock.move(timedelta(seconds=2))
    return step.ended(outcome)


def test_a_step_tells_who_did_it_and_how_it_ended() -> None:
    (read,) = spans("read", "done", {"runs": 5, "blind": 0})
    assert (read.began, read.ended) == (NOON, NOON + timedelta(seconds=2))
    assert read.attributes == {"dogwatch.worker": "anna", "dogwatch.tries": 3, "dogwatch.runs": 5}
    assert (read.outgoing, read.failed) == (True, "")
    assert spans("read", "done", {"runs": 0, "blind": 1})[0].failed == "the platform could not be read"
    assert spans("conclude", "")[0].failed == "it failed, or somebody took it over"
    assert spans("conclude", "given up")[0].failed == "given up"
    assert len(spans("follow", "")) == 1


def test_who_does_the_last_step_tells_of_the_whole_round() -> None:
    follow, whole = spans("follow", "done")
    assert (whole.trace, whole.id, whole.parent) == (follow.trace, follow.parent, "")
    assert (whole.began, whole.ended) == (NOON, NOON + timedelta(seconds=2))
    told = {"scope": "a,b", "round": 7, "exit_code": 1, "blind": 0}
    assert whole.attributes == {f"dogwatch.{name}": value for name, value in told.items()}


def test_what_was_not_taken_or_was_begun_by_an_older_version_belongs_to_no_trace() -> None:
    assert spans("follow", "done", trace="") == []
    assert StepTrace("anna", JumpingClock()).ended("") == []


def test_spans_are_sent_beside_everything_else_and_the_last_ones_before_the_end() -> None:
    sent: list[int] = []

    async def life() -> None:
        slow = asyncio.Event()

        async def send(some: Sequence[Span]) -> None:
            await slow.wait()
            sent.append(len(some))

        traces = Traces(send)
        traces.go()
        traces.add(spans("read", "done"))
        traces.go()
        traces.add(spans("follow", "done"))
        traces.go()  # the first are still on their way
        assert sent == []
        slow.set()
        await traces.end()

    asyncio.run(life())
    assert sent == [1, 2]
