"""What all requests share, and one request: who asks, with what, and how it is answered."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from dogwatch.app import Dogwatch
from dogwatch.doorkeeper import Doorkeeper, Ticket
from dogwatch.settings.zones import is_zone
from dogwatch.web.caller import Caller, Entrance
from dogwatch.web.errors import Refused
from dogwatch.web.limits import CHANGING, ENTERING, LOOKING, Buckets

T = TypeVar("T")
ZONE_COOKIE = "dogwatch-zone"
_LARGEST = 64 * 1024
"""Bytes of a request's body."""
_FIELDS = 50
_KEPT = 100


@dataclass(slots=True)
class Site:
    """dogwatch as it is served."""

    dogwatch: Dogwatch
    entrance: Entrance
    ticket: Ticket | None = None
    """The link that the person at the machine sees; None: there is none."""
    owner: str = ""
    """Who opens that link, as the record names them."""
    looking: Buckets = field(default_factory=lambda: Buckets(LOOKING))
    changing: Buckets = field(default_factory=lambda: Buckets(CHANGING))
    entering: Buckets = field(default_factory=lambda: Buckets(ENTERING))
    _kept: dict[str, tuple[str, Any]] = field(default_factory=dict[str, tuple[str, Any]])

    @property
    def keeper(self) -> Doorkeeper:
        """Knows tokens and sessions."""
        return self.dogwatch.doorkeeper()

    def now(self) -> datetime:
        """The present."""
        return self.dogwatch.clock.now()

    async def kept(self, key: str, make: Callable[[], Awaitable[T]], by: str = "") -> T:
        """What ``make`` gave last, as long as nothing was found, decided or done since; or as long as ``by``
        is the same."""
        pulse = by or str(await self.dogwatch.tick())
        known = self._kept.get(key)
        if known is None or known[0] != pulse:
            known = (pulse, await make())
            self._kept[key] = known
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        found: T = known[1]
        return found


@dataclass(slots=True)
class Ask:
    """One request that was let through."""

    request: Request
    site: Site
    caller: Caller
    form: Mapping[str, str]
    """What a browser sent with a change."""

    @property
    def app(self) -> Dogwatch:
        """The verbs."""
        return self.site.dogwatch

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters."""
        return self.request.query_params

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    @property
    def timezone(self) -> str:
        """The reader's zone: what the browser asks for, else what is configured."""
        wanted = self.request.cookies.get(ZONE_COOKIE, "")
        return wanted if 0 < len(wanted) <= 64 and is_zone(wanted) else self.app.settings.timezone

    @property
    def zone(self) -> ZoneInfo:
        """The same, to reckon with."""
        return ZoneInfo(self.timezone)


Handler = Callable[[Ask], Awaitable[Response]]


async def body_of(request: Request) -> bytes:
    """A request's body. Raises Refused if it is too large or never comes to its end."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST:
                raise Refused(413, "the request is too large", f"at most {_LARGEST:,} bytes")
    except ClientDisconnect:
        raise Refused(400, "the request broke off") from None
    return bytes(body)


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a form as browsers send it. Raises Refused."""
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS))
    except (UnicodeDecodeError, ValueError):
        raise Refused(400, "the form cannot be read") from None


def etag_of(body: bytes, *, without: str = "") -> str:
    """An entity tag: weak, by content; ``without`` names a key at the top that changes with every look."""
    if without:
        told: Any = json.loads(body)
        if isinstance(told, dict):
            told.pop(without, None)  # pyright: ignore[reportUnknownMemberType]  # any JSON
        body = json.dumps(told, sort_keys=True).encode()
    return f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'


def unchanged(request: Request, etag: str) -> bool:
    """Whether the client has this already."""
    wanted = request.headers.get("if-none-match", "")
    return any(part.strip() in (etag, "*") for part in wanted.split(","))
