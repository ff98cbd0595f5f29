"""What a hook is: it makes sure who calls, and understands what was said. Hooks do not know each other."""

import base64
import binascii
import hmac
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import ConfigDict, Field, SecretStr

from dogwatch.errors import DogwatchError
from dogwatch.model.call import PushedAlert
from dogwatch.model.described import Described

LARGEST = 1 << 20
"""Bytes of the largest body that is read; Alertmanager's of 1,000 alerts has half of it."""
_DEEPEST = 40
"""Braces within braces; what is nested deeper is nobody's event."""


class Refused(DogwatchError):
    """A call that is not taken. ``status`` is what the caller is answered, the message why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class HookSettings(Described):
    """Base of every hook's settings: one model beside the hook, documented field by field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret: SecretStr = Field(min_length=16)
    """What the caller proves to know. At least 16 characters; dogwatch.yaml never holds it."""
    connectors: tuple[str, ...] | None = None
    """The connectors (their names in this file) that its events concern and that are asked then. Left out:
    those of the same kind as the hook; where there is none, all."""


S = TypeVar("S", bound=HookSettings)


@dataclass(frozen=True, slots=True)
class Post:
    """One call as it came."""

    headers: Mapping[str, str]
    """By name in small letters."""
    body: bytes
    now: datetime
    key: str = ""
    """The last part of the path, where a caller that can sign nothing shows the secret."""


@dataclass(frozen=True, slots=True)
class Scored:
    """How good somebody finds what was said of an incident."""

    incident: int
    score: int
    """0 to 100."""
    why: str
    by: str
    """Who says so, as the record names people of that place."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a call says."""

    key: str
    """The same event always has the same one. Only its hash is kept."""
    says: str
    """One line for people."""
    alerts: tuple[PushedAlert, ...] = ()
    connectors: tuple[str, ...] | None = None
    """The connectors that it concerns, where the call itself tells; None: as configured."""
    reply_to: str = ""
    answer: Mapping[str, Any] | None = None
    """What the caller is told right away; None: nothing but that it was taken."""
    ignored: bool = False
    """Whether it is well and means nothing to us: it is answered and not kept."""
    scored: Scored | None = None
    """Not None: it asks for nothing, it gives a score."""
    confirm: str = ""
    """An address that has to be visited to let the caller know that we want its calls."""


class Hook(ABC, Generic[S]):
    """One sort of caller."""

    Settings: ClassVar[type[HookSettings]]
    title: ClassVar[str]
    """The caller's name for people."""

    def __init__(self, name: str, settings: S) -> None:
        """``name`` is the key in dogwatch.yaml."""
        self.name = name
        self.settings = settings

    @abstractmethod
    def hear(self, post: Post) -> Heard:
        """Understand a call. Raises Refused if it is forged, too old or no event."""

    def shown(self, post: Post) -> None:
        """Let in who shows the secret: as bearer token, as password of HTTP Basic, or as the end of the path.

        Raises Refused.
        """
        said = post.headers.get("authorization", "")
        sort, _, rest = said.partition(" ")
        given = post.key
        if sort.lower() == "bearer":
            given = rest.strip()
        elif sort.lower() == "basic":
            given = _password(rest)
        if not alike(given, self.settings.secret.get_secret_value()):
            raise Refused(401, "the secret is missing or wrong")


AnyHook = Hook[Any]


def alike(given: str, secret: str) -> bool:
    """Whether they are the same; it takes as long either way."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def _password(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace").partition(":")[2]
    except binascii.Error:
        return ""


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises Refused."""
    if body.count(b"[") + body.count(b"{") > _DEEPEST and _depth(body) > _DEEPEST:
        raise Refused(400, "the body is nested too deep")
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(told, dict):
        raise Refused(400, "the body is not a JSON object")
    return cast("dict[str, Any]", told)


def _depth(body: bytes) -> int:
    """How deep brackets go, those in texts included: an upper bound that costs no recursion."""
    deepest = depth = 0
    for byte in body:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
