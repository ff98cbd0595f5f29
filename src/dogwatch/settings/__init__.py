"""Settings: dogwatch.yaml, then ``DOGWATCH_*`` from ``.env``, then from the environment; the last one wins.

Rooms are known here, vendors are not: what a connector needs stands in its own file, and this room reads it
from there. Secrets come from the environment or ``.env`` only. Whatever is wrong is told at once, each with
its file, line, key and fix, and never with the value of a secret.
"""

from dogwatch.settings.model import (
    FILE,
    ConnectorConfig,
    Settings,
    first_sentence,
    is_secret,
    prefix_of,
    variable,
)
from dogwatch.settings.published import schema
from dogwatch.settings.reading import load, local_zone

__all__ = [
    "FILE",
    "ConnectorConfig",
    "Settings",
    "first_sentence",
    "is_secret",
    "load",
    "local_zone",
    "prefix_of",
    "schema",
    "variable",
]
