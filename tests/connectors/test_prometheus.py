"""What is peculiar to Prometheus: rules that say what they measure, labels that say of what, odd samples."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from dogwatch.connectors.prometheus import Prometheus, PrometheusSettings, discovered
from dogwatch.errors import SettingsError, UnexpectedAnswer
from dogwatch.lab.estate import Component
from dogwatch.lab.faults import Fault
from dogwatch.lab.world import World
from dogwatch.model import Alert, MetricSeries, Severity
from dogwatch.wire.http import Doors
from support.clock import NOON, JumpingClock
from support.stage import Call, Host, Stage, hosting

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with hosting() as hosted:
        yield hosted


def stage(host: Host, *faults: Fault) -> Stage:
    clock = JumpingClock()
    parts = {name: Component(name) for name in ("component/api", "component/db")}
    told = World("shop", "UTC", {}, [], clock, other_faults=faults, components=parts)
    return Stage("prometheus", told, clock, host)


async def recent(connector: Any) -> Sequence[MetricSeries]:
    assert isinstance(connector, Prometheus)
    return await connector.query(NOON - 30 * MINUTE, NOON, MINUTE)


async def firing(connector: Any) -> Sequence[Alert]:
    assert isinstance(connector, Prometheus)
    return await connector.alerts(NOON)


def test_recording_rules_are_found_by_their_names() -> None:
    names = [
        "job:http_request_errors:ratio_rate5m",
        "job:request_latency_seconds:p50",
        "job:request_latency_seconds:p95",
        "instance:node_cpu_utilisation:rate5m",
        "instance:node_memory_utilisation:ratio",
        "http_errors_ratio",
        "job:up:count",
        "topic:kafka_consumergroup_lag:sum",
    ]
    assert discovered(names) == {
        "error_rate": "job:http_request_errors:ratio_rate5m",
        "response_time": "job:request_latency_seconds:p95",
        "cpu": "instance:node_cpu_utilisation:rate5m",
        "memory": "instance:node_memory_utilisation:ratio",
        "queue_lag": "topic:kafka_consumergroup_lag:sum",
    }


def test_each_series_says_what_it_is_about(host: Host) -> None:
    told = stage(host).does(recent)
    assert {one.subject for one in told} == {"component/api", "component/db"}
    assert {one.metric for one in told} >= {"error_rate", "response_time", "accuracy", "queue_lag"}
    assert all(len(one.samples) == 31 for one in told)
    assert len({one.key for one in told}) == len(told)


def test_a_metric_that_moved_is_seen_moving(host: Host) -> None:
    moved = Fault("metric_shift", "component/db", NOON - 10 * MINUTE, None, {"metric": "cpu", "factor": 2.0})
    told = {(one.subject, one.metric): one.samples for one in stage(host, moved).does(recent)}
    before = [value for at, value in told["component/db", "cpu"] if at < NOON - 10 * MINUTE]
    since = [value for at, value in told["component/db", "cpu"] if at >= NOON - 10 * MINUTE]
    assert 1.7 < (sum(since) / len(since)) / (sum(before) / len(before)) < 2.3


def test_what_fires_is_told_and_what_is_pending_is_not(host: Host) -> None:
    broken = [
        Fault("metric_shift", "component/db", NOON - age * MINUTE, None, {"metric": metric, "factor": 200.0})
        for metric, age in (("error_rate", 20), ("latency", 2))
    ]
    (alert,) = stage(host, *broken).does(firing)
    assert (alert.name, alert.subject, alert.severity) == (
        "RequestErrorsHigh",
        "component/db",
        Severity.CRITICAL,
    )
    assert abs(alert.active_since - (NOON - 20 * MINUTE)) <= MINUTE


def test_samples_that_are_no_numbers_are_left_out(host: Host) -> None:
    staged = stage(host)
    values = [[NOON.timestamp() - 60, "NaN"], [NOON.timestamp(), "+Inf"], [NOON.timestamp(), "0.5"]]
    result = [{"metric": {"service": "api\u202e"}, "values": values}, {"metric": {}, "values": []}]

    def odd(call: Call) -> Response | None:
        if not call.path.endswith("/query_range"):
            return None
        return JSONResponse({"status": "success", "data": {"resultType": "matrix", "result": result}})

    staged.way.answer = odd
    first, second, *_ = staged.does(recent)
    assert [value for _, value in first.samples] == [0.5]
    assert (first.subject, second.subject) == ("component/api\u202e", "prometheus")


@pytest.mark.parametrize("body", [{"status": "success"}, {"data": {"result": [{"values": []}]}}, [], 7])
def test_an_answer_of_another_shape_is_our_error(host: Host, body: object) -> None:
    staged = stage(host)
    staged.way.answer = lambda call: JSONResponse(body) if "query_range" in call.path else None
    with pytest.raises(UnexpectedAnswer):
        staged.does(recent)


def test_a_query_that_is_refused_says_why(host: Host) -> None:
    staged = stage(host)
    settings = PrometheusSettings(
        url=staged.url, token=SecretStr(staged.twin.credentials()["token"]), queries={"cpu": "rate("}
    )

    async def asked(_: object) -> None:
        connector = Prometheus("prometheus", settings, Doors(staged.clock))
        try:
            await recent(connector)
        finally:
            await connector.aclose()

    with pytest.raises(UnexpectedAnswer, match="parse error"):
        staged.does(asked)


def test_a_label_may_stand_for_a_job(host: Host) -> None:
    staged = stage(host)
    settings = PrometheusSettings(
        url=staged.url,
        token=SecretStr(staged.twin.credentials()["token"]),
        queries={"load": 'component:cpu_usage:ratio{component="db"}'},
        components={"db": "databricks/17"},
    )

    async def asked(_: object) -> Sequence[MetricSeries]:
        connector = Prometheus("prometheus", settings, Doors(staged.clock))
        try:
            return await recent(connector)
        finally:
            await connector.aclose()

    assert [(one.subject, one.metric) for one in staged.does(asked)] == [("databricks/17", "load")]


def test_a_password_needs_a_name(host: Host) -> None:
    settings = PrometheusSettings(url="http://127.0.0.1:9", password=SecretStr("s3cret-and-long"))
    with pytest.raises(SettingsError, match="username"):
        Prometheus("prometheus", settings, Doors(JumpingClock()))
