"""An ASGI application on a real loopback socket, for clients that cannot be handed a transport."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

_PATIENCE = 20.0


class _Announced(uvicorn.Server):
    """Says when it listens, so that nobody has to poll."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve ``app`` on a free port of 127.0.0.1 in a thread; yields ``http://127.0.0.1:<port>``.

    On leaving, connections still open are cut and the thread has ended.
    """
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _Announced(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio does this for the sockets it makes; without it an answer in two parts takes 40 ms (RFC 896)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=server.run, args=([listener],), name="served", daemon=True)
        thread.start()
        try:
            if not server.listening.wait(_PATIENCE):
                raise RuntimeError("the test server did not start")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_PATIENCE)
            if thread.is_alive():
                raise RuntimeError("the test server did not stop")
