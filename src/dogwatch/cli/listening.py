"""What commands share that answer at a port of this machine."""

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvicorn

from dogwatch.errors import SettingsError

if TYPE_CHECKING:
    from starlette.types import ASGIApp


async def answer(app: "ASGIApp", host: str, port: int, greet: Callable[[str], None], **more: Any) -> None:
    """Let an application answer until interrupted; ``greet`` is told ``host:port`` once it can be called.

    Nobody is told what answers, no request is logged, and no proxy is believed about who calls. ``more`` is
    for uvicorn. Raises SettingsError for an address that cannot be used.
    """
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, proxy_headers=False, ws="none", **more
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}",
            "choose another --host or --port",
        ) from None
    with listener:
        greet(f"{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}")
        await uvicorn.Server(config).serve(sockets=[listener])
