"""What a platform answered, and how it becomes a value or one of our errors."""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from dogwatch.errors import UnexpectedAnswer
from dogwatch.model.text import one_line

T = TypeVar("T")

_ERROR_BODY = 256 * 1024
"""A larger body is not searched for what went wrong."""
_COMPLAINTS = (
    ("error", "message"),
    ("message",),
    ("detail",),
    ("error_description",),
    ("title",),
    ("error",),
)
_XML = re.compile(r"<(Code|Message)>([^<]{1,500})</")
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


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
            why = describe(error)
        except (OverflowError, OSError):  # datetime's words for a number that is no time
            why = "a number out of all range"
        # Raised out here, so that not even the exception's context holds the body.
        raise self.unexpected(why)

    def unexpected(self, why: str) -> UnexpectedAnswer:
        """The error for an answer whose shape we do not know."""
        body = self.content.lstrip()[:16].lower()
        if body.startswith(b"<"):
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
        where = one_line(".".join(str(step) for step in item["loc"]), 80)
        what = one_line(item["msg"], 120)
        parts.append(f"{where}: {what}" if where else what)
    more = error.error_count() - len(parts)
    return "something unexpected (" + "; ".join(parts) + (f"; and {more} more)" if more > 0 else ")")


def complaint(content: bytes) -> str:
    """What the platform says went wrong, from the usual places of an error body; as written, maybe empty."""
    if len(content) > _ERROR_BODY:
        return ""
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        text = content.decode("utf-8", "replace")
        return _xml_complaint(text) if text.lstrip().startswith("<") else text
    for path in _COMPLAINTS:
        found: Any = body
        for key in path:
            found = cast("dict[str, Any]", found).get(key) if isinstance(found, dict) else None
        if isinstance(found, str) and found:
            return found
    return ""


def _xml_complaint(text: str) -> str:
    """What an error in the XML of Amazon's older services says; a web page says nothing."""
    found = {match[1]: html.unescape(match[2]) for match in _XML.finditer(text)} if "<Error>" in text else {}
    return ": ".join(found[name] for name in ("Code", "Message") if name in found)


def http_date(value: str) -> datetime | None:
    """An HTTP date in any of the three forms of RFC 9110 §5.6.7, which are all UTC; None if it is none."""
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by Retry-After (RFC 9110 §10.2.3: seconds or an HTTP date), None if absent.

    A date is read by the platform's own clock where it tells its time, else by ``now``.
    """
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    moment = http_date(value) if value else None
    if moment is None:
        return None
    return max(0.0, (moment - (http_date(headers.get("date", "")) or now)).total_seconds())
