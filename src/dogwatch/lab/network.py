"""The way to the twins without a network: hosts by name, and what a network does to calls."""

from collections.abc import Mapping
from typing import Any

import httpx2
from starlette.types import ASGIApp

from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.world import World

SUFFIX = ".lab"


def host_url(platform: str) -> str:
    """Where a platform is found on this network."""
    return f"http://{platform}{SUFFIX}"


def refuses(world: World, platform: str) -> bool:
    """Whether nobody answers on the platform's port now."""
    return any(
        fault.kind == "platform_down" and fault.fields.get("status") == "refuses"
        for fault in world.faults_of(platform)
    )


def delay(world: World, platform: str) -> float:
    """Seconds that the platform takes to answer now, beyond the usual."""
    slow = [
        fault.fields.get("seconds") for fault in world.faults_of(platform) if fault.kind == "platform_slow"
    ]
    return sum(float(seconds) for seconds in slow if isinstance(seconds, (int, float)))


class LabTransport(httpx2.AsyncBaseTransport):
    """Carries requests to the twins by host name and lets simulated time pass instead of waiting."""

    def __init__(self, world: World, apps: Mapping[str, ASGIApp], clock: SimulatedClock) -> None:
        self._world = world
        self._clock = clock
        self._platforms = {httpx2.URL(host_url(platform)).host: platform for platform in apps}
        self._ways = {platform: httpx2.ASGITransport(_plain(app)) for platform, app in apps.items()}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The twin's answer, or the error that a real network would raise."""
        platform = self._platforms.get(request.url.host)
        if platform is None:
            raise httpx2.ConnectError("[Errno -2] Name or service not known", request=request)
        if refuses(self._world, platform):
            raise httpx2.ConnectError("[Errno 111] Connection refused", request=request)
        await self._wait(delay(self._world, platform), request)
        return await self._ways[platform].handle_async_request(request)

    async def _wait(self, seconds: float, request: httpx2.Request) -> None:
        if not seconds:
            return
        timeout: Mapping[str, Any] = request.extensions.get("timeout", {})
        patience = timeout.get("read")
        if patience is not None and seconds > patience:
            await self._clock.sleep(patience)
            raise httpx2.ReadTimeout("timed out", request=request)
        await self._clock.sleep(seconds)


def _plain(app: ASGIApp) -> Any:
    """httpx2 and starlette describe the same protocol in types that do not match."""
    return app
