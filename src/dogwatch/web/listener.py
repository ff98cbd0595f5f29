"""The service face and the pages on one socket: what ``dogwatch watch`` starts beside itself."""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from dogwatch.app import Dogwatch
from dogwatch.errors import SettingsError
from dogwatch.model.door import Scope
from dogwatch.settings import Settings
from dogwatch.web.app import make_app
from dogwatch.web.caller import LOOPBACK, Entrance, caller_of, host_of
from dogwatch.web.service import Endpoint, service_routes
from dogwatch.web.site import Site

_BACKLOG = 2048
_STOP = 10


async def listen(settings: Settings, address: str, told: Callable[[str], None]) -> None:
    """Serve until told to stop, or until whoever started us is gone (standard input ends).

    Raises SettingsError for an address that cannot be used, StoreError if the store does not open.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    with _bound(host, int(port)) as bound:
        async with Dogwatch(settings) as app:
            entrance = Entrance(
                frozenset({*LOOPBACK, host.lower()}),
                anonymous=host in LOOPBACK,
                secure=host not in LOOPBACK,
            )
            pages = Mount("/", make_app(Site(app, entrance)))
            config = uvicorn.Config(
                Starlette(routes=[*service_routes(app, reading(app, entrance)), pages]),
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=_STOP,
                limit_concurrency=2_000,
            )
            server = uvicorn.Server(config)
            watcher = asyncio.create_task(_until_orphaned(server))
            told(f"listening on {address}")
            try:
                await server.serve(sockets=[bound])
            finally:
                watcher.cancel()


def reading(app: Dogwatch, entrance: Entrance) -> Callable[[Endpoint], Endpoint]:
    """A guard that lets in who may read: by a token, whatever name this machine was called by, or from this
    machine by a name of its own."""

    def guard(endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            caller = await caller_of(request, app.doorkeeper(), entrance)
            if caller is None or not (caller.bearer or host_of(request) in entrance.hosts):
                headers = {"www-authenticate": "Bearer"}
                return JSONResponse({"error": "a token is needed: dogwatch token new"}, 401, headers)
            if not caller.may(Scope.read):
                return JSONResponse({"error": "this token may not read"}, 403)
            return await endpoint(request)

        made: Callable[[Request], Awaitable[Response]] = guarded
        return made

    return guard


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}",
            "choose another address for listen",
        ) from error
    # asyncio does this for the sockets it makes; without it an answer in two parts takes 40 ms (RFC 896).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _until_orphaned(server: uvicorn.Server) -> None:
    """Stop when standard input ends: whoever started us is gone, however it died."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def look() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    loop.add_reader(sys.stdin.fileno(), look)
    try:
        await ended.wait()
        server.should_exit = True
    finally:
        loop.remove_reader(sys.stdin.fileno())
