"""One file, one channel to people. A file in this folder is a channel, but for what they share."""

import difflib
import importlib
import pkgutil

from dogwatch.errors import SettingsError
from dogwatch.notify.base import AnyChannel, Channel

_SHARED = frozenset({"base", "decide", "routing", "unreachable"})


def names() -> list[str]:
    """All kinds of channels, sorted; nothing is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SHARED)


def load(kind: str) -> type[AnyChannel]:
    """The channel class in ``notify/<kind>.py``.

    Raises SettingsError for a kind that does not exist, suggesting the nearest.
    """
    if kind not in names():
        near = difflib.get_close_matches(kind, names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"dogwatch knows {', '.join(names())}"
        raise SettingsError(f"unknown sort of channel {kind!r}", hint)
    module = importlib.import_module(f"{__name__}.{kind}")
    found: list[type[AnyChannel]] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Channel) and value.__module__ == module.__name__
    ]
    (channel,) = found
    return channel
