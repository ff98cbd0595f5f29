"""The policy file: what may be done without asking. A mistake in it is told with its line."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dogwatch.errors import SettingsError
from dogwatch.heal.policy import Bounds, Command, Hook, Person, Policy, Rule
from dogwatch.model.described import Described
from dogwatch.settings.model import POLICY
from dogwatch.settings.sources import YamlFile
from dogwatch.settings.zones import nearest

__all__ = ["POLICY", "read_policy", "secret_names"]


def read_policy(file: Path, cwd: Path) -> Policy:
    """The policy in a file; without the file, the one that asks for everything.

    Raises SettingsError with every problem, one a line: file, line, key and fix.
    """
    if not file.exists():
        return Policy()
    yaml = YamlFile.read(file, cwd)
    given: Any = yaml.values
    if not isinstance(given, dict):
        raise SettingsError(f"{yaml.shown}: is not a mapping of keys to values", "begin with: rules:")
    try:
        return Policy.model_validate(given)
    except ValidationError as error:
        told: list[str] = []
        for item in error.errors(include_url=False, include_context=False):
            where = yaml.where(item["loc"])
            key = ".".join(str(step) for step in item["loc"])
            if item["type"] == "extra_forbidden":
                near = nearest(str(item["loc"][-1]), _known(item["loc"]))
                told.append(f"{where}: {key}: unknown key" + (f"; did you mean {near}?" if near else ""))
            else:
                told.append(
                    f"{where}: {key}: {item['msg'].removeprefix('Value error, ').removeprefix('Input ')}"
                )
    raise SettingsError("\n  ".join(told), "until it is mended every action is refused")


def _known(place: tuple[str | int, ...]) -> list[str]:
    """The keys that may stand where the last one of a place stands."""
    of: dict[str, type[Described]] = {
        "rules": Rule,
        "bounds": Bounds,
        "people": Person,
        "commands": Command,
        "webhooks": Hook,
    }
    model = of.get(str(place[0]), Policy) if len(place) > 1 else Policy
    return list(model.model_fields)


def secret_names(file: Path, cwd: Path) -> dict[str, str]:
    """By webhook, the variable that holds its secret; nothing for a file with a mistake in it."""
    try:
        return {name: hook.secret_env for name, hook in read_policy(file, cwd).webhooks.items()}
    except SettingsError:
        return {}
