"""Reads what the user says of agents."""

from typing import Any, cast

from dogwatch.settings.agents import AgentsSettings
from dogwatch.settings.filling import Part, Reading, fill
from dogwatch.settings.model import PREFIX

KEY = "agents"
AGENTS_PREFIX = f"{PREFIX}AGENTS_"


def agents_of(reading: Reading) -> AgentsSettings | None:
    """The agents' settings, None if something is wrong with them (it is noted). A variable may hold any."""
    values: Any = reading.yaml.values
    given: Any = cast("dict[str, Any]", values).get(KEY) if isinstance(values, dict) else None
    if given is not None and not isinstance(given, dict):
        reading.wrong((KEY,), "is not a mapping of keys to values", "write model: under it")
        return None
    part = Part(AgentsSettings, (KEY,), AGENTS_PREFIX)
    return cast("AgentsSettings | None", fill(reading, part, cast("dict[str, Any]", given or {})))
