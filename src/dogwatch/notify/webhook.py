"""A signed webhook: every message as JSON to a URL of yours.

Each request carries ``X-Dogwatch-Timestamp`` (seconds since 1970) and ``X-Dogwatch-Signature``, which is
``v1=`` and the hex HMAC-SHA256 of ``v1:<timestamp>:<body>`` under the shared secret. ``Idempotency-Key`` is
the message's key: a receiver that has it already has the message already.
"""

import hashlib
import hmac
import json
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from dogwatch.errors import ConnectorError
from dogwatch.model import Message
from dogwatch.notify.base import PACE, Channel, ChannelSettings, Earlier, as_json, parted, undelivered
from dogwatch.report import plain
from dogwatch.wire.http import Doors

FORMAT = "dogwatch.message/1"


class WebhookSettings(ChannelSettings):
    """A URL that takes messages as JSON."""

    url: str = Field(min_length=1)
    """Where messages are posted to."""
    secret: SecretStr
    """What both sides sign with: any long random text, such as openssl rand -hex 32 makes."""


class Webhook(Channel[WebhookSettings]):
    """Posts messages, signed."""

    Settings = WebhookSettings
    title = "Webhook"
    in_place = True
    same_key: ClassVar[bool] = True

    def __init__(self, name: str, settings: WebhookSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        self._secret = settings.secret.get_secret_value()
        doors.secrets.add(self._secret)
        base, self._path = parted(settings.url, f"channels.{name}.url")
        self._http = doors.open(base, login=None, pace=PACE)

    async def send(self, message: Message, earlier: Earlier) -> str:
        """Post it; any 2xx means that it was taken."""
        body = json.dumps(payload(message), ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )
        stamp = str(int(self.doors.clock.now().timestamp()))
        headers = {
            "X-Dogwatch-Timestamp": stamp,
            "X-Dogwatch-Signature": signature(self._secret, stamp, body),
            "Idempotency-Key": message.key,
        }
        try:
            answer = await self._http.send(self._path, body, headers=headers)
        except ConnectorError as error:
            raise undelivered(error) from error
        return f"answered {answer.status}"

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()


def payload(message: Message) -> dict[str, Any]:
    """The body: the message as it is, and as text for receivers that only show it."""
    return {
        "format": FORMAT,
        **as_json(message),
        "priority": plain.priority(message).value,
        "text": plain.text(message),
    }


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the header holds; receivers compare it in constant time and refuse old timestamps."""
    signed = f"v1:{timestamp}:".encode() + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
