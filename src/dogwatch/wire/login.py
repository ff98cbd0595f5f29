"""Ways in that several platforms share: a fixed token, and a token bought with client credentials."""

import asyncio
import base64
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from pydantic import BaseModel, Field, SecretStr, TypeAdapter

from dogwatch.errors import AuthError, ConnectorError, SettingsError, UnexpectedAnswer
from dogwatch.wire.answer import Answer
from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Http
from dogwatch.wire.secrets import Secrets

REFRESH_MARGIN = timedelta(seconds=60)
"""A token is renewed this long before it ends, a short-lived one after half its life."""
_UNSAID_LIFETIME = 300.0
_SHORTEST_USE = timedelta(seconds=10)
"""A token is used at least so long, whatever it says of its end: a 401 renews it anyway."""
_LONGEST_USE = 86400.0 * 30


class FixedToken:
    """A token that somebody made by hand; there is nothing to renew."""

    def __init__(self, token: SecretStr, secrets: Secrets, extra: Mapping[str, str] | None = None) -> None:
        """Raises SettingsError if no header can carry the token."""
        value = token.get_secret_value().strip()
        secrets.add(value)
        if not (value and value.isascii() and value.isprintable()) or " " in value:
            raise SettingsError(
                "the token is empty or holds characters that no token has",
                "copy it again: line breaks, quotes or spaces may have come along",
            )
        self._headers = {"Authorization": f"Bearer {value}", **(extra or {})}

    async def headers(self, http: Http) -> Mapping[str, str]:
        """The same header every time."""
        return self._headers

    def forget(self, used: Mapping[str, str]) -> bool:
        """Asking again would send the same token."""
        return False


class BasicLogin:
    """A name and a password, sent with every request (RFC 7617)."""

    def __init__(self, username: str, password: SecretStr, secrets: Secrets) -> None:
        """Raises SettingsError for a name with a colon, which the scheme cannot carry."""
        value = password.get_secret_value()
        if ":" in username or not value:
            raise SettingsError(
                "the username holds a colon or the password is empty", "HTTP Basic cannot carry them"
            )
        told = base64.b64encode(f"{username}:{value}".encode()).decode()
        secrets.add(value)
        secrets.add(told)
        self._headers = {"Authorization": f"Basic {told}"}

    async def headers(self, http: Http) -> Mapping[str, str]:
        """The same header every time."""
        return self._headers

    def forget(self, used: Mapping[str, str]) -> bool:
        """Asking again would send the same."""
        return False


class TokenAnswer(BaseModel):
    """RFC 6749 §5.1, as far as we need it."""

    access_token: str = Field(pattern=r"^[\x21-\x7e]+$", repr=False)
    expires_in: float | None = None


_TOKEN = TypeAdapter(TokenAnswer)


@dataclass(slots=True)
class _Token:
    headers: Mapping[str, str] = field(repr=False)
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
        self._purchases = 0
        self._failure: ConnectorError | None = None

    async def headers(self, http: Http) -> Mapping[str, str]:
        """A header with a token that is still good; one purchase at a time, however many ask.

        Raises what the purchase raised; all who waited for it share its failure instead of trying in turn.
        """
        token = self._good()
        if token is None:
            seen = self._purchases
            async with self._lock:
                if self._purchases != seen and self._failure is not None:
                    raise self._failure
                token = self._good() or await self._purchase(http)
        return token.headers

    def forget(self, used: Mapping[str, str]) -> bool:
        """Drop the token if it is still the one that was refused; a newer one may be accepted."""
        if self._token is not None and self._token.headers == used:
            self._token = None
        return True

    def _good(self) -> _Token | None:
        token = self._token
        return token if token is not None and self._clock.now() < token.good_until else None

    async def _purchase(self, http: Http) -> _Token:
        self._failure = None
        try:
            self._token = await self._fresh(http)
        except ConnectorError as error:
            self._failure = error
            raise
        finally:
            self._purchases += 1
        return self._token

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
        bought = answer.parse(_TOKEN)
        self._secrets.add(bought.access_token, passing=True)
        lifetime = timedelta(seconds=_lifetime(bought, now + (http.skew or timedelta(0))))
        use = max(lifetime - min(REFRESH_MARGIN, lifetime / 2), _SHORTEST_USE)
        return _Token({"Authorization": f"Bearer {bought.access_token}", **self._extra}, now + use)


def _lifetime(token: TokenAnswer, platform_now: datetime) -> float:
    """Seconds the token lives: by ``expires_in``, else by its JWT claims, else a guess."""
    seconds = token.expires_in
    if seconds is None or not math.isfinite(seconds):
        seconds = _claimed(token.access_token, platform_now)
    return min(max(seconds, 0.0), _LONGEST_USE)


def _claimed(token: str, platform_now: datetime) -> float:
    """By ``exp`` and ``iat`` of a JWT (RFC 7519 §4.1), on the platform's clock; a guess if it is none."""
    try:
        payload = token.split(".")[1]
        claims: Any = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        claimed = cast("dict[str, Any]", claims)
        seconds = float(claimed["exp"]) - float(claimed.get("iat", platform_now.timestamp()))
    except (IndexError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return _UNSAID_LIFETIME
    return seconds if math.isfinite(seconds) else _UNSAID_LIFETIME
