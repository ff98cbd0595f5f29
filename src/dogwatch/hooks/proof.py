"""Callers who sign with a key of their own: their public keys, fetched once in a while, and what they prove.

Keys come from addresses that are pinned, through the one door. Whoever calls has shown the secret and said
something sensible before anything is fetched, and unknown keys are looked for once a minute at most, so that
nobody can have us call Google or Amazon at will. RSA needs an extra with ``cryptography``.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any, Protocol, cast, runtime_checkable

from dogwatch.errors import ConnectorError, SettingsError
from dogwatch.hooks.base import Post, Refused

_FRESH = timedelta(hours=1)
"""So long keys are good without another look; Google changes them about once a day, Amazon once a year."""
_AT_MOST = timedelta(days=1)
"""So long they are good while they cannot be fetched."""
_AGAIN = timedelta(minutes=1)
_MOST = 20
"""Addresses that are remembered."""
_SKEW = timedelta(seconds=60)
_WEAKEST = 2048
"""Bits of the shortest RSA key that is believed."""


@dataclass(slots=True)
class _Kept:
    body: bytes
    fetched_at: datetime
    tried_at: datetime


@dataclass(slots=True)
class Keys:
    """Documents that hold public keys, by their address."""

    read: Callable[[str], Awaitable[bytes]]
    """Reads a document through the door. Raises ConnectorError or SettingsError."""
    _kept: dict[str, _Kept] = field(default_factory=dict[str, _Kept], init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def get(self, url: str, now: datetime, has: Callable[[bytes], bool] = lambda body: True) -> bytes:
        """The document, one that ``has`` what is wanted if there is one. Raises Refused (503) if it cannot be
        had: whoever calls comes again."""
        async with self._lock:
            kept = self._kept.get(url)
            if kept is not None and abs(now - kept.fetched_at) < _FRESH and has(kept.body):
                return kept.body
            if kept is not None and abs(now - kept.tried_at) < _AGAIN:
                return self._old(kept, now)
            try:
                body = await self.read(url)
            except (ConnectorError, SettingsError):
                kept = kept or _Kept(b"", now - 2 * _AT_MOST, now)
                kept.tried_at = now
                self._keep(url, kept)
                return self._old(kept, now)
            self._keep(url, _Kept(body, now, now))
            return body

    def _keep(self, url: str, kept: _Kept) -> None:
        self._kept[url] = kept
        while len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]

    def _old(self, kept: _Kept, now: datetime) -> bytes:
        if abs(now - kept.fetched_at) > _AT_MOST:
            raise Refused(503, "the keys of the caller cannot be fetched; come again")
        return kept.body


@runtime_checkable
class Proves(Protocol):
    """A hook whose callers sign with a key of their own."""

    async def prove(self, post: Post, keys: Keys) -> None:
        """Make sure that they did, after everything else. Raises Refused."""
        ...


def installed(extra: str) -> None:
    """Raises ValueError if what checks RSA signatures is not installed."""
    if find_spec("cryptography") is None:
        raise ValueError(f'signatures are checked by an extra: pip install "dogwatch[{extra}]"')


# ── RSA ─────────────────────────────────────────────────────────────────────────────────────────────────────


def signed_by(certificate: bytes, text: bytes, signature: str, sha: int, now: datetime) -> None:
    """Whether the key of a certificate in PEM that is valid ``now`` signed a text (PKCS #1 v1.5, in base64;
    ``sha`` is 1 or 256). Raises Refused."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(certificate)
        key: Any = found.public_key()
        valid = found.not_valid_before_utc - _SKEW <= now <= found.not_valid_after_utc + _SKEW
    except ValueError:
        raise Refused(401, "the certificate cannot be read") from None
    if not valid:
        raise Refused(401, "the certificate is not valid now")
    _verify(key, text, _decoded(signature), sha)


def claims_of(token: str, jwks: bytes) -> dict[str, Any]:
    """The claims of a JSON Web Token (RFC 7519) that one of the keys of a JWK Set (RFC 7517) signed by RS256;
    their times and meaning are for the caller to look at. Raises Refused."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    text, _, signature = token.rpartition(".")
    head = _part(text.partition(".")[0])
    if head.get("alg") != "RS256":
        raise Refused(401, "the token is not signed by RS256")
    key = _keys(jwks).get(str(head.get("kid")))
    if key is None:
        raise Refused(401, "the token is signed by a key that is not known")
    try:
        exponent, modulus = (int.from_bytes(_decoded(str(key[name]), "-_")) for name in ("e", "n"))
        public = RSAPublicNumbers(exponent, modulus).public_key()
    except (LookupError, ValueError):
        raise Refused(401, "the key that signed it is none") from None
    _verify(public, text.encode(), _decoded(signature, "-_"), 256)
    return _part(text.partition(".")[2])


def kid_of(token: str) -> str:
    """Which key a token says that it is signed by. Raises Refused for what is no token."""
    if token.count(".") != 2 or len(token) > 8_192:
        raise Refused(401, "the token is missing or none")
    return str(_part(token.partition(".")[0]).get("kid"))


def has_key(kid: str) -> Callable[[bytes], bool]:
    """Whether a JWK Set has a key."""
    return lambda jwks: kid in _keys(jwks)


def _keys(jwks: bytes) -> dict[str, Mapping[str, Any]]:
    try:
        found: Any = json.loads(jwks)["keys"]
        return {str(one["kid"]): one for one in found if one.get("kty") == "RSA"}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _verify(key: Any, text: bytes, signature: bytes, sha: int) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _WEAKEST:
        raise Refused(401, "the key that signed it is none that is believed")
    algorithm = hashes.SHA256() if sha == 256 else hashes.SHA1()  # noqa: S303  # what SNS signs with by default
    try:
        key.verify(signature, text, padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        raise Refused(401, "the signature is wrong") from None


def _part(text: str) -> dict[str, Any]:
    try:
        told: Any = json.loads(_decoded(text, "-_"))
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Refused(401, "the token is none")
    return cast("dict[str, Any]", told)


def _decoded(text: str, more: str = "+/") -> bytes:
    try:
        padded = text + "=" * (-len(text) % 4 if more == "-_" else 0)
        return base64.b64decode(padded.encode("ascii"), altchars=more.encode(), validate=True)
    except ValueError:
        raise Refused(401, "what should be base64 is none") from None
