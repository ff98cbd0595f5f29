"""Lists of records in which one is bad: the good ones are kept, the bad one is told."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from dogwatch.wire.answer import Answer

R = TypeVar("R")
T = TypeVar("T")

_OBJECT = TypeAdapter(dict[str, Any])


def salvage(answer: Answer, key: str, record: TypeAdapter[T]) -> tuple[list[T], Mapping[str, Any]]:
    """The good records under ``key`` of an answer that failed its check as a whole, and the whole object.

    Raises UnexpectedAnswer if there is no such list at all.
    """
    whole = answer.parse(_OBJECT)
    listed = whole.get(key, [])
    if not isinstance(listed, list):
        raise answer.unexpected(f"something unexpected ({key}: not a list)")
    good: list[T] = []
    for item in listed:  # pyright: ignore[reportUnknownVariableType]  # it is whatever JSON holds
        try:
            good.append(record.validate_python(item))
        except (ValidationError, OverflowError):
            continue
    return good, whole


def translated(records: Iterable[R], make: Callable[[R], T]) -> tuple[list[T], bool]:
    """What ``make`` makes of the records, and whether one of them made no sense (``make`` raised for it)."""
    good: list[T] = []
    bad = False
    for record in records:
        try:
            good.append(make(record))
        except (ValueError, KeyError, TypeError, OverflowError, OSError):  # OSError: times before 1970
            bad = True
    return good, bad
