"""One file, one channel to people. A file in this folder is a channel, but for what they share."""

from dogwatch.notify.base import AnyChannel, Channel
from dogwatch.wire import kinds

_SHARED = frozenset({"base", "decide", "routing", "unreachable"})


def names() -> list[str]:
    """All kinds of channels, sorted; nothing is imported."""
    return kinds.names(__path__, _SHARED)


def load(kind: str) -> type[AnyChannel]:
    """The channel class in ``notify/<kind>.py``.

    Raises SettingsError for a kind that does not exist, suggesting the nearest.
    """
    return kinds.load(__name__, kind, names(), Channel, "sort of channel")
