"""Cloud Logging entries in bulk: only the fields that are needed, decoded in C, whole blocks at a time.

This is the quick way for entries of the usual kind. Whatever is unusual (audit records, requests without a
text, payloads with a trace, lines that are no entry) is left to ``objects``, line by line or block by block.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from dogwatch.logs.times import seconds


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
        timestamp: Any = None
        textPayload: Any = None  # noqa: N815  # as on the wire
        jsonPayload: Payload | None = None  # noqa: N815  # as on the wire
        resource: Resource | None = None
        logName: Any = None  # noqa: N815  # as on the wire

    return msgspec.json.Decoder(Entry).decode_lines


class Columns(NamedTuple):
    """The entries of a block, field by field. An unusual entry has no text here."""

    texts: list[str | None]
    times: list[float | None]
    levels: list[str]
    components: list[str]


def columns(block: bytes, now: float) -> Columns | None:
    """The entries of a block; None if it is not made of entries alone, or cannot be decoded quickly."""
    decode = _decoder()
    if decode is None:
        return None
    try:
        entries = decode(block)
    except (ValueError, RecursionError):
        return None
    if not entries or len(entries) != block.count(b"\n") + 1:
        return None
    try:
        return Columns(_texts(entries), _times(entries, now), _levels(entries), _components(entries))
    except (TypeError, ValueError, AttributeError, IndexError):
        return None


def _texts(entries: list[Any]) -> list[str | None]:
    """The texts of the entries; None for one that has more to it. Raises TypeError if one is no text."""
    texts: list[str | None] = []
    for entry in entries:
        text = entry.textPayload
        if text is None:
            payload = entry.jsonPayload
            text = None if payload is None or _has_trace(payload) else payload.message
        texts.append(text if entry.severity is not None else None)
    if not set(map(type, texts)) <= {str, type(None)}:
        raise TypeError
    return [text or None for text in texts] if "" in texts else texts


def _has_trace(payload: Any) -> bool:
    return not (payload.stack_trace is payload.exception is payload.exc_info is payload.traceback is None)


def _levels(entries: list[Any]) -> list[str]:
    told = [entry.severity for entry in entries]
    words = {word: word.lower() if word else "" for word in set(told)}
    return [words[word] for word in told]


def _components(entries: list[Any]) -> list[str]:
    """Who spoke: the payload's component, the service, else the log. Raises TypeError if that is no text."""
    names = [
        label.container_name or label.service_name or label.function_name or label.job_name
        for label in [entry.resource.labels for entry in entries]
    ]
    payloads = [entry.jsonPayload for entry in entries]
    own = [None if payload is None else payload.component for payload in payloads]
    if any(own):
        names = [mine or name for mine, name in zip(own, names, strict=True)]
    if None in names:
        logs = [entry.logName.rpartition("%2F")[2].rpartition("/")[2] for entry in entries]
        names = [name or log for name, log in zip(names, logs, strict=True)]
    if set(map(type, names)) != {str}:
        raise TypeError
    return names


def _times(entries: list[Any], now: float) -> list[float | None]:
    """Seconds since 1970. Entries of one minute share all but the seconds of their stamp.

    Raises ValueError or TypeError if a stamp is not in UTC or no text.
    """
    stamps: list[str] = [entry.timestamp for entry in entries]
    if {stamp[-1] for stamp in stamps} != {"Z"}:
        raise ValueError
    minutes: dict[str, float] = {}
    for minute in {stamp[:17] for stamp in stamps}:
        base = seconds(minute.encode() + b"00Z", now)
        if base is None:
            raise ValueError
        minutes[minute] = base
    return [minutes[stamp[:17]] + float(stamp[17:-1]) for stamp in stamps]
