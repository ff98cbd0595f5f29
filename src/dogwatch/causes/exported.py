"""Exported incidents: from the JSON of a file to the values that ``causes.rank`` and ``causes.replay`` take.

What a file says is data from elsewhere: whatever is no number becomes a gap, whatever has the wrong shape
is refused with a sentence that says where.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from dogwatch.causes.alerts import Alert
from dogwatch.causes.calls import Call
from dogwatch.causes.figures import Number, Series
from dogwatch.causes.rank import Case
from dogwatch.causes.replay import Minute, Watch
from dogwatch.causes.templates import Window

Json = Mapping[str, object]


class BadRow(ValueError):
    """A row that cannot be used; the message names the field."""


def read_head(row: Json) -> Watch:
    """The first row of a stream, which names nodes, edges and figures. Raises BadRow."""
    nodes = names(row, "nodes")
    if not nodes:
        raise BadRow("'nodes' is empty")
    metrics = mapping(row, "metrics")
    return Watch(nodes, edges(row), {node: _figure_names(metrics, node) for node in metrics})


def read_minute(row: Json) -> Minute:
    """A row of a stream. Raises BadRow."""
    at = number(row.get("t"))
    if at is None:
        raise BadRow("'t' must be the time in seconds")
    values = mapping(row, "values")
    return Minute(at, {node: [number(value) for value in sequence(values, node)] for node in values})


def read_case(row: Json) -> Case:
    """A case of a rank file. Raises BadRow."""
    nodes = names(row, "nodes")
    if not nodes:
        raise BadRow("'nodes' is empty")
    logs, calls = mapping(row, "logs"), mapping(row, "calls")
    return Case(
        case=str(row.get("case", "")),
        nodes=nodes,
        edges=edges(row),
        front_door=_text(mapping(row, "alarm").get("node")) or None,
        metrics={node: _figures(node, of) for node, of in mapping(row, "metrics").items()},
        calls_before=tuple(_calls(calls, "history")),
        calls_after=tuple(_calls(calls, "after")),
        alerts=tuple(_alert(item) for item in sequence(row, "alerts")),
        logs_before=_window(logs, "history"),
        logs_after=_window(logs, "after"),
    )


def names(row: Json, key: str) -> tuple[str, ...]:
    """A list of names, in its order, each once. Raises BadRow."""
    found = sequence(row, key)
    if not all(isinstance(item, str) for item in found):
        raise BadRow(f"{key!r} must be a list of names")
    return tuple(dict.fromkeys(cast("Sequence[str]", found)))


def edges(row: Json) -> tuple[tuple[str, str], ...]:
    """Pairs of caller and callee. Raises BadRow."""
    return tuple(_edge(item) for item in sequence(row, "edges"))


def _figure_names(metrics: Json, node: str) -> list[str]:
    return [_text(name) for name in sequence(metrics, node)]


def number(value: object) -> Number:
    """A finite number, or None: null, text, true and NaN are gaps."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def sequence(row: Json, key: str) -> Sequence[object]:
    """A list; absent and null are empty. Raises BadRow."""
    found = row.get(key)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise BadRow(f"{key!r} must be a list")
    return cast("list[object]", found)


def mapping(row: Json, key: str) -> Json:
    """An object; absent and null are empty. Raises BadRow."""
    found = row.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadRow(f"{key!r} must be an object")
    return cast("Json", found)


def _edge(item: object) -> tuple[str, str]:
    if isinstance(item, list):
        pair = cast("list[object]", item)
        if len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], str):
            return pair[0], pair[1]
    raise BadRow("'edges' must be pairs of names, caller and callee")


def _figures(node: str, of: object) -> dict[str, Series]:
    if not isinstance(of, dict):
        raise BadRow(f"'metrics' of {node[:80]!r} must be an object")
    return {name: _series(name, values) for name, values in cast("Json", of).items()}


def _series(name: str, values: object) -> Series:
    if not isinstance(values, dict):
        raise BadRow(f"metric {name[:80]!r} must be an object of history, recent and after")
    parts = cast("Json", values)
    return Series(*([number(x) for x in sequence(parts, key)] for key in ("history", "recent", "after")))


def _alert(item: object) -> Alert:
    if not isinstance(item, dict):
        raise BadRow("'alerts' must be objects")
    found = {key: _text(value) for key, value in cast("Json", item).items()}
    what, caller = found.get("what", ""), found.get("caller", "")
    return Alert(found.get("node", ""), found.get("kind", ""), found.get("name", ""), what, caller)


def _calls(row: Json, key: str) -> Iterator[Call]:
    for item in sequence(row, key):
        if not isinstance(item, dict):
            raise BadRow("'calls' must be objects")
        call = cast("Json", item)
        count, own, between = number(call.get("n")), _pair(call, "callee_ms"), _pair(call, "between_ms")
        if count is not None and own is not None and between is not None:
            yield Call(_text(call.get("caller")), _text(call.get("callee")), int(count), own, between)


def _pair(row: Json, key: str) -> tuple[float, float] | None:
    """Median and 90th percentile; None where one of them is missing."""
    pair = [number(value) for value in sequence(row, key)]
    return (pair[0], pair[1]) if len(pair) == 2 and pair[0] is not None and pair[1] is not None else None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _window(logs: Json, key: str) -> Window | None:
    part = mapping(logs, key)
    if not part:
        return None
    return Window({node: dict(_counts(of)) for node, of in mapping(part, "templates").items()})


def _counts(of: object) -> Iterator[tuple[str, int]]:
    if not isinstance(of, dict):
        raise BadRow("'templates' must hold counts per node and template")
    for template, count in cast("Json", of).items():
        value = number(count)
        if value is not None and 0 < value < 1e15:
            yield template, int(value)
