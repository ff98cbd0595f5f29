"""Prometheus' Alertmanager: its webhook of version 4.

Facts: prometheus/alertmanager, ``notify/webhook/webhook.go`` and ``template/template.go``. Any 2xx
acknowledges, 5xx is tried again, 4xx is dropped. Nothing is signed: the secret is shown as bearer token
(``http_config.authorization``). ``fingerprint`` names an alert; ``endsAt`` is the year 1 while it fires.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from dogwatch.hooks.base import Heard, Hook, HookSettings, Post, Refused, read_object
from dogwatch.model import Alert, Severity
from dogwatch.model.call import PushedAlert
from dogwatch.model.signal import COMPONENT
from dogwatch.model.text import bounded, one_line, plural

SEVERITY: Mapping[str, Severity] = {
    "critical": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "error": Severity.ERROR,
    "major": Severity.ERROR,
    "high": Severity.ERROR,
    "info": Severity.INFO,
    "none": Severity.INFO,
}
"""The label ``severity`` by custom, lower case. Anything else is a WARNING."""
_MOST = 1_000
"""Alerts of one call that are kept; ``max_alerts`` of Alertmanager should be no more."""
_MOST_LABELS = 64


class AlertmanagerSettings(HookSettings):
    """Who may call, and what its alerts are about."""

    connectors: tuple[str, ...] | None = ()
    """The connectors (their names in this file) that are asked when an alert begins or ends, beside those
    whose jobs it is about. Left out: none, the alert itself is all that is judged."""
    labels: tuple[str, ...] = ("component", "service", "app", "job", "instance")
    """Labels that say what an alert is about; the first that it has counts."""
    components: Mapping[str, str] = Field(default_factory=dict[str, str])
    """What a label's value stands for where it is not component/<value>: a job such as
    databricks/620182351, or another component."""


# ── what Alertmanager says ──────────────────────────────────────────────────────────────────────────────────


def _moment(value: Any) -> datetime | None:
    """RFC 3339; the year 1 stands for never."""
    if not isinstance(value, str) or value.startswith("0001-"):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError("is no time") from None


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError("is not a mapping")
    pairs: list[tuple[Any, Any]] = list(value.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # what a caller says
    return {bounded(str(key), 100): bounded(str(said), 500) for key, said in pairs[:_MOST_LABELS]}


class _Alert(BaseModel):
    status: str
    labels: Annotated[dict[str, str], BeforeValidator(_texts)]
    annotations: Annotated[dict[str, str], BeforeValidator(_texts)] = Field(default_factory=dict[str, str])
    starts_at: Annotated[datetime | None, BeforeValidator(_moment)] = Field(None, alias="startsAt")
    ends_at: Annotated[datetime | None, BeforeValidator(_moment)] = Field(None, alias="endsAt")
    generator_url: str = Field("", alias="generatorURL")
    fingerprint: str = Field(min_length=1, max_length=64)


class _Payload(BaseModel):
    version: str
    alerts: list[_Alert]


# ── the hook ────────────────────────────────────────────────────────────────────────────────────────────────


class Alertmanager(Hook[AlertmanagerSettings]):
    """Takes alerts that begin and end."""

    Settings = AlertmanagerSettings
    title = "Alertmanager"

    def hear(self, post: Post) -> Heard:
        """What fires and what does not any more. Raises Refused."""
        self.shown(post)
        told = read_object(post.body)
        if told.get("version") != "4":
            raise Refused(400, "this is not version 4 of Alertmanager's webhook")
        try:
            payload = _Payload.model_validate(told)
        except ValidationError as error:
            where = ".".join(str(step) for step in error.errors()[0]["loc"])
            raise Refused(400, f"this is not what Alertmanager sends: {one_line(where, 80)}") from None
        alerts = tuple(self._pushed(one, post.now) for one in payload.alerts[:_MOST])
        firing = sum(one.ends_at is None for one in alerts)
        names = sorted({one.alert.name for one in alerts})
        return Heard(
            key=hashlib.sha256(post.body).hexdigest(),
            says=one_line(f"{plural(firing, 'alert')} of {len(alerts)} firing: {', '.join(names)}", 200),
            alerts=alerts,
            connectors=self._concerned(alerts),
        )

    def _concerned(self, alerts: tuple[PushedAlert, ...]) -> tuple[str, ...]:
        subjects = {one.alert.subject for one in alerts if not one.alert.subject.startswith(COMPONENT)}
        jobs = {subject.partition("/")[0] for subject in subjects if "/" in subject}
        return tuple(sorted(jobs | set(self.settings.connectors or ())))

    def _pushed(self, told: _Alert, now: datetime) -> PushedAlert:
        said = told.annotations.get("summary") or told.annotations.get("description") or ""
        over = told.status == "resolved"
        url = told.generator_url
        return PushedAlert(
            key=f"{self.name}/{told.fingerprint}",
            alert=Alert(
                instance=self.name,
                name=told.labels.get("alertname", ""),
                subject=self._subject(told.labels),
                severity=SEVERITY.get(told.labels.get("severity", "").lower(), Severity.WARNING),
                summary=said,
                labels=told.labels,
                active_since=min(told.starts_at or now, now),
                url=bounded(url, 500) if url.startswith(("http://", "https://")) else None,
            ),
            ends_at=(told.ends_at or now) if over else None,
        )

    def _subject(self, labels: Mapping[str, str]) -> str:
        """What an alert is about, by the first of the labels that it has."""
        value = next((labels[label] for label in self.settings.labels if labels.get(label)), None)
        if value is None:
            return self.name
        return self.settings.components.get(value, f"{COMPONENT}{bounded(value, 200)}")
