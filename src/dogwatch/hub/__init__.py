"""Copies of the audit trail in a warehouse of the user's. A file in this folder is a database that can hold
them, but for what they share."""

from dogwatch.hub.base import AnyHub, Hub
from dogwatch.wire import kinds

_SHARED = frozenset({"base", "lineage", "rows", "tables"})


def names() -> list[str]:
    """All kinds of hubs, sorted; nothing is imported."""
    return kinds.names(__path__, _SHARED)


def load(kind: str) -> type[AnyHub]:
    """The hub class in ``hub/<kind>.py``.

    Raises SettingsError for a kind that does not exist, suggesting the nearest.
    """
    return kinds.load(__name__, kind, names(), Hub, "sort of hub")
