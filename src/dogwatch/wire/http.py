"""The one door: every byte that comes from or goes to a platform passes here.

Reads (``get``, ``ask``) are retried with exponential back-off and full jitter; a write (``send``) is
tried once, because only its caller knows whether a second try would do the thing twice. All errors that
leave this room are ours. Redirects are not followed, cookies not kept, and links to another host refused,
so that credentials stay with the platform they belong to.

The HTTP library is imported when a door is first used: connectors, and so the settings, know this room at
every start, and it takes 60 ms.
"""

import asyncio
import logging
import random
import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from dogwatch import __version__
from dogwatch.errors import (
    AuthError,
    ConnectorError,
    RateLimited,
    SettingsError,
    UnexpectedAnswer,
    Unreachable,
)
from dogwatch.model.text import one_line
from dogwatch.wire.answer import Answer, complaint, http_date, retry_after
from dogwatch.wire.clock import Clock
from dogwatch.wire.pace import Pace, Shared, Turns
from dogwatch.wire.secrets import Secrets
from dogwatch.wire.trouble import chain, place, why_no_connection
from dogwatch.wire.urls import WRITE_IT_AS, usable

if TYPE_CHECKING:
    import httpx2

__all__ = ["RETRIED", "Answer", "Doors", "Http", "Login", "Pace", "Params"]

Params = Mapping[str, str | int | list[str]]

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_WHOLE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CREDENTIAL = re.compile("secret|password|assertion|token", re.IGNORECASE)
_BOUGHT = re.compile("assertion|token", re.IGNORECASE)  # made anew for each login, so hidden for a time

# The HTTP library's own chatter tells whole URLs and headers; it ends here, whatever the level.
for _name in (
    "httpx2",
    *(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
):
    logging.getLogger(_name).addFilter(lambda record: False)


class Login(Protocol):
    """How a platform lets us in. A static token, or something that is exchanged for one."""

    async def headers(self, http: "Http") -> Mapping[str, str]:
        """Headers that authenticate a request; may call ``http.exchange`` to get a token first."""
        ...

    def forget(self, used: Mapping[str, str]) -> bool:
        """These headers were refused: drop what made them, unless something newer is there already.

        True if asking ``headers`` again may give something better.
        """
        ...


def _is_401(answer: Answer) -> bool:
    return answer.status == 401


def _never(answer: Answer, now: datetime) -> float | None:
    return None


@dataclass(slots=True)
class Doors:
    """Opens doors that share a clock, the secrets to hide, and the way out."""

    clock: Clock
    secrets: Secrets = field(default_factory=Secrets)
    transport: "httpx2.AsyncBaseTransport | None" = None
    """Another way out than the network; the seam for the lab. Closing a door leaves it open."""
    rng: random.Random = field(default_factory=random.Random)
    pace: Pace | None = None
    """Overrides every connector's own pace; benchmarks lift the limits with it."""
    shared: Callable[[str], Shared] | None = None
    """By what a platform is called: the turns that all processes on this store take together, if they do."""
    platform: str = ""
    """What these doors lead to; only doors to a platform share turns."""
    _tls: list[ssl.SSLContext] = field(default_factory=list[ssl.SSLContext], repr=False)
    """The certificates, once they are read."""

    def of(self, platform: str) -> "Doors":
        """The same doors, leading to this platform."""
        return replace(self, platform=platform)

    def turns(self, where: str, pace: Pace) -> Turns:
        """The turns of a door to that part of our platform."""
        shared = self.shared(f"{self.platform} {where}") if self.shared and self.platform else None
        return Turns(pace, self.clock, shared)

    def open(
        self,
        base_url: str,
        *,
        login: Login | None,
        pace: Pace,
        ended: Callable[[Answer], bool] = _is_401,
        limited: Callable[[Answer, datetime], float | None] = _never,
    ) -> "Http":
        """A door to one platform. Raises SettingsError if the URL, a proxy or a certificate is unusable.

        ``ended`` tells by an answer that our token is no longer good; not every platform says so by a 401.
        ``limited`` tells for how many seconds an answer that is no 429 wants us to wait all the same.
        """
        return Http(base_url, login, self.pace or pace, self, ended, limited)

    def client(self, pace: Pace) -> "httpx2.AsyncClient":
        """An HTTP client; the certificates are read once for all doors, which takes a while."""
        import httpx2

        from dogwatch.wire.cookies import NoCookies

        try:
            if not self._tls and self.transport is None:
                self._tls.append(httpx2.create_ssl_context())
            return httpx2.AsyncClient(
                transport=self.transport,
                verify=self._tls[0] if self._tls else True,
                timeout=httpx2.Timeout(pace.timeout),
                limits=httpx2.Limits(
                    max_connections=pace.concurrency, max_keepalive_connections=pace.concurrency
                ),
                headers={"User-Agent": f"dogwatch/{__version__}", "Accept": "application/json"},
                cookies=NoCookies(),
                follow_redirects=False,
                trust_env=True,
            )
        except (httpx2.InvalidURL, ValueError, OSError, ImportError) as error:
            kind = type(error).__name__
        raise SettingsError(
            f"the way out cannot be prepared ({kind})",
            "check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
        )


@dataclass(slots=True)
class _Call:
    """One call through the door, with all its tries."""

    request: "httpx2.Request"
    login: Login | None
    scrub: bool
    left: float
    """Seconds of patience left."""
    name: str


class Http:
    """A door to one platform: paced, bounded, authenticated."""

    def __init__(
        self,
        base_url: str,
        login: Login | None,
        pace: Pace,
        doors: Doors,
        ended: Callable[[Answer], bool],
        limited: Callable[[Answer, datetime], float | None],
    ) -> None:
        self._base = usable(base_url.strip().rstrip("/") + "/", plain=True)
        self._base_text = str(self._base)
        self._login = login
        self._pace = pace
        self._doors = doors
        self._ended = ended
        self._limited = limited
        self._client = doors.client(pace)
        self._turns = doors.turns(place(self._base) + self._base.path, pace)
        self.requests = 0
        """Requests made through this door, retries and logins included."""
        self._told_time = ""
        self.skew: timedelta | None = None
        """The platform's clock minus ours, by the Date header of its last answer."""

    async def get(
        self, path: str, params: Params | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Read. Retried. Raises AuthError, RateLimited, Unreachable or UnexpectedAnswer.

        ``path`` is relative to the base URL, or a whole URL on the same host (a link to the next page).
        """
        return await self._read(self._request("GET", path, params=params, headers=headers))

    async def ask(
        self,
        path: str,
        body: Any,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Read by POST with a JSON body, for platforms that ask questions this way; bytes go as they stand.
        Retried."""
        told = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self._read(self._request("POST", path, params=params, headers=headers, **told))

    async def send(
        self,
        path: str,
        body: Any,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        method: Literal["POST", "PATCH", "PUT", "DELETE"] = "POST",
    ) -> Answer:
        """Write, with a JSON body or with bytes as they stand. Never retried; a caller with an idempotency
        key may call again.

        (A 401 is no try: nothing was done, so the login is renewed and the request made.)
        """
        if isinstance(body, bytes):
            given = {"Content-Type": "application/json", **(headers or {})}
            request = self._request(method, path, content=body, headers=given)
        else:
            request = self._request(method, path, json=body, headers=headers, params=params)
        return await self._through(request, self._login, tries=1)

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
        """Get a token: no Authorization of ours, any host the caller vouches for, the body not scrubbed.

        Retried. What is handed over under a telling name (password, client_secret, assertion …) is hidden
        from then on. Raises SettingsError for an impossible URL, or one that is less safe than the base.
        """
        target = usable(url if _WHOLE.match(url) else self._base_text + url.lstrip("/"), plain=False)
        if self._base.scheme == "https" and target.scheme != "https":
            raise SettingsError("the token URL is not https, but the platform's is", WRITE_IT_AS)
        extra = dict(headers or {})
        if basic is not None:
            extra["Authorization"] = "Basic " + b64encode(":".join(basic).encode()).decode()
            self._doors.secrets.add(basic[1])
        self._hide(form, json, extra)
        request = self._build(
            method, str(target), data=dict(form) if form else None, json=json, headers=extra
        )
        return await self._through(request, None, tries=self._pace.tries, scrub=False)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._doors.transport is None:
            await self._client.aclose()

    def _request(self, method: str, path: str, **parts: Any) -> "httpx2.Request":
        """A request to the platform and to nobody else, whatever ``path`` was made of."""
        whole = _WHOLE.match(path) is not None
        request = self._build(method, path if whole else self._base_text + path.lstrip("/"), **parts)
        url, base = request.url, self._base
        if (url.scheme, url.raw_host, url.port, url.userinfo) != (base.scheme, base.raw_host, base.port, b""):
            raise UnexpectedAnswer(
                "the platform's answer links to another host; the link was not followed",
                "credentials are only ever sent to the configured URL",
            )
        if ".." in url.path.split("/") or (not whole and not url.raw_path.startswith(base.raw_path)):
            raise UnexpectedAnswer(
                "an identifier of the platform leads out of its API; it was not followed",
                "credentials are only ever sent to the configured URL",
            )
        return request

    def _hide(self, form: Mapping[str, str] | None, body: Any, headers: Mapping[str, str]) -> None:
        """Hide what is handed over under a name that says it is secret."""
        secrets = self._doors.secrets
        parts: dict[str, Any] = {
            **(form or {}),
            **(cast("dict[str, Any]", body) if isinstance(body, dict) else {}),
        }
        for key, value in parts.items():
            if isinstance(value, str) and _CREDENTIAL.search(key):
                secrets.add(value, passing=_BOUGHT.search(key) is not None)
        for key, value in headers.items():
            if key.lower() == "authorization":
                secrets.add(value.partition(" ")[2], passing=True)

    def _build(self, method: str, url: str, **parts: Any) -> "httpx2.Request":
        import httpx2

        try:
            return self._client.build_request(method, url, **parts)
        except (httpx2.InvalidURL, UnicodeError) as error:
            kind = type(error).__name__
        # Out here, because those errors quote what they choke on.
        raise UnexpectedAnswer(
            f"no request can be made of what the platform or its settings say ({kind})",
            "an identifier, a link or a credential holds characters that no request can carry",
        )

    async def _read(self, request: "httpx2.Request") -> Answer:
        return await self._through(request, self._login, tries=self._pace.tries)

    async def _through(
        self, request: "httpx2.Request", login: Login | None, *, tries: int, scrub: bool = True
    ) -> Answer:
        """The answer, if it is a good one; else try again as long as that makes sense, or raise why not."""
        name = self._doors.secrets.scrub(one_line(f"{request.method} {request.url.path}"))
        call = _Call(request, login, scrub, self._pace.patience, name)
        for number in range(1, tries + 1):
            outcome = await self._authenticated(call)
            hinted: float | None = None
            if isinstance(outcome, Answer):
                if 200 <= outcome.status < 300:
                    return outcome
                now = self._doors.clock.now()
                limit = self._limited(outcome, now)
                hinted = retry_after(outcome.headers, now) if limit is None else limit
                failure = self._failure(outcome, hinted, limited=limit is not None)
            else:
                failure = outcome
            wait = self._wait(number, hinted, limited=isinstance(failure, RateLimited))
            if (
                number == tries
                or not _worth_a_retry(failure)
                or wait > min(call.left, self._pace.longest_wait)
            ):
                raise failure
            if isinstance(failure, RateLimited):
                self._turns.pause(wait)
            call.left -= wait
            await self._doors.clock.sleep(wait)
        raise AssertionError("not reached: the last try returns or raises")

    def _wait(self, number: int, hinted: float | None, *, limited: bool) -> float:
        """Seconds before the next try: the platform's wish, else exponential back-off with full jitter."""
        longest, uniform = self._pace.longest_wait, self._doors.rng.uniform
        if hinted is not None:
            return hinted + (uniform(0, 0.25) if hinted + 0.25 <= longest else 0.0)
        if limited:
            return min(longest, self._pace.unhinted_429 * 2.0 ** (number - 1) * uniform(1.0, 1.25))
        return uniform(0, min(longest, 0.5 * 2.0 ** (number - 1)))

    async def _authenticated(self, call: _Call) -> Answer | ConnectorError:
        """One try, with one new login if the old one is refused. Trouble with the login itself is raised."""
        if call.login is None:
            return await self._once(call)
        used = await self._log_in(call, call.login)
        outcome = await self._once(call)
        if isinstance(outcome, Answer) and self._ended(outcome) and call.login.forget(used):
            await self._log_in(call, call.login)
            outcome = await self._once(call)
        return outcome

    async def _log_in(self, call: _Call, login: Login) -> Mapping[str, str]:
        headers = await login.headers(self)
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise AuthError(
                "the credential holds characters that no header can carry",
                "copy it again: line breaks, quotes or spaces may have come along",
            )
        call.request.headers.update(headers)
        return headers

    async def _once(self, call: _Call) -> Answer | ConnectorError:
        """One request and its whole answer. Trouble on the way is a value, so that no chain tells secrets."""
        import httpx2

        # All that httpx2 and what lies below it raise for trouble on the way (TimeoutError is an OSError).
        foreign = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, UnicodeError)
        async with self._turns.turn():
            self.requests += 1
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                async with asyncio.timeout(call.left):
                    response = await self._client.send(call.request, stream=True)
                    try:
                        content = await self._body(response, call.name)
                    finally:
                        await response.aclose()
            except foreign as error:
                return self._translated(error, call)
            finally:
                call.left -= loop.time() - began
        secrets, headers = self._doors.secrets, response.headers
        self._note_time(headers.get("date", ""))
        if call.scrub:
            content = secrets.scrub_bytes(content)
            if (told := b"\n".join(value for _, value in headers.raw)) != secrets.scrub_bytes(told):
                headers = httpx2.Headers([(key, secrets.scrub_bytes(value)) for key, value in headers.raw])
        return Answer(response.status_code, headers, content, call.name)

    def _note_time(self, date: str) -> None:
        if date != self._told_time:  # many answers come within one second
            self._told_time = date
            told = http_date(date)
            self.skew = self.skew if told is None else told - self._doors.clock.now()

    async def _body(self, response: "httpx2.Response", name: str) -> bytes:
        largest = self._pace.largest
        too_much = UnexpectedAnswer(
            f"{name} answered more than {largest / 2**20:g} MB", "nothing sensible is this large"
        )
        if "," in response.headers.get("content-encoding", ""):
            raise UnexpectedAnswer(f"{name} answered a body compressed more than once")
        if response.headers.get("content-length", "0").isdecimal() and (
            int(response.headers.get("content-length", "0")[:15]) > largest
        ):
            raise too_much
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > largest or response.num_bytes_downloaded > largest:
                raise too_much
        return bytes(body)

    def _translated(self, error: Exception, call: _Call) -> ConnectorError:
        """What befell us, in our words; the foreign exception is its cause if it tells no secret."""
        import httpx2

        failure: ConnectorError
        host = place(call.request.url)
        if isinstance(error, httpx2.DecodingError):
            failure = UnexpectedAnswer(f"{call.name} answered a body that cannot be decompressed")
        elif isinstance(error, httpx2.ConnectTimeout | httpx2.ConnectError):
            failure = Unreachable(f"cannot connect to {host}", why_no_connection(error), asked=False)
        elif isinstance(error, httpx2.ProxyError):
            failure = Unreachable(
                f"the proxy lets nobody through to {host}", "check HTTPS_PROXY", asked=False
            )
        elif isinstance(error, httpx2.TimeoutException):
            failure = Unreachable(
                f"{call.name}: no answer within {self._pace.timeout:g} s",
                "the platform is slow or a firewall drops us",
            )
        elif isinstance(error, TimeoutError):
            failure = Unreachable(
                f"{call.name}: not done within {self._pace.patience:g} s in all",
                "the platform answers too slowly to be of use",
            )
        else:
            failure = Unreachable(f"{call.name}: the connection was cut off", "usually passes by itself")
        if not any(self._doors.secrets.tell(f"{link} {link!r}") for link in chain(error)):
            failure.__cause__ = error
        return failure

    def _failure(self, answer: Answer, after: float | None, *, limited: bool) -> ConnectorError:
        status = answer.status
        said = one_line(self._doors.secrets.scrub(complaint(answer.content)))
        what = f"{answer.request} answered {status}" + (f": {said}" if said else "")
        if status == 401 or self._ended(answer):
            hint = "renew or correct the credentials: they are wrong, expired or revoked"
            return AuthError(what, hint, status=status, permission=False)
        if status == 429 or limited:
            hint = "nothing to do: asked again next round"
            return RateLimited(what, hint, status=429, retry_after=after)
        if status == 403:
            hint = "grant what is missing: the credentials work, but lack a permission"
            return AuthError(what, hint, status=status)
        if status in RETRIED or status >= 500:
            return Unreachable(
                what, "the platform has trouble of its own; asked again next round", status=status
            )
        if 300 <= status < 400:
            return UnexpectedAnswer(
                what, "it redirects elsewhere: use the final URL in dogwatch.yaml", status=status
            )
        return UnexpectedAnswer(what, status=status)


def _worth_a_retry(failure: ConnectorError) -> bool:
    return failure.transient and (failure.status is None or failure.status in RETRIED)
