"""Reads the lineage files that dogwatch.yaml names. Sync; a file that cannot be read is told, never fatal."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dogwatch.model.text import one_line, plural
from dogwatch.pipelines import dbt, openlineage
from dogwatch.pipelines.lineage import Step
from dogwatch.settings.pipelines import LineageSettings

_LARGEST = 256 * 1024 * 1024
_MOST_FILES = 2_000
_ENDINGS = frozenset({".json", ".jsonl", ".ndjson"})


@dataclass(frozen=True, slots=True)
class Lineage:
    """What the files tell, and what is wrong with them."""

    steps: tuple[Step, ...] = ()
    problems: tuple[str, ...] = ()
    """One sentence each, with the file and the key."""


def read_lineage(named: LineageSettings) -> Lineage:
    """Everything that the files tell; of one that cannot be read nothing."""
    steps: list[Step] = []
    problems: list[str] = []
    for name, job in named.dbt.items():
        path = Path(name)
        try:
            steps += dbt.steps_of(_json(path), job, f"the dbt manifest {path.name}")
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"lineage.dbt: {_told(path, error)}")
    events: list[object] = []
    for name in named.openlineage:
        try:
            for path in _files(Path(name)):
                events += _events(path)
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"lineage.openlineage: {_told(Path(name), error)}")
    found, senseless = openlineage.steps_of(events)
    if senseless:
        problems.append(f"lineage.openlineage: {plural(senseless, 'event')} made no sense and tell nothing")
    return Lineage((*steps, *found), tuple(problems))


def steps_in(named: LineageSettings) -> Iterable[Step]:
    """The same without what is wrong."""
    return read_lineage(named).steps


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.rglob("*") if one.suffix.lower() in _ENDINGS and one.is_file())
    if len(found) > _MOST_FILES:
        raise ValueError(f"holds {len(found):,} files; {_MOST_FILES:,} are read at most")
    return found


def _events(path: Path) -> Iterator[object]:
    """The events of a file: one, a list, or one a line."""
    if path.suffix.lower() == ".json":
        whole = _json(path)
        yield from whole if isinstance(whole, list) else [whole]
        return
    _check_size(path)
    with path.open(encoding="utf-8-sig") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _json(path: Path) -> object:
    _check_size(path)
    found: object = json.loads(path.read_text(encoding="utf-8-sig"))
    return found


def _check_size(path: Path) -> None:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"is larger than {_LARGEST // 2**20} MB")


def _told(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        what = f"cannot be read: {error.strerror or error}"
    elif isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, RecursionError)):
        what = "is not JSON that can be read"
    else:
        what = str(error)
    return f"{one_line(str(path), 160)} {what}"
