"""What the user says of the server that hears of every run by OpenLineage."""

from typing import Any, cast

from dogwatch.hub.lineage import OpenLineageSettings
from dogwatch.settings.filling import Part, Reading, fill
from dogwatch.settings.model import PREFIX

KEY = "openlineage"
EMIT_PREFIX = f"{PREFIX}OPENLINEAGE_"


def openlineage_of(reading: Reading) -> OpenLineageSettings | None:
    """The server; None if there is none, or if something is wrong with it (it is noted)."""
    values: Any = reading.yaml.values
    given: Any = cast("dict[str, Any]", values).get(KEY) if isinstance(values, dict) else None
    if given is not None and not isinstance(given, dict):
        reading.wrong((KEY,), "is not a mapping of keys to values", "write url: under it")
        return None
    reading.prefixes.append(EMIT_PREFIX)
    part = Part(OpenLineageSettings, (KEY,), EMIT_PREFIX)
    if given is None and part.variable("url") not in reading.variables.values:
        return None
    return cast("OpenLineageSettings | None", fill(reading, part, cast("dict[str, Any]", given or {})))
