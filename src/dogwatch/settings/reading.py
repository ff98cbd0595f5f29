"""From what stands in the file and the variables to checked settings, or to a list of all mistakes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, SecretStr

from dogwatch import connectors, hooks, notify
from dogwatch.hooks.base import HookSettings
from dogwatch.notify.base import ChannelSettings
from dogwatch.settings.asking import KEY as AGENTS
from dogwatch.settings.asking import agents_of
from dogwatch.settings.emitting import KEY as EMITTED
from dogwatch.settings.emitting import openlineage_of
from dogwatch.settings.filling import Part, Reading, fill
from dogwatch.settings.keeping import Keeping, KeepSettings, is_address, parted
from dogwatch.settings.model import (
    FILE,
    NAME,
    POLICY,
    PREFIX,
    ChannelConfig,
    ConnectorConfig,
    General,
    HookConfig,
    Settings,
    prefix_of,
)
from dogwatch.settings.pipelines import Flows, LineageSettings, PipelineSettings
from dogwatch.settings.registering import KEY as HUB
from dogwatch.settings.registering import hub_of
from dogwatch.settings.sources import Problem, Variables, YamlFile
from dogwatch.settings.telling import (
    BudgetSettings,
    DigestSettings,
    EscalationSettings,
    QuietSettings,
    RouteSettings,
    Telling,
    named_channels,
)
from dogwatch.settings.watch import Night, WatchSettings
from dogwatch.settings.watching import JobSettings, LimitSettings, Watching, Window
from dogwatch.settings.zones import is_zone, nearest
from dogwatch.wire.connector import ConnectorSettings

_NOT_SETTINGS = frozenset({"DOGWATCH_REQUIRE_REAL", "DOGWATCH_SERVER", "DOGWATCH_TOKEN"})
"""For tests, and for the command line that asks a server."""


def load(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read and check everything. ``path`` is the file asked for, None for ``dogwatch.yaml`` in ``cwd``.

    Raises SettingsError that tells all problems, one per line; secrets are never quoted.
    """
    file = cwd / (path or FILE)
    reading = Reading(YamlFile.read(file, cwd), Variables.read(environ, file.parent / ".env", cwd))
    general = _general(reading, environ)
    _check_folder(reading, general, file.parent)
    watching = _watching(reading)
    flows = _flows(reading)
    found = [_connector(reading, name, given) for name, given in _blocks(reading, CONNECTORS)]
    channels = [_channel(reading, name, given) for name, given in _blocks(reading, CHANNELS)]
    telling = _telling(reading)
    callers = [_hook(reading, name, given) for name, given in _blocks(reading, HOOKS)]
    watch = _watch(reading)
    keep = _keep(reading)
    hub, openlineage = hub_of(reading), openlineage_of(reading)
    agents = agents_of(reading)
    hook_secrets = _hook_secrets(reading, file.parent)
    _check_variables(reading)
    reading.finish()
    assert general is not None  # finish() raises if anything was wrong
    assert watching is not None
    assert agents is not None
    assert flows is not None
    assert telling is not None
    assert watch is not None
    assert keep is not None
    store, password = parted(general.store)
    return Settings(
        timezone=general.timezone,
        store=store if is_address(store) else str(file.parent / store),
        store_password=SecretStr(password) if password else general.store_password,
        history_days=general.history_days,
        runbooks=str(file.parent / general.runbooks) if general.runbooks else "",
        **{name: getattr(watching, name) for name in Watching.model_fields},
        pipelines=flows.pipelines,
        lineage=flows.lineage.at(file.parent),
        routes=telling.routes,
        quiet_hours=telling.quiet_hours,
        escalation=telling.escalation,
        digests=telling.digests,
        budget=telling.budget,
        connectors={config.name: config for config in found if config is not None},
        channels={config.name: config for config in channels if config is not None},
        hooks={config.name: config for config in callers if config is not None},
        watch=watch,
        keep=keep,
        hub=hub,
        openlineage=openlineage,
        agents=agents.at(file.parent),
        home=str(file.parent),
        hook_secrets=hook_secrets,
    )


def _hook_secrets(reading: "Reading", home: Path) -> dict[str, SecretStr]:
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
HOOKS = _Section("hooks", "sort of hook", hooks.names, lambda kind: hooks.load(kind).Settings, False)
_TOPS: tuple[type[BaseModel], ...] = (Watching, Flows, Telling, Night, Keeping)
_OTHERS = (
    *(key for top in _TOPS for key in top.model_fields),
    "connectors",
    "channels",
    "hooks",
    AGENTS,
    HUB,
    EMITTED,
)


def _general(reading: Reading, environ: Mapping[str, str]) -> General | None:
    given: Any = reading.yaml.values
    if not isinstance(given, dict):
        reading.wrong((), "is not a mapping of keys to values", "begin with: connectors:")
        return None
    top = {key: value for key, value in cast("dict[str, Any]", given).items() if key not in _OTHERS}
    top.setdefault("timezone", local_zone(environ))
    _hide_password(reading, top)
    part = Part(General, (), PREFIX, _OTHERS)
    return cast("General | None", fill(reading, part, top))


def _check_folder(reading: Reading, general: General | None, folder: Path) -> None:
    """A store whose folder is missing is a slip of the pen, or a disk that is not mounted: one made there
    would begin without a memory, and everything would look healthy."""
    if general is None or is_address(general.store):
        return
    there = (folder / general.store).parent
    if there.is_dir():
        return
    what = f"the folder {there} does not exist"
    fix = "correct the path, or make the folder: a new store knows nothing of the past"
    var = f"{PREFIX}STORE"
    if reading.variables.values.get(var, "").strip():
        reading.problems.append(Problem(f"{reading.variables.origins[var]}: {var}", what, fix))
    else:
        reading.wrong(("store",), what, fix)


def _hide_password(reading: Reading, top: dict[str, Any]) -> None:
    """The password in an address is never quoted, and does not belong into the file."""
    var = f"{PREFIX}STORE"
    for store in (top.get("store"), reading.variables.values.get(var)):
        try:
            password = parted(str(store or ""))[1]
        except ValueError:  # what is wrong with it is told when it is checked
            continue
        if password:
            reading.secrets.add(password)
            if store is top.get("store"):
                fix = f"leave it out; put a new one into .env as {var}_PASSWORD, as this one counts as known"
                reading.wrong(("store",), "a secret does not belong into this file", fix)


def _watching(reading: Reading) -> Watching | None:
    """What is said about jobs. It stands in the file alone: no variable could hold it."""
    given: Any = reading.yaml.values
    values = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    jobs = {
        pattern: fill(reading, Part(JobSettings, ("jobs", pattern), None), block)
        for pattern, block in _mappings(reading, ("jobs",), values.get("jobs"), dict)
    }
    lists: dict[str, list[BaseModel | None]] = {
        key: [
            fill(reading, Part(kind, (key, at), None), block)
            for at, block in _mappings(reading, (key,), values.get(key), list)
        ]
        for key, kind in (("maintenance", Window), ("limits", LimitSettings))
    }
    days = {str(key): values[key] for key in ("holidays", "muted", "log_components") if key in values}
    quiet = cast("Watching | None", fill(reading, Part(Watching, (), None), days))
    if quiet is None or None in jobs.values() or any(None in found for found in lists.values()):
        return None
    return quiet.model_copy(update={"jobs": jobs, **{key: tuple(found) for key, found in lists.items()}})


def _flows(reading: Reading) -> Flows | None:
    """What is said about pipelines; in the file alone, like what is said about jobs."""
    given: Any = reading.yaml.values
    values = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    found: list[BaseModel | None] = []
    names: set[str] = set()
    for at, block in _mappings(reading, ("pipelines",), values.get("pipelines"), list):
        one = fill(reading, Part(PipelineSettings, ("pipelines", at), None), block)
        name = None if one is None else cast("PipelineSettings", one).name
        if name in names:
            reading.wrong(("pipelines", at, "name"), f"{name!r:.80} is the name of two", "rename one of them")
        names.update([name] if name else [])
        found.append(one)
    given = values.get("lineage")
    if given is not None and not isinstance(given, dict):
        reading.wrong(("lineage",), "is not a mapping of keys to values", "write dbt: under it")
        return None
    lineage = fill(reading, Part(LineageSettings, ("lineage",), None), cast("dict[str, Any]", given or {}))
    if lineage is None or None in found:
        return None
    return Flows(
        pipelines=tuple(cast("list[PipelineSettings]", found)), lineage=cast("LineageSettings", lineage)
    )


def _mappings(
    reading: Reading, path: tuple[str], given: Any, kind: type[dict[Any, Any]] | type[list[Any]]
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


def _blocks(reading: Reading, section: _Section) -> Iterator[tuple[str, dict[str, Any]]]:
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


def _connector(reading: Reading, name: str, given: dict[str, Any]) -> ConnectorConfig | None:
    kind, found = _named(reading, CONNECTORS, name, given)
    settings = cast("ConnectorSettings | None", found)
    return None if settings is None else ConnectorConfig(name=name, kind=kind, settings=settings)


def _channel(reading: Reading, name: str, given: dict[str, Any]) -> ChannelConfig | None:
    kind, found = _named(reading, CHANNELS, name, given)
    settings = cast("ChannelSettings | None", found)
    return None if settings is None else ChannelConfig(name=name, kind=kind, settings=settings)


def _hook(reading: Reading, name: str, given: dict[str, Any]) -> HookConfig | None:
    kind, found = _named(reading, HOOKS, name, given)
    settings = cast("HookSettings | None", found)
    return None if settings is None else HookConfig(name=name, kind=kind, settings=settings)


def _watch(reading: Reading) -> WatchSettings | None:
    """What is said of the watch; a variable may hold any of it."""
    values: Any = reading.yaml.values
    given: Any = cast("dict[str, Any]", values).get("watch") if isinstance(values, dict) else None
    if given is not None and not isinstance(given, dict):
        reading.wrong(("watch",), "is not a mapping of keys to values", "write cron: under it")
        return None
    block = cast("dict[str, Any]", given or {})
    part = Part(WatchSettings, ("watch",), f"{PREFIX}WATCH_")
    return cast("WatchSettings | None", fill(reading, part, block))


def _keep(reading: Reading) -> KeepSettings | None:
    """How long what is remembered stays; a variable may hold any of it."""
    values: Any = reading.yaml.values
    given: Any = cast("dict[str, Any]", values).get("keep") if isinstance(values, dict) else None
    if given is not None and not isinstance(given, dict):
        reading.wrong(("keep",), "is not a mapping of keys to values", "write runs: under it")
        return None
    part = Part(KeepSettings, ("keep",), f"{PREFIX}KEEP_")
    return cast("KeepSettings | None", fill(reading, part, cast("dict[str, Any]", given or {})))


def _named(
    reading: Reading, section: _Section, name: str, given: dict[str, Any]
) -> tuple[str, BaseModel | None]:
    """Kind and settings of a named block; no settings if something is wrong with them (it is noted)."""
    kind = _kind(reading, section, name, given)
    if kind is None:
        meant = nearest(name, section.names()) or name
        reading.unread += [prefix_of(name), prefix_of(meant)]
        return "", None
    reading.prefixes.append(prefix_of(name))
    rest = {key: value for key, value in given.items() if key != "kind"}
    part = Part(section.settings(kind), (section.key, name), prefix_of(name), ("kind",))
    return kind, fill(reading, part, rest)


def _kind(reading: Reading, section: _Section, name: str, given: Mapping[str, Any]) -> str | None:
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


def _telling(reading: Reading) -> Telling | None:
    """What is said of telling people; in the file alone. A channel that it names has to be there."""
    given: Any = reading.yaml.values
    values = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    parts: dict[str, Any] = {}
    for key, model in _LISTS.items():
        found = [
            fill(reading, Part(model, (key, at), None), block)
            for at, block in _mappings(reading, (key,), values.get(key), list)
        ]
        parts[key] = None if None in found else tuple(found)
    budget = values.get("budget")
    if budget is not None and not isinstance(budget, dict):
        reading.wrong(("budget",), "is not a mapping of keys to values", "write alerts_per_hour: 5 under it")
        return None
    parts["budget"] = fill(
        reading, Part(BudgetSettings, ("budget",), None), cast("dict[str, Any]", budget or {})
    )
    if None in parts.values():
        return None
    telling = Telling.model_construct(**parts)
    _check_channels(reading, telling, values.get("channels"))
    return telling


_FIRST_KEYS = {
    "pipelines": "name",
    "routes": "to",
    "quiet_hours": "from",
    "escalation": "after",
    "digests": "at",
}
_LISTS: Mapping[str, type[BaseModel]] = {
    "routes": RouteSettings,
    "quiet_hours": QuietSettings,
    "escalation": EscalationSettings,
    "digests": DigestSettings,
}


def _check_channels(reading: Reading, telling: Telling, channels: Any) -> None:
    """Every channel that is named somewhere has to be there."""
    blocks = cast("dict[str, Any]", channels) if isinstance(channels, dict) else {}
    for path, name in named_channels(telling, blocks):
        if name not in blocks:
            near = nearest(name, blocks)
            fix = f"did you mean {near}?" if near else f"known: {', '.join(blocks) or 'none yet'}"
            reading.wrong(path, f"there is no channel {name!r:.60}", fix)


def _check_variables(reading: Reading) -> None:
    """A ``DOGWATCH_*`` that nothing reads is a mistake somebody will want to hear of."""
    for name in sorted(reading.variables.origins):
        if not name.upper().startswith(PREFIX) or name in reading.claimed or name in _NOT_SETTINGS:
            continue
        if name.startswith(tuple(reading.unread)) or _unused(reading, name):
            continue  # its connector is wrong, which was said; or it says nothing to one that is not there
        reading.problems.append(
            Problem(reading.variables.origins[name], f"unknown variable {name}", _advice(reading, name))
        )


def _unused(reading: Reading, name: str) -> bool:
    """Whether it is empty and of a connector, a channel or a hub that dogwatch has: a workflow may hand on
    what all of them could need, and what a repository has no secret for is empty."""
    kinds = [*CONNECTORS.names(), *CHANNELS.names(), HUB, EMITTED]
    return name not in reading.variables.values and name.startswith(tuple(prefix_of(kind) for kind in kinds))


def _advice(reading: Reading, name: str) -> str:
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


def local_zone(environ: Mapping[str, str]) -> str:
    """The machine's IANA zone by ``TZ``, else by where /etc/localtime points, else UTC."""
    said = environ.get("TZ", "").removeprefix(":")
    points_to = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")[2]
    return next((zone for zone in (said, points_to) if is_zone(zone)), "UTC")
