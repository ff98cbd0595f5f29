"""Settings: dogwatch.yaml, then ``DOGWATCH_*`` from ``.env``, then from the environment; the last one wins.

Rooms are known here, vendors are not: what a connector needs stands in its own file, and this room reads it
from there. Secrets come from the environment or ``.env`` only. Whatever is wrong is told at once, each with
its file, line, key and fix, and never with the value of a secret.
"""

import difflib
import io
import re
import types
import typing
from collections import abc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo, available_timezones

from dotenv.parser import parse_stream
from pydantic import BaseModel, ConfigDict, Field, SecretStr, SerializeAsAny, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from dogwatch import connectors
from dogwatch.errors import SettingsError
from dogwatch.wire.connector import ConnectorSettings
from dogwatch.wire.secrets import Secrets

FILE = "dogwatch.yaml"
PREFIX = "DOGWATCH_"
_TESTS_ALONE = frozenset({"DOGWATCH_REQUIRE_REAL"})
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_QUOTED = re.compile(r"'[^'<]{2,}'|\"[^\"<]{2,}\"")

M = TypeVar("M", bound=BaseModel)


class General(BaseModel):
    """What concerns the whole house."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    timezone: str = "UTC"
    """IANA zone in which people read times, e.g. Europe/Berlin. Left out: the zone of this machine."""
    store: str = Field(default="dogwatch.db", min_length=1)
    """The SQLite file that remembers every run; a relative path begins at the folder of dogwatch.yaml."""
    history_days: int = Field(default=30, ge=1, le=365)
    """Days of the past to learn when a platform is seen for the first time, 1 to 365."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        zones = available_timezones()
        if value not in zones:
            near = _nearest(value, zones)
            raise ValueError(f"is not an IANA time zone{f'; did you mean {near}?' if near else ''}")
        return value


class ConnectorConfig(BaseModel):
    """One platform to watch."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """The key in dogwatch.yaml; becomes ``Run.instance``."""
    kind: str
    """The file in ``connectors/`` that reads it."""
    settings: SerializeAsAny[ConnectorSettings]
    """An instance of that connector's own ``Settings``."""


class Settings(General):
    """Everything a round needs to know beforehand."""

    connectors: Mapping[str, ConnectorConfig]
    """By name, in the order of dogwatch.yaml."""

    @property
    def zone(self) -> ZoneInfo:
        """The reader's time zone."""
        return ZoneInfo(self.timezone)


def variable(name: str, field_name: str) -> str:
    """The environment variable of a connector's field: ``DOGWATCH_<NAME>_<FIELD>``."""
    return f"{_prefix(name)}{field_name.upper()}"


def is_secret(info: FieldInfo) -> bool:
    """Whether the field may come from the environment or ``.env`` only."""
    return SecretStr in _atoms(info.annotation)


def load(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read and check everything. ``path`` is the file asked for, None for ``dogwatch.yaml`` in ``cwd``.

    Raises SettingsError that tells all problems, one per line; secrets are never quoted.
    """
    file = cwd / (path or FILE)
    reading = _Reading(_Yaml.read(file, cwd), _Variables.read(environ, file.parent / ".env", cwd))
    general = _general(reading, environ)
    found = [_connector(reading, name, given) for name, given in _blocks(reading)]
    _check_variables(reading)
    reading.finish()
    assert general is not None  # finish() raises if anything was wrong
    return Settings(
        timezone=general.timezone,
        store=str(file.parent / general.store),
        history_days=general.history_days,
        connectors={config.name: config for config in found if config is not None},
    )


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of dogwatch.yaml, for editors. Secrets do not stand in that file: left out.

    Nothing but ``kind`` is required, because a variable may give any field.
    """
    top = General.model_json_schema()
    del top["properties"]["timezone"]["default"]  # it is the machine's zone
    definitions: dict[str, Any] = {}
    for kind in connectors.names():
        definitions |= _kind_schema(kind)
    top["properties"]["connectors"] = {
        "description": "The platforms to watch, by a name of your choice. Name one after its kind"
        " (airbyte) and `kind` need not be said.",
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{_NAME.pattern}$"},
        "properties": {kind: {"$ref": f"#/$defs/{kind}"} for kind in connectors.names()},
        "additionalProperties": {
            "type": "object",
            "required": ["kind"],
            "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in connectors.names()],
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **top,
        "title": FILE,
        "description": "The configuration of dogwatch.",
        "$defs": definitions,
    }


def _kind_schema(kind: str) -> dict[str, Any]:
    model = connectors.load(kind).Settings
    block = model.model_json_schema(ref_template=f"#/$defs/{kind}.{{model}}")
    found = {f"{kind}.{name}": value for name, value in block.pop("$defs", {}).items()}
    for name, info in model.model_fields.items():
        if is_secret(info):
            del block["properties"][name]
        else:
            block["properties"][name].pop("environment", None)
    block.pop("required", None)
    block["properties"] = {
        "kind": {"const": kind, "description": f"The sort of platform: {kind}."},
        **block["properties"],
    }
    return {kind: block, **found}


# ── where things stand ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Yaml:
    """The file as plain values, and the line of each key."""

    shown: str
    values: Any
    lines: Mapping[tuple[str | int, ...], int]

    @classmethod
    def read(cls, file: Path, cwd: Path) -> "_Yaml":
        shown = _shown(file, cwd)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise SettingsError(f"there is no {shown}", "write one with: dogwatch init airbyte") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot read {shown}: {_reason(error)}", "") from None
        try:
            reader: Any = YAML(typ="rt")
            lines: dict[tuple[str | int, ...], int] = {}
            values = _plain(reader.load(text), (), lines)
        except (YAMLError, RecursionError, ValueError) as error:
            raise SettingsError(*_broken(shown, error)) from None
        return cls(shown, {} if values is None else values, lines)

    def where(self, path: Sequence[str | int]) -> str:
        """``dogwatch.yaml:7``; the nearest key above if the path itself does not stand there."""
        for end in range(len(path), 0, -1):
            if (line := self.lines.get(tuple(path[:end]))) is not None:
                return f"{self.shown}:{line}"
        return self.shown


def _plain(value: Any, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> Any:
    """ruamel's round-trip values as plain ones; the line of every key (from 1) is put into ``lines``."""
    if isinstance(value, dict):
        spots = _spots(value)
        plain: dict[str, Any] = {}
        for key, item in _items(value):
            if key in spots:  # a merged key has no place of its own
                lines[(*path, str(key))] = spots[key][0] + 1
            plain[str(key)] = _plain(item, (*path, str(key)), lines)
        return plain
    if isinstance(value, list):
        return [_plain(item, (*path, at), lines) for at, item in enumerate(_elements(value))]
    return value


def _spots(mapping: Any) -> Mapping[Any, Sequence[int]]:
    return mapping.lc.data or {}


def _items(mapping: Any) -> Iterator[tuple[Any, Any]]:
    yield from mapping.items()


def _elements(sequence: Any) -> Iterator[Any]:
    yield from sequence


def _broken(shown: str, error: Exception) -> tuple[str, str]:
    """Where the YAML breaks and what is wrong, without quoting what stands there: it may be a secret."""
    if not isinstance(error, MarkedYAMLError):
        return f"{shown}: this is not YAML that can be read", "look for aliases that contain themselves"
    marked: Any = error
    mark: Any = marked.problem_mark or marked.context_mark
    where = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown
    if isinstance(error, DuplicateKeyError):
        return f"{where}: this key stands here twice", "keep one of the two"
    what = _QUOTED.sub("…", str(marked.problem or marked.context or "broken YAML"))
    return f"{where}: {what}", "look for a missing colon, quote or space, and for tabs in the indentation"


@dataclass(frozen=True, slots=True)
class _Variables:
    """The environment and ``.env`` as one; an empty value counts as not set."""

    values: Mapping[str, str]
    origins: Mapping[str, str]
    """Where each was set: ``the environment`` or ``.env:3``."""
    problems: Sequence["_Problem"]

    @classmethod
    def read(cls, environ: Mapping[str, str], file: Path, cwd: Path) -> "_Variables":
        values: dict[str, str] = {}
        origins: dict[str, str] = {}
        problems: list[_Problem] = []
        shown = _shown(file, cwd)
        for binding in parse_stream(io.StringIO(_env_text(file, shown))):
            where = f"{shown}:{binding.original.line}"
            if binding.error or (binding.key and binding.value is None):
                problems.append(_Problem(where, "not a line of the form NAME=value", "quote the value"))
            elif binding.key:
                values[binding.key], origins[binding.key] = binding.value or "", where
        values |= environ
        origins |= dict.fromkeys(environ, "the environment")
        return cls({name: text for name, text in values.items() if text.strip()}, origins, problems)


def _env_text(file: Path, shown: str) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {shown}: {_reason(error)}", "") from None


@dataclass(frozen=True, slots=True)
class _Problem:
    where: str
    what: str
    fix: str = ""


@dataclass(slots=True)
class _Reading:
    """One reading of the configuration, and what was found wrong."""

    yaml: _Yaml
    variables: _Variables
    problems: list[_Problem] = field(default_factory=list[_Problem])
    claimed: dict[str, str] = field(default_factory=dict[str, str])
    """The setting that each known variable fills, e.g. ``connectors.airbyte.client_id``."""
    prefixes: list[str] = field(default_factory=list[str])
    """The variable prefixes of the connectors that stand in the file."""
    secrets: Secrets = field(default_factory=Secrets)

    def wrong(self, path: Sequence[str | int], what: str, fix: str = "") -> None:
        """Note a problem with a key."""
        key = ".".join(str(step) for step in path)
        self.problems.append(_Problem(self.yaml.where(path), f"{key}: {what}" if key else what, fix))

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


# ── filling the models ────────────────────────────────────────────────────────────────────────────────────


def _general(reading: _Reading, environ: Mapping[str, str]) -> General | None:
    given: Any = reading.yaml.values
    if not isinstance(given, dict):
        reading.wrong((), "is not a mapping of keys to values", "begin with: connectors:")
        return None
    top = {key: value for key, value in cast("dict[str, Any]", given).items() if key != "connectors"}
    top.setdefault("timezone", _local_zone(environ))
    return _fill(reading, General, top, (), PREFIX, [*General.model_fields, "connectors"])


def _blocks(reading: _Reading) -> Iterator[tuple[str, dict[str, Any]]]:
    """The connectors' blocks that are mappings under a proper name."""
    values = reading.yaml.values
    blocks: Any = cast("dict[str, Any]", values).get("connectors") if isinstance(values, dict) else {}
    if not blocks or not isinstance(blocks, dict):
        if isinstance(values, dict):
            reading.wrong(("connectors",), "no platform to watch", "add one with: dogwatch init airbyte")
        return
    for name, block in cast("dict[str, Any]", blocks).items():
        path = ("connectors", name)
        if not _NAME.fullmatch(name):
            reading.wrong(path, "not a name", "use small letters, digits, - and _, beginning with a letter")
        elif block is not None and not isinstance(block, dict):
            reading.wrong(path, "is not a mapping of keys to values", "indent its settings under the name")
        else:
            yield name, cast("dict[str, Any]", block or {})


def _connector(reading: _Reading, name: str, given: dict[str, Any]) -> ConnectorConfig | None:
    path = ("connectors", name)
    reading.prefixes.append(_prefix(name))
    kind = given.get("kind", name)
    if "kind" not in given and name not in connectors.names():
        near = _nearest(name, connectors.names())
        reading.wrong(
            path,
            f"{name!r} is not a platform that dogwatch knows",
            f"did you mean {near}?" if near else f"add kind: with one of {', '.join(connectors.names())}",
        )
        return None
    if name in connectors.names() and kind != name:
        reading.wrong((*path, "kind"), f"a connector named {name} has to be of kind {name}", "rename it")
        return None
    try:
        model = connectors.load(str(kind)).Settings
    except SettingsError as error:
        reading.wrong((*path, "kind"), error.message, error.hint)
        return None
    rest = {key: value for key, value in given.items() if key != "kind"}
    settings = _fill(reading, model, rest, path, _prefix(name), [*_in_file(model), "kind"])
    return None if settings is None else ConnectorConfig(name=name, kind=str(kind), settings=settings)


def _fill(
    reading: _Reading,
    model: type[M],
    given: dict[str, Any],
    path: tuple[str, ...],
    prefix: str,
    keys: Sequence[str],
) -> M | None:
    """The model from the file's values and the variables; None if something is wrong (it is noted)."""
    values = dict(given)
    origins: dict[str, str] = {}
    spoiled = False
    for name, info in model.model_fields.items():
        if name in values and is_secret(info):
            reading.wrong(
                (*path, name),
                "a secret does not belong into a file that is shared",
                f"put it into .env as {prefix}{name.upper()}, and make a new one: this one counts as known",
            )
            reading.secrets.add(str(values[name]))
            spoiled = True
        for var in (*_claim(reading, prefix, path, name), *_foreign(info, name in values)):
            if var in reading.variables.values:
                text = reading.variables.values[var]
                values[name] = _from_text(info, text)
                if is_secret(info):
                    reading.secrets.add(text.strip())
                origins[name] = f"{reading.variables.origins[var]}: {var}"
                break
    try:
        filled = model.model_validate(values)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            _explain(reading, model, item, path, prefix, keys, origins)
        return None
    return None if spoiled else filled


def _claim(reading: _Reading, prefix: str, path: tuple[str, ...], name: str) -> list[str]:
    """The field's own variable, noted as known; two settings that share one are a problem."""
    var, key = f"{prefix}{name.upper()}", ".".join((*path, name))
    if reading.claimed.setdefault(var, key) != key:
        reading.wrong((*path,), f"{var} would fill {key} and {reading.claimed[var]}", "rename the connector")
    return [var]


def _foreign(info: FieldInfo, already: bool) -> list[str]:
    """The variable that some other program sets for this field; what stands in the file is more exact."""
    extra: Any = info.json_schema_extra
    return (
        [] if already or not isinstance(extra, dict) or "environment" not in extra else [extra["environment"]]
    )


def _explain(
    reading: _Reading,
    model: type[BaseModel],
    item: ErrorDetails,
    path: tuple[str, ...],
    prefix: str,
    keys: Sequence[str],
    origins: Mapping[str, str],
) -> None:
    """Put one of pydantic's errors into our words."""
    place = item["loc"]
    name = str(place[0]) if place else ""
    info = model.model_fields.get(name)
    where = (*path, *place)
    if item["type"] == "extra_forbidden":
        near = _nearest(str(place[-1]), keys if len(place) == 1 else ())
        reading.wrong(where, "unknown key", f"did you mean {near}?" if near else f"known: {', '.join(keys)}")
        return
    var = f"{prefix}{name.upper()}"
    if item["type"] == "missing" and info is not None and len(place) == 1:
        ways = f"set {var} in the environment or .env"
        reading.wrong(where, "is missing", ways if is_secret(info) else f"add it, or {ways}")
        return
    what = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    fix = _first_sentence(info.description) if info is not None and info.description else ""
    if item["type"] == "string_type" and isinstance(item.get("input"), (int, float)):
        what, fix = "should be text", "put the value in quotes"
    if name in origins:
        reading.problems.append(_Problem(origins[name], what, fix))
    else:
        reading.wrong(where, what, fix)


def _check_variables(reading: _Reading) -> None:
    """A ``DOGWATCH_*`` that nothing reads is a mistake somebody will want to hear of."""
    for name in sorted(reading.variables.origins):
        if not name.upper().startswith(PREFIX) or name in reading.claimed or name in _TESTS_ALONE:
            continue
        reading.problems.append(
            _Problem(reading.variables.origins[name], f"unknown variable {name}", _advice(reading, name))
        )


def _advice(reading: _Reading, name: str) -> str:
    near = _nearest(name.upper().removeprefix(PREFIX), [var.removeprefix(PREFIX) for var in reading.claimed])
    absent = [
        kind
        for kind in connectors.names()
        if name.startswith(_prefix(kind)) and not any(name.startswith(known) for known in reading.prefixes)
    ]
    if absent:
        return f"{reading.yaml.shown} has no connector {absent[0]}; add it with: dogwatch init {absent[0]}"
    return f"did you mean {PREFIX}{near}?" if near else "remove it; docs/configuration.md lists them all"


# ── small tools ───────────────────────────────────────────────────────────────────────────────────────────


def _prefix(name: str) -> str:
    return f"{PREFIX}{name.upper().replace('-', '_')}_"


def _in_file(model: type[BaseModel]) -> list[str]:
    return [name for name, info in model.model_fields.items() if not is_secret(info)]


def _atoms(annotation: Any) -> set[Any]:
    """The types that an annotation is made of, unions and containers opened."""
    parts = typing.get_args(annotation)
    if not parts:
        return {annotation}
    origin = typing.get_origin(annotation)
    inner = {atom for part in parts for atom in _atoms(part)}
    return inner if origin in {typing.Union, types.UnionType} else inner | {origin}


def _from_text(info: FieldInfo, text: str) -> Any:
    """A variable's text for a field: a list is separated by commas; pydantic reads all else from text."""
    if _atoms(info.annotation) & {list, tuple, set, frozenset, Sequence, abc.Set}:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text.strip()


def _nearest(word: str, known: typing.Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.;])\s", " ".join(text.split()), maxsplit=1)[0].rstrip(".;")


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "unreadable") if isinstance(error, OSError) else "not UTF-8 text"


def _shown(file: Path, cwd: Path) -> str:
    """The path as short as it is still right."""
    return str(file.relative_to(cwd)) if file.is_relative_to(cwd) else str(file)


def _local_zone(environ: Mapping[str, str]) -> str:
    """The machine's IANA zone by ``TZ``, else by where /etc/localtime points, else UTC."""
    said = environ.get("TZ", "").removeprefix(":")
    points_to = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")[2]
    return next((zone for zone in (said, points_to) if zone in available_timezones()), "UTC")
