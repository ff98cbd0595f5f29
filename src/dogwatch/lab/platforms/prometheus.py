"""Prometheus' twin: the HTTP API v1 over recording rules of the lab's components, behind a bearer token.

It evaluates what it records and nothing else: ``name{label="value"}``. Like the real server it answers 400
``bad_data`` for what it cannot parse, tells sample values as text and times as seconds, and marks a series
stale by leaving it out.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dogwatch.lab.meters import STEP, Meters
from dogwatch.lab.twin import Jobless
from dogwatch.lab.world import World

_TOKEN = "glsa_9fQ2kLr7VxTz0mYb4NcWs8HdEj3UaPoK"
_MOST_POINTS = 11_000
"""Per series; the real server refuses more in the same words."""
_SELECTOR = re.compile(r"\s*([a-zA-Z_:][\w:]*)\s*(?:\{([^{}]*)\})?\s*")
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!=|!~|=)\s*"((?:[^"\\]|\\.)*)"\s*')
_VERSION = "3.14.0"

RECORDED = {
    "component:latency_seconds:p95": (
        "latency",
        "histogram_quantile(0.95, sum by (component, le) (rate(request_duration_seconds_bucket[5m])))",
    ),
    "component:request_errors:ratio_rate5m": (
        "error_rate",
        (
            'sum by (component) (rate(requests_total{outcome="error"}[5m]))'
            " / sum by (component) (rate(requests_total[5m]))"
        ),
    ),
    "component:cpu_usage:ratio": ("cpu", "avg by (component) (rate(process_cpu_seconds_total[5m]))"),
    "component:memory_usage:ratio": (
        "memory",
        "max by (component) (container_memory_working_set_bytes / (container_spec_memory_limit_bytes > 0))",
    ),
    "component:disk_usage:ratio": ("disk", "max by (component) (1 - volume_free_bytes / volume_size_bytes)"),
    "component:queue_lag:messages": ("queue_lag", "sum by (component) (subscription_backlog_messages)"),
    "component:cost_usd:rate1h": ("cost", "sum by (component) (increase(billed_usd_total[1h]))"),
    "component:extraction_accuracy:ratio": ("accuracy", "avg by (component) (evaluation_accuracy)"),
}
"""Recording rules (``level:metric:operations``): what each measures, and its expression."""


@dataclass(frozen=True, slots=True)
class _AlertRule:
    name: str
    rule: str
    limit: float
    lasting: timedelta
    severity: str
    summary: str


_ALERTS = (
    _AlertRule(
        "RequestErrorsHigh",
        "component:request_errors:ratio_rate5m",
        0.05,
        timedelta(minutes=5),
        "critical",
        "{component} answers more than 5 % of its requests with errors",
    ),
    _AlertRule(
        "RequestsSlow",
        "component:latency_seconds:p95",
        5.0,
        timedelta(minutes=5),
        "critical",
        "{component} takes more than 5 s for one request in twenty",
    ),
)


class _Bad(Exception):
    """What the server refuses, in its words."""


class Prometheus(Jobless):
    """One Prometheus server."""

    platform: ClassVar[str] = "prometheus"
    required: ClassVar[str] = "values"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._meters = Meters(world)

    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's paths."""
        api, both = "/api/v1", ["GET", "POST"]
        return [
            Route(f"{api}/status/buildinfo", self._guarded(self._buildinfo)),
            Route(f"{api}/rules", self._guarded(self._rules)),
            Route(f"{api}/alerts", self._guarded(self._alerts)),
            Route(f"{api}/query", self._asked(self._query), methods=both),
            Route(f"{api}/query_range", self._asked(self._query_range), methods=both),
        ]

    def settings(self, base_url: str) -> dict[str, Any]:
        """The server's address."""
        return {"url": base_url}

    def told(self, subject: Callable[[str], str | None]) -> dict[str, Any]:
        """Which jobs and platforms are measured under which label."""
        known = {Meters.label(place): subject(place) for place in self._meters.places}
        others = {label: name for label, name in known.items() if name and name != f"component/{label}"}
        return {"components": others} if others else {}

    def credentials(self) -> dict[str, str]:
        """The bearer token that the proxy in front demands."""
        return {"token": _TOKEN}

    def revoke(self) -> None:
        """The token is a fixed one."""

    # ── answering ───────────────────────────────────────────────────────────────────────────────────────────

    def _guarded(self, handler: Callable[[Mapping[str, str]], Any]) -> Callable[[Request], Response]:
        def guarded(request: Request) -> Response:
            return self._answer(request, handler, request.query_params)

        return guarded

    def _asked(self, handler: Callable[[Mapping[str, str]], Any]) -> Any:
        """A question may also come as a form."""

        async def asked(request: Request) -> Response:
            form = dict(parse_qsl((await request.body()).decode()))
            return self._answer(request, handler, {**request.query_params, **form})

        return asked

    def _answer(
        self, request: Request, handler: Callable[[Mapping[str, str]], Any], said: Mapping[str, str]
    ) -> Response:
        if request.headers.get("authorization") != f"Bearer {_TOKEN}":
            return Response("Unauthorized\n", 401, {"WWW-Authenticate": "Bearer"})
        try:
            return JSONResponse({"status": "success", "data": handler(said)})
        except _Bad as error:
            problem = {"status": "error", "errorType": "bad_data", "error": str(error)}
            return JSONResponse(problem, 400)

    def _buildinfo(self, _: Mapping[str, str]) -> Any:
        return {
            "version": _VERSION,
            "revision": "d15adb9ad7e5d9fbde3a9a8f30200593a5a14d86",
            "branch": "HEAD",
            "buildUser": "",
            "buildDate": "20260821-10:00:00",
            "goVersion": "go1.26",
        }

    def _rules(self, said: Mapping[str, str]) -> Any:
        kind = said.get("type")
        if kind not in {None, "", "alert", "record"}:
            raise _Bad(f"not supported value {kind!r}")
        evaluated = _stamp(self.world.now)
        common = {"health": "ok", "evaluationTime": 0.0011, "lastEvaluation": evaluated}
        recording = [
            {"name": name, "query": expression, "type": "recording", **common}
            for name, (_, expression) in RECORDED.items()
        ]
        alerting = [
            {
                "name": rule.name,
                "query": f"{rule.rule} > {rule.limit:g}",
                "duration": rule.lasting.total_seconds(),
                "keepFiringFor": 0,
                "labels": {"severity": rule.severity},
                "annotations": {"summary": rule.summary.format(component="{{ $labels.component }}")},
                "alerts": (alerts := self._alerts_of(rule)),
                "state": _worst(alerts),
                "type": "alerting",
                **common,
            }
            for rule in _ALERTS
        ]
        chosen = {"record": recording, "alert": alerting}.get(kind or "", [*recording, *alerting])
        group = {
            "name": "components",
            "file": "/etc/prometheus/rules/components.yaml",
            "rules": chosen,
            "interval": STEP.total_seconds(),
            "limit": 0,
            "evaluationTime": 0.0042,
            "lastEvaluation": evaluated,
        }
        return {"groups": [group] if chosen else []}

    def _alerts(self, _: Mapping[str, str]) -> Any:
        return {"alerts": [alert for rule in _ALERTS for alert in self._alerts_of(rule)]}

    def _alerts_of(self, rule: _AlertRule) -> list[dict[str, Any]]:
        """Its pending and firing alerts; like the real server it looks at samples one step apart."""
        metric, now = RECORDED[rule.rule][0], _floor(self.world.now)
        found: list[dict[str, Any]] = []
        for place in self._meters.places:
            value = self._meters.value(place, metric, now)
            if value <= rule.limit:
                continue
            since = now
            while now - since < timedelta(days=1):
                before = since - STEP
                if self._meters.value(place, metric, before) <= rule.limit:
                    break
                since = before
            label = Meters.label(place)
            found.append(
                {
                    "labels": {"alertname": rule.name, "component": label, "severity": rule.severity},
                    "annotations": {"summary": rule.summary.format(component=label)},
                    "state": "firing" if now - since >= rule.lasting else "pending",
                    "activeAt": _stamp(since),
                    "value": f"{value:e}",
                }
            )
        return found

    def _query(self, said: Mapping[str, str]) -> Any:
        at = _moment(said["time"], "time") if "time" in said else self.world.now
        result = [
            {"metric": labels, "value": [at.timestamp(), _text(self._meters.value(place, metric, at))]}
            for place, metric, labels in self._selected(said.get("query", ""))
            if at <= self.world.now
        ]
        return {"resultType": "vector", "result": result}

    def _query_range(self, said: Mapping[str, str]) -> Any:
        for name in ("start", "end", "step"):
            if name not in said:
                raise _Bad(f'invalid parameter "{name}": cannot parse "" to a valid timestamp')
        start, end = _moment(said["start"], "start"), _moment(said["end"], "end")
        step = _step(said["step"])
        if end < start:
            raise _Bad('invalid parameter "end": end timestamp must not be before start time')
        if (end - start) / step > _MOST_POINTS:
            raise _Bad(
                "exceeded maximum resolution of 11,000 points per timeseries."
                " Try decreasing the query resolution (?step=XX)"
            )
        known = min(end, self.world.now)
        count = max(0, math.floor((known - start) / step) + 1)
        moments = [start + step * index for index in range(count)]
        if self.world.start is not None:
            moments = [moment for moment in moments if moment >= self.world.start]
        result = [
            {
                "metric": labels,
                "values": [
                    [moment.timestamp(), _text(self._meters.value(place, metric, moment))]
                    for moment in moments
                ],
            }
            for place, metric, labels in self._selected(said.get("query", ""))
            if moments
        ]
        return {"resultType": "matrix", "result": result}

    def _selected(self, query: str) -> list[tuple[str, str, dict[str, str]]]:
        """The places, the metric and the labels of the series that a selector names."""
        match = _SELECTOR.fullmatch(query)
        if match is None:
            raise _Bad('invalid parameter "query": 1:1: parse error: unexpected end of input')
        name, inner = match[1], match[2] or ""
        if name not in RECORDED:
            return []
        matchers = _MATCHER.findall(inner)
        if _MATCHER.sub("", inner).strip(", "):
            raise _Bad('invalid parameter "query": 1:1: parse error: unexpected character inside braces')
        found: list[tuple[str, str, dict[str, str]]] = []
        for place in self._meters.places:
            labels = {"__name__": name, "component": Meters.label(place)}
            if all(_matches(labels.get(label, ""), how, value) for label, how, value in matchers):
                found.append((place, RECORDED[name][0], labels))
        return found


def _matches(value: str, how: str, wanted: str) -> bool:
    if how in {"=", "!="}:
        return (value == wanted) is (how == "=")
    return (re.fullmatch(wanted, value) is not None) is (how == "=~")


def _worst(alerts: Sequence[Mapping[str, Any]]) -> str:
    states = {alert["state"] for alert in alerts}
    return "firing" if "firing" in states else "pending" if states else "inactive"


def _moment(text: str, name: str) -> datetime:
    """Seconds, or RFC 3339."""
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _Bad(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp')
    return moment.astimezone(UTC)


def _step(text: str) -> timedelta:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", text)
    seconds = (
        float(match[1]) * {"ms": 0.001, "m": 60, "h": 3600, "d": 86_400}.get(match[2], 1) if match else 0
    )
    if seconds <= 0:
        raise _Bad(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted.'
            " Try a positive integer"
        )
    return timedelta(seconds=seconds)


def _floor(moment: datetime) -> datetime:
    seconds = STEP.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def _text(value: float) -> str:
    return f"{value:.6g}"


def _stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
