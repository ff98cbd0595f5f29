"""Signals: what else is known of a job or a component beside its runs: metrics, alerts and changes."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.evidence import content_id
from dogwatch.model.finding import Severity

COMPONENT = "component/"
"""The subject of something that is no job begins so: ``component/<name>``."""


class MetricSeries(Noun):
    """Samples of one metric of one thing, in order of time."""

    instance: str
    """The connector's name in dogwatch.yaml."""
    subject: str
    """What it is about: ``component/<name>``, a job's subject, or the instance."""
    metric: str
    """What is measured: ``error_rate``, ``accuracy``, ``cpu``, ``memory``, ``disk`` (shares, 0 to 1),
    ``response_time`` (seconds), ``queue_lag``, ``cost``, or a name of the user's own."""
    labels: Mapping[str, str] = Field(default_factory=dict[str, str])
    """The platform's own labels of the series."""
    query: str = ""
    """The question that the platform answered."""
    samples: tuple[tuple[UtcTime, float], ...] = ()
    """Finite numbers only."""
    said: str = ""
    """What the platform says beside the numbers: of an error rate, the commonest error."""
    url: str | None = None

    @property
    def key(self) -> str:
        """The same series has the same key in every round."""
        return content_id([self.instance, self.subject, self.metric, dict(self.labels)])


class Alert(Noun):
    """An alert of a monitoring system that fires now."""

    instance: str
    name: str
    subject: str
    severity: Severity
    summary: str
    """In the words of whoever made the rule; empty if there are none."""
    labels: Mapping[str, str] = Field(default_factory=dict[str, str])
    active_since: UtcTime
    value: str = ""
    url: str | None = None


class ChangeKind(StrEnum):
    """What sort of change it was."""

    deployment = "deployment"
    schedule = "schedule"
    """The schedule of a job was edited."""
    paused = "paused"
    """Somebody switched a job off."""
    resumed = "resumed"
    """Somebody switched a job on."""
    edited = "edited"
    """Something else about a job was edited."""


class Change(Noun):
    """Something that people or their pipelines changed: the usual suspect of what breaks right after it."""

    uid: str
    """The same change always gets the same one."""
    instance: str
    """The connector's name in dogwatch.yaml."""
    kind: ChangeKind
    subject: str
    """What was changed: a job's subject, ``component/<name>``, an instance, or ``<instance>/<repository>``
    where nobody told what is deployed from there."""
    touches: tuple[str, ...] = ()
    """Further subjects that it changed."""
    at: UtcTime
    """When it took effect, as far as the platform tells."""
    not_before: UtcTime | None = None
    """Where only two looks are known between which it happened: the earlier one; ``at`` is the later."""
    summary: str
    """One sentence."""
    version: str = ""
    """What is in force since: a version, a commit, an expression."""
    state: str = ""
    """The platform's word for how it went, if it has one."""
    author: str = ""
    url: str | None = None
