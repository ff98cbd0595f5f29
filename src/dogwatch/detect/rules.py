"""Every threshold of every rule, for all jobs or for some of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase

from dogwatch.detect.baseline import Limits


@dataclass(frozen=True, slots=True)
class Rules:
    """The thresholds for one job. What is usual is learned; these say how far from it is too far."""

    duration: Limits = Limits()  # noqa: RUF009  # frozen
    """When a duration is unusual."""
    slower_by: timedelta = timedelta(minutes=5)
    """A run is not slow unless it takes at least so much longer than usual."""
    sure_ratio: float = 2.5
    """Of a job that runs more than ``often`` times a day, one unusual run is only a note, unless it is
    unusual by this factor; two in a row are a warning."""
    often: float = 4.0
    volume: Limits = Limits(ratio=2.0, sigmas=3.5)  # noqa: RUF009  # frozen
    """When a volume is unusual: here ``ratio`` and ``sigmas`` are about too little, ``low_ratio`` and
    ``low_sigmas`` about too much."""
    least_rows: float = 50.0
    """A job that usually moves fewer rows than this is not judged by them."""
    least_bytes: float = 100_000.0
    start_leeway: timedelta = timedelta(minutes=4)
    """A run is not late unless it starts at least so much after its time, however punctual the job is."""
    start_unknown: timedelta = timedelta(minutes=10)
    """The same as long as fewer than five starts are known, and where the time itself is learned."""
    longest_leeway: timedelta = timedelta(hours=6)
    """However irregularly a job starts, after this it is late."""
    flapping: int = 4
    """A job flaps if it changed so often between success and failure in its last ``flapping_of`` runs."""
    flapping_of: int = 8
    together: timedelta = timedelta(seconds=90)
    """Two scheduled runs of a job that begin within this are one start too many."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules for everybody, and exceptions for jobs whose subject or name matches a pattern."""

    default: Rules = field(default_factory=Rules)
    exceptions: Sequence[tuple[str, Rules]] = ()
    """(pattern, rules), the first that matches counts; ``*`` and ``?`` as in file names, case matters."""

    def of(self, subject: str, name: str = "") -> Rules:
        """The rules for one job, by its subject (``<instance>/<job id>``) or its name."""
        for pattern, rules in self.exceptions:
            if pattern in {subject, name} or fnmatchcase(subject, pattern) or fnmatchcase(name, pattern):
                return rules
        return self.default
