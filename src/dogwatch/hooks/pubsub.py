"""Google Pub/Sub that pushes: a new object in a bucket of Cloud Storage.

Facts: cloud.google.com/storage/docs/pubsub-notifications and /pubsub/docs/push. Delivery is at least once and
unordered; an object is known by bucket, name and generation. The secret is the end of the push address, or
the bearer token of a proxy in front.
"""

from typing import Any, cast

from dogwatch.hooks.base import Heard, Hook, HookSettings, Post, Refused, read_object
from dogwatch.model.text import one_line


class PubsubSettings(HookSettings):
    """Who may call."""

    connectors: tuple[str, ...] | None = None
    """The connectors (their names in this file) that read the bucket. Left out: all of kind gcs."""
    prefix: str = ""
    """Objects whose names do not begin so are nobody's business."""


class Pubsub(Hook[PubsubSettings]):
    """Takes what Cloud Storage says of new objects."""

    Settings = PubsubSettings
    title = "Google Pub/Sub"

    def hear(self, post: Post) -> Heard:
        """Which object is new. Raises Refused."""
        self.shown(post)
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
