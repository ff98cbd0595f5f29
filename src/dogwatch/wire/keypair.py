"""Snowflake's key-pair way in: a short-lived JWT that only the holder of the private key can sign."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import SecretStr

from dogwatch.errors import SettingsError
from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Http
from dogwatch.wire.secrets import Secrets

_JWT_HEADER = {"X-Snowflake-Authorization-Token-Type": "KEYPAIR_JWT"}
_JWT_LIFETIME = timedelta(minutes=50)
"""Snowflake accepts no longer than an hour."""


@dataclass(slots=True)
class _Signed:
    headers: Mapping[str, str] = field(repr=False)
    good_until: datetime


class KeyPair:
    """Signs a JWT with the user's private key: RS256, ``iss`` naming the public key's SHA-256."""

    def __init__(
        self,
        key: SecretStr,
        passphrase: SecretStr | None,
        *,
        account: str,
        user: str,
        clock: Clock,
        secrets: Secrets,
    ) -> None:
        """``account`` and ``user`` as they are to stand in the token.

        Raises SettingsError if the key cannot be read or the extra is not installed.
        """
        text = key.get_secret_value().replace("\\n", "\n")
        secrets.add(text)
        if passphrase is not None:
            secrets.add(passphrase.get_secret_value())
        fingerprint, self._sign = _load_key(text, passphrase.get_secret_value() if passphrase else None)
        subject = f"{account}.{user}".upper()
        self._claims = {"iss": f"{subject}.{fingerprint}", "sub": subject}
        self._clock = clock
        self._secrets = secrets
        self._signed: _Signed | None = None
        self._lock = asyncio.Lock()

    async def headers(self, http: Http) -> Mapping[str, str]:
        """A token that is still good, by the account's clock as far as it is known."""
        async with self._lock:
            now = self._clock.now()
            if self._signed is None or now >= self._signed.good_until:
                self._signed = self._fresh(now, http.skew or timedelta(0))
            return self._signed.headers

    def forget(self, used: Mapping[str, str]) -> bool:
        """A token refused for its times may be accepted once the account's clock is known."""
        if self._signed is not None and self._signed.headers == used:
            self._signed = None
        return True

    def _fresh(self, now: datetime, skew: timedelta) -> _Signed:
        issued = int((now + skew).timestamp())
        claims = {**self._claims, "iat": issued, "exp": issued + int(_JWT_LIFETIME.total_seconds())}
        parts = (json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims))
        text = b".".join(_base64url(part) for part in parts)
        token = (text + b"." + _base64url(self._sign(text))).decode()
        self._secrets.add(token, passing=True)
        return _Signed({"Authorization": f"Bearer {token}", **_JWT_HEADER}, now + _JWT_LIFETIME * 0.8)


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _load_key(text: str, passphrase: str | None) -> tuple[str, Callable[[bytes], bytes]]:
    """The public key's fingerprint as Snowflake writes it, and what signs."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError as error:
        raise SettingsError(
            "key-pair authentication needs the extra 'snowflake'", 'pip install "dogwatch[snowflake]"'
        ) from error
    try:
        key = serialization.load_pem_private_key(text.encode(), passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(
            "private_key cannot be read: not PEM, or the passphrase is wrong or missing",
            "openssl pkcs8 -topk8 -in key.pem makes a PKCS#8 key; write line breaks as \\n in .env",
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SettingsError(
            "private_key is no RSA key, and Snowflake takes no other",
            "openssl genrsa 2048 | openssl pkcs8 -topk8 -nocrypt -out key.p8 makes one",
        )
    sign = key.sign
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode()
    return fingerprint, lambda raw: sign(raw, padding.PKCS1v15(), hashes.SHA256())
