"""Where settings stand: dogwatch.yaml with its line numbers, ``.env``, and the environment."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from dogwatch.errors import SettingsError

_QUOTED = re.compile(r"'[^'<]{2,}'|\"[^\"<]{2,}\"")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the configuration."""

    where: str
    """File and line, or the environment."""
    what: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The file as plain values, and the line of each key."""

    shown: str
    values: Any
    lines: Mapping[tuple[str | int, ...], int]

    @classmethod
    def read(cls, file: Path, cwd: Path) -> "YamlFile":
        """Read the file; ``cwd`` only shortens the name in messages.

        Raises SettingsError with line and column if it is absent or is not YAML.
        """
        shown = _shown(file, cwd)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise SettingsError(
                f"there is no {shown}",
                "write one with: dogwatch init airbyte; or look on without any account: dogwatch demo",
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            what, fix = _unreadable(error)
            fix = f"name the file, such as {shown}/dogwatch.yaml" if file.is_dir() else fix
            raise SettingsError(f"cannot read {shown}: {what}", fix) from None
        return cls.parse(text, shown)

    @classmethod
    def parse(cls, text: str, shown: str) -> "YamlFile":
        """The same for a text at hand."""
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
        spots = _spots(value)
        lines.update({(*path, at): spot[0] + 1 for at, spot in spots.items()})
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
    told = str(marked.problem or "broken YAML")
    if told.startswith("but "):
        told = f"{marked.context}, {told}"
    what = _QUOTED.sub("…", told)
    return f"{where}: {what}", "look for a missing colon, quote or space, and for tabs in the indentation"


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment and ``.env`` as one; an empty value counts as not set."""

    values: Mapping[str, str]
    origins: Mapping[str, str]
    """Where each was set: ``the environment`` or ``.env:3``."""
    problems: Sequence[Problem]

    @classmethod
    def read(cls, environ: Mapping[str, str], file: Path, cwd: Path) -> "Variables":
        """The process's environment over the ``.env`` file, which may be absent. Nothing is interpolated."""
        values: dict[str, str] = {}
        origins: dict[str, str] = {}
        problems: list[Problem] = []
        shown = _shown(file, cwd)
        for binding in parse_stream(io.StringIO(_env_text(file, shown))):
            where = f"{shown}:{binding.original.line}"
            if binding.error or (binding.key and binding.value is None):
                problems.append(Problem(where, "not a line of the form NAME=value", "quote the value"))
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
        what, fix = _unreadable(error)
        raise SettingsError(f"cannot read {shown}: {what}", fix) from None


def _unreadable(error: OSError | UnicodeDecodeError) -> tuple[str, str]:
    """Why a file cannot be read, and what to do."""
    if isinstance(error, OSError):
        return error.strerror or "unreadable", "look at its permissions"
    return "not UTF-8 text", "save it as UTF-8"


def _shown(file: Path, cwd: Path) -> str:
    """The path as short as it is still right."""
    return str(file.relative_to(cwd)) if file.is_relative_to(cwd) else str(file)
