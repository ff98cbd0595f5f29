"""What ``dogwatch hub`` answers: how the copy of the audit trail stands, and whether it is the same."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from dogwatch.model.base import Noun, UtcTime


class HubView(Noun):
    """How the copy stands. Nothing of it is lost while it waits: the store holds everything."""

    format: Literal["dogwatch.hub/1"] = "dogwatch.hub/1"
    at: UtcTime
    timezone: str
    kind: str
    """``snowflake``, ``postgres``, or ``none`` if there is no hub."""
    place: str = ""
    """Where the tables are."""
    state: Literal["none", "whole", "behind", "failing"]
    """``behind``: something waits to be sent; ``failing``: the last attempt failed."""
    since: UtcTime | None = None
    """Since when it fails."""
    reason: str = ""
    hint: str = ""
    waiting: int = 0
    """Run attempts that the hub has not confirmed."""
    sent: Mapping[str, int] = Field(default_factory=dict[str, int])
    """By sort (runs, incidents, rounds), records that were confirmed just now."""
    whole_at: UtcTime | None = None
    """When it last had everything."""
    next_at: UtcTime | None = None
    """The next round after this tries again."""
    attempts: int = 0
    """How often it was tried since then."""


class HubDifference(Noun):
    """One record that is not the same on both sides."""

    table: str
    uid: str
    name: str
    """For people: the job and run, the incident, the round."""
    what: Literal["missing", "different", "doubled"]


class HubTable(Noun):
    """One table on both sides."""

    table: str
    here: int
    """Rows that the store knows."""
    there: int
    """Rows that the hub holds."""
    same: int = 0
    waiting: int = 0
    """Rows that differ because they were not sent yet."""
    missing: int = 0
    different: int = 0
    doubled: int = 0
    more: int = 0
    """Rows that the hub holds and this store does not know: older ones, or those of another store."""


class HubVerdict(Noun):
    """The answer of ``dogwatch hub verify``."""

    format: Literal["dogwatch.hub.verify/1"] = "dogwatch.hub.verify/1"
    at: UtcTime
    timezone: str
    place: str
    tables: tuple[HubTable, ...]
    differences: tuple[HubDifference, ...] = ()
    """The first of each table."""

    @property
    def differing(self) -> int:
        """Rows that are missing, different or doubled."""
        return sum(one.missing + one.different + one.doubled for one in self.tables)

    @property
    def waiting(self) -> int:
        """Rows that were not sent yet."""
        return sum(one.waiting for one in self.tables)
