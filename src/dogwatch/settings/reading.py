"""From what stands in the file and the variables to checked settings, or to a list of all mistakes."""

import re
from collections import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from dogwatch import connectors, notify
from dogwatch.errors import SettingsError
from dogwatch.model.described import descriptions
from dogwatch.notify.base import ChannelSettings
from dogwatch.settings.model import (
    FILE,
    NAME,
    POLICY,
    PREFIX,
    ChannelConfig,
    ConnectorConfig,
    General,
    Settings,
    atoms,
    first_sentence,
    is_secret,
    prefix_of,
)
from dogwatch.settings.pipelines import Flows, LineageSettings, PipelineSettings
from dogwatch.settings.sources import Problem, Variables, YamlFile
from dogwatch.settings.telling import (
    BudgetSettings,
    EscalationSettings,
    QuietSettings,
    RouteSettings,
    Telling,
    named_channels,
)
from dogwatch.settings.watching import JobSettings, LimitSettings, Watching, Window
from dogwatch.settings.zones import is_zone, nearest
from dogwatch.wire.connector import ConnectorSettings
from dogwatch.wire.secrets import Secrets

_TESTS_ALONE = frozenset({"DOGWATCH_REQUIRE_REAL"})


def load(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read and check everything. ``path`` is the file asked for, None for ``dogwatch.yaml`` in ``cwd``.

    Raises SettingsError that tells all problems, one per line; secrets are never quoted.
    """
    file = cwd / (path or FILE)
    reading = _Reading(YamlFile.read(file, cwd), Variables.read(environ, file.parent / ".env", cwd))
    general = _general(reading, environ)
    watching = _watching(reading)
    flows = _flows(reading)
    found = [_connector(reading, name, given) for name, given in _blocks(reading, CONNECTORS)]
    channels = [_channel(reading, name, given) for name, given in _blocks(reading, CHANNELS)]
    telling = _telling(reading)
    hook_secrets = _hook_secrets(reading, file.parent)
    _check_variables(reading)
    reading.finish()
    assert general is not None  # finish() raises if anything was wrong
    assert watching is not None
    assert flows is not None
    assert telling is not None
    return Settings(
        timezone=general.timezone,
        store=str(file.parent / general.store),
        history_days=general.history_days,
        runbooks=str(file.parent / general.runbooks) if general.runbooks else "",
        **{name: getattr(watching, name) for name in Watching.model_fields},
        pipelines=flows.pipelines,
        lineage=flows.lineage.at(file.parent),
        routes=telling.routes,
        quiet_hours=telling.quiet_hours,
        escalation=telling.escalation,
        budget=telling.budget,
        connectors={config.name: config for config in found if config is not None},
        channels={config.name: config for config in channels if config is not None},
        home=str(file.parent),
        hook_secrets=hook_secrets,
    )


def _hook_secrets(reading: "_Reading", home: Path) -> dict[str, SecretStr]:
    """What the webhooks of the policy file are signed with. That file itself is read when it is needed: a
    mistake in it stops actions and nothing else."""
    if not (home / POLICY).exists():
        return {}
    from dogwatch.settings.consent import secret_names

    found: dict[str, SecretStr] = {}
    for hook, var in secret_names(home / POLICY, home).items():
        reading.claimed.setdefault(var, f"policy.{hook}")
        if var in reading.variables.values:
            found[hook] = SecretStr(reading.variables.values[var])
            reading.secrets.add(reading.variables.values[var])
    return found


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the file that holds named blocks, each of a kind that is a file of ours."""

    key: str
    noun: str
    names: Callable[[], list[str]]
    settings: Callable[[str], type[BaseModel]]
    required: bool


CONNECTORS = _Section(
    "connectors", "platform", connectors.names, lambda kind: connectors.load(kind).Settings, True
)
CHANNELS = _Section(
    "channels", "sort of channel", notify.names, lambda kind: notify.load(kind).Settings, False
)
_OTHERS = (*Watching.model_fields, *Flows.model_fields, *Telling.model_fields, "connectors", "channels")


@dataclass(slots=True)
class _Reading:
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


def _general(reading: _Reading, environ: Mapping[str, str]) -> General | None:
    given: Any = reading.yaml.values
    if not isinstance(given, dict):
        reading.wrong((), "is not a mapping of keys to values", "begin with: connectors:")
        return None
    top = {key: value for key, value in cast("dict[str, Any]", given).items() if key not in _OTHERS}
    top.setdefault("timezone", local_zone(environ))
    part = _Part(General, (), PREFIX, _OTHERS)
    return cast("General | None", _fill(reading, part, top))


def _watching(reading: _Reading) -> Watching | None:
    """What is said about jobs. It stands in the file alone: no variable could hold it."""
    given: Any = reading.yaml.values
    values = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    jobs = {
        pattern: _fill(reading, _Part(JobSettings, ("jobs", pattern), None), block)
        for pattern, block in _mappings(reading, ("jobs",), values.get("jobs"), dict)
    }
    lists: dict[str, list[BaseModel | None]] = {
        key: [
            _fill(reading, _Part(kind, (key, at), None), block)
            for at, block in _mappings(reading, (key,), values.get(key), list)
        ]
        for key, kind in (("maintenance", Window), ("limits", LimitSettings))
    }
    days = {str(key): values[key] for key in ("holidays", "muted", "log_components") if key in values}
    quiet = cast("Watching | None", _fill(reading, _Part(Watching, (), None), days))
    if quiet is None or None in jobs.values() or any(None in found for found in lists.values()):
        return None
    return quiet.model_copy(update={"jobs": jobs, **{key: tuple(found) for key, found in lists.items()}})


def _flows(reading: _Reading) -> Flows | None:
    """What is said about pipelines; in the file alone, like what is said about jobs."""
    given: Any = reading.yaml.values
    values = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    found: list[BaseModel | None] = []
    names: set[str] = set()
    for at, block in _mappings(reading, ("pipelines",), values.get("pipelines"), list):
        one = _fill(reading, _Part(PipelineSettings, ("pipelines", at), None), block)
        name = None if one is None else cast("PipelineSettings", one).name
        if name in names:
            reading.wrong(("pipelines", at, "name"), f"{name!r:.80} is the name of two", "rename one of them")
        names.update([name] if name else [])
        found.append(one)
    given = values.get("lineage")
    if given is not None and not isinstance(given, dict):
        reading.wrong(("lineage",), "is not a mapping of keys to values", "write dbt: under it")
        return None
    lineage = _fill(reading, _Part(LineageSettings, ("lineage",), None), cast("dict[str, Any]", given or {}))
    if lineage is None or None in found:
        return None
    return Flows(
        pipelines=tuple(cast("list[PipelineSettings]", found)), lineage=cast("LineageSettings", lineage)
    )


def _mappings(
    reading: _Reading, path: tuple[str], given: Any, kind: type[dict[Any, Any]] | type[list[Any]]
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """(key or index, block) of the blocks in a mapping or a list; what is none is noted."""
    if given is None:
        return
    if not isinstance(given, kind):
        first = _FIRST_KEYS.get(path[0], "on")
        fix = f"write each as - {first}: …" if kind is list else "indent each under its name"
        reading.wrong(path, f"is not a {'list' if kind is list else 'mapping'}", fix)
        return
    blocks = enumerate(cast("list[Any]", given)) if kind is list else cast("dict[str, Any]", given).items()
    for key, block in cast("Iterable[tuple[Any, Any]]", blocks):
        if block is not None and not isinstance(block, dict):
            reading.wrong((*path, key), "is not a mapping of keys to values", "indent its settings under it")
        else:
            yield key, cast("dict[str, Any]", block or {})


def _blocks(reading: _Reading, section: _Section) -> Iterator[tuple[str, dict[str, Any]]]:
    """The blocks of a section that are mappings under a proper name."""
    values = reading.yaml.values
    blocks: Any = cast("dict[str, Any]", values).get(section.key) if isinstance(values, dict) else {}
    if not blocks or not isinstance(blocks, dict):
        if isinstance(values, dict) and section.required:
            reading.wrong((section.key,), "no platform to watch", "add one with: dogwatch init airbyte")
        elif blocks:
            reading.wrong(
                (section.key,), "is not a mapping of names to settings", "indent each under its name"
            )
        return
    for name, block in cast("dict[str, Any]", blocks).items():
        path = (section.key, name)
        if not NAME.fullmatch(name):
            reading.wrong(path, "not a name", "use small letters, digits, - and _, beginning with a letter")
        elif block is not None and not isinstance(block, dict):
            reading.wrong(path, "is not a mapping of keys to values", "indent its settings under the name")
        else:
            yield name, cast("dict[str, Any]", block or {})


def _connector(reading: _Reading, name: str, given: dict[str, Any]) -> ConnectorConfig | None:
    kind, found = _named(reading, CONNECTORS, name, given)
    settings = cast("ConnectorSettings | None", found)
    return None if settings is None else ConnectorConfig(name=name, kind=kind, settings=settings)


def _channel(reading: _Reading, name: str, given: dict[str, Any]) -> ChannelConfig | None:
    kind, found = _named(reading, CHANNELS, name, given)
    settings = cast("ChannelSettings | None", found)
    return None if settings is None else ChannelConfig(name=name, kind=kind, settings=settings)


def _named(
    reading: _Reading, section: _Section, name: str, given: dict[str, Any]
) -> tuple[str, BaseModel | None]:
    """Kind and settings of a named block; no settings if something is wrong with them (it is noted)."""
    kind = _kind(reading, section, name, given)
    if kind is None:
        meant = nearest(name, section.names()) or name
        reading.unread += [prefix_of(name), prefix_of(meant)]
        return "", None
    reading.prefixes.append(prefix_of(name))
    rest = {key: value for key, value in given.items() if key != "kind"}
    part = _Part(section.settings(kind), (section.key, name), prefix_of(name), ("kind",))
    return kind, _fill(reading, part, rest)


def _kind(reading: _Reading, section: _Section, name: str, given: Mapping[str, Any]) -> str | None:
    """The kind of a named block, None if it cannot be told (it is noted why)."""
    path, known = (section.key, name), section.names()
    kind = str(given.get("kind") or name)
    if kind in known and (name not in known or name == kind):
        return kind
    one = section.key.removesuffix("s")
    if name in known:
        reading.wrong((*path, "kind"), f"a {one} named {name} has to be of kind {name}", "rename it")
        return None
    near = nearest(kind, known)
    if kind == name:
        fix = f"did you mean {near}?" if near else f"add kind: with one of {', '.join(known)}"
        reading.wrong(path, f"{name!r} is not a {section.noun} that dogwatch knows", fix)
    else:
        fix = f"did you mean {near}?" if near else f"dogwatch knows {', '.join(known)}"
        reading.wrong((*path, "kind"), f"unknown {section.noun} {kind!r}", fix)
    return None


def _telling(reading: _Reading) -> Telling | None:
    """What is said of telling people; in the file alone. A channel that it names has to be there."""
    given: Any = reading.yaml.values
    values = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    parts: dict[str, Any] = {}
    for key, model in _LISTS.items():
        found = [
            _fill(reading, _Part(model, (key, at), None), block)
            for at, block in _mappings(reading, (key,), values.get(key), list)
        ]
        parts[key] = None if None in found else tuple(found)
    budget = values.get("budget")
    if budget is not None and not isinstance(budget, dict):
        reading.wrong(("budget",), "is not a mapping of keys to values", "write alerts_per_hour: 5 under it")
        return None
    parts["budget"] = _fill(
        reading, _Part(BudgetSettings, ("budget",), None), cast("dict[str, Any]", budget or {})
    )
    if None in parts.values():
        return None
    telling = Telling.model_construct(**parts)
    _check_channels(reading, telling, values.get("channels"))
    return telling


_FIRST_KEYS = {"pipelines": "name", "routes": "to", "quiet_hours": "from", "escalation": "after"}
_LISTS: Mapping[str, type[BaseModel]] = {
    "routes": RouteSettings,
    "quiet_hours": QuietSettings,
    "escalation": EscalationSettings,
}


def _check_channels(reading: _Reading, telling: Telling, channels: Any) -> None:
    """Every channel that is named somewhere has to be there."""
    blocks = cast("dict[str, Any]", channels) if isinstance(channels, dict) else {}
    for path, name in named_channels(telling, blocks):
        if name not in blocks:
            near = nearest(name, blocks)
            fix = f"did you mean {near}?" if near else f"known: {', '.join(blocks) or 'none yet'}"
            reading.wrong(path, f"there is no channel {name!r:.60}", fix)


@dataclass(frozen=True, slots=True)
class _Part:
    """One model that is filled, and where its values come from."""

    model: type[BaseModel]
    path: tuple[str | int, ...]
    prefix: str | None
    """Of its variables; None if it has none."""
    others: tuple[str, ...] = ()
    """Keys that stand beside its own."""

    def variable(self, name: str) -> str:
        return f"{self.prefix}{name.upper()}"

    @property
    def keys(self) -> list[str]:
        """What may stand in the file."""
        fields = self.model.model_fields.items()
        return [*(info.alias or name for name, info in fields if not is_secret(info)), *self.others]

    def field(self, key: str) -> tuple[str, FieldInfo] | None:
        """The field that a key in the file fills."""
        fields = self.model.model_fields.items()
        return next(((name, info) for name, info in fields if key in {name, info.alias}), None)


def _fill(reading: _Reading, part: _Part, given: Mapping[str, Any]) -> BaseModel | None:
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


def _refuse_secret(reading: _Reading, part: _Part, name: str, value: str) -> None:
    reading.secrets.add(value)
    reading.wrong(
        (*part.path, name),
        "a secret does not belong into this file",
        f"put it into .env as {part.variable(name)}, and make a new one: this one counts as known",
    )


def _claim(reading: _Reading, part: _Part, name: str) -> str:
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


def _explain(reading: _Reading, part: _Part, item: ErrorDetails, origins: Mapping[str, str]) -> None:
    """Put one of pydantic's errors into our words."""
    place = item["loc"]
    name = str(place[0]) if place else ""
    field_of = part.field(name)
    info = None if field_of is None else field_of[1]
    where = (*part.path, *place)
    if item["type"] == "extra_forbidden":
        near = nearest(str(place[-1]), part.keys if len(place) == 1 else ())
        known = f"known: {', '.join(part.keys)}" if len(place) == 1 else "remove it"
        reading.wrong(where, "unknown key", f"did you mean {near}?" if near else known)
    elif item["type"] == "missing" and info is not None and len(place) == 1:
        ways = f"set {part.variable(name)} in the environment or .env"
        fix = "add it" if part.prefix is None else ways if is_secret(info) else f"add it, or {ways}"
        reading.wrong(where, "is missing", fix)
    else:
        what, fix = _reworded(part, item, info)
        if name in origins:
            reading.problems.append(Problem(origins[name], what, fix))
        else:
            reading.wrong(where, what, fix)


def _reworded(part: _Part, item: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    """(what is wrong, the fix) of a value that is not as it should be."""
    what = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    what = what.replace("a valid tuple", "a list")
    if item["type"] == "string_type" and isinstance(item.get("input"), (int, float)):
        return "should be text", "put the value in quotes"
    if info is not None and (field_of := part.field(str(item["loc"][0]))):
        return what, first_sentence(descriptions(part.model).get(field_of[0], ""))
    named = [name for name in part.model.model_fields if re.search(rf"\b{name}\b", what)]
    secrets = [part.variable(name) for name in named if is_secret(part.model.model_fields[name])]
    either = " or " if "one of" in what else " and "
    return what, f"set {either.join(secrets)} in the environment or .env" if secrets else ""


def _check_variables(reading: _Reading) -> None:
    """A ``DOGWATCH_*`` that nothing reads is a mistake somebody will want to hear of."""
    for name in sorted(reading.variables.origins):
        if not name.upper().startswith(PREFIX) or name in reading.claimed or name in _TESTS_ALONE:
            continue
        if name.startswith(tuple(reading.unread)):
            continue  # its connector is wrong, which has been said
        reading.problems.append(
            Problem(reading.variables.origins[name], f"unknown variable {name}", _advice(reading, name))
        )


def _advice(reading: _Reading, name: str) -> str:
    near = nearest(name.upper().removeprefix(PREFIX), [var.removeprefix(PREFIX) for var in reading.claimed])
    absent = [
        (section.key.removesuffix("s"), kind)
        for section in (CONNECTORS, CHANNELS)
        for kind in section.names()
        if name.startswith(prefix_of(kind)) and not any(name.startswith(known) for known in reading.prefixes)
    ]
    for one, kind in absent:
        return f"{reading.yaml.shown} has no {one} {kind}; add it with: dogwatch init {kind}"
    return f"did you mean {PREFIX}{near}?" if near else "remove it; docs/configuration.md lists them all"


def _from_text(info: FieldInfo, text: str) -> Any:
    """A variable's text for a field: a list is separated by commas; pydantic reads all else from text."""
    if atoms(info.annotation) & {list, tuple, set, frozenset, Sequence, abc.Set}:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text.strip()


def local_zone(environ: Mapping[str, str]) -> str:
    """The machine's IANA zone by ``TZ``, else by where /etc/localtime points, else UTC."""
    said = environ.get("TZ", "").removeprefix(":")
    points_to = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")[2]
    return next((zone for zone in (said, points_to) if is_zone(zone)), "UTC")
