"""Who asks: found by a token, a session, or by coming from this machine."""

from dataclasses import dataclass

from starlette.requests import Request

from dogwatch.doorkeeper import Doorkeeper
from dogwatch.model.door import Scope, Session
from dogwatch.model.text import one_line

ALL = (Scope.read, Scope.approve, Scope.admin)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Entrance:
    """How the site may be reached."""

    hosts: frozenset[str]
    """Host names, without ports, under which it answers; other names are refused, so that a page elsewhere
    cannot have a browser read this one under a name of its own (DNS rebinding)."""
    anonymous: bool
    """Whether who comes from this machine may look without a token: only if it is bound to loopback."""
    secure: bool
    """Whether cookies go over TLS only: always, except on loopback without TLS."""

    @property
    def cookie(self) -> str:
        """The session cookie's name; ``__Host-`` binds it to this host, path and to TLS (RFC 6265bis)."""
        return "__Host-dogwatch" if self.secure else "dogwatch-session"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with certain rights."""

    name: str
    """As the record and the policy file know them; empty for somebody who only looks, on this machine."""
    scopes: tuple[Scope, ...]
    session: Session | None = None
    bearer: bool = False

    @property
    def actor(self) -> str:
        """As events name them."""
        return f"user:{self.name}"

    @property
    def csrf(self) -> str:
        """What a change by this browser has to bring along; empty if nothing can be changed."""
        return "" if self.session is None else self.session.csrf

    def may(self, scope: Scope) -> bool:
        """Whether they may do what needs this scope."""
        return scope in self.scopes


async def caller_of(request: Request, keeper: Doorkeeper, entrance: Entrance) -> Caller | None:
    """Who asks; None for nobody who may even look.

    A token or a cookie that opens nothing is nobody, also on this machine: who brought one meant to be known.
    """
    given = request.headers.get("authorization", "")
    if given:
        kind, _, text = given.partition(" ")
        token = await keeper.holder(text.strip()[:_LONGEST]) if kind.lower() == "bearer" else None
        return None if token is None else Caller(token.name, token.scopes, bearer=True)
    cookie = request.cookies.get(entrance.cookie, "")[:_LONGEST]
    session = await keeper.session(cookie) if cookie else None
    if session is not None:
        return Caller(session.name, session.scopes, session)
    if entrance.anonymous and _from_here(request):
        return Caller("", (Scope.read,))
    return None


def _from_here(request: Request) -> bool:
    """Whether the request comes from this machine itself, and not through something that forwards it."""
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via"))
    return not forwarded and request.client is not None and request.client.host in LOOPBACK


def host_of(request: Request) -> str:
    """The host name that the client asked for, without its port."""
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    return one_line(name.lower(), 255)
