"""Signatures of requests to Amazon Web Services: Signature Version 4, in headers.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"
_NO_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    """What an account of AWS signs with."""

    id: str
    secret: str = field(repr=False)
    session: str = field(default="", repr=False)
    """Of temporary keys: the token that belongs to them."""


def query_string(params: Mapping[str, str]) -> str:
    """A query as it has to be sent and signed: encoded by RFC 3986 and sorted."""
    return "&".join(
        f"{name}={value}"
        for name, value in sorted(
            (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in params.items()
        )
    )


def signed(
    keys: Keys,
    region: str,
    host: str,
    path: str,
    query: str,
    now: datetime,
    headers: Mapping[str, str] | None = None,
    service: str = "s3",
    body: bytes | None = None,
) -> dict[str, str]:
    """All headers of a GET, or of a POST with this ``body``, its signature among them.

    ``path`` and ``query`` are encoded as they are sent, ``query`` sorted; ``host`` has a port only if the URL
    has one. ``headers`` are sent and signed as well. AWS accepts it for a quarter of an hour around ``now``.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = _NO_BODY if body is None else hashlib.sha256(body).hexdigest()
    sent = {
        **{name.lower(): value.strip() for name, value in (headers or {}).items()},
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
    }
    if keys.session:
        sent["x-amz-security-token"] = keys.session
    told = {**sent, "host": host}
    names = ";".join(sorted(told))
    lines = "".join(f"{name}:{told[name]}\n" for name in sorted(told))
    method = "GET" if body is None else "POST"
    request = "\n".join((method, path, query, lines, names, digest))
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{keys.id}/{scope}"
    sent["Authorization"] = (
        f"{_ALGORITHM} Credential={credential},SignedHeaders={names},Signature={signature}"
    )
    return sent
