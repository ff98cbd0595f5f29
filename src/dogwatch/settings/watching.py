"""What the user says about jobs: thresholds and schedules of some, and when to be silent."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from dogwatch.model import Schedule, ScheduleKind, Severity
from dogwatch.model.described import Described
from dogwatch.settings.zones import known_zone

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])\s*")
_CRON_FIELDS = 5
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


def duration(value: object) -> object:
    """``90s``, ``10m``, ``1h30m`` or ``2d`` as a timedelta; anything else that is no timedelta is refused."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    if not text or _PART.sub("", text):
        raise ValueError("is no duration: write 90s, 10m, 1h30m or 2d")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))


def as_yaml(value: object) -> str:
    """A threshold as it would stand in YAML; empty for None."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        units = reversed(_SECONDS.items())
        unit, size = next((unit, size) for unit, size in units if unit == "s" or seconds % size == 0)
        return f"{seconds / size:g}{unit}"
    return "" if value is None else f"{value:g}" if isinstance(value, (int, float)) else str(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    Field(gt=timedelta()),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?\s*[smhdw]\s*)+$"}),
]
"""``90s``, ``10m``, ``1h30m``, ``2d``."""
Moment = Annotated[datetime, WithJsonSchema({"type": "string"})]
"""ISO 8601; a blank may stand for the T, and the seconds and the offset may be left out."""
Ratio = Annotated[float, Field(ge=1.4, le=1_000)]
Sigmas = Annotated[float, Field(gt=0, le=100)]


class JobSettings(Described):
    """What is said about the jobs that one pattern matches. What is left out stays as it is for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schedule: str | None = None
    """When it runs, where its platform does not say so or says it wrong: cron of five fields, or Quartz."""
    every: Duration | None = None
    """The same for a job that runs every so often, such as 1h."""
    timezone: str | None = None
    """The IANA zone in which ``schedule`` is meant. Left out: the zone in which people read times."""
    muted: bool = False
    """Nobody wants to hear of it; what is found is a note."""
    slow_ratio: Ratio | None = None
    """A run is slow if it takes at least so many times as long as usual,"""
    slow_sigmas: Sigmas | None = None
    """and is at least so many spreads above the usual,"""
    slower_by: Duration | None = None
    """and takes at least so much longer than usual."""
    fast_ratio: Ratio | None = None
    """A run is suspiciously fast if the usual is at least so many times its duration,"""
    fast_sigmas: Sigmas | None = None
    """and it is at least so many spreads below the usual."""
    sure_ratio: Ratio | None = None
    """One unusual run of a job that runs often is only a note, unless it is unusual by this factor."""
    often: Annotated[float, Field(gt=0)] | None = None
    """Runs a day above which a job runs often."""
    few_ratio: Ratio | None = None
    """A run moved too little if it usually moves at least so many times as much,"""
    few_sigmas: Sigmas | None = None
    """and that is at least so many spreads below the usual."""
    many_ratio: Ratio | None = None
    """A run moved too much if it moved at least so many times the usual,"""
    many_sigmas: Sigmas | None = None
    """and that is at least so many spreads above it."""
    least_rows: Annotated[float, Field(ge=0)] | None = None
    """A job that usually moves fewer rows than this is not judged by them."""
    least_bytes: Annotated[float, Field(ge=0)] | None = None
    """The same for bytes, where the platform tells no rows."""
    start_leeway: Duration | None = None
    """A run is not late or missed until at least so long after its time, however punctual the job is."""
    start_unknown: Duration | None = None
    """The same as long as fewer than five starts are known, and where the time itself is learned."""
    longest_leeway: Duration | None = None
    """However irregularly the job starts, after this it is late or missed."""
    flapping: Annotated[int, Field(ge=2, le=100)] | None = None
    """A job flaps if it changed so often between success and failure"""
    flapping_of: Annotated[int, Field(ge=3, le=100)] | None = None
    """in so many of its last runs."""
    together: Duration | None = None
    """Two runs of a job that the schedule started within this time are one start too many."""

    @model_validator(mode="after")
    def _one_schedule(self) -> "JobSettings":
        if self.schedule is not None and self.every is not None:
            raise ValueError("schedule and every exclude each other")
        if self.timezone is not None:
            known_zone(self.timezone)
        if self.schedule is not None:
            _check_schedule(self.schedule)
        return self


def schedule_kind(expression: str) -> ScheduleKind:
    """Five fields are cron, more are Quartz."""
    return ScheduleKind.cron if len(expression.split()) <= _CRON_FIELDS else ScheduleKind.quartz


def _check_schedule(expression: str) -> None:
    """Refuse an expression of which nobody could say when it is due. Raises ValueError."""
    from dogwatch.detect.schedule import due  # only those who declare a schedule pay for the rules

    monday = datetime(2026, 1, 5, tzinfo=UTC)
    schedule = Schedule(kind=schedule_kind(expression), expression=expression)
    due(schedule, "", monday, monday + timedelta(days=1))


class Window(Described):
    """Work on a job or a platform, in which trouble with it is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: str = Field(min_length=1)
    """A platform, a job (platform/id), its name, or a pattern of either."""
    start: Moment = Field(alias="from")
    """When it begins. Without an offset it is a time in the reader's zone."""
    end: Moment = Field(alias="to")
    """When it is over."""

    @model_validator(mode="after")
    def _in_order(self) -> "Window":
        alike = (self.start.tzinfo is None) == (self.end.tzinfo is None)
        if alike and self.end <= self.start:
            raise ValueError("ends before it begins")
        return self


class LimitSettings(Described):
    """A limit on a metric of a component, a job or a platform that has to be crossed for a while."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(min_length=1)
    """Such as error_rate (a share, 0 to 1) or response_time (seconds), or a pattern of names."""
    on: str = Field(default="*", min_length=1)
    """What it is about: component/name, a job (platform/id), or a pattern of these."""
    above: float | None = None
    """More than this is too much."""
    below: float | None = None
    """Less than this is too little."""
    lasting: Duration = Field(default=timedelta(minutes=5), alias="for", json_schema_extra={"default": "5m"})
    """For so long without a break."""
    severity: Severity = Severity.WARNING
    """What it is then: INFO, WARNING, ERROR or CRITICAL."""

    @model_validator(mode="after")
    def _one_side(self) -> "LimitSettings":
        if (self.above is None) == (self.below is None):
            raise ValueError("needs either above or below")
        return self


class Watching(Described):
    """What is expected of jobs, and when nobody wants to hear of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jobs: Mapping[str, JobSettings] = Field(default_factory=dict[str, JobSettings])
    """By a job (platform/id), its name, or a pattern of either; of several patterns the first counts."""
    maintenance: tuple[Window, ...] = ()
    """Times in which trouble is known: runs need not come, and what fails is a note."""
    limits: tuple[LimitSettings, ...] = ()
    """Limits on metrics. Where one fits a series by metric and subject, those that hold for all do not."""
    holidays: tuple[date, ...] = ()
    """Days, in the reader's zone, on which nothing has to run and empty results are ordinary."""
    muted: tuple[str, ...] = ()
    """Jobs, names or patterns of which nobody wants to hear; what is found is a note."""
    log_components: Mapping[str, str] = Field(default_factory=dict[str, str])
    """Parts of a pipeline by what their log lines look like: a pattern (RE2) for each, tried in order on the
    origin that a line tells and on its text. Left out: the origin is the component."""
