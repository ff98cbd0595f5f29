"""The roster: agents as Markdown files with YAML front matter, ours and the user's. Knows no agent framework.

The format is the one that coding assistants use: name, description, tools and model at the top, instructions
below. Files made for those load as well: keys and tools that mean nothing here are named in ``notes``, and
grant nothing.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

from pydantic import Field, ValidationError

from dogwatch.agents.tools import TOOLS, Authority
from dogwatch.errors import SettingsError
from dogwatch.model.base import Noun
from dogwatch.model.text import one_line

TEMPLATE = "platform"
"""The file from which a specialist is made for every platform that has no file of its own."""
SUFFIX = "-specialist"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LARGEST = 60_000
"""Characters of a file; what is larger is no instruction."""
_MODEL = re.compile(r"[a-z][a-z0-9-]*:\S+")
_HEADING = re.compile(r"^#{1,3} +(.+?)\s*$", re.MULTILINE)
_BULLET = re.compile(r"^[-*] +`?([a-z][a-z0-9-]*)`?\s*(?::|$)")


class Standing(StrEnum):
    """How far an agent's tools may go. No standing lets anything be done."""

    read = "read"
    propose = "propose"
    """It may also write down proposals, which people decide about."""


class Limits(Noun):
    """What one run of an agent may use. Nothing raises them above these bounds."""

    iterations: int = Field(default=10, ge=1, le=10)
    """Answers of the model in one run."""
    tool_calls: int = Field(default=30, ge=0, le=60)
    """Calls of tools in one run."""
    output_tokens: int = Field(default=4_000, ge=200, le=16_000)
    """Of one answer."""
    spawns: int = Field(default=4, ge=0, le=8)
    """Specialists asked in one run."""
    depth: int = Field(default=2, ge=0, le=3)
    """How deep those may ask others."""


class AgentFile(Noun):
    """One agent."""

    name: str
    description: str
    tools: tuple[str, ...] = ()
    """Names in ``tools.TOOLS``."""
    model: str = ""
    """``provider:name``; empty: the one that the settings name."""
    limits: Limits = Limits()
    can_spawn: tuple[str, ...] = ()
    """Agents that it may ask."""
    authority: Standing = Standing.read
    instructions: str
    source: str
    """The file, for people."""
    own: bool = False
    """True if it is the user's."""
    notes: tuple[str, ...] = ()
    """What of the file was not understood, or grants nothing here."""
    faults: tuple[str, ...] = ()
    """Why it is not used, or what is wrong with it."""


_KEYS = ("name", "description", "tools", "model", "limits", "can_spawn", "authority")
_READ = tuple(name for name, tool in TOOLS.items() if tool.authority is Authority.read)


def read_agent(source: str, text: str, *, own: bool = True) -> AgentFile:
    """An agent from its file's text. Nothing is raised: what is wrong stands in ``faults``."""
    notes: list[str] = []
    faults: list[str] = []
    if len(text) > _LARGEST:
        faults.append(f"is longer than {_LARGEST:,} characters")
    keys, body = _parts(text[:_LARGEST], faults)
    headings = [found[1] for found in _HEADING.finditer(body)]
    name = _name(keys.get("name"), headings, source, notes)
    if not _NAME.fullmatch(name):
        faults.append(f"name: {one_line(name, 40)!r} is not of the form small-words-with-hyphens")
        name = "unnamed"
    described = one_line(str(keys.get("description") or "").strip().split("\n\n")[0], 300)
    if not described:
        described = one_line(headings[0], 120) if headings else name
        notes.append(f"description: none; {described!r} is used")
    if not body.strip():
        faults.append("has no instructions below its front matter")
    unknown = [key for key in keys if key not in _KEYS]
    if unknown:
        notes.append(f"keys not understood: {', '.join(one_line(key, 40) for key in unknown)}")
    standing = _standing(keys.get("authority"), body, notes, faults)
    return AgentFile(
        name=name,
        description=described,
        tools=_tools(keys, standing, notes, faults),
        model=_model(keys.get("model"), notes),
        limits=_limits(keys.get("limits"), faults),
        can_spawn=_spawns(keys, body, notes),
        authority=standing,
        instructions=body.strip(),
        source=source,
        own=own,
        notes=tuple(notes),
        faults=tuple(faults),
    )


def _parts(text: str, faults: list[str]) -> tuple[dict[str, Any], str]:
    """The keys between two lines of three dashes at the top, and what follows them."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        return {}, text
    ends = [at for at, line in enumerate(lines[1:], 1) if line.rstrip() == "---"]
    if not ends:
        faults.append("the front matter has no end: a line of three dashes is missing")
        return {}, text
    return _yaml("\n".join(lines[1 : ends[0]]), faults), "\n".join(lines[ends[0] + 1 :])


def _yaml(text: str, faults: list[str]) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        reader: Any = YAML(typ="safe", pure=True)
        found: object = reader.load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark: Any = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 2}" if mark else ""
        faults.append(f"the front matter is not YAML that can be read{where}")
        return {}
    if found is None:
        return {}
    if not isinstance(found, dict):
        faults.append("the front matter is not a mapping of keys to values")
        return {}
    return {str(key): value for key, value in cast("dict[object, Any]", found).items()}


def _name(given: object, headings: list[str], source: str, notes: list[str]) -> str:
    if given:
        return str(given)
    stem = re.sub(r"^\d+[-_]", "", Path(source).stem).lower().replace("_", "-")
    notes.append(f"name: none; {one_line(stem, 40)!r} from the file's name is used")
    return stem


def _words(given: object) -> list[str]:
    """``a, b`` and ``[a, b]`` are the same."""
    if given is None:
        return []
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, (list, tuple)):
        return [str(given)]
    return [str(part).strip() for part in cast("Iterable[object]", parts) if str(part).strip()]


def _tools(
    keys: Mapping[str, Any], standing: Standing, notes: list[str], faults: list[str]
) -> tuple[str, ...]:
    if "tools" not in keys:
        notes.append("tools: none named; all that read are given")
        return _READ
    wanted = _words(keys["tools"])
    foreign = [name for name in wanted if name not in TOOLS and name != "*"]
    if foreign:
        named = ", ".join(one_line(name, 60) for name in foreign)
        notes.append(f"tools that do not exist here: {named}")
    known = [name for name in TOOLS if name in wanted or "*" in wanted]
    beyond = [name for name in known if TOOLS[name].authority is Authority.propose]
    if beyond and standing is Standing.read:
        if "*" not in wanted:
            faults.append(f"tools: {', '.join(beyond)} needs authority: propose")
        known = [name for name in known if name not in beyond]
    if foreign and not known:
        notes.append("tools: none is known; all that read are given")
        return _READ
    return tuple(known)


def _model(given: object, notes: list[str]) -> str:
    model = str(given or "").strip()
    if model and not _MODEL.fullmatch(model):
        notes.append(f"model: {one_line(model, 60)!r} is not provider:name; the one of the settings is used")
        return ""
    return model


def _limits(given: object, faults: list[str]) -> Limits:
    if given is None:
        return Limits()
    try:
        return Limits.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("limits", *first["loc"]))
        faults.append(f"{where}: {first['msg']}")
        return Limits()


def _spawns(keys: Mapping[str, Any], body: str, notes: list[str]) -> tuple[str, ...]:
    if "can_spawn" in keys:
        return tuple(_words(keys["can_spawn"]))
    found = _section(body, "can spawn")
    names = [match[1] for line in found.splitlines() if (match := _BULLET.match(line.strip()))]
    if names:
        notes.append(f"can_spawn: taken from the section Can Spawn: {', '.join(names)}")
    return tuple(names)


def _standing(given: object, body: str, notes: list[str], faults: list[str]) -> Standing:
    if _section(body, "authority").strip():
        notes.append("the section Authority grants nothing: proposals are decided by the policy and people")
    if given is None:
        return Standing.read
    if str(given) not in set(Standing):
        faults.append(f"authority: {one_line(str(given), 40)!r} is neither read nor propose")
        return Standing.read
    return Standing(str(given))


def _section(body: str, title: str) -> str:
    """What stands under a heading of the second level."""
    for part in re.split(r"^## +", body, flags=re.MULTILINE)[1:]:
        heading, _, rest = part.partition("\n")
        if heading.strip().casefold() == title:
            return rest
    return ""


# ── all of them ─────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=1)
def shipped() -> tuple[AgentFile, ...]:
    """The agents that come with dogwatch, without those made for platforms."""
    folder = resources.files("dogwatch.agents") / "roster"
    files = sorted((file.name, file.read_text("utf-8")) for file in folder.iterdir())
    return tuple(read_agent(name, text, own=False) for name, text in files if name.endswith(".md"))


def read_folder(folder: Path) -> tuple[AgentFile, ...]:
    """The user's own. Raises SettingsError if the folder, or a file in it, cannot be read."""
    if not folder.is_dir():
        raise SettingsError(
            f"agents.folder: {str(folder)!r:.200} is no folder", "make it, or leave the key out"
        )
    found: list[AgentFile] = []
    for path in sorted(folder.glob("*.md")):
        try:
            found.append(read_agent(str(path), path.read_text("utf-8", "replace")))
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    return tuple(found)


def roster(platforms: Mapping[str, str], own: Iterable[AgentFile] = ()) -> dict[str, AgentFile]:
    """All agents by name; the user's replace ours of the same name, unless something is wrong with them.

    ``platforms``: kind -> title; for each a specialist ``<kind>-specialist`` is made from the template unless
    there is a file of that name. Whom nobody has is left out of ``can_spawn`` and noted.
    """
    found = {one.name: one for one in shipped()}
    template = found.pop(TEMPLATE)
    found |= {one.name: one for one in own if not one.faults}
    titles = {f"{kind.replace('_', '-')}{SUFFIX}": title for kind, title in sorted(platforms.items())}
    for name, title in titles.items():
        if name not in found:
            found[name] = _made(template, name, title)
    return {name: _joined(one, found, titles) for name, one in found.items()}


def _made(template: AgentFile, name: str, title: str) -> AgentFile:
    filled = {"description": template.description, "instructions": template.instructions}
    filled = {key: text.replace("{platform}", title) for key, text in filled.items()}
    return template.model_copy(update={"name": name, **filled})


def _joined(one: AgentFile, found: Mapping[str, AgentFile], platforms: Iterable[str]) -> AgentFile:
    """The agent with those alone in ``can_spawn`` that exist; the word platforms stands for all their
    specialists."""
    wanted: list[str] = []
    for name in one.can_spawn:
        wanted += platforms if name == "platforms" else [name]
    absent = [name for name in wanted if name not in found]
    known = tuple(dict.fromkeys(name for name in wanted if name in found and name != one.name))
    notes = list(one.notes)
    if absent:
        notes.append(f"can_spawn: there is no agent {', '.join(one_line(name, 40) for name in absent)}")
    return one.model_copy(update={"can_spawn": known, "notes": tuple(notes)})
