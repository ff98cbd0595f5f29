"""What the user says of telling people: which channel hears of what, when it is quiet, who comes next."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, field_validator

from dogwatch.model import CauseClass, Severity
from dogwatch.model.described import Described
from dogwatch.notify.routing import ALERTS_AN_HOUR, CRITICAL_AN_HOUR, Daily, Escalation, Plan, Quiet, Route
from dogwatch.settings.pipelines import DAYS, Clock, Day
from dogwatch.settings.watching import Duration
from dogwatch.settings.zones import known_zone

Names = Annotated[tuple[str, ...], Field(min_length=1)]


class RouteSettings(Described):
    """Some incidents, and the channels that hear of them. What is left out fits every incident."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Names
    """The channels that hear of them. An incident that several routes fit is told to the channels of all."""
    severity: Severity = Severity.WARNING
    """The least: INFO, WARNING, ERROR or CRITICAL."""
    pipelines: tuple[str, ...] = ()
    """Names of pipelines, or patterns such as sales_*."""
    owners: tuple[str, ...] = ()
    """Owners of jobs that are hit, or patterns such as *@shop.example."""
    platforms: tuple[str, ...] = ()
    """Connectors (their names in this file) on which it began, or patterns."""
    causes: tuple[CauseClass, ...] = ()
    """Classes of the likeliest cause, such as auth_permission."""

    def route(self) -> Route:
        """The same as the decision wants it."""
        return Route(self.to, self.severity, self.pipelines, self.owners, self.platforms, self.causes)


class QuietSettings(Described):
    """Hours in which only what is CRITICAL is told; all else waits until they are over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Clock = Field(alias="from")
    """When it begins, such as "22:00"."""
    end: Clock = Field(alias="to")
    """When it ends; at or before ``from`` it is meant on the next day."""
    days: tuple[Day, ...] = ()
    """The days on which it begins, such as [fri, sat]. Left out: every day."""
    timezone: str | None = None
    """The IANA zone in which it is meant. Left out: the zone in which people read times."""
    channels: tuple[str, ...] = ()
    """The channels that are quiet then. Left out: all."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return value if value is None else known_zone(value)

    def quiet(self, zone: ZoneInfo) -> Quiet:
        """The same as the decision wants it; ``zone`` is the reader's."""
        days = frozenset(DAYS.index(day) for day in self.days) or frozenset(range(len(DAYS)))
        own = zone if self.timezone is None else ZoneInfo(self.timezone)
        return Quiet(self.start, self.end, own, days, frozenset(self.channels))


class EscalationSettings(Described):
    """Who is told as well if nobody takes an incident on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: Duration
    """How long after it was told first, such as 30m."""
    to: Names
    """The channels that hear of it then."""
    severity: Severity = Severity.WARNING
    """The least severity for which it holds."""

    def escalation(self) -> Escalation:
        """The same as the decision wants it."""
        return Escalation(self.after, self.to, self.severity)


class BudgetSettings(Described):
    """How many alerts one channel gets. What exceeds it is gathered into one digest an hour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alerts_per_hour: int = Field(default=ALERTS_AN_HOUR, ge=1, le=1_000)
    """New incidents told one by one in any hour. Updates, resolved notices and digests do not count."""
    critical_per_hour: int = Field(default=CRITICAL_AN_HOUR, ge=1, le=1_000)
    """The same for CRITICAL ones, which have a budget of their own."""


class DigestSettings(Described):
    """A message at a time of day: how everything is, what happened in the day before, what waits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Clock
    """When it is sent, such as "07:30"; the first round after that sends it."""
    to: Names
    """The channels that get it."""
    days: tuple[Day, ...] = ()
    """The days on which it is sent, such as [mon, tue, wed, thu, fri]. Left out: every day."""
    timezone: str | None = None
    """The IANA zone in which it is meant. Left out: the zone in which people read times."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return value if value is None else known_zone(value)

    def daily(self, zone: ZoneInfo) -> Daily:
        """The same as the messenger wants it; ``zone`` is the reader's."""
        days = frozenset(DAYS.index(day) for day in self.days) or frozenset(range(len(DAYS)))
        return Daily(self.at, zone if self.timezone is None else ZoneInfo(self.timezone), days, self.to)


class Telling(Described):
    """Who is told of what, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    routes: tuple[RouteSettings, ...] = ()
    """Which channel hears of what. Left out: every channel hears of everything of WARNING or worse."""
    quiet_hours: tuple[QuietSettings, ...] = ()
    """Hours in which only what is CRITICAL is told; all else waits until they are over."""
    escalation: tuple[EscalationSettings, ...] = ()
    """Who is told as well if nobody takes an incident on."""
    digests: tuple[DigestSettings, ...] = ()
    """Messages at a time of day that tell how everything is."""
    budget: BudgetSettings = BudgetSettings()
    """How many alerts one channel gets in an hour."""


def named_channels(
    telling: Telling, channels: Mapping[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where a channel is named (the path in the file), and its name; ``channels`` are the blocks as read."""
    for at, route in enumerate(telling.routes):
        yield from ((("routes", at, "to"), name) for name in route.to)
    for at, quiet in enumerate(telling.quiet_hours):
        yield from ((("quiet_hours", at, "channels"), name) for name in quiet.channels)
    for at, rule in enumerate(telling.escalation):
        yield from ((("escalation", at, "to"), name) for name in rule.to)
    for at, daily in enumerate(telling.digests):
        yield from ((("digests", at, "to"), name) for name in daily.to)
    for name, block in channels.items():
        other = cast("dict[str, Any]", block).get("fallback") if isinstance(block, dict) else None
        if other is not None:
            yield ("channels", name, "fallback"), str(other)


def plan_of(
    telling: Telling,
    zone: ZoneInfo,
    channels: Mapping[str, str | None],
    *,
    in_place: frozenset[str] = frozenset(),
) -> Plan:
    """Everything that decides who is told; ``channels`` are all of them with their fallbacks."""
    return Plan(
        zone=zone,
        channels=tuple(channels),
        in_place=in_place,
        fallback={name: other for name, other in channels.items() if other is not None},
        routes=[route.route() for route in telling.routes],
        quiet=[quiet.quiet(zone) for quiet in telling.quiet_hours],
        escalations=[rule.escalation() for rule in telling.escalation],
        dailies=[rule.daily(zone) for rule in telling.digests],
        alerts_an_hour=telling.budget.alerts_per_hour,
        critical_an_hour=telling.budget.critical_per_hour,
    )
