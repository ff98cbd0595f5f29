"""What a platform answered, and how it becomes a value or one of our errors."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from dogwatch.errors import UnexpectedAnswer

T = TypeVar("T")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_EXCERPT = 240


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read to its end and scrubbed of our own secrets."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    request: str
    """``GET /path`` for error messages: no host, no query."""

    def parse(self, adapter: TypeAdapter[T]) -> T:
        """The body as a checked value.

        Raises UnexpectedAnswer, naming the field but never quoting its value.
        """
        try:
            return adapter.validate_json(self.content)
        except ValidationError as error:
            raise self.unexpected(describe(error)) from None

    def unexpected(self, why: str) -> UnexpectedAnswer:
        """The error for an answer whose shape we do not know."""
        body = self.content.lstrip()[:16].lower()
        if body.startswith((b"<!doctype", b"<html", b"<")):
            why = "a web page instead of JSON"
            hint = "check the URL: a login page or a proxy answered in the platform's place"
        elif not body:
            why, hint = "an empty body", "try again; if it stays, look for a proxy in between"
        else:
            hint = "the platform may have changed its API; please report this with the dogwatch version"
        return UnexpectedAnswer(f"{self.request} answered {why}", hint, status=self.status)


def describe(error: ValidationError) -> str:
    """A validation error as ``where: what`` (first two), without the offending values."""
    parts: list[str] = []
    for item in error.errors(include_url=False, include_input=False, include_context=False)[:2]:
        where = ".".join(str(step) for step in item["loc"])
        parts.append(f"{where}: {item['msg']}" if where else item["msg"])
    more = error.error_count() - len(parts)
    return "something unexpected (" + "; ".join(parts) + (f"; and {more} more)" if more > 0 else ")")


def one_line(text: str, limit: int = _EXCERPT) -> str:
    """Hostile text made fit for one line of ours: no control or direction characters, bounded length."""
    flat = _CONTROL.sub(" ", text).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def complaint(content: bytes) -> str:
    """What the platform says went wrong, from the usual places of an error body; one line, maybe empty."""
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        text = content[: _EXCERPT * 4].decode("utf-8", "replace")
        return "" if text.lstrip().startswith("<") else one_line(text)
    for path in (
        ("error", "message"),
        ("message",),
        ("detail",),
        ("error_description",),
        ("title",),
        ("error",),
    ):
        found: Any = body
        for key in path:
            found = cast("dict[str, Any]", found).get(key) if isinstance(found, dict) else None
        if isinstance(found, str) and found:
            return one_line(found)
    return ""


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by Retry-After (RFC 9110 §10.2.3: seconds or an HTTP date), None if absent."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdigit():
        return float(min(int(value[:9]), 10**8))
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
