"""The text of a first dogwatch.yaml and .env.example, made from the settings models and their docstrings."""

import json
import textwrap
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from dogwatch import connectors, hooks, hub, notify
from dogwatch.hub.lineage import OpenLineageSettings
from dogwatch.model.described import descriptions
from dogwatch.notify.base import ChannelSettings
from dogwatch.settings.agents import AgentsSettings
from dogwatch.settings.asking import AGENTS_PREFIX
from dogwatch.settings.emitting import EMIT_PREFIX
from dogwatch.settings.keeping import KeepSettings
from dogwatch.settings.model import PREFIX, General, is_secret, prefix_of
from dogwatch.settings.pipelines import Flows, LineageSettings, PipelineSettings
from dogwatch.settings.registering import HUB_PREFIX
from dogwatch.settings.telling import (
    BudgetSettings,
    DigestSettings,
    EscalationSettings,
    QuietSettings,
    RouteSettings,
    Telling,
)
from dogwatch.settings.watch import WatchSettings
from dogwatch.settings.watching import JobSettings, LimitSettings, Watching, Window, as_yaml

SCHEMA_FILE = ".dogwatch.schema.json"
"""Where editors find the schema, beside dogwatch.yaml."""
_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as it is told to people."""

    key: str
    variable: str
    secret: bool
    required: bool
    default: str
    """As it would stand in YAML; empty if there is none."""
    meaning: str
    elsewhere: bool = False
    """Whether another program sets it, so that nobody has to write it down."""


def rows(model: type[BaseModel], prefix: str) -> list[Row]:
    """All settings of a model whose variables begin with ``prefix``."""
    properties = model.model_json_schema()["properties"]
    found: list[Row] = []
    for name, info in model.model_fields.items():
        meaning = " ".join(descriptions(model).get(name, "").split())
        key = info.alias or name
        other = properties[key].get("environment")
        if other is not None:
            meaning += f" Also read from {other}."
        default = _literal(properties[key].get("default"))
        variable = f"{prefix}{key.upper()}"
        required = info.is_required()
        elsewhere = other is not None and not properties[key].get("written")
        found.append(Row(key, variable, is_secret(info), required, default, meaning, elsewhere))
    return found


def general_rows() -> list[Row]:
    """The settings that stand at the top of dogwatch.yaml. The time zone's default is the machine's own."""
    found = rows(General, PREFIX)
    return [replace(row, default="") if row.key == "timezone" else row for row in found]


def job_rows() -> list[Row]:
    """What may be said about the jobs that a pattern matches. No variable holds it."""
    from dogwatch.settings.policy import threshold

    return [replace(row, variable="", default=as_yaml(threshold(row.key))) for row in rows(JobSettings, "")]


def watching_rows() -> list[Row]:
    """What else is said about jobs at the top of dogwatch.yaml."""
    return [replace(row, variable="", default="") for row in rows(Watching, "")]


def watching_parts() -> dict[str, list[Row]]:
    """By key, what may stand in each entry of it."""
    parts: dict[str, type[BaseModel]] = {"maintenance": Window, "limits": LimitSettings}
    return {key: [replace(row, variable="") for row in rows(model, "")] for key, model in parts.items()}


def flow_rows() -> list[Row]:
    """What is said about dependencies at the top of dogwatch.yaml."""
    return [replace(row, variable="", default="") for row in rows(Flows, "")]


def pipeline_rows() -> list[Row]:
    """What may be said of one pipeline."""
    found = [replace(row, variable="") for row in rows(PipelineSettings, "")]
    return [replace(row, default="auto" if row.key == "edges" else "") for row in found]


def lineage_rows() -> list[Row]:
    """Where dependencies are read from."""
    return [replace(row, variable="", default="") for row in rows(LineageSettings, "")]


def telling_rows() -> list[Row]:
    """What is said of telling people at the top of dogwatch.yaml."""
    return [replace(row, variable="", default="") for row in rows(Telling, "")]


def telling_parts() -> dict[str, list[Row]]:
    """By key, what may stand in each entry of it."""
    parts: dict[str, type[BaseModel]] = {
        "routes": RouteSettings,
        "quiet_hours": QuietSettings,
        "escalation": EscalationSettings,
        "digests": DigestSettings,
        "budget": BudgetSettings,
    }
    return {
        key: [replace(row, variable="", default=row.default.removeprefix("[]")) for row in rows(model, "")]
        for key, model in parts.items()
    }


def watch_rows() -> list[Row]:
    """What is said of the watch under ``watch``."""
    return rows(WatchSettings, f"{PREFIX}WATCH_")


def keep_rows() -> list[Row]:
    """How long what is remembered stays, under ``keep``."""
    return rows(KeepSettings, f"{PREFIX}KEEP_")


def hook_rows(kind: str) -> list[Row]:
    """The settings of a hook of this kind that is named after it."""
    found = rows(hooks.load(kind).Settings, prefix_of(kind))
    return sorted(found, key=lambda row: (row.key != "secret", row.key == "connectors"))


def agents_rows() -> list[Row]:
    """What stands under ``agents``."""
    return rows(AgentsSettings, AGENTS_PREFIX)


def hub_rows(kind: str) -> list[Row]:
    """The settings of a hub of this kind, under ``hub``."""
    return rows(hub.load(kind).Settings, HUB_PREFIX)


def openlineage_rows() -> list[Row]:
    """The server that hears of every run, under ``openlineage``."""
    return rows(OpenLineageSettings, EMIT_PREFIX)


def connector_rows(kind: str) -> list[Row]:
    """The settings of a connector or a channel of this kind that is named after it."""
    if not is_channel(kind):
        return rows(connectors.load(kind).Settings, prefix_of(kind))
    found = rows(notify.load(kind).Settings, prefix_of(kind))
    return sorted(found, key=lambda row: row.key in ChannelSettings.model_fields)  # what all have comes last


def is_channel(kind: str) -> bool:
    """Whether a kind is a channel to people, and not a platform."""
    return kind in notify.names()


def title(kind: str) -> str:
    """What people call it."""
    return notify.load(kind).title if is_channel(kind) else connectors.load(kind).title


def yaml_head(timezone: str) -> str:
    """Everything above the first connector; ``timezone`` is the machine's own."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        "#",
        "# What dogwatch watches. No secret belongs here: those stand in .env (see .env.example).",
        f"# A variable wins over a key: {PREFIX}HISTORY_DAYS, {PREFIX}<CONNECTOR>_<KEY>.",
        "",
    ]
    for row in general_rows():
        if not row.secret:
            value = timezone if row.key == "timezone" else row.default
            lines += [*_comment(row.meaning, ""), f"# {row.key}: {value}".rstrip(), ""]
    lines += [
        "# What more can be said about single jobs, and when to be silent: thresholds, schedules that no",
        "# platform tells, muted jobs, maintenance, holidays. See docs/configuration.md.",
        "",
    ]
    return "\n".join([*lines, "connectors:", ""])


def yaml_block(kind: str, indent: int = 2) -> str:
    """A connector's block: what has to be filled in stands open, what may stay away is a comment."""
    name, key = " " * indent, " " * (2 * indent)
    lines = [f"{name}{kind}:"]
    for row in connector_rows(kind):
        if not row.secret and not row.elsewhere:
            value = f"{row.key}:" if row.required else f"# {row.key}: {row.default}".rstrip()
            lines += [*_comment(row.meaning, key), f"{key}{value}", ""]
    secrets = secret_variables(kind)
    if secrets:
        lines += _comment(f"From the environment or .env: {', '.join(secrets)}", key)
    return "\n".join(lines).rstrip() + "\n"


def env_head() -> str:
    """The first lines of .env.example."""
    return (
        "# Copy to .env, fill in what you use, and keep .env out of version control.\n"
        "# An empty value counts as not set; the process's own environment wins over this file.\n"
    )


def env_section(kind: str) -> str:
    """A connector's variables: where each credential is made and what it needs to be allowed."""
    named = title(kind)
    lines = ["", f"# ── {named} {'─' * (_WIDTH - 6 - len(named))}"]
    for row in connector_rows(kind):
        if row.secret and not row.elsewhere:
            lines += [*_comment(row.meaning, ""), f"{row.variable}=", ""]
    return "\n".join(lines).rstrip() + "\n"


def secret_variables(kind: str) -> list[str]:
    """The variables that a connector of this kind, named after it, may need."""
    return [row.variable for row in connector_rows(kind) if row.secret and not row.elsewhere]


def _comment(said: str, indent: str) -> list[str]:
    return textwrap.wrap(
        said, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
    )


def _literal(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
