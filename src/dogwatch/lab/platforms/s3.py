"""S3's twin: listings and objects of one bucket, into which a collector writes what the lab's components log.

Every quarter of an hour each component gets one object, ``ecs/{component}/YYYY/MM/DD/HH-MM.jsonl.gz``, some
minutes later, with the lines that were received in that time. Signatures are checked as S3 checks them.
"""

import gzip
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import quote
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dogwatch.lab.lines import Line, Lines
from dogwatch.lab.twin import Jobless
from dogwatch.lab.world import World, native_number

BUCKET = "shop-prod-container-logs"
REGION = "eu-central-1"
KEY_ID = "AKIALAB0EXAMPLE0KEY0"
SECRET = "lab/9Qv3TfKxR7mWzB2dY6sJpLhN1gUeXoAi0example"
_WINDOW = timedelta(minutes=15)
_LATEST = timedelta(hours=2)
"""No line is received later than this after it was written."""
_SKEW = timedelta(minutes=15)
"""S3 accepts no signature that is further from its own time."""
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([a-z0-9-]+)/s3/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
_NAME = re.compile(r"ecs/([^/]+)/(\d{4})/(\d\d)/(\d\d)/(\d\d)-(\d\d)\.jsonl\.gz")
_LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of the bucket."""

    name: str
    written: datetime
    body: bytes

    @property
    def etag(self) -> str:
        """The MD5 of the content, as S3 makes it of what is put in one piece."""
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


class S3(Jobless):
    """One bucket with logs."""

    platform: ClassVar[str] = "s3"
    required: ClassVar[str] = "Key"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lines = Lines(world)
        self._window = lru_cache(maxsize=512)(self._collected)
        self._revoked = False

    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's paths, the bucket in the path."""
        return [
            Route("/{bucket}/", self._guarded(self._list)),
            Route("/{bucket}/{name:path}", self._guarded(self._get)),
        ]

    def settings(self, base_url: str) -> dict[str, Any]:
        """The bucket, and how its names are made."""
        known = sorted({place.removeprefix("component/").replace("/", "-") for place in self._lines.places})
        logs = [f"ecs/{name}/" for name in known] or ["ecs/"]
        return {"bucket": BUCKET, "region": REGION, "logs": logs, "url": base_url}

    def credentials(self) -> dict[str, str]:
        """A pair of keys."""
        return {"access_key_id": KEY_ID, "secret_access_key": SECRET}

    def revoke(self) -> None:
        """The keys are worthless from now on."""
        self._revoked = True

    def renewed(self) -> None:
        """The story has changed."""
        self._lines = Lines(self.world)
        self._window.cache_clear()

    # ── the bucket ──────────────────────────────────────────────────────────────────────────────────────────

    def _collected(self, begins: datetime) -> tuple[Stored, ...]:
        """The objects of one quarter of an hour."""
        parts: dict[str, list[Line]] = {}
        for line in self._lines.between(begins - _LATEST, begins + _WINDOW, self.platform):
            if begins <= line.received < begins + _WINDOW:
                parts.setdefault(line.component, []).append(line)
        found: list[Stored] = []
        for component, lines in sorted(parts.items()):
            lag = 60 + native_number(component, begins.isoformat()) % 240
            told = "".join(json.dumps(_entry(line)) + "\n" for line in lines)
            name = f"ecs/{component}/{begins:%Y/%m/%d/%H-%M}.jsonl.gz"
            body = gzip.compress(told.encode(), 6, mtime=0)
            found.append(Stored(name, begins + _WINDOW + timedelta(seconds=lag), body))
        return tuple(found)

    def _there(self, start: datetime, end: datetime) -> Iterator[Stored]:
        """The objects of the quarters of an hour in [start, end) that are there now."""
        begins = max(start, self.world.start or start)
        begins -= timedelta(
            minutes=begins.minute % 15, seconds=begins.second, microseconds=begins.microsecond
        )
        while begins < min(end, self.world.now):
            yield from (one for one in self._window(begins) if one.written <= self.world.now)
            begins += _WINDOW

    def _list(self, request: Request) -> Response:
        asked = request.query_params
        if request.path_params["bucket"] != BUCKET:
            return _problem(404, "NoSuchBucket", "The specified bucket does not exist")
        if asked.get("list-type") != "2":
            return _problem(
                501, "NotImplemented", "A header you provided implies functionality that is not implemented"
            )
        prefix, after = asked.get("prefix", ""), asked.get("continuation-token", asked.get("start-after", ""))
        try:
            size = min(_LARGEST_PAGE, int(asked.get("max-keys", _LARGEST_PAGE)))
        except ValueError:
            return _problem(
                400, "InvalidArgument", "Provided max-keys not an integer or within integer range"
            )
        start, end = _days_of(prefix, self.world.start or self.world.now - timedelta(days=30), self.world.now)
        names = sorted(
            (one for one in self._there(start, end) if one.name.startswith(prefix) and one.name > after),
            key=lambda one: one.name,
        )
        more = len(names) > size
        told = "".join(self._told(one, asked.get("encoding-type") == "url") for one in names[:size])
        token = (
            f"<NextContinuationToken>{escape(names[size - 1].name)}</NextContinuationToken>" if more else ""
        )
        return _xml(
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(names[:size])}</KeyCount>"
            f"<MaxKeys>{size}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}{told}"
            "</ListBucketResult>"
        )

    def _told(self, one: Stored, encoded: bool) -> str:
        written = one.written + self.world.skew(self.platform)
        return (
            f"<Contents><Key>{escape(quote(one.name, safe='/') if encoded else one.name)}</Key>"
            f"<LastModified>{written:%Y-%m-%dT%H:%M:%S}.000Z</LastModified><ETag>{escape(one.etag)}</ETag>"
            f"<Size>{len(one.body)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )

    def _get(self, request: Request) -> Response:
        name = request.path_params["name"]
        match = _NAME.fullmatch(name)
        found = None
        if match is not None and request.path_params["bucket"] == BUCKET:
            begins = datetime(*(int(part) for part in match.groups()[1:]), tzinfo=UTC)  # type: ignore[arg-type,misc]  # five numbers
            found = next((one for one in self._there(begins, begins + _WINDOW) if one.name == name), None)
        if found is None:
            return _problem(404, "NoSuchKey", "The specified key does not exist.")
        if request.headers.get("if-match", found.etag) != found.etag:
            return _problem(
                412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"
            )
        headers = {"ETag": found.etag, "Accept-Ranges": "bytes"}
        asked = _RANGE.fullmatch(request.headers.get("range", ""))
        if asked is None:
            return Response(found.body, 200, headers, "application/gzip")
        start, end = int(asked[1]), min(int(asked[2] or len(found.body) - 1), len(found.body) - 1)
        if start > end:
            return _problem(416, "InvalidRange", "The requested range is not satisfiable")
        headers["Content-Range"] = f"bytes {start}-{end}/{len(found.body)}"
        return Response(found.body[start : end + 1], 206, headers, "application/gzip")

    # ── the way in ──────────────────────────────────────────────────────────────────────────────────────────

    def _guarded(self, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """The handler for those whose signature is right."""

        def guarded(request: Request) -> Response:
            refusal = self._refusal(request)
            return handler(request) if refusal is None else refusal

        return guarded

    def _refusal(self, request: Request) -> Response | None:
        match = _SIGNED.fullmatch(request.headers.get("authorization", ""))
        if match is None:
            return _problem(403, "AccessDenied", "Access Denied")
        key_id, day, region, names, signature = match.groups()
        if key_id != KEY_ID or self._revoked:
            return _problem(
                403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
            )
        if region != REGION:
            told = (
                f"The authorization header is malformed; the region '{region}' is wrong; expecting '{REGION}'"
            )
            return _problem(400, "AuthorizationHeaderMalformed", told)
        stamp = request.headers.get("x-amz-date", "")
        try:
            sent = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return _problem(
                403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"
            )
        if abs(sent - self.world.now - self.world.skew(self.platform)) > _SKEW:
            told = "The difference between the request time and the current time is too large."
            return _problem(403, "RequestTimeTooSkewed", told)
        if not hmac.compare_digest(_signature(request, stamp, day, region, names.split(";")), signature):
            told = "The request signature we calculated does not match the signature you provided."
            return _problem(403, "SignatureDoesNotMatch", told)
        return None


def _signature(request: Request, stamp: str, day: str, region: str, names: Sequence[str]) -> str:
    """What the signature of a request has to be, by the raw path and query as they came."""
    query = "&".join(sorted(request.scope["query_string"].decode().split("&")))
    lines = [f"{name}:{request.headers.get(name, '').strip()}\n" for name in names]
    body = request.headers.get("x-amz-content-sha256", "")
    path = request.scope["raw_path"].decode()
    whole = f"{request.method}\n{path}\n{query}\n{''.join(lines)}\n{';'.join(names)}\n{body}"
    digest = hashlib.sha256(whole.encode()).hexdigest()
    told = f"AWS4-HMAC-SHA256\n{stamp}\n{day}/{region}/s3/aws4_request\n{digest}"
    key = b"AWS4" + SECRET.encode()
    for part in (day, region, "s3", "aws4_request", told):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def _entry(line: Line) -> dict[str, str]:
    """A line as a structured logger writes it."""
    return {
        "time": f"{line.at:%Y-%m-%dT%H:%M:%S}.{line.at.microsecond // 1000:03d}Z",
        "level": "info" if line.severity == "DEFAULT" else line.severity.lower(),
        "service": line.component,
        "message": line.text,
    }


def _days_of(prefix: str, start: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The time that names with this beginning can be about."""
    match = re.search(r"/(\d{4})/(\d\d)/(\d\d)/", prefix)
    if match is None:
        return start, now
    try:
        day = datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC)
    except ValueError:
        return now, now
    return max(start, day), day + timedelta(days=1)


def _xml(body: str, status: int = 200) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', status, media_type="application/xml")


def _problem(status: int, code: str, message: str) -> Response:
    return _xml(f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>", status)
