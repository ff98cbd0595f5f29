"""OpenTelemetry traces on their way out: spans as protobuf, posted to whatever takes OTLP over HTTP.

The message is ``opentelemetry/proto/collector/trace/v1`` (1.x, whose field numbers are stable); only the
fields that are needed are written. OpenTelemetry's own exporter would bring a second way out, threads and a
clock of its own; here traces leave through the door like everything else. Attributes follow the conventions
for generative AI, with those by which Langfuse and OpenInference (Phoenix) know cost and kind.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from dogwatch import __version__
from dogwatch.errors import SettingsError
from dogwatch.wire.http import Doors, Pace

PACE = Pace(per_second=5.0, concurrency=1, tries=1, timeout=10.0, patience=15.0)
LANGFUSE = "/api/public/otel"
"""Where Langfuse takes traces; it takes scores beside it."""
_INTERNAL, _CLIENT = 1, 3
_ERROR = 2

Value = str | int | float | bool


@dataclass(slots=True)
class Span:
    """Something that took a while."""

    trace: str
    """32 hexadecimal digits."""
    id: str
    """16 hexadecimal digits."""
    parent: str
    """Empty for the first of a trace."""
    name: str
    began: datetime
    ended: datetime | None = None
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])
    outgoing: bool = False
    """A call to somebody else."""
    failed: str = ""
    """Why it did not come to its end, in words of ours."""


@dataclass(frozen=True, slots=True)
class Score:
    """A judgement on a trace, 0 to 1."""

    trace: str
    name: str
    value: float


def traceparent() -> str:
    """A trace that begins, and its first span (https://www.w3.org/TR/trace-context/#traceparent-header)."""
    return f"00-{token_hex(16)}-{token_hex(8)}-01"


async def send(
    doors: Doors, url: str, headers: SecretStr | None, spans: Sequence[Span], scores: Sequence[Score] = ()
) -> None:
    """Post spans to ``<url>/v1/traces``, and scores where Langfuse takes them. Raises ConnectorError, or
    SettingsError for an impossible URL or headers that are none."""
    given = headers_of(headers)
    for value in given.values():
        doors.secrets.add(value)
        doors.secrets.add(value.partition(" ")[2])
    base = url.strip().rstrip("/")
    http = doors.open(base, login=None, pace=PACE)
    try:
        kind = {"Content-Type": "application/x-protobuf"}
        await http.send("v1/traces", encoded(spans), headers={**given, **kind})
    finally:
        await http.aclose()
    if scores and urlsplit(base).path.endswith(LANGFUSE):
        http = doors.open(base.removesuffix("/otel"), login=None, pace=PACE)
        try:
            for one in scores:
                told = {"traceId": one.trace, "name": one.name, "value": one.value, "dataType": "NUMERIC"}
                await http.send("scores", told, headers=given)
        finally:
            await http.aclose()


def headers_of(given: SecretStr | None) -> dict[str, str]:
    """``name=value,name=value`` as OTEL_EXPORTER_OTLP_HEADERS has them, values percent-encoded or not.

    Raises SettingsError.
    """
    found: dict[str, str] = {}
    for part in (given.get_secret_value() if given else "").split(","):
        name, equals, value = part.strip().partition("=")
        if not part.strip():
            continue
        if not equals or not name.strip().isascii() or not unquote(value).isprintable():
            raise SettingsError("traces_headers is not name=value,name=value", "Authorization=Basic …")
        found[name.strip()] = unquote(value.strip())
    return found


# ── protobuf ────────────────────────────────────────────────────────────────────────────────────────────────


def encoded(spans: Sequence[Span]) -> bytes:
    """An ExportTraceServiceRequest."""
    about = {"service.name": "dogwatch", "service.version": __version__}
    resource = b"".join(_bytes(1, _pair(key, value)) for key, value in about.items())
    scope = _bytes(1, b"dogwatch") + _bytes(2, __version__.encode())
    scoped = _bytes(1, scope) + b"".join(_bytes(2, _span(one)) for one in spans)
    return _bytes(1, _bytes(1, resource) + _bytes(2, scoped))


def _span(one: Span) -> bytes:
    ended = one.ended or one.began
    parts = [
        _bytes(1, bytes.fromhex(one.trace)),
        _bytes(2, bytes.fromhex(one.id)),
        _bytes(4, bytes.fromhex(one.parent)) if one.parent else b"",
        _bytes(5, one.name.encode("utf-8", "replace")),
        _number(6, _CLIENT if one.outgoing else _INTERNAL),
        _fixed(7, one.began),
        _fixed(8, ended),
        *(_bytes(9, _pair(key, value)) for key, value in one.attributes.items()),
    ]
    if one.failed:
        parts.append(_bytes(15, _bytes(2, one.failed.encode("utf-8", "replace")) + _number(3, _ERROR)))
    return b"".join(parts)


def _pair(key: str, value: Value) -> bytes:
    match value:
        case bool():
            told = _number(2, int(value))
        case int():
            told = _number(3, value)
        case float():
            told = _tag(4, 1) + struct.pack("<d", value)
        case _:
            told = _bytes(1, value.encode("utf-8", "replace"))
    return _bytes(1, key.encode()) + _bytes(2, told)


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _number(number: int, value: int) -> bytes:
    return _tag(number, 0) + _varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return _tag(number, 2) + _varint(len(value)) + value


def _fixed(number: int, moment: datetime) -> bytes:
    return _tag(number, 1) + struct.pack("<Q", round(moment.timestamp() * 1e6) * 1000)
