"""JSON Web Tokens signed with an RSA key (RFC 7519, RS256), as service accounts and apps show them."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from dogwatch.errors import SettingsError


def rs256(key: str, setting: str, extra: str) -> Callable[[Mapping[str, Any]], str]:
    """What makes a token of claims. ``key`` is PEM; ``setting`` is what the user calls it.

    Raises SettingsError if the key cannot be read or the extra is not installed.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError as error:
        raise SettingsError(
            f"{setting} needs the extra {extra!r}", f'pip install "dogwatch[{extra}]"'
        ) from error
    try:
        loaded = serialization.load_pem_private_key(key.replace("\\n", "\n").encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        loaded = None
    if not isinstance(loaded, rsa.RSAPrivateKey):  # out here: that error may quote the key
        raise SettingsError(f"{setting} is no private RSA key in PEM", "copy it again, from BEGIN to END")
    private = loaded

    def token(claims: Mapping[str, Any]) -> str:
        parts = (json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims))
        text = b".".join(_base64url(part) for part in parts)
        signature = private.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return (text + b"." + _base64url(signature)).decode()

    return token


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
