"""What users declare of a pipeline, as a value; settings/pipelines.py reads it from dogwatch.yaml."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dogwatch.model import Noun


class FreshBy(Noun):
    """A time of day by which a pipeline's results have to be made anew."""

    at: time
    """Local time of day."""
    timezone: str = "UTC"
    """IANA zone."""
    days: tuple[int, ...] = ()
    """Weekdays on which it holds, Monday is 0; empty: every day."""

    def following(self, moment: datetime) -> datetime:
        """The first deadline at or after ``moment`` (aware), in UTC.

        A time of day that the clock change skips is read by the offset from before it (02:30 becomes 03:30);
        of one that it repeats the first counts.
        """
        day = moment.astimezone(ZoneInfo(self.timezone)).date() - timedelta(days=1)
        while True:
            due = self.on(day)
            if due >= moment and (not self.days or day.weekday() in self.days):
                return due
            day += timedelta(days=1)

    def on(self, day: date) -> datetime:
        """The deadline of a local day, in UTC; skipped and repeated times as RFC 5545 §3.3.5 reads them."""
        return datetime.combine(day, self.at, ZoneInfo(self.timezone)).astimezone(UTC)


class Pipeline(Noun):
    """What the user says of one pipeline."""

    name: str
    jobs: tuple[str, ...]
    """Subjects, ``<instance>/<job name or id>``, names, or patterns of either."""
    edges: tuple[tuple[str, str], ...] | None = None
    """Pairs (upstream, downstream), written like ``jobs``; None: dogwatch finds them."""
    fresh_by: FreshBy | None = None
    owner: str | None = None
    environment: str | None = None
    """Such as production; only told, never interpreted."""
