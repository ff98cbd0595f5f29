"""What the user says of pipelines: which jobs they are, what feeds what, by when it has to be fresh."""

import re
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, cast

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator

from dogwatch.model.described import Described
from dogwatch.pipelines.spec import FreshBy, Pipeline
from dogwatch.settings.zones import known_zone, nearest

AUTO = "auto"
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Weekdays as they are written, Monday first."""


def _edges(value: object) -> object:
    """``auto`` or pairs; anything else is refused in words."""
    if value is None or value == AUTO:
        return None
    if isinstance(value, str):
        near = f"; did you mean {AUTO}?" if nearest(value, [AUTO]) else ""
        raise ValueError(f"is neither {AUTO} nor a list of pairs [from, to]{near}")
    pairs = cast("list[object]", value) if isinstance(value, (list, tuple)) else [value]
    for number, pair in enumerate(pairs, 1):
        ends = cast("list[object]", pair) if isinstance(pair, (list, tuple)) else []
        if len(ends) != 2 or not all(isinstance(end, str) for end in ends):
            raise ValueError(f"entry {number} is no pair: write [from, to]")
    return pairs


def _some(value: object) -> object:
    if value == []:
        raise ValueError("names no job")
    return value


def _clock(value: object) -> object:
    if isinstance(value, time):
        return value
    match = _CLOCK.fullmatch(str(value))
    if match is None:
        raise ValueError('is no time of day: write "06:00"')
    return time(int(match[1]), int(match[2]))


def _day(value: object) -> object:
    if value not in DAYS:
        near = nearest(str(value).lower()[:3], DAYS)
        guess = f"; did you mean {near}?" if near else ""
        raise ValueError(f"{str(value)!r:.40} is no weekday{guess}; known: {', '.join(DAYS)}")
    return value


Name = Annotated[str, Field(min_length=1)]
Edges = Annotated[
    tuple[tuple[Name, Name], ...] | None,
    BeforeValidator(_edges),
    WithJsonSchema(
        {
            "oneOf": [
                {"const": AUTO},
                {
                    "type": "array",
                    "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
                },
            ]
        }
    ),
]
"""``auto``, or pairs of upstream and downstream."""
Clock = Annotated[
    time, BeforeValidator(_clock), WithJsonSchema({"type": "string", "pattern": f"^{_CLOCK.pattern}$"})
]
Day = Annotated[str, BeforeValidator(_day), WithJsonSchema({"enum": list(DAYS)})]


class PipelineSettings(Described):
    """One pipeline."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=80)
    """What people call it."""
    jobs: Annotated[tuple[Name, ...], BeforeValidator(_some)]
    """Its jobs: platform/name, platform/id, a name, or a pattern of these such as snowflake/*.MARTS.*."""
    edges: Edges = None
    """What feeds what: auto (what dogwatch finds out), or pairs [from, to] written like jobs."""
    fresh_by: Clock | None = None
    """The time of day by which its results have to be made anew, such as "06:00"."""
    timezone: str | None = None
    """The IANA zone of fresh_by. Left out: the zone in which people read times."""
    days: tuple[Day, ...] = ()
    """The weekdays on which fresh_by holds, such as [mon, tue, wed, thu, fri]. Left out: all."""
    owner: str | None = None
    """Whom to tell if it is hit."""
    environment: str | None = None
    """Such as production; only told."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return None if value is None else known_zone(value)


class LineageSettings(Described):
    """Files from which dogwatch learns what is made of what. A relative path begins at the folder of
    dogwatch.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dbt: Mapping[str, str] = Field(default_factory=dict[str, str])
    """dbt manifests: the path of a manifest.json, and the job that runs the project (platform/name), or "" if
    no watched job does."""
    openlineage: tuple[Name, ...] = ()
    """Files or folders of OpenLineage events: JSON, one event or a list, or one event a line."""

    def at(self, home: Path) -> "LineageSettings":
        """The same with paths that begin at a folder."""
        return LineageSettings(
            dbt={str(home / path): job for path, job in self.dbt.items()},
            openlineage=tuple(str(home / path) for path in self.openlineage),
        )


class Flows(Described):
    """What depends on what, as far as platforms do not tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipelines: tuple[PipelineSettings, ...] = ()
    """What belongs together and by when it has to be fresh."""
    lineage: LineageSettings = LineageSettings()
    """Manifests and lineage events to learn dependencies from."""


def pipelines_of(flows: Flows, timezone: str) -> list[Pipeline]:
    """The pipelines as the graph wants them; ``timezone`` is the reader's."""
    return [_pipeline(one, timezone) for one in flows.pipelines]


def _pipeline(given: PipelineSettings, timezone: str) -> Pipeline:
    fresh = None
    if given.fresh_by is not None:
        days = tuple(DAYS.index(day) for day in given.days)
        fresh = FreshBy(at=given.fresh_by, timezone=given.timezone or timezone, days=days)
    return Pipeline(
        name=given.name,
        jobs=given.jobs,
        edges=given.edges,
        fresh_by=fresh,
        owner=given.owner,
        environment=given.environment,
    )
