"""What the user says of the hub: one block of the kind that it names, or ``none``."""

from typing import Any, cast

from dogwatch import hub
from dogwatch.settings.filling import Part, Reading, fill
from dogwatch.settings.model import PREFIX, HubConfig
from dogwatch.settings.zones import nearest

KEY = "hub"
NONE = "none"
HUB_PREFIX = f"{PREFIX}HUB_"


def hub_of(reading: Reading) -> HubConfig | None:
    """The hub, None if there is none or if something is wrong with it (it is noted)."""
    values: Any = reading.yaml.values
    given: Any = cast("dict[str, Any]", values).get(KEY) if isinstance(values, dict) else None
    if given is None or given == NONE:
        return None
    if not isinstance(given, dict):
        reading.wrong((KEY,), "is neither none nor a mapping of keys to values", "write kind: under it")
        return None
    block = cast("dict[str, Any]", given)
    kind = str(block.get("kind") or "")
    if kind not in hub.names():
        near = nearest(kind, hub.names())
        fix = f"did you mean {near}?" if kind and near else f"dogwatch knows {', '.join(hub.names())}"
        reading.wrong((KEY, "kind"), f"unknown sort of hub {kind!r:.40}" if kind else "is missing", fix)
        reading.unread.append(HUB_PREFIX)
        return None
    reading.prefixes.append(HUB_PREFIX)
    rest = {key: value for key, value in block.items() if key != "kind"}
    part = Part(hub.load(kind).Settings, (KEY,), HUB_PREFIX, ("kind",))
    filled = fill(reading, part, rest)
    return None if filled is None else HubConfig(kind=kind, settings=filled)
