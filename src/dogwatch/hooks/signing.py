"""Signatures of calls: shared secrets, as Standard Webhooks and Slack use them."""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from dogwatch.hooks.base import Post, Refused, alike

WINDOW = 300.0
"""Seconds by which the time in a signed call may differ from ours."""


def in_time(stamp: str, now: datetime) -> None:
    """Refuse what was signed too long ago, or in the future. Raises Refused."""
    if not (stamp.isdecimal() and len(stamp) <= 12 and stamp.isascii()):
        raise Refused(401, "the time of the signature is missing")
    if abs(now.timestamp() - int(stamp)) > WINDOW:
        raise Refused(401, "the signature is too old, or of a clock that is wrong")


def standard(post: Post, secret: str) -> str:
    """Check a call by the Standard Webhooks specification 1.0 (standardwebhooks.com); returns its id.

    Signed is ``id.timestamp.body`` with HMAC-SHA256; the header holds one or more ``v1,<base64>``. Raises
    Refused.
    """
    id_, stamp = post.headers.get("webhook-id", ""), post.headers.get("webhook-timestamp", "")
    in_time(stamp, post.now)
    if not id_ or len(id_) > 200:
        raise Refused(401, "webhook-id is missing")
    signed = f"{id_}.{stamp}.".encode() + post.body
    wanted = base64.b64encode(hmac.digest(standard_key(secret), signed, hashlib.sha256)).decode()
    given = post.headers.get("webhook-signature", "").split()[:10]
    if not any(alike(one, f"v1,{wanted}") for one in given):
        raise Refused(401, "the signature is wrong")
    return id_


def standard_key(secret: str) -> bytes:
    """The key in a secret: ``whsec_<base64>``, or any other text as it stands."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def slack(post: Post, secret: str) -> str:
    """Check a call of Slack (docs.slack.dev, verifying requests); returns its signature. Raises Refused."""
    stamp = post.headers.get("x-slack-request-timestamp", "")
    in_time(stamp, post.now)
    wanted = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + post.body, hashlib.sha256).hexdigest()
    given = post.headers.get("x-slack-signature", "")
    if not alike(given, f"v0={wanted}"):
        raise Refused(401, "the signature is wrong")
    return given
