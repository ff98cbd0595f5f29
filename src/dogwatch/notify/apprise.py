"""Everything else, through Apprise: Teams, Telegram, PagerDuty, ntfy and a hundred more.

Needs the extra ``apprise``. Messages go out as plain text, and Apprise is told so: services that read markup
get it escaped by Apprise. It says only whether a service took the message, not where it landed.
"""

import asyncio
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from dogwatch.errors import ChannelError, SettingsError
from dogwatch.model import Message, Severity
from dogwatch.notify.base import Channel, ChannelSettings, Earlier
from dogwatch.report import plain
from dogwatch.wire.http import Doors

_LARGEST = 20_000
_TYPES = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.ERROR: "failure",
    Severity.CRITICAL: "failure",
}


class AppriseSettings(ChannelSettings):
    """One service that Apprise knows."""

    service_url: SecretStr = Field(min_length=1)
    """The service as Apprise writes it, such as ntfy://topic or tgram://token/chat: it holds the credentials.
    github.com/caronc/apprise/wiki lists them all."""


class Apprise(Channel[AppriseSettings]):
    """Tells whatever Apprise can reach."""

    Settings = AppriseSettings
    title: ClassVar[str] = "Apprise"

    def __init__(self, name: str, settings: AppriseSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        url = settings.service_url.get_secret_value()
        doors.secrets.add(url)
        self._service = _service(url)

    async def send(self, message: Message, earlier: Earlier) -> str:
        """Hand it to Apprise, which knows no reason why it failed."""
        title = plain.subject(message)
        body = defused(plain.text(message, _LARGEST))
        done = await asyncio.to_thread(self._notify, title, body, _TYPES[message.severity])
        if not done:
            raise ChannelError(
                "Apprise could not deliver it",
                'try it by hand: apprise -vv -b test "<the URL of the service>"',
                ambiguous=True,
            )
        return "apprise"

    def _notify(self, title: str, body: str, kind: str) -> bool:
        return bool(
            self._service.notify(title=defused(title), body=body, notify_type=kind, body_format="text")
        )


def defused(text: str) -> str:
    """Text in which services that find mentions in plain text find none."""
    return text.replace("@", "@\u2060").replace("<!", "<\u2060!").replace("<@", "<\u2060@")


def _service(url: str) -> Any:
    try:
        import apprise
    except ImportError as error:
        raise SettingsError(
            "the channel apprise needs the extra 'apprise'", 'pip install "dogwatch[apprise]"'
        ) from error
    service: Any = apprise.Apprise()
    if not service.add(url):
        raise SettingsError("Apprise does not know the service_url", "see github.com/caronc/apprise/wiki")
    return service
