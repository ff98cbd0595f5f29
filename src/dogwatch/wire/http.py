"""The one door: every byte that comes from or goes to a platform passes here.

Reads (``get``, ``ask``) are retried with exponential back-off and full jitter; a write (``send``) is
tried once, because only its caller knows whether a second try would do the thing twice. All errors that
leave this room are ours. Redirects are not followed and links to another host are refused, so that
credentials stay with the platform they belong to.
"""

import asyncio
import random
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import httpx2

from dogwatch import __version__
from dogwatch.errors import (
    AuthError,
    ConnectorError,
    RateLimited,
    SettingsError,
    UnexpectedAnswer,
    Unreachable,
)
from dogwatch.wire.answer import Answer, complaint, retry_after
from dogwatch.wire.clock import Clock
from dogwatch.wire.secrets import Secrets

Params = Mapping[str, str | int | list[str]]

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard we may press one platform, and how patient we are with it."""

    per_second: float = 20.0
    """Requests started per second, 0 for no limit."""
    concurrency: int = 8
    """Requests under way at once."""
    tries: int = 5
    """Tries of a read in all."""
    timeout: float = 30.0
    """Seconds to wait for a connection, and between two reads."""
    longest_wait: float = 60.0
    """Seconds we wait before one retry at most; a platform that asks for more gets its wish next round."""
    unhinted_429: float = 1.0
    """First wait after a 429 that does not say how long, doubled each time."""
    largest: int = 64 * 1024 * 1024
    """Bytes of one decoded body at most."""


class Login(Protocol):
    """How a platform lets us in. A static token, or something that is exchanged for one."""

    async def headers(self, http: "Http") -> Mapping[str, str]:
        """Headers that authenticate a request; may call ``http.exchange`` to get a token first."""
        ...

    def forget(self) -> bool:
        """Drop what was cached after a 401; True if asking again may give something better."""
        ...


@dataclass(slots=True)
class Doors:
    """Opens doors that share a clock, the secrets to hide, and the way out."""

    clock: Clock
    secrets: Secrets = field(default_factory=Secrets)
    transport: httpx2.AsyncBaseTransport | None = None
    """Another way out than the network; the seam for the lab."""
    rng: random.Random = field(default_factory=random.Random)
    pace: Pace | None = None
    """Overrides every connector's own pace; benchmarks lift the limits with it."""

    def open(self, base_url: str, *, login: Login | None, pace: Pace) -> "Http":
        """A door to one platform."""
        return Http(base_url, login=login, pace=self.pace or pace, doors=self)


class Http:
    """A door to one platform: paced, bounded, authenticated."""

    def __init__(self, base_url: str, *, login: Login | None, pace: Pace, doors: Doors) -> None:
        self._base = _base(base_url)
        self._login = login
        self._pace = pace
        self._doors = doors
        self._client = httpx2.AsyncClient(
            transport=doors.transport,
            timeout=httpx2.Timeout(pace.timeout),
            limits=httpx2.Limits(
                max_connections=pace.concurrency, max_keepalive_connections=pace.concurrency
            ),
            headers={"User-Agent": f"dogwatch/{__version__}", "Accept": "application/json"},
            follow_redirects=False,
            trust_env=True,
        )
        self._slots = asyncio.Semaphore(pace.concurrency)
        self._next_start: datetime | None = None
        self.requests = 0
        """Requests made through this door, retries and logins included."""
        self.skew: timedelta | None = None
        """The platform's clock minus ours, by the Date header of its last answer."""

    async def get(
        self, path: str, params: Params | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Read. Retried. Raises AuthError, RateLimited, Unreachable or UnexpectedAnswer."""
        return await self._read(self._request("GET", path, params=params, headers=headers))

    async def ask(
        self,
        path: str,
        body: Any,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Read by POST with a JSON body, for platforms that ask questions this way. Retried."""
        return await self._read(self._request("POST", path, params=params, json=body, headers=headers))

    async def send(self, path: str, body: Any, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Write by POST with a JSON body. Never retried; a caller with an idempotency key may call again."""
        request = self._request("POST", path, json=body, headers=headers)
        answer = await self._authenticated(request)
        self._raise_for_status(answer)
        return answer

    async def exchange(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        basic: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Answer:
        """Get a token: no Authorization of ours, any host, and the body is not scrubbed. Retried."""
        target = url if "://" in url else str(self._base.join(url))
        extra = dict(headers or {})
        if basic is not None:
            extra["Authorization"] = "Basic " + b64encode(":".join(basic).encode()).decode()
        request = self._build(method, target, data=dict(form) if form else None, json=json, headers=extra)
        return await self._retrying(request, lambda: self._once(request, scrub=False))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _request(self, method: str, path: str, **parts: Any) -> httpx2.Request:
        url = httpx2.URL(path) if "://" in path else self._base.join(path.lstrip("/"))
        if (url.scheme, url.host, url.port) != (self._base.scheme, self._base.host, self._base.port):
            raise UnexpectedAnswer(
                "the platform's answer links to another host; the link was not followed",
                "credentials are only ever sent to the configured URL",
            )
        return self._build(method, str(url), **parts)

    def _build(self, method: str, url: str, **parts: Any) -> httpx2.Request:
        try:
            return self._client.build_request(method, url, **parts)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise SettingsError(f"not a usable URL: {url}", "write it as https://host[:port]") from error

    async def _read(self, request: httpx2.Request) -> Answer:
        return await self._retrying(request, lambda: self._authenticated(request))

    async def _retrying(self, request: httpx2.Request, attempt: Any) -> Answer:
        for number in range(1, self._pace.tries + 1):
            failure: ConnectorError
            wait: float | None = None
            try:
                answer: Answer = await attempt()
                if answer.status not in RETRIED:
                    self._raise_for_status(answer)
                    return answer
                wait = retry_after(answer.headers, self._doors.clock.now())
                failure = self._failure(answer)
                limited = answer.status == 429
            except Unreachable as error:
                failure, limited = error, False
            wait = self._wait(number, wait, limited=limited)
            if number == self._pace.tries or wait > self._pace.longest_wait:
                raise failure
            await self._doors.clock.sleep(wait)
        raise AssertionError("unreachable: the last try returns or raises")

    def _wait(self, number: int, hinted: float | None, *, limited: bool) -> float:
        """Seconds before the next try: the platform's wish, else exponential back-off with full jitter."""
        if hinted is not None:
            return hinted + self._doors.rng.uniform(0, 0.25)
        if limited:
            return self._pace.unhinted_429 * 2.0 ** (number - 1) * self._doors.rng.uniform(1.0, 1.25)
        return self._doors.rng.uniform(0, min(self._pace.longest_wait, 0.5 * 2.0 ** (number - 1)))

    async def _authenticated(self, request: httpx2.Request) -> Answer:
        answer = await self._with_login(request)
        if answer.status == 401 and self._login is not None and self._login.forget():
            answer = await self._with_login(request)
        return answer

    async def _with_login(self, request: httpx2.Request) -> Answer:
        if self._login is not None:
            for key, value in (await self._login.headers(self)).items():
                request.headers[key] = value
        return await self._once(request, scrub=True)

    async def _once(self, request: httpx2.Request, *, scrub: bool) -> Answer:
        name = f"{request.method} {request.url.path}"
        async with self._turn():
            self.requests += 1
            try:
                response = await self._client.send(request, stream=True)
                try:
                    content = await self._body(response, name)
                finally:
                    await response.aclose()
            except httpx2.TimeoutException as error:
                raise Unreachable(
                    f"{name}: no answer within {self._pace.timeout:g} s",
                    "the platform is slow or a firewall drops us",
                ) from error
            except httpx2.ConnectError as error:
                raise Unreachable(
                    f"cannot connect to {request.url.host}", "check the URL, DNS and the way out"
                ) from error
            except httpx2.DecodingError as error:
                raise UnexpectedAnswer(f"{name} answered a body that cannot be decompressed") from error
            except httpx2.TransportError as error:
                raise Unreachable(
                    f"{name}: the connection was cut off", "usually passes by itself"
                ) from error
        self._note_skew(response.headers)
        content = self._doors.secrets.scrub_bytes(content) if scrub else content
        return Answer(response.status_code, response.headers, content, name)

    async def _body(self, response: httpx2.Response, name: str) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > self._pace.largest:
                raise UnexpectedAnswer(
                    f"{name} answered more than {self._pace.largest // 2**20} MB",
                    "nothing sensible is this large",
                )
            chunks.append(chunk)
        return b"".join(chunks)

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        """Wait for a place among the requests under way, and for the next start by the rate."""
        async with self._slots:
            if self._pace.per_second > 0:
                now = self._doors.clock.now()
                start = max(now, self._next_start or now)
                self._next_start = start + timedelta(seconds=1 / self._pace.per_second)
                if start > now:
                    await self._doors.clock.sleep((start - now).total_seconds())
            yield

    def _note_skew(self, headers: Mapping[str, str]) -> None:
        try:
            self.skew = parsedate_to_datetime(headers["date"]) - self._doors.clock.now()
        except (KeyError, ValueError, TypeError):
            return

    def _raise_for_status(self, answer: Answer) -> None:
        if not 200 <= answer.status < 300:
            raise self._failure(answer)

    def _failure(self, answer: Answer) -> ConnectorError:
        status = answer.status
        said = self._doors.secrets.scrub(complaint(answer.content))
        what = f"{answer.request} answered {status}" + (f": {said}" if said else "")
        if status == 401:
            return AuthError(what, "the credentials are wrong, expired or revoked", status=status)
        if status == 403:
            return AuthError(what, "the credentials work, but lack a permission", status=status)
        if status == 429:
            after = retry_after(answer.headers, self._doors.clock.now())
            hint = "nothing to do: asked again next round"
            return RateLimited(what, hint, status=status, retry_after=after)
        if status in RETRIED or status >= 500:
            return Unreachable(
                what, "the platform has trouble of its own; asked again next round", status=status
            )
        if status in _REDIRECTS:
            return UnexpectedAnswer(
                what, "it redirects elsewhere: use the final URL in dogwatch.yaml", status=status
            )
        return UnexpectedAnswer(what, status=status)


def _base(url: str) -> httpx2.URL:
    try:
        base = httpx2.URL(url.rstrip("/") + "/")
    except httpx2.InvalidURL as error:
        raise SettingsError(f"not a URL: {url}", "write it as https://host[:port]") from error
    if base.scheme not in {"http", "https"} or not base.host:
        raise SettingsError(f"not a URL: {url}", "write it as https://host[:port]")
    return base
