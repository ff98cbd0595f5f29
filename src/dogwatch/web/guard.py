"""Before anything is answered: the host, the caller, the scope, the pace, and that a change is meant.

A change by a browser needs its session's token in the form and an Origin of our own: another site can make a
browser send a form with its cookies, but can read neither. A change with a bearer token needs neither, since
no browser adds that by itself.
"""

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from dogwatch.model.door import Scope
from dogwatch.web.caller import Caller, caller_of, host_of
from dogwatch.web.errors import Refused
from dogwatch.web.site import Ask, Handler, Site, body_of, form_of

SAFE = frozenset({"GET", "HEAD"})
CSRF_HEADER = "x-dogwatch-csrf"
FORM = "application/x-www-form-urlencoded"


def guarded(site: Site, scope: Scope, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler that is only reached by who may."""

    async def endpoint(request: Request) -> Response:
        require_host(request, site)
        caller = await caller_of(request, site.keeper, site.entrance)
        if caller is None:
            require_pace(site.entering, address_of(request), site)
            raise Refused(401, "nobody looks in here without a token", "sign in, or send a bearer token")
        require_pace(site.looking, _who(request, caller), site)
        if not caller.may(scope):
            raise Refused(403, _lacks(caller, scope), "dogwatch token new NAME --scope " + scope.value)
        form: dict[str, str] = {}
        if request.method not in SAFE:
            form = await _meant(request, caller)
            require_pace(site.changing, _who(request, caller), site)
        return await handler(Ask(request, site, caller, form))

    return endpoint


def _lacks(caller: Caller, scope: Scope) -> str:
    who = caller.name or "who only looks"
    return f"{who} may not do this: it needs the scope {scope.value}"


def require_host(request: Request, site: Site) -> None:
    """Raises Refused if the client believes to speak with somebody else."""
    if host_of(request) not in site.entrance.hosts:
        raise Refused(421, "this name does not lead here", "dogwatch serve --name NAME makes it do so")


def require_pace(buckets: object, who: str, site: Site) -> None:
    """Raises Refused if somebody asks too often."""
    from dogwatch.web.limits import Buckets

    assert isinstance(buckets, Buckets)
    wait = buckets.take(who, site.now())
    if wait:
        raise Refused(429, "too many requests", f"again in {wait:.0f} s", retry_after=wait)


def address_of(request: Request) -> str:
    """Where a request comes from, as far as this machine sees."""
    return request.client.host if request.client else ""


def _who(request: Request, caller: Caller) -> str:
    return caller.name or address_of(request)


async def _meant(request: Request, caller: Caller) -> dict[str, str]:
    """The form of a change that a person at this browser meant. Raises Refused."""
    if caller.bearer:
        return {}
    if caller.session is None:
        raise Refused(403, "this browser is not signed in", "open the link that dogwatch serve prints")
    require_origin(request)
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form = form_of(await body_of(request)) if sent == FORM else {}
    given = form.pop("csrf", "") or request.headers.get(CSRF_HEADER, "")
    if not secrets.compare_digest(given.encode("utf-8", "replace"), caller.csrf.encode()):
        raise Refused(403, "this form is not from here, or too old", "go back, load the page again, repeat")
    return form


def require_origin(request: Request) -> None:
    """Raises Refused if a browser sends this for another site."""
    site = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    own = request.headers.get("host", "").lower()
    if (origin and urlsplit(origin).netloc.lower() != own) or (site and site not in ("same-origin", "none")):
        raise Refused(403, "another site sent this", "do it here")
    if not origin and not site:
        raise Refused(403, "the browser does not say where this comes from", "use another browser")
