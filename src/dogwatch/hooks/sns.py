"""Amazon SNS that pushes over HTTPS: a new object in a bucket of S3.

Facts: docs.aws.amazon.com/sns, verifying signatures, and AmazonS3 event notifications. The secret is the end
of the address that SNS is given. Every message names a topic, and only those of ``topics`` are taken. What
SNS signs with a certificate is not checked here: who shows the secret is let in.
"""

import json
from typing import Any, cast
from urllib.parse import unquote_plus, urlsplit

from dogwatch.hooks.base import Heard, Hook, HookSettings, Post, Refused, read_object
from dogwatch.model.text import one_line


class SnsSettings(HookSettings):
    """Who may call."""

    connectors: tuple[str, ...] | None = None
    """The connectors (their names in this file) that read the bucket. Left out: all of kind s3."""
    topics: tuple[str, ...]
    """The ARNs of the topics that may call."""
    prefix: str = ""
    """Objects whose names do not begin so are nobody's business."""


class Sns(Hook[SnsSettings]):
    """Takes what S3 says of new objects by way of SNS."""

    Settings = SnsSettings
    title = "Amazon SNS"

    def hear(self, post: Post) -> Heard:
        """Which object is new. Raises Refused."""
        self.shown(post)
        told = read_object(post.body)
        topic, id_, sort = told.get("TopicArn"), told.get("MessageId"), told.get("Type")
        if topic not in self.settings.topics:
            raise Refused(403, "this topic may not call")
        if sort == "SubscriptionConfirmation":
            return Heard(
                key="",
                says=f"a subscription of {one_line(str(topic), 120)}",
                ignored=True,
                confirm=_address(told.get("SubscribeURL")),
            )
        if sort != "Notification" or not isinstance(id_, str):
            raise Refused(400, "this is not what SNS sends")
        names = [
            name
            for name in _created(told.get("Message"))
            if name.partition("/")[2].startswith(self.settings.prefix)
        ]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        says = one_line(f"new object {names[0]}{more}" if names else "no new object", 200)
        return Heard(key=id_[:200], says=says, ignored=not names)


def _address(said: Any) -> str:
    """Where a subscription is confirmed. Raises Refused for an address that is not Amazon's."""
    address = urlsplit(said) if isinstance(said, str) else None
    host = (address.hostname or "") if address else ""
    if address is None or address.scheme != "https" or not host.startswith("sns."):
        raise Refused(400, "the address to confirm at is not that of SNS")
    if not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        raise Refused(400, "the address to confirm at is not Amazon's")
    return address.geturl()


def _created(message: Any) -> list[str]:
    """The objects that were made, by the event that S3 put into the message as text. Raises Refused."""
    try:
        told: Any = json.loads(message)
        records = cast("list[Any]", told.get("Records", []))
        made = [one for one in records if str(one.get("eventName", "")).startswith("ObjectCreated:")]
        return [f"{one['s3']['bucket']['name']}/{unquote_plus(one['s3']['object']['key'])}" for one in made]
    except (TypeError, ValueError, AttributeError, LookupError, RecursionError):
        raise Refused(400, "the message is no event of S3") from None
