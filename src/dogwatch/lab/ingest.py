"""What clients send to the twin of Langfuse: OpenTelemetry traces and scores, kept as it would show them."""

import gzip
import json
import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from starlette.responses import JSONResponse, Response

from dogwatch.lab.world import native_uuid

_PREFIX = "langfuse.observation."
_TYPES = {"llm": "GENERATION", "chat": "GENERATION", "agent": "AGENT", "invoke_agent": "AGENT"}


class Ingest:
    """Keeps what was sent."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.observations: list[dict[str, Any]] = []
        """As rows of ``v2/observations``."""
        self.scores: list[dict[str, Any]] = []
        """As rows of ``v3/scores``."""

    def score(self, body: bytes, headers: Mapping[str, str]) -> Response:
        """``POST /api/public/scores``: one score, or a list of them as the SDK sends it."""
        try:
            said: Any = json.loads(body)
            if isinstance(said, list):
                many = [self._kept(one) for one in cast("list[dict[str, Any]]", said)]
                return JSONResponse({"accepted": len(many), "rejected": 0, "errors": []}, 207)
            return JSONResponse({"id": self._kept(said)})
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"message": "Invalid request data"}, 400)

    def _kept(self, said: Mapping[str, Any]) -> str:
        """Keep a score and give its id."""
        name, value = said["name"], said["value"]
        at = said.get("timestamp") or _stamp(self._now())
        id_ = str(said.get("id") or native_uuid("score", str(len(self.scores)), name))
        subject = {"kind": "trace", "id": said.get("traceId") or ""}
        if said.get("observationId"):
            subject = {"kind": "observation", "id": said["observationId"], "traceId": said.get("traceId")}
        self.scores.append(
            {
                "id": id_,
                "projectId": "",
                "name": name,
                "value": value,
                "dataType": said.get("dataType") or "NUMERIC",
                "source": "API",
                "timestamp": at,
                "environment": said.get("environment") or "default",
                "createdAt": at,
                "updatedAt": at,
                "subject": subject,
            }
        )
        return id_

    def spans(self, body: bytes, headers: Mapping[str, str]) -> Response:
        """``POST /api/public/otel/v1/traces``, in protobuf or JSON, packed or not."""
        data = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        if headers.get("content-type", "").startswith("application/json"):
            told: dict[str, Any] = json.loads(data)
        else:
            told = _unpacked(data)
        for resource in told.get("resourceSpans", []):
            about = _attributes(resource.get("resource", {}).get("attributes", []))
            for scope in resource.get("scopeSpans", []):
                self.observations += [_row(span, about) for span in scope.get("spans", [])]
        return JSONResponse({})


def _fields(data: bytes) -> dict[int, list[Any]]:
    """A protobuf message by field number: whole numbers, and bytes for everything else
    (protobuf.dev/programming-guides/encoding). Raises IndexError or ValueError if it is none."""
    found: dict[int, list[Any]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            found.setdefault(tag >> 3, []).append(varint())
            continue
        length = {1: 8, 5: 4}.get(tag & 7) or varint()
        found.setdefault(tag >> 3, []).append(data[at : at + length])
        at += length
    return found


def _all(data: bytes, *path: int) -> list[bytes]:
    """The messages that lie under a path of field numbers."""
    found = [data]
    for number in path:
        found = [inner for one in found for inner in _fields(one).get(number, [])]
    return found


def _unpacked(data: bytes) -> dict[str, Any]:
    """A request in protobuf (opentelemetry/proto/trace/v1/trace.proto) as its JSON."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [_pair(one) for one in _all(resource, 1, 1)]},
                "scopeSpans": [{"spans": [_span(one) for one in _all(resource, 2, 2)]}],
            }
            for resource in _all(data, 1)
        ]
    }


def _span(data: bytes) -> dict[str, Any]:
    found = _fields(data)
    status = _fields(found.get(15, [b""])[0])
    return {
        "traceId": found[1][0].hex(),
        "spanId": found[2][0].hex(),
        "parentSpanId": found.get(4, [b""])[0].hex(),
        "name": found.get(5, [b""])[0].decode(),
        "startTimeUnixNano": int.from_bytes(found[7][0], "little"),
        "endTimeUnixNano": int.from_bytes(found[8][0], "little"),
        "attributes": [_pair(one) for one in found.get(9, [])],
        "status": {"message": status.get(2, [b""])[0].decode(), "code": status.get(3, [0])[0]},
    }


def _pair(data: bytes) -> dict[str, Any]:
    found = _fields(data)
    ((kind, (value, *_)),) = _fields(found[2][0]).items() or {0: [b""]}.items()
    if kind == 4:
        told: dict[str, Any] = {"doubleValue": struct.unpack("<d", value)[0]}
    elif kind in {2, 3}:
        told = {"boolValue" if kind == 2 else "intValue": value}
    else:
        told = {"stringValue": value.decode("utf-8", "replace")}
    return {"key": found[1][0].decode(), "value": told}


def _attributes(pairs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        value = pair.get("value", {})
        for kind, what in value.items():
            found[pair["key"]] = int(what) if kind == "intValue" else what
    return found


def _row(span: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """A span as an observation: by Langfuse's own attributes, else by the conventions for generative AI."""
    said = _attributes(span.get("attributes", []))
    start, end = (int(span.get(name) or 0) / 1e9 for name in ("startTimeUnixNano", "endTimeUnixNano"))
    usage = _details(said.get(f"{_PREFIX}usage_details")) or {
        kind: said[f"gen_ai.usage.{kind}_tokens"]
        for kind in ("input", "output")
        if f"gen_ai.usage.{kind}_tokens" in said
    }
    cost = _details(said.get(f"{_PREFIX}cost_details"))
    if not cost and "gen_ai.usage.cost" in said:
        cost = {"total": said["gen_ai.usage.cost"]}
    total = cost.get("total", sum(cost.values())) if cost else 0.0
    operation = str(said.get("gen_ai.operation.name", ""))
    failed = span.get("status", {}).get("code") in {2, "STATUS_CODE_ERROR"}
    at = _stamp(datetime.fromtimestamp(end, UTC))
    return {
        "id": span["spanId"],
        "traceId": span["traceId"],
        "projectId": "",
        "parentObservationId": span.get("parentSpanId") or None,
        "isRootObservation": not span.get("parentSpanId"),
        "startTime": _stamp(datetime.fromtimestamp(start, UTC)),
        "endTime": at,
        "createdAt": at,
        "updatedAt": at,
        "type": str(said.get(f"{_PREFIX}type") or _TYPES.get(operation, "SPAN")).upper(),
        "name": span.get("name"),
        "level": said.get(f"{_PREFIX}level") or ("ERROR" if failed else "DEFAULT"),
        "statusMessage": span.get("status", {}).get("message"),
        "environment": about.get("deployment.environment.name")
        or said.get("langfuse.environment")
        or "default",
        "userId": None,
        "sessionId": None,
        "providedModelName": said.get(f"{_PREFIX}model.name") or said.get("gen_ai.request.model"),
        "usageDetails": usage,
        "costDetails": cost,
        "totalCost": total,
        "latency": round(end - start, 6),
        "traceName": said.get("langfuse.trace.name"),
        "tags": [],
        "release": None,
        "modelId": None,
        "inputPrice": None,
        "outputPrice": None,
        "totalPrice": None,
    }


def _details(value: object) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", json.loads(value)) if isinstance(value, str) else {}
    except ValueError:
        return {}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
