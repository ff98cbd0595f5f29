"""A round that several workers made is one trace, whose steps tell who did them."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dogwatch.app import Dogwatch
from dogwatch.engine.house import House
from dogwatch.engine.team import Worker
from dogwatch.lab.serve import Lab
from dogwatch.settings import Settings, load
from dogwatch.wire.http import Pace
from support.estates import Stopped, shop, world
from support.postgres import Postgres
from support.serve import served

pytestmark = [pytest.mark.real, pytest.mark.slow]


class StandingClock(Stopped):
    """Sleeping takes real time, and the clock does not show it."""

    async def sleep(self, seconds: float) -> None:
        """Let others do something."""
        await asyncio.sleep(min(seconds, 0.05))


class Arrived:
    """A span, as OpenTelemetry's own library reads it."""

    def __init__(self, span: Any) -> None:
        self.trace, self.id, self.parent = span.trace_id, span.span_id, span.parent_span_id
        self.name: str = span.name
        self.failed = span.status.code != 0
        self.attributes = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano


def one_round(settings: Settings, clock: Stopped) -> list[str]:
    """Two workers make it, and end; what they said."""
    heard: list[str] = []

    def say(event: str, /, **fields: object) -> None:
        heard.append(f"{event} {fields.get('step', '')}".strip())

    def opened(found: Settings) -> Dogwatch:
        return Dogwatch(
            found, clock=StandingClock(clock.now()), pace=Pace(per_second=0), rng=random.Random(1)
        )

    async def life() -> None:
        house = House(lambda: settings, opened, StandingClock(clock.now()), say, poll=0.05)
        workers = [Worker(house, name, 1, beat=0.2, stale=20.0) for name in ("anna", "ben")]
        running = [asyncio.ensure_future(one.run(settings)) for one in workers]
        async with asyncio.timeout(60):
            while "step follow" not in heard:
                await asyncio.sleep(0.05)
            for one in workers:
                one.stopping.set()
            await asyncio.gather(*running)

    asyncio.run(life())
    return heard


def test_a_round_of_several_workers_is_one_trace(tmp_path: Path, postgres: Postgres) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    arrived: list[Arrived] = []

    async def take(request: Request) -> Response:
        told = ExportTraceServiceRequest.FromString(await request.body())
        for span in told.resource_spans[0].scope_spans[0].spans:
            arrived.append(Arrived(span))
        return Response()

    lab = Lab(world(shop(tmp_path)))
    receiver = Starlette(routes=[Route("/v1/traces", take, methods=["POST"])])
    with lab.serve() as urls, served(receiver) as there:
        config = lab.write_config(tmp_path, urls, history_days=1)
        settings = load(config, {"DOGWATCH_STORE": postgres.fresh()}, tmp_path)
        watch = settings.watch.model_copy(update={"traces": there})
        heard = one_round(settings.model_copy(update={"watch": watch}), Stopped(lab.world.clock.now()))
    assert "trace not sent" not in heard
    (root,) = [one for one in arrived if not one.parent]
    steps = [one for one in arrived if one.parent]
    assert {one.trace for one in arrived} == {root.trace}
    assert {one.parent for one in steps} == {root.id}
    reads = {f"read {name}" for name in lab.twins}
    assert sorted(one.name for one in steps) == sorted({*reads, "conclude", "act", "follow"})
    assert {one.attributes["dogwatch.worker"] for one in steps} == {"anna", "ben"}
    assert not any(one.failed for one in steps)
    assert (root.name, root.attributes["dogwatch.scope"], root.attributes["dogwatch.round"]) == (
        "round",
        "all",
        1,
    )
    assert {"dogwatch.exit_code", "dogwatch.incidents", "dogwatch.blind"} <= root.attributes.keys()
    assert all(one.attributes["dogwatch.runs"] for one in steps if one.name == "read airbyte")
