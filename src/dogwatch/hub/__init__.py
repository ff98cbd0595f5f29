"""Copies of the audit trail in a warehouse of the user's. A file in this folder is a database that can hold
them, but for what they share."""

import difflib
import importlib
import pkgutil

from dogwatch.errors import SettingsError
from dogwatch.hub.base import AnyHub, Hub

_SHARED = frozenset({"base", "lineage", "rows", "tables"})


def names() -> list[str]:
    """All kinds of hubs, sorted; nothing is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SHARED)


def load(kind: str) -> type[AnyHub]:
    """The hub class in ``hub/<kind>.py``.

    Raises SettingsError for a kind that does not exist, suggesting the nearest.
    """
    if kind not in names():
        near = difflib.get_close_matches(kind, names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"dogwatch knows {', '.join(names())}"
        raise SettingsError(f"unknown sort of hub {kind!r}", hint)
    module = importlib.import_module(f"{__name__}.{kind}")
    found: list[type[AnyHub]] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Hub) and value.__module__ == module.__name__
    ]
    (hub,) = found
    return hub
