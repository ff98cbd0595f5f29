"""What ``dogwatch doctor``, ``backup``, ``restore`` and ``prune`` say of the store."""

from collections.abc import Mapping
from typing import Literal

from dogwatch.model.base import Noun, UtcTime


class StoreView(Noun):
    """The store that is in use."""

    kind: Literal["sqlite", "postgresql"]
    place: str
    """The file's path, or the database's address without a password."""
    version: str
    """Of SQLite or of the server."""
    revision: str
    """Of our tables."""
    bytes: int
    """What it takes on the disk."""
    seconds: float
    """How long a question to it took."""
    pruned_at: UtcTime | None = None
    """When it last was looked through for what may be forgotten."""


class BackupView(Noun):
    """What a backup holds."""

    format: Literal["dogwatch.backup/1"] = "dogwatch.backup/1"
    file: str
    store: str
    """What it was made from or restored into; empty if it was only looked at."""
    revision: str
    """Of the tables it was written with."""
    bytes: int
    rows: Mapping[str, int]
    """By table."""
    checksums: Mapping[str, str]
    """By table, over all rows in whatever order; the same for the same rows in a file and in a server."""
    events: int
    """In the record, each with the hash of the one before it."""
    last_hash: str
    """Of the last event: whoever keeps it can tell later whether events were cut off."""


class PruneView(Noun):
    """What was forgotten."""

    format: Literal["dogwatch.prune/1"] = "dogwatch.prune/1"
    gone: Mapping[str, int]
    """By kind, rows that were thrown away."""
    before: int
    """Bytes that the store took."""
    bytes: int
    """Bytes that it takes now. A file shrinks only if it is compacted; what was freed is used again."""
    compacted: bool
