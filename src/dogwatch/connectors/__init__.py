"""One file, one platform. A file in this folder is a connector; there is no list to keep."""

from dogwatch.wire import kinds
from dogwatch.wire.connector import AnyConnector, Connector


def names() -> list[str]:
    """All kinds of connectors, sorted; nothing is imported."""
    return kinds.names(__path__)


def load(kind: str) -> type[AnyConnector]:
    """The connector class in ``connectors/<kind>.py``.

    Raises SettingsError for a kind that does not exist, suggesting the nearest.
    """
    return kinds.load(__name__, kind, names(), Connector, "platform")
