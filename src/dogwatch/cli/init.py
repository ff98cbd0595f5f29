"""``dogwatch init``: a configuration to fill in, or one more platform in the one that is there."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from dogwatch.cli.shell import Given, tell
from dogwatch.errors import SettingsError

if TYPE_CHECKING:
    from dogwatch.settings.sources import YamlFile


@click.command("init")
@click.argument("platforms", nargs=-1, metavar="PLATFORM...")
@click.option("--assistant", is_flag=True, help="Files for coding assistants: /dataops-check, agents, MCP.")
@click.pass_context
def command(ctx: click.Context, platforms: tuple[str, ...], assistant: bool) -> None:
    """Write dogwatch.yaml and .env.example, or add platforms to them.

    PLATFORM is a platform such as airbyte, or a channel to people such as slack. The files say where each
    credential is made and the least it has to be allowed. Nothing that is there is overwritten: an existing
    dogwatch.yaml keeps every line and gets the new block.

    With --assistant it writes the command /dataops-check and two agents under .claude/, and adds dogwatch mcp
    to .mcp.json; PLATFORM may be left out then.
    """
    from dogwatch import connectors
    from dogwatch.settings import FILE, scaffold

    kinds = list(dict.fromkeys(platforms))
    if not kinds and not assistant:
        raise click.MissingParameter(ctx=ctx, param_hint="PLATFORM", param_type="argument")
    for kind in kinds:
        if not scaffold.is_channel(kind):
            connectors.load(kind)
    file = ctx.find_root().ensure_object(Given).config or Path(FILE)
    try:
        done = _write(file, kinds) if kinds else []
        told = _assist(file) if assistant else []
    except OSError as error:
        raise SettingsError(f"cannot write {error.filename}: {error.strerror}", "check the folder") from error
    for line in (*done, *(_next_steps(file, kinds) if kinds else ()), *told):
        tell(line)


def _assist(file: Path) -> list[str]:
    """Write what coding assistants read, beside the configuration; what is there stays as it is."""
    from dogwatch.mcp import assistant
    from dogwatch.settings import FILE

    folder, done = file.parent, list[str]()
    for name, text in assistant.files().items():
        path = folder / name
        if path.exists():
            done.append(f"left {path} as it is")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        done.append(f"wrote {path}")
    path = folder / assistant.CONFIG
    before = path.read_text(encoding="utf-8") if path.exists() else None
    args = ["mcp"] if file.name == FILE else ["mcp", "--config", file.name]
    text = assistant.config(before, args) or ""
    if text:
        path.write_text(text, encoding="utf-8")
    done.append(f"{'added dogwatch to' if text and before else 'wrote' if text else 'left'} {path}")
    return [*done, "", 'pip install "dogwatch[mcp]", then ask your assistant: /dataops-check']


def _write(file: Path, kinds: Sequence[str]) -> list[str]:
    """Write or extend the files; what was done, for people."""
    from dogwatch.settings import scaffold, schema
    from dogwatch.settings.reading import local_zone

    published = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    done: list[str] = []
    if file.exists():
        added, text = _extended(file, kinds)
        file.write_bytes(text.encode())
        done.append(f"added {', '.join(added)} to {file}")
    else:
        text = scaffold.yaml_head(local_zone(os.environ))
        for section, own in _sections(kinds):
            text += "" if section == "connectors" else f"\n{section}:\n"
            text += "\n".join(scaffold.yaml_block(kind) for kind in own)
        file.write_text(text, encoding="utf-8")
        done.append(f"wrote {file}")
    done += _env_example(file.parent / ".env.example", kinds)
    (file.parent / scaffold.SCHEMA_FILE).write_text(published, encoding="utf-8")
    done.append(f"wrote {file.parent / scaffold.SCHEMA_FILE} (editors complete {file.name} with it)")
    return [*done, *_policy_example(file.parent)]


def _policy_example(folder: Path) -> list[str]:
    """An example of what dogwatch may do, and the schema of such a file. Nothing reads the example."""
    from dogwatch.settings import policy_text

    schema = json.dumps(policy_text.policy_schema(), indent=2, ensure_ascii=False) + "\n"
    (folder / policy_text.SCHEMA_FILE).write_text(schema, encoding="utf-8")
    example = folder / policy_text.EXAMPLE_FILE
    if example.exists():
        return []
    example.write_text(policy_text.EXAMPLE, encoding="utf-8")
    return [f"wrote {example} (as policy.yaml it says what may be done without asking)"]


def _env_example(file: Path, kinds: Sequence[str]) -> list[str]:
    """Append the sections that are not there yet."""
    from dogwatch.settings import scaffold

    there = file.read_text(encoding="utf-8") if file.exists() else ""
    named = {line.lstrip("# ").partition("=")[0].strip() for line in there.splitlines()}
    wanted = [kind for kind in kinds if set(scaffold.secret_variables(kind)) - named]
    if not wanted:
        return []
    text = there.rstrip("\n") + "\n" if there else scaffold.env_head()
    file.write_text(text + "".join(scaffold.env_section(kind) for kind in wanted), encoding="utf-8")
    return [f"added {', '.join(wanted)} to {file}" if there else f"wrote {file}"]


def _sections(kinds: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The keys of dogwatch.yaml under which these kinds belong, each with its own."""
    from dogwatch.settings import scaffold

    platforms = [kind for kind in kinds if not scaffold.is_channel(kind)]
    channels = [kind for kind in kinds if scaffold.is_channel(kind)]
    return [(key, own) for key, own in (("connectors", platforms), ("channels", channels)) if own]


def _extended(file: Path, kinds: Sequence[str]) -> tuple[list[str], str]:
    """What was added, and the file's text with the blocks that it does not have yet.

    Raises SettingsError with the block to paste if it cannot be put in without risk.
    """
    from dogwatch.settings.sources import YamlFile

    before = YamlFile.read(file, file.parent)
    text = file.read_bytes().decode("utf-8-sig")
    added: list[str] = []
    for section, own in _sections(kinds):
        there = _mapping(before.values).get(section)
        new = [kind for kind in own if not isinstance(there, dict) or kind not in there]
        if new:
            text = _inserted(before, text, section, new, file)
            before = YamlFile.parse(text, file.name)
            added += new
    if not added:
        raise SettingsError(
            f"{file} has {', '.join(kinds)} already",
            f"for a second one write a block of another name with `kind: {kinds[0]}` in it",
        )
    return added, text


def _inserted(before: "YamlFile", text: str, section: str, new: Sequence[str], file: Path) -> str:
    """The text with these blocks at the end of a section."""
    from dogwatch.settings import scaffold

    top = _mapping(before.values)
    there = top.get(section)
    newline = "\r\n" if "\r\n" in text else "\n"
    indent, at = _place(before, text.splitlines(), section)
    blocks = "\n".join(scaffold.yaml_block(kind, indent) for kind in new)
    lines = text.splitlines()
    head = [] if there or section in top else ["", f"{section}:"]
    lines[at:at] = [*head, *([""] if there else []), *blocks.splitlines()]
    extended = newline.join([*lines, ""])
    if not _same_but(before, extended, section, new, file):
        raise SettingsError(
            f"{file} is written in a way that cannot be added to safely; nothing was changed",
            f"paste this under `{section}:` yourself:\n\n{blocks}",
        )
    return extended


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _place(before: "YamlFile", lines: Sequence[str], section: str) -> tuple[int, int]:
    """(indentation of the names in a section, line from 0) where a further block belongs: after the last
    block, before the comments of whatever key comes next."""
    names = [path for path in before.lines if len(path) == 2 and path[0] == section]
    first = lines[before.lines[names[0]] - 1] if names else "  "
    indent = len(first) - len(first.lstrip(" ")) or 2
    start = before.lines.get((section,), len(lines))
    after = [line for path, line in before.lines.items() if len(path) == 1 and line > start]
    if not after:
        return indent, len(lines)
    at = min(after) - 1
    while at > start and (not lines[at - 1].strip() or lines[at - 1].startswith("#")):
        at -= 1
    return indent, at


def _same_but(before: "YamlFile", text: str, section: str, new: Sequence[str], file: Path) -> bool:
    """Whether the new text says what the old one said, and the new blocks, and nothing else."""
    from dogwatch.settings.sources import YamlFile

    old: Any = before.values
    try:
        after: Any = dict(YamlFile.parse(text, file.name).values)
        found = dict(after.pop(section))
        for kind in new:
            found.pop(kind)
        others = {key: value for key, value in old.items() if key != section}
        return bool(found == (old.get(section) or {})) and after == others
    except (SettingsError, KeyError, TypeError, AttributeError, ValueError):
        return False


def _next_steps(file: Path, kinds: Sequence[str]) -> list[str]:
    from dogwatch.settings import scaffold

    env = file.parent / ".env"
    if env.exists():
        names = ", ".join(name for kind in kinds for name in scaffold.secret_variables(kind))
        steps = [f"put into {env} what {env}.example now asks for: {names}"] if names else []
    else:
        steps = [
            f"cp {env}.example {env} && chmod 600 {env}",
            f"fill in {env}: above each line stands where its credential is made",
        ]
    option = "" if file == Path("dogwatch.yaml") else f"--config {file} "
    steps += [f"look through {file}"]
    for section, own in _sections(kinds):
        steps += (
            [f"dogwatch {option}doctor"]
            if section == "connectors"
            else [f"dogwatch {option}notify test {kind}" for kind in own]
        )
    steps.append(f"dogwatch {option}check")
    return ["", *(f"{number}. {step}" for number, step in enumerate(steps, start=1))]
