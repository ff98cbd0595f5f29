"""What a channel is. Channels know this and nothing of each other."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable
from urllib.parse import urlsplit

from pydantic import ConfigDict

from dogwatch.errors import AuthError, ChannelError, ConnectorError, RateLimited, SettingsError, Unreachable
from dogwatch.model import Message
from dogwatch.model.described import Described
from dogwatch.wire.http import Doors, Pace

PACE = Pace(per_second=1.0, concurrency=1, tries=3, timeout=20.0, patience=60.0, longest_wait=20.0)
"""Most channels take about a message a second; nothing an attempt does may outlast its claim."""
_UNDONE = frozenset({429, 503})
"""Answers after which nothing was done, as their servers use them."""


class ChannelSettings(Described):
    """Base of every channel's settings: one model beside the channel, documented field by field.

    A field of type ``SecretStr`` comes from the environment or ``.env`` only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fallback: str | None = None
    """The channel that gets what cannot be delivered here. Left out: the next one in the file that works."""


S = TypeVar("S", bound=ChannelSettings)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What has arrived here before."""

    first: str = ""
    """Where the first message of the same thread landed; empty if this is the first."""
    last: str = ""
    """Where the last one landed."""
    again: bool = False
    """True if an attempt to send this very message was begun and nobody knows how it ended."""


class Channel(ABC, Generic[S]):
    """A way to tell people something. One file, one channel."""

    Settings: ClassVar[type[ChannelSettings]]
    title: ClassVar[str]
    """The channel's name for people."""
    in_place: bool = False
    """Whether changes can be shown without disturbing anybody: then small ones are told as well."""
    same_key: ClassVar[bool] = False
    """Whether the other side takes a message of a key that it has for the same message."""

    def __init__(self, name: str, settings: S, doors: Doors) -> None:
        """``name`` is the key in dogwatch.yaml. Raises SettingsError for settings that cannot work."""
        self.name = name
        self.settings = settings
        self.doors = doors

    @abstractmethod
    async def send(self, message: Message, earlier: Earlier) -> str:
        """Tell it; returns where it landed, in words that this channel understands. Raises ChannelError."""

    async def aclose(self) -> None:  # most channels hold nothing open
        """Give connections back."""


@runtime_checkable
class CanFind(Protocol):
    """Can look whether a message has arrived."""

    async def find(self, message: Message, earlier: Earlier) -> str | None:
        """Where the message of this key is; None if it is certainly not there. Raises ChannelError."""
        ...


AnyChannel = Channel[Any]


def undelivered(
    error: ConnectorError, *, refused: frozenset[int] = frozenset({400, 413, 422})
) -> ChannelError:
    """What an error of the door means for a message. ``refused`` are statuses that speak of this message
    alone; other refusals hold for every message."""
    if isinstance(error, RateLimited):
        return ChannelError(error.message, error.hint, retry_after=error.retry_after)
    if isinstance(error, Unreachable):
        unsure = error.asked and error.status not in _UNDONE
        return ChannelError(error.message, error.hint, ambiguous=unsure)
    if isinstance(error, AuthError):
        return ChannelError(error.message, error.hint, permanent=True)
    if error.status in refused:
        return ChannelError(error.message, error.hint, refused=True)
    if error.status is None or 200 <= error.status < 300:  # an answer that is not understood
        return ChannelError(error.message, error.hint, ambiguous=True)
    return ChannelError(error.message, error.hint or "check the URL in dogwatch.yaml", permanent=True)


def parted(url: str, key: str) -> tuple[str, str]:
    """(base for a door, path and query) of a URL that is posted to. Raises SettingsError naming ``key``."""
    parts = urlsplit(url.strip())
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc or parts.fragment:
        raise SettingsError(
            f"{key} is not a usable URL", "write it as https://host/path, without credentials"
        )
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}", f"{parts.path.lstrip('/')}{query}"


def as_json(message: Message) -> Mapping[str, Any]:
    """The message for programs."""
    return message.model_dump(mode="json")
