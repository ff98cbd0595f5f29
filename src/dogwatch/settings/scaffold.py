"""The text of a first dogwatch.yaml and .env.example, made from the settings models and their docstrings."""

import json
import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dogwatch import connectors
from dogwatch.settings.model import PREFIX, General, is_secret, variable

SCHEMA_FILE = ".dogwatch.schema.json"
"""Where editors find the schema, beside dogwatch.yaml."""
_WIDTH = 96


def yaml_head(timezone: str) -> str:
    """Everything above the first connector; ``timezone`` is the machine's own."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        "#",
        "# What dogwatch watches. No secret belongs here: those stand in .env (see .env.example).",
        f"# A variable wins over a key: {PREFIX}HISTORY_DAYS, {PREFIX}<CONNECTOR>_<KEY>.",
        "",
    ]
    for name, info in General.model_fields.items():
        value = timezone if name == "timezone" else _default(General, name)
        lines += [*_comment(info, ""), f"# {name}: {_literal(value)}", ""]
    return "\n".join([*lines, "connectors:", ""])


def yaml_block(kind: str, indent: int = 2) -> str:
    """A connector's block: what has to be filled in stands open, what may stay away is a comment."""
    model = connectors.load(kind).Settings
    name, key = " " * indent, " " * (2 * indent)
    lines = [f"{name}{kind}:"]
    for field, info in model.model_fields.items():
        if is_secret(info):
            continue
        lines += _comment(info, key)
        if info.is_required():
            lines.append(f"{key}{field}:")
        else:
            lines.append(f"{key}# {field}: {_literal(_default(model, field))}".rstrip())
        lines.append("")
    secrets = [variable(kind, field) for field, info in model.model_fields.items() if is_secret(info)]
    if secrets:
        lines += textwrap.wrap(
            f"From the environment or .env: {', '.join(secrets)}",
            _WIDTH,
            initial_indent=f"{key}# ",
            subsequent_indent=f"{key}#   ",
            break_on_hyphens=False,
        )
    return "\n".join([*lines, ""])


def env_head() -> str:
    """The first lines of .env.example."""
    return (
        "# Copy to .env, fill in what you use, and keep .env out of version control.\n"
        "# An empty value counts as not set; the process's own environment wins over this file.\n"
    )


def env_section(kind: str) -> str:
    """A connector's variables: where each credential is made and what it needs to be allowed."""
    connector = connectors.load(kind)
    lines = ["", f"# ── {connector.title} {'─' * (_WIDTH - 6 - len(connector.title))}"]
    for field, info in connector.Settings.model_fields.items():
        if is_secret(info):
            lines += [*_comment(info, ""), f"{variable(kind, field)}=", ""]
    return "\n".join(lines).rstrip() + "\n"


def secret_variables(kind: str) -> list[str]:
    """The variables that a connector of this kind, named after it, may need."""
    fields = connectors.load(kind).Settings.model_fields
    return [variable(kind, field) for field, info in fields.items() if is_secret(info)]


def _comment(info: FieldInfo, indent: str) -> list[str]:
    said = " ".join((info.description or "").split())
    extra: Any = info.json_schema_extra
    if isinstance(extra, dict) and "environment" in extra:
        said += f" Also read from {extra['environment']}."
    return textwrap.wrap(
        said, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
    )


def _default(model: type[BaseModel], field: str) -> Any:
    return model.model_json_schema()["properties"][field].get("default")


def _literal(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
