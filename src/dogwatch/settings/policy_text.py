"""What people read and editors know of policy.yaml: an example, a schema, and every key with its meaning."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from dogwatch.heal.policy import Bounds, Command, Hook, Person, Policy, Rule
from dogwatch.settings.scaffold import Row, rows

SCHEMA_FILE = ".dogwatch.policy.schema.json"
EXAMPLE_FILE = "policy.example.yaml"
"""What ``init`` writes beside dogwatch.yaml."""

PARTS: Mapping[str, type[BaseModel]] = {
    "rules": Rule,
    "bounds": Bounds,
    "people": Person,
    "commands": Command,
    "webhooks": Hook,
}
"""What may stand under these keys."""

EXAMPLE = """\
# yaml-language-server: $schema=.dogwatch.policy.schema.json
# What dogwatch may do. The first rule that matches decides; what none matches waits for a person.
rules:
  - {then: refuse, verbs: "*", environments: prod, hours: "06:00-09:00", why: reports are being read}
  - then: allow                       # failures that often pass are tried once more by themselves
    verbs: [rerun, repair]
    causes: [network_timeout, dependency_outage]
    jobs: ["airbyte/Orders*", "databricks/*"]
    at_most_per_day: 2
  - {then: ask, verbs: "*"}

bounds: {per_hour: 10}

# people:                             # left out: whoever can run the command line here
#   anna: {slack: U024BE7LH, team: T0G9PQBBK, verbs: [rerun, repair, cancel]}

# commands:                           # no shell, and nothing is ever put into the arguments
#   clear-spool: {run: [/usr/local/bin/clear-spool, --old], jobs: "airbyte/Orders*"}

# webhooks:                           # signed with the secret in that variable
#   restart-gateway: {url: "https://ops.example/hooks/gateway", secret_env: GATEWAY_SECRET, jobs: "airbyte/*"}
"""


def policy_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of policy.yaml. Where a list may stand, one word may stand too."""
    schema: dict[str, Any] = Policy.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        for name, field in model.get("properties", {}).items():
            if field.get("type") == "array" and name not in ("rules", "run"):
                several = {key: field.pop(key) for key in ("type", "items") if key in field}
                field["anyOf"] = [several["items"], several]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def policy_rows() -> list[Row]:
    """The keys at the top."""
    return rows(Policy, "")


def part_rows() -> dict[str, list[Row]]:
    """By key, what may stand under it."""
    return {key: rows(model, "") for key, model in PARTS.items()}
