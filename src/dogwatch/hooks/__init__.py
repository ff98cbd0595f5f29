"""One file, one sort of caller. A file in this folder is a hook, but for what they share."""

from dogwatch.hooks.base import AnyHook, Hook
from dogwatch.wire import kinds

_SHARED = frozenset({"base", "proof", "signing"})


def names() -> list[str]:
    """All kinds of hooks, sorted; nothing is imported."""
    return kinds.names(__path__, _SHARED)


def load(kind: str) -> type[AnyHook]:
    """The hook class in ``hooks/<kind>.py``.

    Raises SettingsError for a kind that does not exist, suggesting the nearest.
    """
    return kinds.load(__name__, kind, names(), Hook, "sort of hook")
