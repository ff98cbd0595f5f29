"""The JSON Schema of dogwatch.yaml, so that editors complete and check it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from dogwatch import connectors, hooks, hub, notify
from dogwatch.hub.lineage import OpenLineageSettings
from dogwatch.settings.agents import AgentsSettings
from dogwatch.settings.model import FILE, NAME, Top, is_secret


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of dogwatch.yaml, for editors. Secrets do not stand in that file: left out.

    Nothing but ``kind`` is required, because a variable may give any field.
    """
    top = Top.model_json_schema()
    del top["properties"]["timezone"]["default"]  # it is the machine's zone
    definitions: dict[str, Any] = top.pop("$defs", {})
    top["properties"]["connectors"] = {
        "description": "The platforms to watch, by a name of your choice. Name one after its kind"
        " (airbyte) and `kind` need not be said.",
        "minProperties": 1,
        **_named({kind: kind for kind in connectors.names()}),
    }
    top["properties"]["channels"] = {
        "description": "The ways to tell people, by a name of your choice. Name one after its kind (slack)"
        " and `kind` need not be said.",
        **_named({kind: f"channel.{kind}" for kind in notify.names()}),
    }
    top["properties"]["hooks"] = {
        "description": "Those who may call when something happens, by a name of your choice: the end of the"
        " address /hooks/<name>.",
        **_named({kind: f"hook.{kind}" for kind in hooks.names()}),
    }
    for kind in connectors.names():
        definitions |= _kind_schema(kind, kind, connectors.load(kind).Settings)
    for kind in notify.names():
        definitions |= _kind_schema(f"channel.{kind}", kind, notify.load(kind).Settings)
    for kind in hooks.names():
        definitions |= _kind_schema(f"hook.{kind}", kind, hooks.load(kind).Settings)
    for key in ("heartbeat_url", "traces_headers"):
        del definitions["WatchSettings"]["properties"][key]
    del top["properties"]["watch"]["default"]
    del top["properties"]["keep"]["default"]
    del top["properties"]["store_password"]
    for kind in hub.names():
        definitions |= _kind_schema(f"hub.{kind}", kind, hub.load(kind).Settings)
    agents = AgentsSettings.model_json_schema(ref_template="#/$defs/{model}")
    definitions |= agents.pop("$defs", {})
    for name in [name for name, info in AgentsSettings.model_fields.items() if is_secret(info)]:
        del agents["properties"][name]
    top["properties"]["agents"] = agents
    top["properties"]["hub"] = {
        "description": "The warehouse that gets a copy of the audit trail. Left out: none.",
        "oneOf": [{"const": "none"}, *({"$ref": f"#/$defs/hub.{kind}"} for kind in hub.names())],
        "default": "none",
    }
    emitted = OpenLineageSettings.model_json_schema()
    del emitted["properties"]["token"]
    del emitted["required"]
    top["properties"]["openlineage"] = emitted
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **top,
        "title": FILE,
        "description": "The configuration of dogwatch.",
        "$defs": definitions,
    }


def _named(keys: Mapping[str, str]) -> dict[str, Any]:
    """Blocks under names: one that is named after its kind need not say it. ``keys`` are the definitions of
    the kinds."""
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "properties": {kind: {"$ref": f"#/$defs/{key}"} for kind, key in keys.items()},
        "additionalProperties": {
            "type": "object",
            "required": ["kind"],
            "oneOf": [{"$ref": f"#/$defs/{key}"} for key in keys.values()],
        },
    }


def _kind_schema(key: str, kind: str, model: type[BaseModel]) -> dict[str, Any]:
    block = model.model_json_schema(ref_template=f"#/$defs/{key}.{{model}}")
    found = {f"{key}.{name}": value for name, value in block.pop("$defs", {}).items()}
    for name, info in model.model_fields.items():
        known = info.alias or name
        if is_secret(info):
            del block["properties"][known]
        else:
            for ours in ("environment", "written"):
                block["properties"][known].pop(ours, None)
    block.pop("required", None)
    block["properties"] = {
        "kind": {"const": kind, "description": f"The sort: {kind}."},
        **block["properties"],
    }
    return {key: block, **found}
