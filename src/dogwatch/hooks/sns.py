"""Amazon SNS that pushes over HTTPS: a new object in a bucket of S3.

Facts: docs.aws.amazon.com/sns, verifying signatures, and AmazonS3 event notifications. The secret is the end
of the address that SNS is given. Every message names a topic, and only those of ``topics`` are taken. SNS
signs each with a key whose certificate it keeps at an address of the topic's own region.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import model_validator

from dogwatch.hooks.base import Heard, Hook, HookSettings, Post, Refused, read_object
from dogwatch.hooks.proof import Keys, installed, signed_by
from dogwatch.model.text import one_line
from dogwatch.wire.s3events import created

_LATEST = timedelta(minutes=65)
"""SNS tries again for an hour at most; whatever is older was kept by somebody."""
_SKEW = timedelta(minutes=5)
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9A-Za-z]{1,80}\.pem")
_SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
"""What is signed, in this order; a notification has no SubscribeURL and Token, and a Subject at times."""
_SHA = {"1": 1, "2": 256}


class SnsSettings(HookSettings):
    """Who may call."""

    connectors: tuple[str, ...] | None = None
    """The connectors (their names in this file) that read the bucket. Left out: all of kind s3."""
    topics: tuple[str, ...]
    """The ARNs of the topics that may call."""
    prefix: str = ""
    """Objects whose names do not begin so are nobody's business."""
    signed: bool = True
    """Whether the signature of SNS is checked; it needs the extra aws. Without it the secret is enough."""

    @model_validator(mode="after")
    def _whole(self) -> "SnsSettings":
        if self.signed:
            installed("aws")
        return self


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
                confirm=_of_sns(told.get("SubscribeURL"), str(topic)),
            )
        if sort != "Notification" or not isinstance(id_, str):
            raise Refused(400, "this is not what SNS sends")
        try:
            new = [one for one in created(told.get("Message")) if one.name.startswith(self.settings.prefix)]
        except ValueError as error:
            raise Refused(400, str(error)) from None
        more = f" and {len(new) - 1} more" if len(new) > 1 else ""
        says = f"new object {new[0].bucket}/{new[0].name}{more}" if new else "no new object"
        return Heard(key=id_[:200], says=one_line(says, 200), ignored=not new)

    async def prove(self, post: Post, keys: Keys) -> None:
        """Whether SNS signed it, not long ago. Raises Refused."""
        if not self.settings.signed:
            return
        told = read_object(post.body)
        _in_time(told.get("Timestamp"), post.now)
        sha, signature = _SHA.get(str(told.get("SignatureVersion"))), told.get("Signature")
        if sha is None or not isinstance(signature, str):
            raise Refused(401, "the signature is missing, or of a version that is not known")
        url = _of_sns(told.get("SigningCertURL"), str(told.get("TopicArn")))
        if not _CERTIFICATE.fullmatch(urlsplit(url).path) or urlsplit(url).query:
            raise Refused(400, "the address of the certificate is not that of SNS")
        lines = [f"{name}\n{told[name]}\n" for name in _SIGNED if isinstance(told.get(name), str)]
        signed_by(await keys.get(url, post.now), "".join(lines).encode(), signature, sha, post.now)


def _in_time(stamp: Any, now: datetime) -> None:
    try:
        at = datetime.fromisoformat(stamp).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Refused(401, "the time of the message is missing") from None
    if not -_SKEW <= now - at <= _LATEST:
        raise Refused(401, "the message is too old, or of a clock that is wrong")


def _of_sns(said: Any, topic: str) -> str:
    """An address at SNS in the region of the topic. Raises Refused for any other."""
    try:
        address = urlsplit(said) if isinstance(said, str) else None
        port = address.port if address else None
    except ValueError:
        address = port = None
    region = [*topic.split(":"), "", "", "", ""][3]
    hosts = {f"sns.{region}.amazonaws.com", f"sns.{region}.amazonaws.com.cn"}
    if address is None or address.scheme != "https" or address.netloc not in hosts or port is not None:
        raise Refused(400, "an address in the message is not that of SNS in the topic's region")
    return address.geturl()
