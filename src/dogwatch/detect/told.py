"""What the user has told: times in which nothing need be said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Work on some jobs or a whole platform in [start, end)."""

    on: str
    """A job's subject (``<instance>/<job id>``) or name, an instance, or a pattern of either."""
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """Maintenance, holidays and jobs that nobody wants to hear of."""

    maintenance: Sequence[Maintenance] = ()
    holidays: frozenset[date] = frozenset()
    muted: Sequence[str] = ()
    """Subjects, names or patterns, as in ``Maintenance.on``."""
    zone: tzinfo = UTC
    """The zone in which holidays begin and end."""

    def excuse(self, subject: str, name: str, at: datetime) -> str:
        """Why a job need not run at a moment; empty if it should."""
        return self.maintained(subject, name, at) or self.holiday(at)

    def maintained(self, subject: str, name: str, at: datetime) -> str:
        """Until when there is maintenance of a job at a moment; empty if there is none."""
        for window in self.maintenance:
            if window.start <= at < window.end and _concerns(window.on, subject, name):
                return f"maintenance until {window.end.astimezone(self.zone):%d %b %H:%M}"
        return ""

    def holiday(self, at: datetime) -> str:
        """Which holiday it is at a moment; empty if it is none."""
        day = at.astimezone(self.zone).date()
        return f"{day:%d %b} is a holiday" if day in self.holidays else ""

    def is_muted(self, subject: str, name: str = "") -> bool:
        """Whether nobody wants to hear of the job."""
        return any(_concerns(pattern, subject, name) for pattern in self.muted)


def _concerns(pattern: str, subject: str, name: str) -> bool:
    if pattern in {subject, name, subject.partition("/")[0]}:
        return True  # names may hold what would be a wildcard
    return fnmatchcase(subject, pattern) or (bool(name) and fnmatchcase(name, pattern))
