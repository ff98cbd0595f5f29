"""Prometheus and what speaks its HTTP API v1 (Mimir, Thanos, VictoriaMetrics): metrics and firing alerts.

What is asked: the queries of dogwatch.yaml, or else the recording rules whose names say what they measure
(``level:metric:operations``, prometheus.io/docs/practices/rules). Facts: prometheus/prometheus 3.14,
``docs/querying/api.md``. Nothing is known of jobs and runs here.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, TypeAdapter

from dogwatch.errors import SettingsError
from dogwatch.model import Alert, MetricSeries, Severity, UtcTime
from dogwatch.model.signal import COMPONENT
from dogwatch.model.text import bounded, one_line, plural
from dogwatch.wire.connector import Connector, ConnectorSettings
from dogwatch.wire.http import Doors, Http, Login, Pace
from dogwatch.wire.login import BasicLogin, FixedToken

SEVERITY: Mapping[str, Severity] = {
    "critical": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "error": Severity.ERROR,
    "major": Severity.ERROR,
    "high": Severity.ERROR,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "minor": Severity.WARNING,
    "info": Severity.INFO,
    "none": Severity.INFO,
}
"""The label ``severity`` by custom, lower case. Anything else is a WARNING."""

PACE = Pace(per_second=20.0, concurrency=4, timeout=30.0)
_MOST_SERIES = 2_000
"""Of all queries together; more is no watch, but a second Prometheus."""
_MEASURES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (metric, re.compile(words))
    for metric, words in (
        ("error_rate", r"(error|failure|5xx).*(ratio|rate|percent|share)"),
        ("response_time", r"(latency|duration|response_time)"),
        ("cpu", r"cpu.*(ratio|usage|utili[sz]ation|percent)"),
        ("memory", r"mem(ory)?_.*(ratio|usage|utili[sz]ation|percent)"),
        ("disk", r"(disk|filesystem|volume).*(ratio|usage|utili[sz]ation|percent)"),
        ("queue_lag", r"(lag|backlog|queue)"),
        ("cost", r"(cost|spend)"),
        ("accuracy", r"(accuracy|precision)"),
    )
)
"""What the name of a recording rule says it measures; the first that fits."""
_PREFERRED = ("p95", "p99", "p90", "p50")
"""Of several rules for one metric that differ in the quantile, this one."""


class PrometheusSettings(ConnectorSettings):
    """How to reach one Prometheus, and what its metrics are about."""

    url: str
    """Where the HTTP API answers, without /api/v1: http://prometheus:9090, or for Mimir …/prometheus."""
    token: SecretStr | None = None
    """A bearer token, if the proxy in front demands one (Grafana Cloud: an access policy token with the scope
    metrics:read)."""
    username: str | None = None
    """For HTTP Basic instead of a token."""
    password: SecretStr | None = None
    """For HTTP Basic."""
    queries: Mapping[str, str] = Field(default_factory=dict[str, str])
    """PromQL by metric: error_rate (a share, 0 to 1), response_time (seconds), cpu, memory, disk, accuracy
    (shares), queue_lag, cost, or a name of your own. Left out: recording rules that are named like these."""
    labels: tuple[str, ...] = ("component", "service", "app", "job")
    """Labels that say what a series is about; the first that it has counts."""
    components: Mapping[str, str] = Field(default_factory=dict[str, str])
    """What a label's value stands for where it is not component/<value>: a job such as
    databricks/620182351, or another component."""


# ── what Prometheus says ────────────────────────────────────────────────────────────────────────────────────


def _number(value: Any) -> float:
    """Sample values are text, and may be NaN or +Inf."""
    return float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan


Number = Annotated[float, BeforeValidator(_number)]


class _Series(BaseModel):
    metric: dict[str, str]
    values: list[tuple[float, Number]] = []


class _Matrix(BaseModel):
    result: list[_Series]


class _MatrixAnswer(BaseModel):
    data: _Matrix


class _Rule(BaseModel):
    name: str
    type: str
    query: str = ""
    health: str = "ok"


class _Group(BaseModel):
    rules: list[_Rule]


class _Groups(BaseModel):
    groups: list[_Group]


class _RulesAnswer(BaseModel):
    data: _Groups


class _Alert(BaseModel):
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    state: str
    activeAt: UtcTime  # noqa: N815  # the wire's spelling
    value: str = ""


class _Alerts(BaseModel):
    alerts: list[_Alert]


class _AlertsAnswer(BaseModel):
    data: _Alerts


class _Build(BaseModel):
    version: str


class _BuildAnswer(BaseModel):
    data: _Build


_MATRIX = TypeAdapter(_MatrixAnswer)
_RULES = TypeAdapter(_RulesAnswer)
_ALERTS = TypeAdapter(_AlertsAnswer)
_BUILD = TypeAdapter(_BuildAnswer)


# ── the connector ───────────────────────────────────────────────────────────────────────────────────────────


class Prometheus(Connector[PrometheusSettings]):
    """Reads metrics and firing alerts of one Prometheus."""

    Settings = PrometheusSettings
    title = "Prometheus"
    overlap: ClassVar[timedelta] = timedelta(minutes=5)

    def __init__(self, name: str, settings: PrometheusSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        base = f"{settings.url.rstrip('/')}/api/v1"
        self._http = doors.open(base, login=_login(settings, doors), pace=PACE)
        self._asked: Mapping[str, str] | None = None

    @property
    def http(self) -> Http:
        """The door to Prometheus."""
        return self._http

    async def check(self) -> str:
        """Its version and what will be asked of it, or a ConnectorError."""
        version = (await self._http.get("status/buildinfo")).parse(_BUILD).data.version
        queries = await self._queries()
        watched = ", ".join(one_line(metric, 30) for metric in list(queries)[:8]) or "nothing"
        source = "configured" if self.settings.queries else "by recording rules"
        return one_line(f"Prometheus {version} · {plural(len(queries), 'metric')} {source}: {watched}", 190)

    async def caveats(self) -> Sequence[str]:
        """That nothing is measured, if so."""
        if await self._queries():
            return []
        return [
            "No metric is watched: dogwatch.yaml has no queries, and no recording rule is named like one."
        ]

    async def query(self, start: datetime, end: datetime, step: timedelta) -> Sequence[MetricSeries]:
        """Every series of every query; a sample that is no finite number is left out."""
        found: list[MetricSeries] = []
        for metric, query in (await self._queries()).items():
            answer = await self._http.get(
                "query_range",
                {
                    "query": query,
                    "start": f"{start.timestamp():.3f}",
                    "end": f"{end.timestamp():.3f}",
                    "step": f"{step.total_seconds():g}",
                },
            )
            told = answer.parse(_MATRIX).data.result[: _MOST_SERIES - len(found)]
            found += [self._series(metric, query, one) for one in told]
        return found

    async def alerts(self, now: datetime) -> Sequence[Alert]:
        """What fires; what is only pending may pass."""
        told = (await self._http.get("alerts")).parse(_ALERTS).data.alerts
        return [self._alert(one) for one in told if one.state == "firing"]

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _queries(self) -> Mapping[str, str]:
        """PromQL by metric."""
        if self.settings.queries:
            return self.settings.queries
        if self._asked is None:
            answer = await self._http.get("rules", {"type": "record"})
            names = [rule.name for group in answer.parse(_RULES).data.groups for rule in group.rules]
            self._asked = discovered(names)
        return self._asked

    # ── translating ─────────────────────────────────────────────────────────────────────────────────────────

    def _series(self, metric: str, query: str, told: _Series) -> MetricSeries:
        labels = {key: bounded(value, 200) for key, value in told.metric.items() if key != "__name__"}
        samples = tuple(
            (datetime.fromtimestamp(at, UTC), value)
            for at, value in told.values
            if math.isfinite(value) and 0 <= at < 1e11
        )
        return MetricSeries(
            instance=self.name,
            subject=self._subject(labels),
            metric=metric,
            labels=labels,
            query=query,
            samples=samples,
            url=self._link(query),
        )

    def _alert(self, told: _Alert) -> Alert:
        word = told.labels.get("severity", "").lower()
        said = told.annotations.get("summary") or told.annotations.get("description") or ""
        return Alert(
            instance=self.name,
            name=bounded(told.labels.get("alertname", ""), 200),
            subject=self._subject(told.labels),
            severity=SEVERITY.get(word, Severity.WARNING),
            summary=bounded(said, 500),
            labels={key: bounded(value, 200) for key, value in told.labels.items()},
            active_since=told.activeAt,
            value=told.value,
            url=f"{self.settings.url.rstrip('/')}/alerts",
        )

    def _subject(self, labels: Mapping[str, str]) -> str:
        """What a series is about, by the first of the labels that it has."""
        value = next((labels[label] for label in self.settings.labels if labels.get(label)), None)
        if value is None:
            return self.name
        return self.settings.components.get(value, f"{COMPONENT}{bounded(value, 200)}")

    def _link(self, query: str) -> str:
        asked = urlencode({"g0.expr": query, "g0.tab": 0, "g0.range_input": "6h"})
        return f"{self.settings.url.rstrip('/')}/graph?{asked}"


def discovered(names: Sequence[str]) -> dict[str, str]:
    """By metric, the recording rule whose name says that it measures it.

    A name without a colon is a plain metric, not a rule. Of several the one with the preferred quantile, then
    the first by name.
    """
    found: dict[str, str] = {}
    for metric, words in _MEASURES:
        fitting = [name for name in names if ":" in name and _metric_of(name) == (metric, words)]
        if fitting:
            found[metric] = min(fitting, key=_rank)
    return found


def _metric_of(name: str) -> tuple[str, re.Pattern[str]] | None:
    said = name.lower()
    return next(((metric, words) for metric, words in _MEASURES if words.search(said)), None)


def _rank(name: str) -> tuple[int, str]:
    places = [index for index, word in enumerate(_PREFERRED) if word in name.lower()]
    return (places[0] if places else len(_PREFERRED), name)


def _login(settings: PrometheusSettings, doors: Doors) -> Login | None:
    if settings.token is not None:
        return FixedToken(settings.token, doors.secrets)
    if settings.password is not None:
        if settings.username is None:
            raise SettingsError("prometheus: a password without a username", "set username in dogwatch.yaml")
        return BasicLogin(settings.username, settings.password, doors.secrets)
    return None
