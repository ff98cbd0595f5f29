"""Calls of other systems as they come over the wire, and a house that takes them."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from starlette.applications import Starlette

from dogwatch.app import Dogwatch
from dogwatch.settings import Settings, load
from dogwatch.web.service import service_routes
from support.clock import JumpingClock

T = TypeVar("T")
SECRET = "the-secret-of-a-test-0123456789"
CONFIG = """
connectors:
  airbyte: {url: http://127.0.0.1:1}
  second: {kind: airbyte, url: http://127.0.0.1:1}
  databricks: {url: http://127.0.0.1:1}
  logs: {kind: gcs, bucket: acme-logs}
hooks:
  alertmanager: {components: {orders: airbyte/c1}}
  airbyte: {}
  databricks: {}
  generic: {}
  open: {kind: generic, signed: false}
  pubsub: {prefix: run/}
  sns: {topics: ["arn:aws:sns:eu-central-1:123456789012:logs"], signed: false}
  slack: {}
"""
HOOKS = ("alertmanager", "airbyte", "databricks", "generic", "open", "pubsub", "sns", "slack")


def settings_in(folder: Path, config: str = CONFIG) -> Settings:
    """A configuration with a hook of every sort."""
    (folder / "dogwatch.yaml").write_text(config, encoding="utf-8")
    secrets = {f"DOGWATCH_{name.upper()}_SECRET": SECRET for name in HOOKS if f"  {name}:" in config}
    if "  databricks: {url" in config:
        secrets["DOGWATCH_DATABRICKS_TOKEN"] = "dapi-of-nobody"
    return load(folder / "dogwatch.yaml", secrets, folder)


Client = httpx2.AsyncClient


def calling(
    settings: Settings,
    clock: JumpingClock,
    work: Callable[[Client, Dogwatch], Awaitable[T]],
    transport: httpx2.AsyncBaseTransport | None = None,
) -> T:
    """What ``work`` does with a client of the service face; ``transport`` leads to the world."""

    async def life() -> T:
        async with Dogwatch(settings, clock=clock, transport=transport) as app:
            site = Starlette(routes=service_routes(app))
            inside = httpx2.ASGITransport(app=site)
            async with httpx2.AsyncClient(transport=inside, base_url="http://dogwatch") as client:
                return await work(client, app)

    return asyncio.run(life())


def bearer(secret: str = SECRET) -> dict[str, str]:
    """The secret, shown."""
    return {"Authorization": f"Bearer {secret}"}


def basic(secret: str = SECRET) -> dict[str, str]:
    """The secret as a password."""
    return {"Authorization": "Basic " + base64.b64encode(f"user:{secret}".encode()).decode()}


def standard(body: bytes, at: float, id_: str = "msg_1", secret: str = SECRET) -> dict[str, str]:
    """Signed by Standard Webhooks."""
    stamp = str(int(at))
    digest = hmac.digest(secret.encode(), f"{id_}.{stamp}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": id_, "webhook-timestamp": stamp, "webhook-signature": signature}


def slack(body: bytes, at: float, secret: str = SECRET) -> dict[str, str]:
    """Signed as Slack does."""
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/x-www-form-urlencoded",
    }


def alerts(*told: Mapping[str, Any]) -> bytes:
    """Alertmanager's webhook of version 4; each alert over the usual one."""
    usual = {
        "status": "firing",
        "labels": {"alertname": "HighErrorRate", "severity": "critical", "job": "backend"},
        "annotations": {"summary": "High error rate detected"},
        "startsAt": "2026-03-03T11:50:00.2Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "c6a1b5f0d3e2a491",
    }
    body = {"version": "4", "status": "firing", "alerts": [{**usual, **one} for one in told or ({},)]}
    return json.dumps(body).encode()
