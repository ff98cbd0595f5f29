"""Ways in that several platforms share: a fixed token, and a token bought with client credentials."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, SecretStr, TypeAdapter

from dogwatch.errors import AuthError, UnexpectedAnswer
from dogwatch.wire.answer import Answer
from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Http
from dogwatch.wire.secrets import Secrets

REFRESH_MARGIN = timedelta(seconds=60)
"""A token is renewed this long before it ends."""
_UNSAID_LIFETIME = timedelta(minutes=5)


class FixedToken:
    """A token that somebody made by hand; there is nothing to renew."""

    def __init__(self, token: SecretStr, secrets: Secrets, extra: Mapping[str, str] | None = None) -> None:
        secrets.add(token.get_secret_value())
        self._headers = {"Authorization": f"Bearer {token.get_secret_value()}", **(extra or {})}

    async def headers(self, http: Http) -> Mapping[str, str]:
        """The same header every time."""
        return self._headers

    def forget(self) -> bool:
        """Asking again would send the same token."""
        return False


class TokenAnswer(BaseModel):
    """RFC 6749 §5.1, as far as we need it."""

    access_token: str
    expires_in: float | None = None


_TOKEN = TypeAdapter(TokenAnswer)


@dataclass(slots=True)
class _Token:
    value: str
    good_until: datetime


class TokenLogin:
    """A bearer token that is bought, cached until shortly before it ends, and bought anew once on a 401.

    ``buy`` makes the token request through the door and returns its answer.
    """

    def __init__(
        self,
        buy: Callable[[Http], Awaitable[Answer]],
        *,
        clock: Clock,
        secrets: Secrets,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self._buy = buy
        self._clock = clock
        self._secrets = secrets
        self._extra = dict(extra or {})
        self._token: _Token | None = None
        self._lock = asyncio.Lock()

    async def headers(self, http: Http) -> Mapping[str, str]:
        """A header with a token that is still good; one purchase at a time, however many ask."""
        async with self._lock:
            if self._token is None or self._clock.now() >= self._token.good_until:
                self._token = await self._fresh(http)
            return {"Authorization": f"Bearer {self._token.value}", **self._extra}

    def forget(self) -> bool:
        """Drop the token; a fresh one may be accepted."""
        self._token = None
        return True

    async def _fresh(self, http: Http) -> _Token:
        now = self._clock.now()
        try:
            answer = await self._buy(http)
        except UnexpectedAnswer as error:
            if error.status in {400, 404}:
                raise AuthError(
                    error.message,
                    "the login was refused: check client id, secret and URL",
                    status=error.status,
                ) from error
            raise
        token = answer.parse(_TOKEN)
        self._secrets.add(token.access_token)
        ends = _ends(token, now)
        return _Token(token.access_token, max(now, ends - REFRESH_MARGIN))


def _ends(token: TokenAnswer, now: datetime) -> datetime:
    """When the token ends: by ``expires_in``, else by the JWT's ``exp`` (RFC 7519 §4.1.4), else a guess."""
    if token.expires_in is not None:
        return now + timedelta(seconds=min(max(token.expires_in, 0.0), 86400.0 * 30))
    try:
        payload = token.access_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (IndexError, ValueError, KeyError, TypeError, OverflowError, OSError):
        return now + _UNSAID_LIFETIME
