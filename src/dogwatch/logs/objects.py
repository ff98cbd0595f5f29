"""Logs with one object per line: Cloud Logging entries, JSON in the usual shapes, docker's, logfmt.

What an object calls its time, level, message and origin is looked up under the names that loggers use. A line
that is no object is counted, kept as a sample, and stays an event with the line as its message.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from dogwatch.logs.read import Tally
from dogwatch.logs.words import listed


class Record(NamedTuple):
    """What one object says. Empty where it says nothing."""

    text: bytes
    time: bytes = b""
    level: str = ""
    component: str = ""


_TIMES = listed("timestamp time ts @timestamp datetime date asctime eventTime t @t")
_LEVELS = listed("level severity lvl levelname log.level loglevel log_level @l")
_TEXTS = listed("message msg event text log body @m @mt")
_COMPONENTS = listed("component service service.name app application logger logger_name name module source")
_TRACES = listed("stack_trace exception exc_info stack error.stack_trace traceback err error @x")
_RESOURCE_LABELS = listed(
    "container_name service_name function_name job_name job_id task_id pod_name instance_id database_id"
)
_NUMBERED_LEVELS = {10: "trace", 20: "debug", 30: "info", 40: "warning", 50: "error", 60: "fatal"}
"""As bunyan and pino write them. Python's own numbers are told apart by ``levelname``, which comes first."""

Object = Mapping[str, Any]


def _loads() -> Callable[[bytes], Any]:
    try:
        from msgspec.json import decode
    except ImportError:
        return json.loads
    return decode


def recognise_objects(block: bytes) -> str | None:
    """The object format of a log by its first lines; None if it is text."""
    lines = [line for line in block.split(b"\n", 60)[:60] if line.strip()]
    objects = [found for found in map(_try_object, lines) if found is not None]
    if lines and len(objects) >= 0.6 * len(lines):
        if any(
            "logName" in o or "textPayload" in o or "jsonPayload" in o or "insertId" in o for o in objects
        ):
            return "logentry"
        if all("log" in o and "stream" in o for o in objects):
            return "docker"
        return "json"
    pairs = sum(1 for line in lines if _LOGFMT.fullmatch(line) and _SPEAKS.search(line))
    return "logfmt" if lines and pairs >= 0.6 * len(lines) else None


def _try_object(line: bytes) -> Object | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        found = _loads()(line)
    except (ValueError, RecursionError):
        return None
    return cast("Object", found) if isinstance(found, dict) else None


def _objects(block: bytes, tally: Tally) -> Iterator[tuple[bytes, Object | None]]:
    loads = _loads()
    for line in block.split(b"\n"):
        try:
            found = loads(line)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield line, cast("Object", found)
        else:
            if line.strip():
                tally.blame("not a JSON object", line)
            yield line, None


def _json(block: bytes, tally: Tally) -> Iterator[Record]:
    for line, found in _objects(block, tally):
        yield Record(line) if found is None else _generic(line, found)


def _docker(block: bytes, tally: Tally) -> Iterator[Record]:
    for line, found in _objects(block, tally):
        yield (
            Record(line)
            if found is None
            else Record(_text(found.get("log")).rstrip(), _text(found.get("time")))
        )


def _logentry(block: bytes, tally: Tally) -> Iterator[Record]:
    for line, found in _objects(block, tally):
        yield Record(line) if found is None else _entry(line, found)


def _entry(line: bytes, entry: Object) -> Record:
    """Cloud Logging's LogEntry: exactly one payload, severity DEFAULT if it is missing."""
    payload = _part(entry, "jsonPayload")
    proto = _part(entry, "protoPayload")
    http = _part(entry, "httpRequest")
    inner = _generic(b"", payload) if payload else None
    text = _text(entry.get("textPayload")) or (inner.text if inner else b"")
    if not text and proto:
        status = _part(proto, "status")
        text = b" ".join(filter(None, (_text(proto.get("methodName")), _text(status.get("message")))))
    if not text and http:
        text = b" ".join(_text(http.get(name)) for name in ("requestMethod", "requestUrl", "status"))
    level = _text(entry.get("severity")).decode().lower()
    if level in ("", "default"):
        level = (inner.level if inner else "") or _status_level(http.get("status"))
    component = (_text(payload.get("component")).decode() if payload else "") or _origin(entry)
    return Record(
        text or line, _text(entry.get("timestamp") or entry.get("receiveTimestamp")), level, component
    )


def _origin(entry: Object) -> str:
    labels = _part(_part(entry, "resource"), "labels")
    for name in _RESOURCE_LABELS:
        if labels.get(name):
            return _text(labels[name]).decode("utf-8", "replace")
    return _text(entry.get("logName")).decode("utf-8", "replace").rpartition("%2F")[2].rpartition("/")[2]


def _status_level(status: object) -> str:
    first = _text(status)[:1]
    return {b"5": "error", b"4": "warning"}.get(first, "")


def _generic(line: bytes, found: Object) -> Record:
    """An object of an unknown logger, by the names that loggers use."""
    text = _first(found, _TEXTS)
    trace = _first(found, _TRACES)
    if trace and trace not in text:
        text = text + b"\n" + trace if text else trace
    level = next((found[name] for name in _LEVELS if name in found), "")
    word = (
        _NUMBERED_LEVELS.get(level, "")
        if isinstance(level, int)
        else _text(level).decode("utf-8", "replace").lower()
    )
    component = _first(found, _COMPONENTS).decode("utf-8", "replace")
    return Record(text or line, _first(found, _TIMES), word, component)


def _first(found: Object, names: Iterable[str]) -> bytes:
    for name in names:
        value = found.get(name)
        if value is not None and value != "":
            return _text(value)
    return b""


def _part(found: Object, name: str) -> Object:
    value = found.get(name)
    return cast("Object", value) if isinstance(value, dict) else {}


def _text(value: object) -> bytes:
    """A value as it would be written: text as it is, everything else as JSON."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if value is None:
        return b""
    if isinstance(value, dict):
        message = _first(cast("Object", value), ("message", "msg", "stack", "description"))
        if message:
            return message
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace")


_PAIR = rb"[\w.@-]{1,64}=(?:\"(?:[^\"\\\n]|\\.)*+\"|[^\s\"]*+)"
_LOGFMT = re.compile(rb"\s*+" + _PAIR + rb"(?:\s++" + _PAIR + rb")++\s*")
_PAIRS = re.compile(rb"([\w.@-]{1,64})=(?:\"((?:[^\"\\\n]|\\.)*+)\"|([^\s\"]*+))")
_SPEAKS = re.compile(rb"\b(?:msg|message|level|lvl)=")
_ESCAPED = re.compile(rb"\\(.)")


def _logfmt(block: bytes, tally: Tally) -> Iterator[Record]:
    for line in block.split(b"\n"):
        pairs = {
            name.decode(): (_ESCAPED.sub(rb"\1", quoted) or bare).decode("utf-8", "replace")
            for name, quoted, bare in _PAIRS.findall(line)
        }
        if pairs:
            yield _generic(line, pairs)
        else:
            if line.strip():
                tally.blame("not logfmt", line)
            yield Record(line)


OBJECT_FORMATS: Mapping[str, Callable[[bytes, Tally], Iterator[Record]]] = {
    "logentry": _logentry,
    "docker": _docker,
    "json": _json,
    "logfmt": _logfmt,
}
"""Readers by the word by which a person asks for them."""
