"""One file, one sort of caller. A file in this folder is a hook, but for what they share."""

import difflib
import importlib
import pkgutil

from dogwatch.errors import SettingsError
from dogwatch.hooks.base import AnyHook, Hook

_SHARED = frozenset({"base", "signing"})


def names() -> list[str]:
    """All kinds of hooks, sorted; nothing is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SHARED)


def load(kind: str) -> type[AnyHook]:
    """The hook class in ``hooks/<kind>.py``.

    Raises SettingsError for a kind that does not exist, suggesting the nearest.
    """
    if kind not in names():
        near = difflib.get_close_matches(kind, names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"dogwatch knows {', '.join(names())}"
        raise SettingsError(f"unknown sort of hook {kind!r}", hint)
    module = importlib.import_module(f"{__name__}.{kind}")
    found: list[type[AnyHook]] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Hook) and value.__module__ == module.__name__
    ]
    (hook,) = found
    return hook
