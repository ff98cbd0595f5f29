"""Who is told, and when: routes, quiet hours, escalation, the alert budget. Values in, values out."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from dogwatch.model import CauseClass, Incident, Severity

ALERTS_AN_HOUR = 5
CRITICAL_AN_HOUR = 10
LATEST = timedelta(hours=6)
"""A daily message that is later than that is not worth sending any more."""


@dataclass(frozen=True, slots=True)
class Route:
    """Some incidents, and the channels that hear of them. What is empty fits every incident."""

    to: tuple[str, ...]
    severity: Severity = Severity.WARNING
    """The least."""
    pipelines: tuple[str, ...] = ()
    """Patterns of names, like those of owners and platforms; case does not matter."""
    owners: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    """Of connectors' names in dogwatch.yaml."""
    causes: tuple[CauseClass, ...] = ()

    def fits(self, incident: Incident) -> bool:
        """Whether it is about such an incident."""
        if incident.severity.rank < self.severity.rank:
            return False
        platform = incident.culprit.partition("/")[0]
        classes = {cause.cause_class for cause in incident.causes[:1]}
        return (
            _any(self.pipelines, incident.pipelines)
            and _any(self.owners, incident.owners)
            and _any(self.platforms, (platform,))
            and (not self.causes or not classes.isdisjoint(self.causes))
        )


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which only what is CRITICAL may disturb."""

    start: time
    end: time
    """At or before ``start``: on the next day."""
    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))
    """Weekdays on which it begins, Monday is 0."""
    channels: frozenset[str] = frozenset()
    """Empty: all."""

    def until(self, now: datetime) -> datetime | None:
        """When it ends, if ``now`` lies in it. Wall-clock times: across a change of the clocks it is an hour
        longer or shorter."""
        today = now.astimezone(self.zone).date()
        for day in (today - timedelta(days=1), today):
            if day.weekday() in self.days:
                begin, end = self._on(day)
                if begin <= now < end:
                    return end
        return None

    def _on(self, day: date) -> tuple[datetime, datetime]:
        last = day + timedelta(days=1) if self.end <= self.start else day
        begin = datetime.combine(day, self.start, self.zone)
        return begin.astimezone(UTC), datetime.combine(last, self.end, self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is told as well if nobody takes an incident on."""

    after: timedelta
    to: tuple[str, ...]
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, slots=True)
class Daily:
    """A message at a time of day."""

    at: time
    zone: ZoneInfo
    days: frozenset[int]
    """Weekdays, Monday is 0."""
    to: tuple[str, ...]

    def due(self, now: datetime) -> str | None:
        """The name of the last one that should have gone out, if that is not long ago; None if none is due.

        A wall-clock time that a change of the clocks skips or repeats gives one message all the same.
        """
        today = now.astimezone(self.zone).date()
        for day in (today, today - timedelta(days=1)):
            moment = datetime.combine(day, self.at, self.zone).astimezone(UTC)
            if day.weekday() in self.days and timedelta(0) <= now - moment < LATEST:
                return f"daily/{day}T{self.at:%H:%M}"
        return None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides who is told and when."""

    zone: ZoneInfo
    channels: tuple[str, ...] = ()
    """All channels, in the order of dogwatch.yaml."""
    in_place: AbstractSet[str] = frozenset()
    """Those that hear of small changes too, because they can show them without disturbing anybody."""
    dead: AbstractSet[str] = frozenset()
    """Those that are switched off."""
    fallback: Mapping[str, str] = field(default_factory=dict[str, str])
    routes: Sequence[Route] = ()
    """Empty: every channel hears of everything of WARNING or worse."""
    quiet: Sequence[Quiet] = ()
    escalations: Sequence[Escalation] = ()
    dailies: Sequence[Daily] = ()
    alerts_an_hour: int = ALERTS_AN_HOUR
    critical_an_hour: int = CRITICAL_AN_HOUR

    def targets(self, incident: Incident) -> list[str]:
        """The channels that its routes name, in the order of dogwatch.yaml."""
        routes = self.routes or (Route(self.channels),)
        wanted = {name for route in routes if route.fits(incident) for name in route.to}
        return [name for name in self.channels if name in wanted]

    def quiet_until(self, channel: str, now: datetime) -> datetime | None:
        """When this channel may be disturbed again; None if it may be now."""
        ends = [
            end
            for one in self.quiet
            if (not one.channels or channel in one.channels) and (end := one.until(now)) is not None
        ]
        return max(ends, default=None)

    def without(self, names: AbstractSet[str]) -> "Plan":
        """The same with these channels switched off as well."""
        return replace(self, dead=frozenset({*self.dead, *names}))

    def instead_of(self, channel: str) -> str | None:
        """A channel that works and takes over from this one; None if there is none."""
        wished = self.fallback.get(channel)
        others = [wished] if wished else []
        others += [name for name in self.channels if name != channel]
        return next((name for name in others if name not in self.dead), None)


def _any(patterns: Sequence[str], names: Iterable[str]) -> bool:
    if not patterns:
        return True
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for name in names for pattern in patterns)
