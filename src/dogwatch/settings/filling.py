"""One model of the settings filled from the file and the variables, and what was found wrong with it."""

import re
from collections import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from dogwatch.errors import SettingsError
from dogwatch.model.described import descriptions
from dogwatch.settings.model import atoms, first_sentence, is_secret
from dogwatch.settings.sources import Problem, Variables, YamlFile
from dogwatch.settings.zones import nearest
from dogwatch.wire.secrets import Secrets


@dataclass(slots=True)
class Reading:
    """One reading of the configuration, and what was found wrong."""

    yaml: YamlFile
    variables: Variables
    problems: list[Problem] = field(default_factory=list[Problem])
    claimed: dict[str, str] = field(default_factory=dict[str, str])
    """The setting that each known variable fills, e.g. ``connectors.airbyte.client_id``."""
    prefixes: list[str] = field(default_factory=list[str])
    """The variable prefixes of the connectors that stand in the file."""
    unread: list[str] = field(default_factory=list[str])
    """The prefixes of those whose kind is not known."""
    secrets: Secrets = field(default_factory=Secrets)

    def wrong(self, path: Sequence[str | int], what: str, fix: str = "") -> None:
        """Note a problem with a key."""
        key = ".".join(str(step) for step in path)
        self.problems.append(Problem(self.yaml.where(path), f"{key}: {what}" if key else what, fix))

    def finish(self) -> None:
        """Raise if anything was wrong."""
        problems = [*self.variables.problems, *self.problems]
        if not problems:
            return
        scrub = self.secrets.scrub
        if len(problems) == 1:
            (one,) = problems
            raise SettingsError(scrub(f"{one.where}: {one.what}"), scrub(one.fix))
        told = [f"{len(problems)} problems in the configuration"]
        told += [f"{one.where}: {one.what}{f' ({one.fix})' if one.fix else ''}" for one in problems]
        raise SettingsError(scrub("\n  ".join(told)))


@dataclass(frozen=True, slots=True)
class Part:
    """One model that is filled, and where its values come from."""

    model: type[BaseModel]
    path: tuple[str | int, ...]
    prefix: str | None
    """Of its variables; None if it has none."""
    others: tuple[str, ...] = ()
    """Keys that stand beside its own."""

    def variable(self, name: str) -> str:
        """The variable of a field; it is called as the field is in the file."""
        return f"{self.prefix}{(self.model.model_fields[name].alias or name).upper()}"

    @property
    def keys(self) -> list[str]:
        """What may stand in the file."""
        fields = self.model.model_fields.items()
        return [*(info.alias or name for name, info in fields if not is_secret(info)), *self.others]

    @property
    def secrets(self) -> list[str]:
        """What may stand in variables alone."""
        return [name for name, info in self.model.model_fields.items() if is_secret(info)]

    def field(self, key: str) -> tuple[str, FieldInfo] | None:
        """The field that a key in the file fills."""
        fields = self.model.model_fields.items()
        return next(((name, info) for name, info in fields if key in {name, info.alias}), None)


def fill(reading: Reading, part: Part, given: Mapping[str, Any]) -> BaseModel | None:
    """The model from the file's values and the variables; None if something is wrong (it is noted)."""
    values = {key: value for key, value in given.items() if value is not None}
    origins: dict[str, str] = {}
    spoiled = False
    for name, info in part.model.model_fields.items():
        if name in values and is_secret(info):
            _refuse_secret(reading, part, name, str(values[name]))
            spoiled = True
        named = () if part.prefix is None else (_claim(reading, part, name), *_foreign(info, name in values))
        for var in named:
            text = reading.variables.values.get(var, "").strip()
            if text:
                values[name] = _from_text(info, text)
                origins[name] = f"{reading.variables.origins[var]}: {var}"
                if is_secret(info):
                    reading.secrets.add(text)
                break
    try:
        filled = part.model.model_validate(values)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            _explain(reading, part, item, origins)
        return None
    return None if spoiled else filled


def _refuse_secret(reading: Reading, part: Part, name: str, value: str) -> None:
    reading.secrets.add(value)
    reading.wrong(
        (*part.path, name),
        "a secret does not belong into this file",
        f"put it into .env as {part.variable(name)}, and make a new one: this one counts as known",
    )


def _claim(reading: Reading, part: Part, name: str) -> str:
    """The field's own variable, noted as known; two settings that share one are a problem."""
    var, key = part.variable(name), ".".join((*map(str, part.path), name))
    if reading.claimed.setdefault(var, key) != key:
        reading.wrong(part.path, f"{var} would fill {key} and {reading.claimed[var]}", "rename the connector")
    return var


def _foreign(info: FieldInfo, already: bool) -> list[str]:
    """The variable that some other program sets for this field; what stands in the file is more exact."""
    extra: Any = info.json_schema_extra
    if already or not isinstance(extra, dict):
        return []
    return [str(name) for name in (cast("dict[str, Any]", extra).get("environment"),) if name]


def _explain(reading: Reading, part: Part, item: ErrorDetails, origins: Mapping[str, str]) -> None:
    """Put one of pydantic's errors into our words."""
    place = item["loc"]
    name = str(place[0]) if place else ""
    own, info = part.field(name) or ("", None)
    where = (*part.path, *place)
    if item["type"] == "extra_forbidden":
        reading.wrong(where, "unknown key", _meant(part, name) if len(place) == 1 else "remove it")
    elif item["type"] == "missing" and info is not None and len(place) == 1:
        fix = "add it"
        if part.prefix is not None:
            ways = f"set {part.variable(own)} in the environment or .env"
            fix = ways if is_secret(info) else f"add it, or {ways}"
        reading.wrong(where, "is missing", fix)
    else:
        what, fix = _reworded(part, item, info)
        if name in origins:
            reading.problems.append(Problem(origins[name], what, fix))
        else:
            reading.wrong(where, what, fix)


def _meant(part: Part, key: str) -> str:
    """What somebody who wrote this key may have wanted."""
    secret = [] if part.prefix is None else part.secrets
    near = nearest(key, [*part.keys, *secret])
    if near in secret:
        return f"did you mean {near}? it is a secret: put it into .env as {part.variable(near)}"
    if near:
        return f"did you mean {near}?"
    variables = ", ".join(part.variable(name) for name in secret)
    return f"known: {', '.join(part.keys)}" + (f"; in .env: {variables}" if secret else "")


def _reworded(part: Part, item: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    """(what is wrong, the fix) of a value that is not as it should be."""
    what = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    what = what.replace("a valid tuple", "a list")
    if item["type"].startswith("datetime"):
        return "is no time", "write 2026-12-01T22:00, which is read in your zone, or 2026-12-01T22:00:00Z"
    if item["type"] == "string_type" and isinstance(item.get("input"), (int, float)):
        return "should be text", "put the value in quotes"
    if info is not None and (field_of := part.field(str(item["loc"][0]))):
        return what, first_sentence(descriptions(part.model).get(field_of[0], ""))
    named = [name for name in part.model.model_fields if re.search(rf"\b{name}\b", what)]
    secrets = [part.variable(name) for name in named if is_secret(part.model.model_fields[name])]
    either = " or " if "one of" in what else " and "
    return what, f"set {either.join(secrets)} in the environment or .env" if secrets else ""


def _from_text(info: FieldInfo, text: str) -> Any:
    """A variable's text for a field: a list is separated by commas; pydantic reads all else from text."""
    if atoms(info.annotation) & {list, tuple, set, frozenset, Sequence, abc.Set}:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text.strip()
