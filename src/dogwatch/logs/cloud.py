"""Cloud Logging entries in bulk: only the fields that are needed, decoded in C, whole blocks at a time.

This is the quick way for entries of the usual kind. Whatever is unusual (audit records, requests without a
text, payloads with a trace, lines that are no entry) is left to ``objects``, line by line or block by block.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

from dogwatch.logs.times import LATEST


@cache
def _decoder() -> Callable[[bytes], list[Any]] | None:
    """Decodes a block of entries; None if the extra is not installed."""
    try:
        import msgspec
    except ImportError:
        return None

    class Payload(msgspec.Struct, gc=False):
        message: Any = None
        component: Any = None
        stack_trace: Any = None
        exception: Any = None
        exc_info: Any = None
        traceback: Any = None

    class Labels(msgspec.Struct, gc=False):
        container_name: Any = None
        service_name: Any = None
        function_name: Any = None
        job_name: Any = None

    class Resource(msgspec.Struct, gc=False):
        labels: Labels | None = None

    class Entry(msgspec.Struct, gc=False):
        severity: Any = None
        timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
        textPayload: Any = None  # noqa: N815  # as on the wire
        jsonPayload: Payload | None = None  # noqa: N815  # as on the wire
        resource: Resource | None = None
        logName: Any = None  # noqa: N815  # as on the wire

    return msgspec.json.Decoder(Entry).decode_lines


_TEXT, _PAYLOAD, _SEVERITY, _STAMP = map(attrgetter, ("textPayload", "jsonPayload", "severity", "timestamp"))
_SECONDS = datetime.timestamp


class Columns(NamedTuple):
    """The entries of a block, field by field. An unusual entry has no text here."""

    texts: list[str | None]
    times: list[float | None]
    levels: list[str]
    components: list[str]


def columns(block: bytes) -> Columns | None:
    """The entries of a block; None if it is not made of entries alone, or cannot be decoded quickly."""
    decode = _decoder()
    if decode is None:
        return None
    try:
        entries = decode(block)
    except (ValueError, RecursionError):
        return None
    if not entries:
        return None
    try:
        times = list(map(_SECONDS, map(_STAMP, entries)))
        if min(times) < 0 or max(times) > LATEST:
            return None
        return Columns(_texts(entries), [*times], _levels(entries), _components(entries))
    except (TypeError, ValueError, AttributeError, IndexError):
        return None


def _texts(entries: list[Any]) -> list[str | None]:
    """The texts of the entries; None for one that has more to it. Raises TypeError if one is no text."""
    texts: list[str | None] = [
        text
        if text is not None
        or payload is None
        or payload.stack_trace is not None
        or payload.exception is not None
        or payload.exc_info is not None
        or payload.traceback is not None
        else payload.message
        for text, payload in zip(map(_TEXT, entries), map(_PAYLOAD, entries), strict=True)
    ]
    if None in map(_SEVERITY, entries):
        texts = [None if entry.severity is None else text for entry, text in zip(entries, texts, strict=True)]
    if not set(map(type, texts)) <= {str, type(None)}:
        raise TypeError
    return [text or None for text in texts] if "" in texts else texts


def _levels(entries: list[Any]) -> list[str]:
    told = list(map(_SEVERITY, entries))
    words = {word: word.lower() if word else "" for word in set(told)}
    return list(map(words.__getitem__, told))


def _components(entries: list[Any]) -> list[str]:
    """Who spoke: the payload's component, the service, else the log. Raises TypeError if that is no text."""
    names = [
        label.container_name or label.service_name or label.function_name or label.job_name
        for label in [entry.resource.labels for entry in entries]
    ]
    own = [None if payload is None else payload.component for payload in map(_PAYLOAD, entries)]
    if any(own):
        names = [mine or name for mine, name in zip(own, names, strict=True)]
    if None in names:
        logs = [entry.logName.rpartition("%2F")[2].rpartition("/")[2] for entry in entries]
        names = [name or log for name, log in zip(names, logs, strict=True)]
    if set(map(type, names)) != {str}:
        raise TypeError
    return names
