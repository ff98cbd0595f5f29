"""What every platform twin offers, and the gate in front of it where platform faults strike."""

import importlib
import inspect
import json
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, ClassVar, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dogwatch.lab import platforms
from dogwatch.lab.world import LabJob, LabRun, PlatformFault, World


class Twin(ABC):
    """One platform's API over a world. The file is named like the connector; there is no registry."""

    platform: ClassVar[str]
    required: ClassVar[str]
    """The field without which a record of the run listing makes no sense (for bad_payload missing_field)."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.listeners.append(self.renewed)

    def renewed(self) -> None:  # noqa: B027  # most twins keep nothing
        """The story has changed: forget what was computed from it."""

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's paths; handlers answer for ``self.world.now``."""

    @abstractmethod
    def settings(self, base_url: str) -> dict[str, Any]:
        """What a user would write under ``connectors.<platform>`` to reach this twin."""

    def told(self, subject: Callable[[str], str | None]) -> dict[str, Any]:
        """Further settings that depend on what dogwatch calls the estate's jobs (``subject``)."""
        return {}

    @abstractmethod
    def credentials(self) -> dict[str, str]:
        """The secret settings by field name; they never stand in dogwatch.yaml."""

    @abstractmethod
    def job_id(self, job: str) -> str:
        """The native id of ``<platform>/<key>``."""

    def job_name(self, job: LabJob) -> str:
        """The job's name as the platform shows it: any text, unless names are identifiers there."""
        return job.name

    @abstractmethod
    def run_id(self, run: LabRun) -> str:
        """The native id of a run, as text."""

    @abstractmethod
    def revoke(self) -> None:
        """Make every token that was issued so far worthless (a login may buy a new one)."""

    def app(self) -> ASGIApp:
        """The twin as an ASGI application, gate included."""
        return Gate(Starlette(routes=[_in_turn(route) for route in self.routes()]), self)


class Jobless(Twin):
    """The API of a platform that runs no jobs: what is measured, traced or logged there keeps its name."""

    def job_id(self, job: str) -> str:
        """The name itself."""
        return job.partition("/")[2]

    def run_id(self, run: LabRun) -> str:
        """There are no runs."""
        return str(run.number)


def _in_turn(route: BaseRoute) -> BaseRoute:
    """The route with a handler that runs on the event loop. Starlette would call a plain function in a
    thread; twins answer from memory, and threads would make the order of events depend on the machine."""
    if not isinstance(route, Route) or inspect.iscoroutinefunction(route.endpoint):
        return route
    plain: Callable[[Request], Response] = route.endpoint

    async def endpoint(request: Request) -> Response:
        return plain(request)

    return Route(route.path, endpoint, methods=list(route.methods or ()), name=route.name)


def twin_class(platform: str) -> type[Twin]:
    """The twin in ``lab/platforms/<platform>.py``."""
    module = importlib.import_module(f"{platforms.__name__}.{platform}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Twin) and value.__module__ == module.__name__
    ]
    return found[0]


def platform_names() -> list[str]:
    """All platforms that have a twin, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(platforms.__path__))


class Gate:
    """Stands before a twin and lets the world's platform faults strike the calls."""

    def __init__(self, app: ASGIApp, twin: Twin) -> None:
        self._app = app
        self._twin = twin
        self.before: Callable[[Request], None] = lambda request: None
        """Called with every request first; tests move the clock or count here."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        self.before(Request(scope))
        world, platform = self._twin.world, self._twin.platform
        for fault in world.faults_of(platform):
            refusal = _refusal(fault)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        shapes = [
            str(fault.fields.get("shape", "truncated"))
            for fault in world.faults_of(platform)
            if fault.kind == "bad_payload"
        ]
        date = format_datetime(world.now + world.skew(platform), usegmt=True)
        await self._app(scope, receive, _Outgoing(send, date, shapes, self._twin.required))


def _refusal(fault: PlatformFault) -> Response | None:
    """The answer of a platform that does not answer properly, None if the fault is of another sort."""
    status = fault.fields.get("status")
    if fault.kind == "platform_down":
        if status == "refuses":
            raise ConnectionResetError("the platform refuses connections")
        return JSONResponse(
            {"message": "upstream connect error or disconnect"}, status if isinstance(status, int) else 503
        )
    if fault.kind == "auth_revoked":
        return JSONResponse(
            {"message": "The access token is invalid or has been revoked"},
            status if isinstance(status, int) else 401,
        )
    if fault.kind == "rate_limited":
        after = fault.fields.get("retry_after")
        headers = {} if after is None else {"Retry-After": str(_seconds(after))}
        return JSONResponse({"message": "You are being rate limited."}, 429, headers)
    return None


def _seconds(value: object) -> object:
    return int(value.total_seconds()) if isinstance(value, timedelta) else value


class _Outgoing:
    """Holds a twin's answer back until it is whole, then spoils it as the faults demand."""

    def __init__(self, send: Send, date: str, shapes: Sequence[str], required: str) -> None:
        self._send = send
        self._date = date
        self._shapes = shapes
        self._required = required
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        headers = [
            (key, value)
            for key, value in self._start.get("headers", [])
            if key.lower() not in {b"content-length", b"date"}
        ]
        body = self._body
        for shape in self._shapes:
            body = spoil(body, shape, self._required)
            if shape == "html":
                headers = [(key, value) for key, value in headers if key.lower() != b"content-type"]
                headers.append((b"content-type", b"text/html"))
        headers += [(b"content-length", str(len(body)).encode()), (b"date", self._date.encode())]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def spoil(body: bytes, shape: str, required: str) -> bytes:
    """A body as a broken platform or a proxy would send it.

    ``shape`` is truncated, html, empty, wrong_type or missing_field.
    """
    if shape == "truncated":
        return body[: max(1, len(body) * 2 // 3)]
    if shape == "html":
        return b"<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>"
    if shape == "empty":
        return b""
    try:
        value: Any = json.loads(body)
    except ValueError:
        return body
    if shape == "wrong_type":
        spoiled: Any = 0
        if isinstance(value, dict):
            spoiled = dict.fromkeys(cast("dict[str, Any]", value), "unavailable")
    else:
        spoiled = _without(value, required)
    return json.dumps(spoiled).encode()


def _without(value: Any, field: str) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: _without(item, field) for key, item in items if key != field}
    if isinstance(value, list):
        return [_without(item, field) for item in cast("Sequence[Any]", value)]
    return value
