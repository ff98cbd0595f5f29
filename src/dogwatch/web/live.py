"""Server-sent events: a word whenever something was found, decided or done. The page asks for the rest."""

import asyncio
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dogwatch.web.errors import Refused
from dogwatch.web.site import Ask, Site

_EVERY = 1.0
"""Seconds between two looks at the store."""
_ALIVE = 15
"""Looks after which an empty line keeps proxies from closing the connection."""
_MOST = 64
"""Streams at a time."""


class Stream(Response):
    """One client that listens, until it goes away."""

    open = 0

    def __init__(self, site: Site) -> None:
        super().__init__(media_type="text/event-stream", headers={"cache-control": "no-store"})
        self._site = site
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        Stream.open += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._tell(receive, send)
        finally:
            Stream.open -= 1

    async def _tell(self, receive: Receive, send: Send) -> None:
        told, quiet = await self._site.dogwatch.tick(), 0
        await _say(send, f"retry: 3000\nevent: hello\ndata: {told}\n\n")
        while not await _gone(receive):
            pulse, quiet = await self._site.dogwatch.tick(), quiet + 1
            if pulse != told:
                told, quiet = pulse, 0
                await _say(send, f"event: changed\ndata: {pulse}\n\n")
            elif quiet >= _ALIVE:
                quiet = 0
                await _say(send, ": still here\n\n")


async def _say(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _gone(receive: Receive) -> bool:
    """Whether the client went away; waits a moment for it."""
    with suppress(TimeoutError):
        return bool((await asyncio.wait_for(receive(), _EVERY))["type"] == "http.disconnect")
    return False


async def live(ask: Ask) -> Response:
    """The stream."""
    if Stream.open >= _MOST:
        raise Refused(429, "too many pages are listening", "close some", retry_after=60)
    return Stream(ask.site)
