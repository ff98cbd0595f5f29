"""What the twins of Google Cloud share: log entries as Google writes them, the way in, and its errors."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dogwatch.lab.lines import Line
from dogwatch.lab.world import World, native_uuid

PROJECT = "shop-prod"
ACCESS_TOKEN = "ya29.c.c0lab-9Qv3TfKxR7mWzB2dY6sJpLhN1gUeXoAi"
"""As ``gcloud auth print-access-token`` would print it; good until it is revoked."""
CLIENT_EMAIL = f"dogwatch@{PROJECT}.iam.gserviceaccount.com"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME = timedelta(hours=1)
_LOUD = frozenset({"WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"})


def log_id(line: Line) -> str:
    """Which log of Cloud Run a line goes to, its slash unescaped."""
    return "run.googleapis.com/stderr" if line.severity in _LOUD else "run.googleapis.com/stdout"


def entry(line: Line, skew: timedelta = timedelta(0)) -> dict[str, Any]:
    """A LogEntry (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry).

    A component writes either plain text or structured payloads. A severity of DEFAULT is left out.
    """
    service = line.component
    told: dict[str, Any] = {
        "insertId": f"{line.number:015x}{int(line.at.timestamp()) % 65_536:04x}",
        "logName": f"projects/{PROJECT}/logs/{log_id(line).replace('/', '%2F')}",
        "resource": {
            "type": "cloud_run_revision",
            "labels": {
                "project_id": PROJECT,
                "service_name": service,
                "revision_name": f"{service}-00042-xyz",
                "configuration_name": service,
                "location": "europe-west1",
            },
        },
        "timestamp": stamp(line, "at", skew),
        "receiveTimestamp": stamp(line, "received", skew),
        "labels": {"instanceId": native_uuid("instance", service).replace("-", "")},
    }
    if line.severity != "DEFAULT":
        told["severity"] = line.severity
    if native_uuid("payload", service)[0] in "01234567":
        told["jsonPayload"] = {"message": line.text, "component": service}
    else:
        told["textPayload"] = line.text
    return told


def stamp(line: Line, which: str, skew: timedelta) -> str:
    """A time with nanoseconds, trailing zeros dropped."""
    moment = (line.at if which == "at" else line.received) + skew
    nanos = f"{moment.microsecond:06d}{line.number % 1000:03d}".rstrip("0")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' + nanos if nanos else ''}Z"


def problem(status: int, code: str, message: str) -> Response:
    """An error in Google's shape."""
    return JSONResponse({"error": {"code": status, "message": message, "status": code}}, status)


class Door:
    """OAuth 2 as Google's APIs want it: a fixed access token, or one bought with a service account's JWT."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._epoch = 0

    def revoke(self) -> None:
        """No token that was issued so far is good any more."""
        self._epoch += 1

    def good(self, request: Request) -> bool:
        """Whether a request carries a good token."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token == ACCESS_TOKEN:
            return self._epoch == 0
        claims = _claims(token.removeprefix("ya29.lab."), 0)
        return claims.get("epoch") == self._epoch and claims.get("exp", 0) > self._world.now.timestamp()

    def guarded(self, handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """The handler for those who are let in."""

        async def guarded(request: Request) -> Response:
            if not self.good(request):
                message = (
                    "Request had invalid authentication credentials. Expected OAuth 2 access token, login "
                    "cookie or other valid authentication credential."
                )
                return problem(401, "UNAUTHENTICATED", message)
            answer = handler(request)
            return answer if isinstance(answer, Response) else await answer

        return guarded

    async def token(self, request: Request) -> Response:
        """The token endpoint (RFC 7523); the assertion's claims are checked, its signature is not."""
        form = dict(parse_qsl((await request.body()).decode()))
        claims = _claims(form.get("assertion", ""), 1)
        now = self._world.now.timestamp()
        if form.get("grant_type") != _GRANT or claims.get("iss") != CLIENT_EMAIL:
            return JSONResponse(
                {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}, 400
            )
        if not now - 600 < float(claims.get("exp", 0)) <= now + 3_900:
            told = (
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
            )
            return JSONResponse({"error": "invalid_grant", "error_description": told}, 400)
        ends = now + _LIFETIME.total_seconds()
        inner = base64.urlsafe_b64encode(json.dumps({"exp": ends, "epoch": self._epoch}).encode()).decode()
        seconds = int(_LIFETIME.total_seconds())
        token = f"ya29.lab.{inner.rstrip('=')}"
        return JSONResponse({"access_token": token, "expires_in": seconds, "token_type": "Bearer"})


def _claims(token: str, part: int) -> dict[str, Any]:
    """What a token says; nothing if it is none."""
    try:
        text = token.split(".")[part]
        found: Any = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (IndexError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
