"""Steps out of OpenLineage events (https://openlineage.io/spec/2-0-2/OpenLineage.json): run and job events.

Events come in any order and more than once; of one job all inputs and outputs ever told are taken together.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from dogwatch.pipelines.lineage import Step

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.I)
_DOTTED = re.compile(r"[^/\s]+(?:\.[^/\s]+){1,2}")


@dataclass(slots=True)
class _Seen:
    reads: dict[str, None] = field(default_factory=dict[str, None])
    writes: dict[str, None] = field(default_factory=dict[str, None])
    names: dict[str, None] = field(default_factory=dict[str, None])
    platform: str = ""


def steps_of(events: Iterable[object], source: str = "OpenLineage") -> tuple[list[Step], int]:
    """One step for each job that the events tell, and how many events make no sense."""
    seen: dict[tuple[str, str], _Seen] = {}
    senseless = 0
    for event in events:
        told = _object(event)
        job = _object(told.get("job"))
        namespace, name = job.get("namespace"), job.get("name")
        if not isinstance(namespace, str) or not isinstance(name, str):
            senseless += "dataset" not in told  # a dataset event tells nothing of jobs, and is well
            continue
        known = seen.setdefault((namespace, name), _Seen())
        known.names[name] = None
        parent = _object(
            _object(_object(_object(told.get("run")).get("facets")).get("parent")).get("job")
        ).get("name")
        if isinstance(parent, str):
            known.names[parent] = None
        for key, names in (("inputs", known.reads), ("outputs", known.writes)):
            for platform, table in _datasets(told.get(key)):
                names[table] = None
                known.platform = known.platform or platform
    steps = [
        Step(f"{space}/{name}", tuple(one.reads), tuple(one.writes), tuple(one.names), one.platform, source)
        for (space, name), one in seen.items()
    ]
    return steps, senseless


def _datasets(value: object) -> Iterator[tuple[str, str]]:
    """(platform, table) of each dataset and of the other names that it has."""
    if not isinstance(value, list):
        return
    for item in cast("list[object]", value):
        dataset = _object(item)
        links = _object(_object(dataset.get("facets")).get("symlinks")).get("identifiers")
        names = [
            dataset,
            *(_object(one) for one in cast("list[object]", links if isinstance(links, list) else [])),
        ]
        for one in names:
            namespace, name = one.get("namespace"), one.get("name")
            if isinstance(namespace, str) and isinstance(name, str) and name:
                match = _SCHEME.fullmatch(namespace)
                scheme, place = (match[1].lower(), match[2]) if match else ("", namespace)
                yield scheme, name if _DOTTED.fullmatch(name) else _whole(scheme, place, name)


def _whole(scheme: str, place: str, name: str) -> str:
    """A file or topic as a name of three parts; only the same of the same place is the same."""
    return ".".join(part.strip("/").replace(".", "_") or "-" for part in (scheme, place, name))


def _object(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
