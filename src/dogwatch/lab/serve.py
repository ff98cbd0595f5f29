"""A lab: a world and the twins that speak for it, reached in this process or over loopback sockets."""

import asyncio
import os
import socket
import struct
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import uvicorn
from ruamel.yaml import YAML
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from dogwatch.errors import LabError
from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.estate import COMPONENT, Told, ToldPipeline
from dogwatch.lab.network import LabTransport, delay, host_url, refuses
from dogwatch.lab.twin import platform_names, twin_class
from dogwatch.lab.world import World

_PATIENCE = 20.0
"""Seconds in which servers start and stop."""
_ABORT = struct.pack("ii", 1, 0)


class Lab:
    """A world with a twin for each of its platforms that has one."""

    def __init__(self, world: World) -> None:
        self.world = world
        present = world.platforms
        self.twins = {name: twin_class(name)(world) for name in platform_names() if name in present}

    @property
    def unserved(self) -> list[str]:
        """Platforms that are simulated but have no twin to speak for them."""
        return sorted(self.world.platforms - self.twins.keys())

    def transport(self) -> LabTransport:
        """The way to the twins within this process; the world's clock has to be a SimulatedClock."""
        clock = self.world.clock
        if not isinstance(clock, SimulatedClock):
            raise TypeError("only a SimulatedClock can jump over the time that a slow platform takes")
        return LabTransport(self.world, {name: twin.app() for name, twin in self.twins.items()}, clock)

    @contextmanager
    def serve(self, port: int = 0) -> Generator[dict[str, str]]:
        """Serve each platform on a port of 127.0.0.1 of its own; yields platform -> URL.

        ``port`` is the first platform's, the next ones follow; 0 takes free ones. On leaving, all
        connections are closed and the thread has ended. Raises LabError if a port is taken.
        """
        with ExitStack() as stack:
            sockets: dict[str, socket.socket] = {}
            for index, name in enumerate(self.twins):
                sockets[name] = stack.enter_context(_listen(port + index if port else 0))
            servers = _Servers([self._server(name) for name in self.twins], list(sockets.values()))
            stack.enter_context(servers.running())
            yield {name: f"http://127.0.0.1:{bound.getsockname()[1]}" for name, bound in sockets.items()}

    def _server(self, platform: str) -> "_Server":
        world, stopping = self.world, threading.Event()
        app = _slowly(self.twins[platform].app(), lambda: delay(world, platform), stopping)
        return _Server(app, _refusing(lambda: refuses(world, platform)), stopping)

    def write_config(
        self,
        folder: Path,
        urls: Mapping[str, str] | None = None,
        history_days: int = 30,
        told: Told | None = None,
    ) -> Path:
        """Write dogwatch.yaml and .env so that dogwatch reads these twins; returns the former's path.

        ``urls`` are those of ``serve``; without them the settings are for ``transport``. ``told`` is what a
        user would have configured.
        """
        urls = urls or {name: host_url(name) for name in self.twins}
        settings = {
            "timezone": self.world.timezone,
            "store": "dogwatch.db",
            "history_days": history_days,
            **self._told(told or Told()),
            "connectors": {
                name: {**twin.settings(urls[name]), **twin.told(self.subject)}
                for name, twin in self.twins.items()
            },
        }
        folder.mkdir(parents=True, exist_ok=True)
        writer: Any = YAML(typ="safe", pure=True)
        writer.default_flow_style = False
        writer.sort_base_mapping_type_on_output = False
        path = folder / "dogwatch.yaml"
        with path.open("w", encoding="utf-8") as file:
            writer.dump(settings, file)
        secrets = [
            f"DOGWATCH_{name.upper()}_{field.upper()}={env_quoted(value)}\n"
            for name, twin in self.twins.items()
            for field, value in twin.credentials().items()
        ]
        (folder / ".env").write_text("".join(secrets), encoding="utf-8")
        return path

    def _told(self, told: Told) -> dict[str, Any]:
        """Pipelines, maintenance, holidays and muted jobs as they stand in dogwatch.yaml."""
        maintenance = [
            {"on": subject, "from": window.start.isoformat(), "to": window.end.isoformat()}
            for window in told.maintenance
            if (subject := self.subject(window.on)) is not None
        ]
        muted = [subject for name in told.muted if (subject := self.subject(name)) is not None]
        pipelines = [block for one in told.pipelines if (block := self._pipeline(one))["jobs"]]
        words = {
            "pipelines": pipelines,
            "maintenance": maintenance,
            "holidays": [day.isoformat() for day in told.holidays],
            "muted": muted,
        }
        return {key: value for key, value in words.items() if value}

    def _pipeline(self, told: ToldPipeline) -> dict[str, Any]:
        """One pipeline; what dogwatch cannot know is left out."""
        block: dict[str, Any] = {
            "name": told.name,
            "jobs": [subject for job in told.jobs if (subject := self._member(job)) is not None],
            "edges": "auto",
        }
        if told.edges is not None:
            pairs = [(self._member(first), self._member(second)) for first, second in told.edges]
            block["edges"] = [list(pair) for pair in pairs if None not in pair]
        if told.fresh_by is not None:
            block["fresh_by"] = told.fresh_by
        return block

    def _member(self, name: str) -> str | None:
        return name if name.startswith(COMPONENT) else self.subject(name)

    def subject(self, name: str) -> str | None:
        """What dogwatch calls a platform, a job or a component of the estate; None if it cannot know it."""
        if name in self.world.components:
            return name
        platform, slash, _ = name.partition("/")
        twin = self.twins.get(platform)
        if twin is None:
            return None
        return f"{platform}/{twin.job_id(name)}" if slash else platform


def env_quoted(value: str) -> str:
    """A value as .env files hold it (python-dotenv's double quotes), line ends of a key included."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _listen(port: int) -> socket.socket:
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise LabError(
            f"port {port} cannot be used: {os.strerror(error.errno or 0)}", "choose another --port"
        ) from error
    # asyncio does this for the sockets it makes; without it an answer in two parts takes 40 ms (RFC 896).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class _Server(uvicorn.Server):
    """A quiet server that says when it listens."""

    def __init__(self, app: ASGIApp, protocol: type[H11Protocol], stopping: threading.Event) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="critical",
                access_log=False,
                date_header=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        self.listening = threading.Event()
        self.stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As usual, and say so."""
        await super().startup(sockets)
        self.listening.set()


class _Servers:
    """Several servers on one event loop in one thread."""

    def __init__(self, servers: list[_Server], sockets: list[socket.socket]) -> None:
        self._servers = servers
        self._sockets = sockets

    @contextmanager
    def running(self) -> Generator[None]:
        """They listen inside, and nothing is left of them afterwards."""
        thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="lab", daemon=True)
        thread.start()
        try:
            if not all(server.listening.wait(_PATIENCE) for server in self._servers):
                raise LabError("the lab's servers did not start")
            yield
        finally:
            for server in self._servers:
                server.stopping.set()
                server.should_exit = True
            thread.join(_PATIENCE)
            if thread.is_alive():
                raise LabError("the lab's servers did not stop")

    async def _serve(self) -> None:
        pairs = zip(self._servers, self._sockets, strict=True)
        await asyncio.gather(*(server.serve(sockets=[bound]) for server, bound in pairs))


def _slowly(app: ASGIApp, seconds: Callable[[], float], stopping: threading.Event) -> ASGIApp:
    """The application, answering as late as the world demands."""

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        left = seconds() if scope["type"] == "http" else 0.0
        while left > 0 and not stopping.is_set():
            await asyncio.sleep(min(left, 0.1))
            left -= 0.1
        await app(scope, receive, send)

    return slow


def _refusing(refused: Callable[[], bool]) -> type[H11Protocol]:
    """uvicorn's HTTP, but connections are reset while the platform refuses them."""

    class Refusing(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
            super().connection_made(transport)
            self._reset_if_refused()

        def data_received(self, data: bytes) -> None:
            if not self._reset_if_refused():
                super().data_received(data)

        def _reset_if_refused(self) -> bool:
            if not refused():
                return False
            bound = cast("socket.socket | None", self.transport.get_extra_info("socket"))
            if bound is not None:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            self.transport.abort()
            return True

    return Refusing
