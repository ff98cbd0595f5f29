"""What no caller and no platform should send, and how to put it anywhere in a JSON value."""

import copy
from collections.abc import Iterator
from typing import Any

NASTY: list[Any] = [
    *(None, True, False, [], {}, [None], {"a": {"b": []}}),
    *(0, -1, 1, 1.5, 1e308, -(10**18), 10**15, 10**30),
    *("", " ", "x" * 5000, "\u0000", "\u202e<b>&", "NaN", "-0", "null", "{0} %s", "%00%ff"),
    *("9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00+14:00", "2026-13-45", "P999999999999D"),
    *("../../etc/passwd", "https://elsewhere.example/"),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to everything in a JSON value."""
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:3]):
            yield from places(item, (*path, index))


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], by)
    return changed
