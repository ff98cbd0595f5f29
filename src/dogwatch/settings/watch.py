"""What ``dogwatch watch`` needs to know: when rounds are made, where others may call, who hears of it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

from pydantic import ConfigDict, Field, SecretStr, field_validator

from dogwatch.model.described import Described
from dogwatch.settings.watching import Duration

_MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


class WatchSettings(Described):
    """When rounds are made, and who hears that the watch is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cron: str = "*/15 * * * *"
    """When a round of everything begins: cron of five fields, in the zone in which people read times."""
    jitter: Duration = Field(default=timedelta(seconds=30), json_schema_extra={"default": "30s"})
    """A round begins up to so much later, so that not everybody asks a platform in the same second."""
    catch_up: Literal["once", "skip"] = "once"
    """After a sleep or an outage: once makes one round at once for all that were missed, skip waits for the
    next time. Nothing is lost by either: every round reads on from where the last one stopped."""
    stale_after: Duration | None = None
    """A last round older than this is said on every surface. Left out: twice the longest pause that cron
    makes, and ten minutes."""
    gather: Duration = Field(default=timedelta(seconds=3), json_schema_extra={"default": "3s"})
    """Events that come within this time start one round together."""
    apart: Duration = Field(default=timedelta(seconds=20), json_schema_extra={"default": "20s"})
    """From the end of a round to the next one that an event starts, at least."""
    alerts_stay: Duration = Field(default=timedelta(hours=12), json_schema_extra={"default": "12h"})
    """An alert that was pushed and is not repeated for so long is over. More than repeat_interval of
    Alertmanager."""
    listen: str = ""
    """Where others may call, such as 127.0.0.1:8711. Left out: nobody listens."""
    directories: Mapping[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    """Folders in which new or changed files start a round of the connectors that are named."""
    peers: Mapping[str, str] = Field(default_factory=dict[str, str])
    """Other watches to watch, each with a store of its own: their /readyz, by a name of your choice."""
    traces: str = ""
    """Where a trace of every round goes, by OpenTelemetry's protocol over HTTP: the URL before /v1/traces,
    such as http://127.0.0.1:4318. Left out: nowhere."""
    traces_headers: SecretStr | None = None
    """Headers that they carry, as name=value,name=value."""
    heartbeat_url: SecretStr | None = None
    """An address of a dead man's switch (Healthchecks and the like) that is asked after every round; whoever
    knows it can keep it silent."""

    @field_validator("cron")
    @classmethod
    def _due(cls, value: str) -> str:
        slots(value, "UTC", _MONDAY, _MONDAY + timedelta(days=1))
        return value

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if value and not (colon and host and port.isdecimal() and 0 < int(port) < 65_536):
            raise ValueError("is no address: write 127.0.0.1:8711")
        return value

    def longest_pause(self, timezone: str, now: datetime) -> timedelta:
        """The longest time between two rounds by the clock in the week around ``now``."""
        found = slots(self.cron, timezone, now - timedelta(days=1), now + timedelta(days=7))
        return max((later - earlier for earlier, later in pairwise(found)), default=timedelta(days=8))

    def too_old(self, timezone: str, now: datetime) -> timedelta:
        """A last round older than this is too old."""
        return self.stale_after or 2 * self.longest_pause(timezone, now) + timedelta(minutes=10)


def slots(cron: str, timezone: str, start: datetime, end: datetime) -> list[datetime]:
    """When a round is due in [start, end). Where the wall clock skips a time it is due right after, and a
    repeated one is due once, as Debian's cron keeps it. Raises ValueError for what is no cron expression."""
    from dogwatch.detect.schedule import due  # only those who watch pay for the rules
    from dogwatch.model import Schedule, ScheduleKind

    schedule = Schedule(kind=ScheduleKind.cron, expression=cron, timezone=timezone)
    return [slot.at for slot in due(schedule, "", start, end)]


class Night(Described):
    """What is said of the watch at the top of dogwatch.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    watch: WatchSettings = WatchSettings()
    """When rounds are made, where others may call, and who hears that the watch is kept."""
