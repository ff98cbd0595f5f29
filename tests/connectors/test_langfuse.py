"""What is peculiar to Langfuse: hours that roll, limits of plans, servers that are older, odd rows."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from starlette.responses import JSONResponse, Response

from dogwatch.connectors.langfuse import Langfuse
from dogwatch.errors import UnexpectedAnswer
from dogwatch.lab.estate import Component
from dogwatch.lab.faults import Fault
from dogwatch.lab.world import World
from dogwatch.model import MetricSeries
from dogwatch.wire.traced import error_share, p95
from support.clock import NOON, JumpingClock
from support.stage import Call, Host, Stage, hosting

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AGENT, BOT = "component/agent", "component/bot"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with hosting() as hosted:
        yield hosted


def stage(host: Host, *faults: Fault, places: Sequence[str] = (AGENT, BOT), rate: float = 1 / 120) -> Stage:
    clock = JumpingClock()
    parts = {name: Component(name, "langfuse", rate) for name in places}
    start = NOON - 20 * DAY
    told = World("shop", "UTC", {}, [], clock, other_faults=faults, components=parts, start=start)
    return Stage("langfuse", told, clock, host)


def moved(metric: str, factor: float, place: str = AGENT) -> Fault:
    return Fault("metric_shift", place, NOON - 50 * MINUTE, None, {"metric": metric, "factor": factor})


async def recent(connector: Any) -> Sequence[MetricSeries]:
    assert isinstance(connector, Langfuse)
    return await connector.query(NOON - 3 * HOUR, NOON, MINUTE)


async def past(connector: Any) -> Sequence[MetricSeries]:
    assert isinstance(connector, Langfuse)
    return await connector.query(NOON - 3 * DAY, NOON - 3 * HOUR, 15 * MINUTE)


def by_metric(told: Sequence[MetricSeries], place: str = AGENT) -> dict[str, MetricSeries]:
    return {one.metric: one for one in told if one.subject == place}


def paths(staged: Stage) -> list[str]:
    return [call.path.removeprefix("/api/public/") for call in staged.way.calls]


def test_each_pipeline_has_a_cost_a_latency_errors_and_accuracy_by_the_minute(host: Host) -> None:
    told = stage(host).does(recent)
    assert {one.subject for one in told} == {AGENT, BOT}
    for place in (AGENT, BOT):
        found = by_metric(told, place)
        assert set(found) == {"cost", "latency", "error_rate", "accuracy"}
        assert all(len(one.samples) == 181 for one in found.values())
        assert found["accuracy"].labels == {"trace": place.removeprefix("component/"), "score": "accuracy"}
    assert len({one.key for one in told}) == len(told)


@pytest.mark.parametrize(("metric", "ours"), [("cost", "cost"), ("latency", "latency")])
def test_what_moves_is_seen_moving_and_nothing_else(host: Host, metric: str, ours: str) -> None:
    told = by_metric(stage(host, moved(metric, 4.0)).does(recent))
    for name, one in told.items():
        samples = dict(one.samples)
        ratio = (samples[NOON] + 0.001) / (samples[NOON - HOUR] + 0.001)
        assert (ratio > 2) is (name == ours), (name, ratio)


def test_errors_are_a_share_with_the_commonest_words_and_accuracy_falls(host: Host) -> None:
    said = "RateLimitError: tokens per min exceeded"
    words = Fault("log_new", AGENT, NOON - HOUR, None, {"line": said, "severity": "ERROR"})
    told = by_metric(stage(host, moved("error_rate", 300.0), words).does(recent))
    assert told["error_rate"].samples[-1][1] > 0.05
    assert told["error_rate"].said == said
    assert not any(one.said for name, one in told.items() if name != "error_rate")


def test_a_single_failure_is_no_rate_and_the_percentile_is_the_nearest_rank() -> None:
    assert (error_share(1, 30), error_share(2, 30)) == (0.0, 2 / 30)
    assert p95([float(one) for one in range(1, 101)]) == 95.0


def test_the_past_is_told_by_the_same_series_as_the_present(host: Host) -> None:
    staged = stage(host)
    now, before = staged.does(recent), staged.does(past)
    assert {one.key for one in now} == {one.key for one in before}
    for one in before:
        recently = next(other for other in now if other.key == one.key)
        usual = sorted(value for _, value in one.samples)[len(one.samples) // 2]
        assert abs(recently.samples[0][1] - usual) <= 0.6 * usual + 0.05, (one.metric, usual)


@pytest.mark.slow
def test_a_day_of_rounds_keeps_within_the_smallest_plan(host: Host) -> None:
    staged = stage(host, places=(AGENT,))

    async def a_day(connector: Any) -> None:
        await past(connector)
        for _ in range(96):
            staged.clock.move(15 * MINUTE)
            await connector.query(staged.clock.now() - 3 * HOUR, staged.clock.now(), 30 * MINUTE)

    refused: list[Call] = []

    def note(call: Call, body: bytes) -> bytes:
        if b"rate_limited" in body:
            refused.append(call)
        return body

    staged.way.rewrite = note
    staged.does(a_day, in_process=True)
    assert paths(staged).count("v2/metrics") == 4
    assert not refused


def test_what_has_too_many_rows_is_asked_by_halves_but_not_without_end(host: Host) -> None:
    staged = stage(host)
    row = {"time_dimension": "2026-03-02 10:00:00", "traceName": "agent", "count_count": "12"}

    def many(call: Call) -> Response | None:
        return JSONResponse({"data": [row] * 1000}) if call.path.endswith("v2/metrics") else None

    staged.way.answer = many

    async def caveats(connector: Any) -> Sequence[str]:
        await past(connector)
        told: Sequence[str] = await connector.caveats()
        return told

    (caveat,) = staged.does(caveats)
    assert "Only a part of the past" in caveat
    assert paths(staged).count("v2/metrics") == 40


def test_a_server_that_is_older_is_read_by_the_endpoints_it_has(host: Host) -> None:
    staged = stage(host, moved("error_rate", 300.0))
    new = by_metric(staged.does(recent))
    missing = ("v2/observations", "v2/metrics", "v3/scores")
    staged.way.answer = lambda call: (
        JSONResponse({"message": "Not Found"}, 404) if call.path.endswith(missing) else None
    )

    async def all_of_it(connector: Any) -> tuple[str, Sequence[MetricSeries], Sequence[MetricSeries], str]:
        line = await connector.check()
        told = await recent(connector)
        return line, told, await past(connector), (await connector.caveats())[0]

    line, told, before, caveat = staged.does(all_of_it)
    old = by_metric(told)
    assert "agent, bot" in line
    assert not before
    assert "old endpoints" in caveat
    assert {name: one.samples[-1] for name, one in old.items()} == {
        name: one.samples[-1] for name, one in new.items()
    }


def test_a_project_that_writes_too_much_is_read_by_the_minute(host: Host) -> None:
    staged = stage(host, places=(AGENT,), rate=0.5)
    row = {"id": "1", "startTime": "2026-03-03T11:00:00Z", "traceId": "t", "traceName": "agent"}
    pages = iter(range(10**6))

    def endless(call: Call) -> Response | None:
        if not call.path.endswith("v2/observations"):
            return None
        return JSONResponse({"data": [row], "meta": {"cursor": f"c{next(pages)}"}})

    staged.way.answer = endless
    told = by_metric(staged.does(recent))
    assert paths(staged).count("v2/observations") == 20
    assert {"cost", "latency", "error_rate", "accuracy"} == set(told)
    assert 0.05 < told["cost"].samples[-1][1] < 10


def test_pages_that_go_round_in_circles_are_our_error(host: Host) -> None:
    staged = stage(host)
    row = {"id": "1", "startTime": "2026-03-03T11:00:00Z"}
    staged.way.answer = lambda call: JSONResponse({"data": [row], "meta": {"cursor": "again"}})
    with pytest.raises(UnexpectedAnswer, match="read before"):
        staged.does(recent)


@pytest.mark.parametrize("body", [{"data": 7}, [], {"data": [{"startTime": "yesterday"}]}, {"data": [None]}])
def test_an_answer_of_another_shape_is_our_error(host: Host, body: object) -> None:
    staged = stage(host)
    staged.way.answer = lambda call: JSONResponse(body)
    with pytest.raises(UnexpectedAnswer):
        staged.does(recent)


def test_numbers_as_text_nothing_and_infinity_are_read_as_what_they_are(host: Host) -> None:
    staged = stage(host)
    values: list[Any] = ["1.5", None, "NaN", float("inf"), True, [], *[2] * 12]
    odd = [
        {
            "startTime": "2026-03-03T11:30:00Z",
            "traceId": str(number),
            "name": "x\u202e" * 300,
            "latency": value,
        }
        for number, value in enumerate(values)
    ]

    def answer(call: Call) -> Response:
        if "scores" in call.path:
            return JSONResponse({"data": []})
        return Response(json.dumps({"data": odd}), media_type="application/json")

    staged.way.answer = answer
    told = {one.metric: one for one in staged.does(recent)}
    assert told["latency"].samples[-1][1] == 2.0
    assert len(told["latency"].subject) < 250


def test_environments_are_asked_for_and_prompts_never(host: Host) -> None:
    staged = stage(host)

    async def only_production(connector: Any) -> None:
        connector.settings = connector.settings.model_copy(update={"environments": ("production", "eu")})
        await recent(connector)
        await past(connector)

    staged.does(only_production)
    for call in staged.way.calls:
        asked = parse_qs(call.query)
        assert "io" not in asked.get("fields", [""])[0].split(",")
        assert asked.get("environment") == ["production", "eu"] or "stringOptions" in asked["query"][0]
