"""Google Pub/Sub that pushes: a new object in a bucket of Cloud Storage.

Facts: cloud.google.com/storage/docs/pubsub-notifications and /pubsub/docs/push. Delivery is at least once and
unordered; an object is known by bucket, name and generation. The secret is the end of the push address, or
the bearer token of a proxy in front. With ``audience`` Google's own token has to come as well: an ID token
(OpenID Connect) of the service account of the subscription
(cloud.google.com/pubsub/docs/authenticate-push-subscriptions).
"""

from datetime import datetime
from typing import Any, cast

from pydantic import model_validator

from dogwatch.hooks.base import Heard, Hook, HookSettings, Post, Refused, alike, read_object
from dogwatch.hooks.proof import Keys, claims_of, has_key, installed, kid_of
from dogwatch.model.text import one_line

GOOGLE = "https://www.googleapis.com/oauth2/v3/certs"
"""Where Google's public keys are."""
_ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
_SKEW = 60.0
"""Seconds by which Google's clock may differ from ours."""


class PubsubSettings(HookSettings):
    """Who may call."""

    connectors: tuple[str, ...] | None = None
    """The connectors (their names in this file) that read the bucket. Left out: all of kind gcs."""
    prefix: str = ""
    """Objects whose names do not begin so are nobody's business."""
    audience: str = ""
    """What the push subscription names as audience (its address, if it names none). With it a call needs
    Google's token besides the secret. Left out: the secret is enough."""
    account: str = ""
    """The service account whose token the subscription pushes with; belongs to audience."""

    @model_validator(mode="after")
    def _whole(self) -> "PubsubSettings":
        if bool(self.audience) != bool(self.account):
            raise ValueError("audience and account belong together: anybody can have a token for an audience")
        if self.audience:
            installed("google")
        return self


class Pubsub(Hook[PubsubSettings]):
    """Takes what Cloud Storage says of new objects."""

    Settings = PubsubSettings
    title = "Google Pub/Sub"

    def hear(self, post: Post) -> Heard:
        """Which object is new. Raises Refused."""
        if not self.settings.audience:
            self.shown(post)
        elif not alike(post.key, self.settings.secret.get_secret_value()):
            raise Refused(401, "the secret is missing or wrong")
        message: Any = read_object(post.body).get("message")
        attributes: Any = (
            cast("dict[str, Any]", message).get("attributes") if isinstance(message, dict) else 0
        )
        if not isinstance(attributes, dict):
            raise Refused(400, "this is not what Pub/Sub pushes: message.attributes is missing")
        told = cast("dict[str, Any]", attributes)
        bucket, name = told.get("bucketId"), told.get("objectId")
        if not isinstance(bucket, str) or not isinstance(name, str):
            raise Refused(400, "this is no notification of Cloud Storage: bucketId or objectId is missing")
        new = told.get("eventType") == "OBJECT_FINALIZE" and name.startswith(self.settings.prefix)
        return Heard(
            key=f"{bucket}/{name}/{told.get('objectGeneration')}"[:500],
            says=one_line(f"new object {name} in {bucket}", 200),
            ignored=not new,
        )

    async def prove(self, post: Post, keys: Keys) -> None:
        """Whether Google says that our subscription pushes this. Raises Refused."""
        if not self.settings.audience:
            return
        sort, _, token = post.headers.get("authorization", "").partition(" ")
        if sort.lower() != "bearer":
            raise Refused(401, "Google's token is missing")
        jwks = await keys.get(GOOGLE, post.now, has_key(kid_of(token)))
        self._look(claims_of(token, jwks), post.now)

    def _look(self, claims: dict[str, Any], now: datetime) -> None:
        begins, ends = claims.get("iat"), claims.get("exp")
        if not isinstance(begins, int | float) or not isinstance(ends, int | float):
            raise Refused(401, "the token has no times")
        if not begins - _SKEW <= now.timestamp() <= ends + _SKEW:
            raise Refused(401, "the token is over, or of a clock that is wrong")
        if claims.get("iss") not in _ISSUERS:
            raise Refused(401, "the token is not Google's")
        if claims.get("aud") != self.settings.audience:
            raise Refused(403, "the token is for another audience")
        if claims.get("email") != self.settings.account or claims.get("email_verified") is not True:
            raise Refused(403, "the token is of another account")
