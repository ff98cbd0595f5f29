"""What the user decides beforehand: thresholds, schedules that no platform tells, when to be silent."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from dogwatch.detect.rules import Rulebook
from dogwatch.detect.thresholds import Threshold
from dogwatch.detect.told import Told
from dogwatch.model import Schedule


@dataclass(frozen=True, slots=True)
class Policy:
    """The part of dogwatch.yaml that rules read."""

    rulebook: Rulebook = field(default_factory=Rulebook)
    told: Told = field(default_factory=Told)
    declared: Sequence[tuple[str, Schedule]] = ()
    """(pattern, schedule), the first that matches counts; it stands above the platform's."""
    limits: Sequence[Threshold] = ()
    """Limits on metrics; those that fit a series stand above the ones that hold for all."""
    timezone: str = "UTC"
    """The reader's."""

    @property
    def zone(self) -> ZoneInfo:
        """The reader's time zone."""
        return ZoneInfo(self.timezone)

    def schedule_of(self, subject: str, name: str) -> Schedule | None:
        """The schedule that dogwatch.yaml declares for a job, None if it declares none."""
        for pattern, schedule in self.declared:
            if pattern == subject or fnmatchcase(subject, pattern) or fnmatchcase(name, pattern):
                return schedule
        return None
