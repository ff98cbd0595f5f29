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
@click.argument("platforms", nargs=-1, required=True, metavar="PLATFORM...")
@click.pass_context
def command(ctx: click.Context, platforms: tuple[str, ...]) -> None:
    """Write dogwatch.yaml and .env.example, or add platforms to them.

    The files say where each credential is made and the least it has to be allowed. Nothing that is there is
    overwritten: an existing dogwatch.yaml keeps every line and gets the new platform's block.
    """
    from dogwatch import connectors
    from dogwatch.settings import FILE

    kinds = list(dict.fromkeys(platforms))
    for kind in kinds:
        connectors.load(kind)
    file = ctx.find_root().ensure_object(Given).config or Path(FILE)
    try:
        done = _write(file, kinds)
    except OSError as error:
        raise SettingsError(f"cannot write {error.filename}: {error.strerror}", "check the folder") from error
    for line in (*done, *_next_steps(file, kinds)):
        tell(line)


def _write(file: Path, kinds: Sequence[str]) -> list[str]:
    """Write or extend the three files; what was done, for people."""
    from dogwatch.settings import scaffold, schema
    from dogwatch.settings.reading import local_zone

    published = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    done: list[str] = []
    if file.exists():
        added, text = _extended(file, kinds)
        file.write_bytes(text.encode())
        done.append(f"added {', '.join(added)} to {file}")
    else:
        blocks = "\n".join(scaffold.yaml_block(kind) for kind in kinds)
        file.write_text(scaffold.yaml_head(local_zone(os.environ)) + blocks, encoding="utf-8")
        done.append(f"wrote {file}")
    done += _env_example(file.parent / ".env.example", kinds)
    (file.parent / scaffold.SCHEMA_FILE).write_text(published, encoding="utf-8")
    done.append(f"wrote {file.parent / scaffold.SCHEMA_FILE} (editors complete {file.name} with it)")
    return done


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


def _extended(file: Path, kinds: Sequence[str]) -> tuple[list[str], str]:
    """The file's text with the blocks of the platforms that it does not have yet.

    Raises SettingsError with the block to paste if it cannot be put in without risk.
    """
    from dogwatch.settings import scaffold
    from dogwatch.settings.sources import YamlFile

    before = YamlFile.read(file, file.parent)
    top = _mapping(before.values)
    there = top.get("connectors")
    new = [kind for kind in kinds if not isinstance(there, dict) or kind not in there]
    if not new:
        raise SettingsError(
            f"{file} has {', '.join(kinds)} already",
            f"for a second one write a block of another name with `kind: {kinds[0]}` in it",
        )
    text = file.read_bytes().decode("utf-8-sig")
    newline = "\r\n" if "\r\n" in text else "\n"
    indent, at = _place(before, text.splitlines())
    blocks = "\n".join(scaffold.yaml_block(kind, indent) for kind in new)
    lines = text.splitlines()
    head = [] if there or "connectors" in top else ["", "connectors:"]
    lines[at:at] = [*head, *([""] if there else []), *blocks.splitlines()]
    extended = newline.join([*lines, ""])
    if not _same_but(before, extended, new, file):
        raise SettingsError(
            f"{file} is written in a way that cannot be added to safely; nothing was changed",
            f"paste this under `connectors:` yourself:\n\n{blocks}",
        )
    return new, extended


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _place(before: "YamlFile", lines: Sequence[str]) -> tuple[int, int]:
    """(indentation of connector names, line from 0) where a further block belongs: after the last block,
    before the comments of whatever key comes next."""
    names = [path for path in before.lines if len(path) == 2 and path[0] == "connectors"]
    first = lines[before.lines[names[0]] - 1] if names else "  "
    indent = len(first) - len(first.lstrip(" ")) or 2
    start = before.lines.get(("connectors",), len(lines))
    after = [line for path, line in before.lines.items() if len(path) == 1 and line > start]
    if not after:
        return indent, len(lines)
    at = min(after) - 1
    while at > start and (not lines[at - 1].strip() or lines[at - 1].startswith("#")):
        at -= 1
    return indent, at


def _same_but(before: "YamlFile", text: str, new: Sequence[str], file: Path) -> bool:
    """Whether the new text says what the old one said, and the new connectors, and nothing else."""
    from dogwatch.settings.sources import YamlFile

    old: Any = before.values
    try:
        after: Any = dict(YamlFile.parse(text, file.name).values)
        found = dict(after.pop("connectors"))
        for kind in new:
            found.pop(kind)
        return bool(found == (old.get("connectors") or {})) and after == _without_connectors(old)
    except (SettingsError, KeyError, TypeError, AttributeError, ValueError):
        return False


def _without_connectors(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "connectors"}


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
    steps += [f"look through {file}", f"dogwatch {option}doctor", f"dogwatch {option}check"]
    return ["", *(f"{number}. {step}" for number, step in enumerate(steps, start=1))]
