"""What one round found: the value behind the board, the JSON and the page."""

from enum import StrEnum
from typing import Literal

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.evidence import Evidence
from dogwatch.model.finding import Finding


class Sight(StrEnum):
    """How well one platform could be seen."""

    clear = "clear"
    blind = "blind"


class PlatformView(Noun):
    """One configured platform at the end of a round."""

    instance: str
    """The connector's name in dogwatch.yaml."""
    platform: str
    """Its kind."""
    title: str
    """The platform's name for people."""
    sight: Sight
    blind_since: UtcTime | None = None
    reason: str = ""
    """Why it is blind."""
    hint: str = ""
    """What to do about it."""
    read_until: UtcTime | None = None
    """When it was last read whole; None if never."""
    jobs: int = 0
    """Jobs known there."""
    jobs_as_expected: int | None = None
    """Jobs without a finding of WARNING or worse; None while blind, because nobody knows."""
    runs_read: int = 0
    """Run attempts read in this round."""
    requests: int = 0
    """Requests made in this round."""
    skew_seconds: float | None = None
    """The platform's clock minus ours."""
    caveats: tuple[str, ...] = ()
    """What this platform cannot show."""
    baseline: bool = False
    """True if this round learned its history for the first time."""


class CheckReport(Noun):
    """The answer of ``dogwatch check``. Its JSON is stable: keys are added, never renamed."""

    format: Literal["dogwatch.check/1"] = "dogwatch.check/1"
    at: UtcTime
    """The round's time."""
    timezone: str
    """IANA zone in which the reader wants times shown."""
    previous_round_at: UtcTime | None = None
    exit_code: int
    """0 healthy, 1 incidents, 3 blind somewhere but no incident."""
    findings: tuple[Finding, ...] = ()
    """Everything that is wrong now, worst first; ``blind`` ones included."""
    new: tuple[str, ...] = ()
    """Fingerprints of findings that were not open at the end of the previous round."""
    evidence: tuple[Evidence, ...] = ()
    """Every fact that a finding cites."""
    platforms: tuple[PlatformView, ...] = ()
    wall_seconds: float = 0.0

    @property
    def incidents(self) -> list[Finding]:
        """Findings of WARNING or worse that are about jobs, not about our own sight."""
        return [
            finding for finding in self.findings if finding.severity.rank >= 1 and finding.rule != "blind"
        ]

    @property
    def blind(self) -> list[PlatformView]:
        """Platforms that could not be read."""
        return [platform for platform in self.platforms if platform.sight is Sight.blind]


class Diagnosis(Noun):
    """What ``dogwatch doctor`` says of one connector."""

    instance: str
    platform: str
    title: str
    ok: bool
    line: str
    """One line: what can be read, or what went wrong."""
    hint: str = ""
    """What to do if it is not ok."""
    fault: Literal["", "credentials", "permission", "rate_limited", "unreachable", "unexpected"] = ""
    """What sort of trouble, empty if ok."""
    read_until: UtcTime | None = None
    """When a round last read it whole."""
    skew_seconds: float | None = None
    requests: int = 0
    seconds: float = 0.0
