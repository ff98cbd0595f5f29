"""The service face: /healthz, /readyz, /metrics, and /hooks for events of other systems.

``service_routes`` is a list of routes that a site mounts. Hooks let in who proves to know their secret;
/healthz says nothing but that somebody is there; who may see the rest is for ``guard`` to decide.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dogwatch import hooks
from dogwatch.app import Dogwatch
from dogwatch.errors import ConnectorError, IncidentError, SettingsError, StoreError
from dogwatch.hooks.base import LARGEST, AnyHook, Heard, Post, Refused, Scored
from dogwatch.hooks.proof import Keys, Proves
from dogwatch.report.exposition import Metric, exposition
from dogwatch.watchkeeping import Watchkeeping
from dogwatch.web.inbox import Inbox

Endpoint = Callable[[Request], Awaitable[Response]]
Guard = Callable[[Endpoint], Endpoint]
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_FRESH = 5.0
"""Seconds for which figures are good: whoever asks more often gets the same ones."""
_PATIENCE = 10.0
"""Seconds in which a body has to come."""
_PROMPT = 5.0
"""Seconds in which the store has to answer where somebody asks whether we are ready."""
_MUTE = "the store does not answer"


def _open(endpoint: Endpoint) -> Endpoint:
    return endpoint


def service_routes(dogwatch: Dogwatch, guard: Guard = _open) -> list[BaseRoute]:
    """The routes of one configuration. ``dogwatch`` has to be open while they are served.

    ``guard`` stands before /readyz and /metrics and lets in who may read.
    """
    face = _Face(dogwatch)
    return [
        Route("/healthz", face.healthz),
        Route("/readyz", guard(face.readyz)),
        Route("/metrics", guard(face.metrics)),
        Route("/hooks/{hook}", face.hear, methods=["POST"]),
        Route("/hooks/{hook}/{key}", face.hear, methods=["POST"]),
    ]


class _Face:
    def __init__(self, dogwatch: Dogwatch) -> None:
        self._dogwatch = dogwatch
        self._hooks: dict[str, AnyHook] = {
            name: hooks.load(config.kind)(name, config.settings)
            for name, config in dogwatch.settings.hooks.items()
        }
        self._refused: Counter[tuple[str, str]] = Counter()
        self._made: tuple[float, str] | None = None
        self._making = asyncio.Lock()
        self._inbox: Inbox | None = None
        self._keys = Keys(self._keeping.read)

    @property
    def _keeping(self) -> Watchkeeping:
        return self._dogwatch.watchkeeping()

    # ── how it is ───────────────────────────────────────────────────────────────────────────────────────

    async def healthz(self, request: Request) -> Response:
        """Somebody is there."""
        return PlainTextResponse("ok\n")

    async def readyz(self, request: Request) -> Response:
        """200 if the store answers and the last round is not too old, else 503; and why."""
        try:
            async with asyncio.timeout(_PROMPT):
                pulse = await self._keeping.pulse()
        except (StoreError, TimeoutError) as error:
            why = error.message if isinstance(error, StoreError) else _MUTE
            return JSONResponse({"ready": False, "why": why}, 503)
        told = pulse.model_dump(mode="json", exclude={"watchers": {"__all__": {"holder"}}})
        why = "" if not pulse.stale else "no round ended yet" if pulse.last_round_at is None else "stale"
        return JSONResponse({"ready": not pulse.stale, "why": why, **told}, 503 if pulse.stale else 200)

    async def metrics(self, request: Request) -> Response:
        """Figures for Prometheus."""
        loop = asyncio.get_running_loop()
        async with self._making:
            if self._made is None or loop.time() - self._made[0] > _FRESH:
                try:
                    async with asyncio.timeout(_PROMPT):
                        figures = await self._keeping.metrics()
                except (StoreError, TimeoutError) as error:
                    return PlainTextResponse(
                        f"{error.message if isinstance(error, StoreError) else _MUTE}\n", 503
                    )
                self._made = (loop.time(), exposition([*figures, self._refusals()]))
        return Response(self._made[1], media_type=_TEXT)

    def _refusals(self) -> Metric:
        counts = [
            ({"hook": hook, "status": status}, float(number))
            for (hook, status), number in sorted(self._refused.items())
        ]
        return Metric("dogwatch_calls_refused_total", "counter", "Calls that were not taken.", counts)

    # ── hooks ───────────────────────────────────────────────────────────────────────────────────────────

    async def hear(self, request: Request) -> Response:
        """One call from outside: 202 if it is written down, 200 if it was known or means nothing to us."""
        name = str(request.path_params["hook"])
        hook = self._hooks.get(name)
        try:
            if hook is None:
                name = "unknown"
                raise Refused(404, "there is no such hook")
            body = await _body(request)
            post = Post(
                headers={key.lower(): value for key, value in request.headers.items()},
                body=body,
                now=self._dogwatch.clock.now(),
                key=str(request.path_params.get("key", "")),
            )
            heard = hook.hear(post)
            if isinstance(hook, Proves):
                await hook.prove(post, self._keys)
            return await self._taken(name, heard)
        except Refused as refusal:
            self._refused[name, str(refusal.status)] += 1
            return _refusal(refusal)

    async def _taken(self, name: str, heard: Heard) -> Response:
        if heard.confirm:
            await self._confirm(heard.confirm)
        if heard.scored is not None:
            return await self._scored(heard.scored)
        if heard.ignored:
            return JSONResponse(dict(heard.answer or {"taken": False}))
        try:
            call = self._keeping.call(name, heard)
        except LookupError as error:
            text = f"no connector is called {error.args[0]}"
            if heard.answer is None:
                raise Refused(400, text) from None
            return JSONResponse({**heard.answer, "text": text})
        if self._inbox is None:
            self._inbox = Inbox(self._keeping)
        new = await self._inbox.put(call)
        if heard.answer is not None:
            return JSONResponse(dict(heard.answer))
        return JSONResponse({"taken": True, "known": not new}, 202 if new else 200)

    async def _scored(self, given: Scored) -> Response:
        """Keep a score; only who gave it is answered."""
        try:
            desk = self._dogwatch.desk()
            found = await desk.feedback(given.incident, given.score, given.why, given.by)
            text = f"{found.name}: {given.score} of 100, noted"
        except IncidentError as error:
            text = error.message
        return JSONResponse({"response_type": "ephemeral", "text": text})

    async def _confirm(self, url: str) -> None:
        try:
            problem = await self._keeping.visit(url)
        except (ConnectorError, SettingsError) as error:
            problem = error.message
        if problem:
            raise Refused(502, f"it could not be confirmed: {problem}")


async def _body(request: Request) -> bytes:
    """The body. Raises Refused if it is too large, too slow or broken off."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > LARGEST:
        raise Refused(413, f"a call may have {LARGEST:,} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise Refused(413, f"a call may have {LARGEST:,} bytes")
    except TimeoutError:
        raise Refused(408, "the body did not come") from None
    except ClientDisconnect:
        raise Refused(400, "the call broke off") from None
    return bytes(body)


def _refusal(refusal: Refused) -> Response:
    headers = {"retry-after": "5"} if refusal.status == 503 else {}
    if refusal.status == 401:
        headers["www-authenticate"] = 'Basic realm="dogwatch"'
    return JSONResponse({"error": refusal.message}, refusal.status, headers)
