"""One file, one platform. A file in this folder is a connector; there is no list to keep."""

import difflib
import importlib
import pkgutil

from dogwatch.errors import SettingsError
from dogwatch.wire.connector import AnyConnector, Connector


def names() -> list[str]:
    """All kinds of connectors, sorted; nothing is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(kind: str) -> type[AnyConnector]:
    """The connector class in ``connectors/<kind>.py``.

    Raises SettingsError for a kind that does not exist, suggesting the nearest.
    """
    if kind not in names():
        raise SettingsError(f"unknown platform {kind!r}", _suggest(kind))
    module = importlib.import_module(f"{__name__}.{kind}")
    found: list[type[AnyConnector]] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Connector) and value.__module__ == module.__name__
    ]
    (connector,) = found
    return connector


def _suggest(kind: str) -> str:
    near = difflib.get_close_matches(kind, names(), n=1)
    return f"did you mean {near[0]}?" if near else f"dogwatch knows {', '.join(names())}"
