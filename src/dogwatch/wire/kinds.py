"""Folders in which each file is one kind of something: connectors, channels, hubs, hooks. No list is kept."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from typing import Any

from dogwatch.errors import SettingsError


def names(folder: Iterable[str], shared: frozenset[str] = frozenset()) -> list[str]:
    """The kinds in a package's ``__path__``, sorted; nothing is imported. ``shared``: files that are none."""
    return sorted(module.name for module in pkgutil.iter_modules(folder) if module.name not in shared)


def load(package: str, kind: str, known: Iterable[str], base: type, said: str) -> type[Any]:
    """The one subclass of ``base`` in ``<package>/<kind>.py``.

    ``said`` is what people call these things. Raises SettingsError for a kind that does not exist, suggesting
    the nearest.
    """
    choices = list(known)
    if kind not in choices:
        near = difflib.get_close_matches(kind, choices, n=1)
        hint = f"did you mean {near[0]}?" if near else f"dogwatch knows {', '.join(choices)}"
        raise SettingsError(f"unknown {said} {kind!r}", hint)
    module = importlib.import_module(f"{package}.{kind}")
    found: list[type[Any]] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]
    (one,) = found
    return one
