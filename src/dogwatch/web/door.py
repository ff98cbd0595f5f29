"""In and out: the link that ``dogwatch serve`` prints, a token, and leaving."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dogwatch.doorkeeper import SESSION
from dogwatch.model.door import Session
from dogwatch.web.caller import ALL, Caller
from dogwatch.web.errors import Refused
from dogwatch.web.guard import FORM, address_of, require_host, require_origin, require_pace
from dogwatch.web.site import ZONE_COOKIE, Ask, Site, body_of, form_of
from dogwatch.web.views import page

Endpoint = Callable[[Request], Awaitable[Response]]


def inward(text: str) -> str:
    """A path on this site, or its beginning: nobody is sent elsewhere after signing in."""
    parts = urlsplit(text)
    fit = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if fit and not parts.netloc and not parts.scheme else "/"


def entering(site: Site) -> Endpoint:
    """The link: opens one session, once, for the person at the machine."""

    async def enter(request: Request) -> Response:
        require_host(request, site)
        require_pace(site.entering, address_of(request), site)
        given = request.query_params.get("ticket", "")[:200]
        if site.ticket is None or not site.ticket.take(given, site.now()):
            raise Refused(
                403, "this link was used, is too old, or is not from here", "start dogwatch serve again"
            )
        before = request.cookies.get(site.entrance.cookie)
        session, cookie = await site.keeper.enter(site.owner, ALL, before=before)
        return _let_in(site, session, cookie, "/")

    return enter


def signing_in(site: Site) -> Endpoint:
    """The form that takes a token."""

    async def sign_in(request: Request) -> Response:
        require_host(request, site)
        nobody = Ask(request, site, Caller("", ()), {})
        if request.method != "POST":
            return page(
                nobody, "signin.html.j2", next=inward(request.query_params.get("next", "/")), problem=""
            )
        require_origin(request)
        require_pace(site.entering, address_of(request), site)
        sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent != FORM:
            raise Refused(415, "this is not a form", "")
        form = form_of(await body_of(request))
        token = await site.keeper.holder(form.get("token", "").strip()[:200])
        onward = inward(form.get("next", "/"))
        if token is None:
            said = "This token opens nothing: it is mistyped, revoked or too old."
            return page(nobody, "signin.html.j2", 403, next=onward, problem=said)
        before = request.cookies.get(site.entrance.cookie)
        session, cookie = await site.keeper.enter(token.name, token.scopes, token=token.id, before=before)
        return _let_in(site, session, cookie, onward)

    return sign_in


def _let_in(site: Site, session: Session, cookie: str, onward: str) -> Response:
    answer = RedirectResponse(onward, 303)
    answer.set_cookie(
        site.entrance.cookie,
        cookie,
        max_age=round(SESSION.total_seconds()),
        path="/",
        secure=site.entrance.secure,
        httponly=True,
        samesite="lax",
    )
    return answer


async def sign_out(ask: Ask) -> Response:
    """End this session."""
    name = ask.site.entrance.cookie
    await ask.site.keeper.leave(ask.request.cookies.get(name, ""))
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(name, path="/", secure=ask.site.entrance.secure, httponly=True, samesite="lax")
    return answer


def keeping_zone(site: Site) -> Endpoint:
    """The choice between the configured zone and the browser's; it changes nothing but a cookie."""

    async def zone(request: Request) -> Response:
        require_host(request, site)
        require_origin(request)
        form = form_of(await body_of(request))
        answer = RedirectResponse("/settings", 303)
        if form.get("zone") == "configured":
            kept = site.dogwatch.settings.timezone
            answer.set_cookie(ZONE_COOKIE, kept, max_age=31_536_000, path="/", samesite="lax")
        else:
            answer.delete_cookie(ZONE_COOKIE, path="/", samesite="lax")
        return answer

    return zone
