"""Langfuse's own SDK before the twin, and OpenTelemetry's own reader before what we write."""

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from dogwatch.agents.spans import Spans, paid
from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.estate import Component
from dogwatch.lab.platforms.langfuse import Langfuse as Twin
from dogwatch.lab.world import World
from dogwatch.wire.clock import SystemClock
from dogwatch.wire.http import Doors
from dogwatch.wire.otlp import Score, Span, encoded, send
from support.clock import NOON
from support.node import missing
from support.serve import served

pytestmark = pytest.mark.real

HOUR = timedelta(hours=1)


@pytest.fixture(scope="session")
def sdk(require_real: bool) -> Any:
    try:
        import langfuse
    except ImportError:
        missing("the Langfuse SDK (make real)", require_real)
    return langfuse


def twin() -> Twin:
    parts = {"component/agent": Component("component/agent", "langfuse", 1 / 120)}
    start = NOON - timedelta(days=1)
    return Twin(World("shop", "UTC", {}, [], SimulatedClock(NOON), components=parts, start=start))


def keys(of: Twin) -> tuple[str, str]:
    return str(of.settings("")["public_key"]), of.credentials()["secret_key"]


@dataclass(frozen=True)
class Desk:
    """One twin, and the SDK before it: the SDK keeps one client for each public key."""

    twin: Twin
    url: str
    langfuse: Any


@pytest.fixture(scope="session")  # of a module it would end and begin anew whenever tests change hands
def desk(sdk: Any) -> Iterator[Desk]:
    of = twin()
    public, secret = keys(of)
    with served(of.app()) as url:
        langfuse = sdk.Langfuse(public_key=public, secret_key=secret, base_url=url)
        try:
            yield Desk(of, url, langfuse)
        finally:
            langfuse.shutdown()


def a_run() -> Spans:
    """Two agents, three requests, 0.6 cents."""
    spans = Spans(SystemClock().now)
    with spans.run("INC-1"):
        for name in ("triage", "root-cause"):
            with spans.agent(name), spans.model("gpt-5-mini", "openai") as call:
                paid(call, 100, 20, 0.002)
        with spans.model("gpt-5-mini", "openai") as call, spans.tool("read_evidence"):
            paid(call, 50, 5, 0.002)
    return spans


def test_the_sdk_reads_observations_metrics_and_scores(desk: Desk) -> None:
    api = desk.langfuse.api
    assert api.health.health().status == "OK"
    page = api.observations.get_many(
        from_start_time=NOON - HOUR,
        to_start_time=NOON,
        limit=10,
        fields="core,basic,usage,metrics,trace_context",
    )
    assert len(page.data) == 10
    assert page.meta.cursor
    assert {one.trace_name for one in page.data} == {"agent"}
    question = {
        "view": "observations",
        "metrics": [{"measure": "totalCost", "aggregation": "sum"}],
        "dimensions": [{"field": "traceName"}],
        "filters": [],
        "timeDimension": {"granularity": "hour"},
        "fromTimestamp": (NOON - 3 * HOUR).isoformat(),
        "toTimestamp": NOON.isoformat(),
    }
    assert len(api.metrics.metrics(query=json.dumps(question)).data) == 3
    scores = api.scores.get_many(
        name="accuracy", from_timestamp=NOON - HOUR, to_timestamp=NOON, fields="subject"
    )
    assert all(0.9 < one.value <= 1 for one in scores.data)


def test_what_the_sdk_sends_is_kept(desk: Desk) -> None:
    langfuse = desk.langfuse
    begun = langfuse.start_as_current_observation
    with (
        begun(name="outer", as_type="span"),
        begun(name="call", as_type="generation", model="gpt-5-mini", cost_details={"total": 0.01}),
    ):
        trace = langfuse.get_current_trace_id()
    langfuse.create_score(trace_id=trace, name="taste", value=0.7)
    langfuse.flush()
    rows = [one for one in desk.twin.taken.observations if one["traceId"] == trace]
    assert {(one["name"], one["type"], one["totalCost"]) for one in rows} == {
        ("outer", "SPAN", 0.0),
        ("call", "GENERATION", 0.01),
    }
    assert ("taste", 0.7) in [(one["name"], one["value"]) for one in desk.twin.taken.scores]


def test_our_trace_and_score_are_read_back_by_the_sdk_and_the_cost_adds_up(desk: Desk) -> None:
    spans, api = a_run(), desk.langfuse.api
    basic = base64.b64encode(":".join(keys(desk.twin)).encode()).decode()
    headers = SecretStr(f"Authorization=Basic {basic}")
    score = Score(spans.trace, "grounded", 0.75)
    doors = Doors(SystemClock())
    asyncio.run(send(doors, f"{desk.url}/api/public/otel", headers, spans.all, [score]))
    page = api.observations.get_many(trace_id=spans.trace, fields="core,basic,usage,trace_context", limit=100)
    told = api.scores.get_many(
        name="grounded",
        fields="subject",
        limit=10,
        from_timestamp=NOON - HOUR,
        to_timestamp=NOON + HOUR,
    )
    assert {one.id for one in page.data} == {one.id for one in spans.all}
    assert sum(one.total_cost or 0.0 for one in page.data) == pytest.approx(0.006)
    assert {one.trace_name for one in page.data} == {"dogwatch investigate"}
    assert len({one.id for one in page.data if one.is_root_observation}) == 1
    assert [(one.value, one.subject.id) for one in told.data] == [(0.75, spans.trace)]


def test_what_is_written_is_what_opentelemetry_reads(sdk: Any) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans = a_run()
    odd = Span(spans.trace, "0" * 15 + "1", "", "é\udc80", NOON, attributes={"f": 0.5, "b": True, "n": -7})
    odd.failed = "stopped"
    read = ExportTraceServiceRequest.FromString(encoded([*spans.all, odd]))
    (resource,) = read.resource_spans
    assert resource.resource.attributes[0].value.string_value == "dogwatch"
    told = resource.scope_spans[0].spans
    assert [one.span_id.hex() for one in told[:-1]] == [one.id for one in spans.all]
    assert [one.name for one in told[:-1]] == [one.name for one in spans.all]
    assert told[0].start_time_unix_nano == round(spans.all[0].began.timestamp() * 1e6) * 1000
    last = {one.key: one.value for one in told[-1].attributes}
    assert (last["f"].double_value, last["b"].bool_value, last["n"].int_value) == (0.5, True, -7)
    assert (told[-1].status.code, told[-1].status.message) == (2, "stopped")
