"""The application: its routes with the scope that each needs, and the headers of every answer."""

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from dogwatch.errors import DogwatchError
from dogwatch.model.door import Scope
from dogwatch.web import api, door, forms, pages
from dogwatch.web.errors import Problem, Refused, problem_of
from dogwatch.web.guard import guarded, require_host
from dogwatch.web.live import live
from dogwatch.web.service import Endpoint, service_routes
from dogwatch.web.site import Ask, Handler, Site
from dogwatch.web.views import assets, problem_page

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
READ, APPROVE, ADMIN = Scope.read, Scope.approve, Scope.admin

PAGES: Mapping[str, Handler] = {
    "/": pages.tonight,
    "/incidents": pages.incidents,
    "/incidents/{incident}": pages.incident,
    "/incidents/{incident}/postmortem": pages.postmortem_page,
    "/jobs": pages.jobs,
    "/jobs/{instance}/{job_id:path}": pages.job,
    "/pipelines": pages.pipelines,
    "/logs": pages.logs,
    "/actions": pages.actions,
    "/settings": pages.settings,
    "/search": pages.search,
    "/findings/{fingerprint}": pages.finding,
    "/help": pages.help_page,
    "/help/{chapter:path}": pages.manual_page,
    "/live": live,
}
FORMS: Mapping[str, tuple[Scope, Handler]] = {
    "/actions/{action}/approve": (APPROVE, forms.approve),
    "/actions/{action}/reject": (APPROVE, forms.reject),
    "/incidents/{incident}/{verb}": (APPROVE, forms.decide),
    "/halt": (ADMIN, forms.halt),
    "/sign-out": (READ, door.sign_out),
}
"""What a browser may change."""


def make_app(site: Site) -> ASGIApp:
    """The whole site."""
    routes: list[BaseRoute] = [
        *(Route(path, guarded(site, READ, handler)) for path, handler in PAGES.items()),
        *(
            Route(path, guarded(site, scope, handler), methods=["POST"])
            for path, (scope, handler) in FORMS.items()
        ),
        *api.routes(site),
        Route("/static/{name}", _static(site)),
        Route("/enter", door.entering(site)),
        Route("/sign-in", door.signing_in(site), methods=["GET", "POST"]),
        Route("/zone", door.keeping_zone(site), methods=["POST"]),
        *_service_routes(site),
    ]
    handlers: dict[Any, Any] = {
        Refused: _show,
        DogwatchError: _show,
        HTTPException: _show,
        Exception: _show,
    }
    return _Headers(Starlette(routes=routes, exception_handlers=handlers))


def _service_routes(site: Site) -> list[BaseRoute]:
    """Routes for machines: health, metrics, webhooks, which know by themselves whom they let in; figures are
    for who may read."""

    def readers(endpoint: Endpoint) -> Endpoint:
        async def answer(ask: Ask) -> Response:
            return await endpoint(ask.request)

        return guarded(site, READ, answer)

    return service_routes(site.dogwatch, readers)


def _static(site: Site) -> Any:
    async def static(request: Request) -> Response:
        """One of three files, by name; no path is ever made of what was asked."""
        require_host(request, site)
        found = assets().get(request.path_params["name"])
        if found is None:
            raise Refused(404, "there is nothing here")
        kept = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(found[0], media_type=found[1], headers=kept)

    return static


async def _show(request: Request, error: Exception) -> Response:
    """What went wrong: as JSON to programs, as a page to people."""
    problem = problem_of(error)
    if request.url.path.startswith("/api/"):
        return problem.response()
    if problem.status == 401:
        return _to_sign_in(request, problem)
    return problem_page(problem)


def _to_sign_in(request: Request, problem: Problem) -> Response:
    from urllib.parse import quote

    from starlette.responses import RedirectResponse

    if request.method != "GET" or request.url.path == "/live":
        return problem_page(problem)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/sign-in?next={quote(request.url.path + query, safe='')}", 303)


class _Headers:
    """Puts the headers that every answer has on every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, sending)
