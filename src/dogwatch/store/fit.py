"""What a platform says, made fit for a database that cannot hold all of it."""

import math
from collections.abc import Iterable
from typing import Any, cast

from pydantic_core import from_json, to_json

_MARKS = ("\\u0000", "NaN", "Infinity")
"""Of what PostgreSQL cannot read as JSON one of these stands in the text."""


def fit_text(text: str) -> str:
    """The text without the one character that PostgreSQL cannot hold."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def fit_json(text: str) -> str:
    """JSON without that character, and without numbers that are none."""
    if any(mark in text for mark in _MARKS):
        return to_json(fit(from_json(text))).decode()
    return text


def fit(value: Any) -> Any:
    """The same for a value as JSON has them; what is not finite is left out of mappings, None in lists."""
    if isinstance(value, str):
        return fit_text(value)
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {fit_text(key): fit(one) for key, one in pairs if not _endless(one)}
    if isinstance(value, list | tuple):
        many = cast("Iterable[Any]", value)
        return [None if _endless(one) else fit(one) for one in many]
    return value


def _endless(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
