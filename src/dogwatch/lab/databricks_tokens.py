"""Who lets a client into the simulated Databricks workspace: its token endpoint, Entra, GitHub Actions."""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dogwatch.lab.world import World, native_number, native_uuid

LIFETIME = timedelta(seconds=3600)
ENTRA_SCOPE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT = "urn:ietf:params:oauth:token-type:jwt"


class Tokens:
    """One service principal's ways to a bearer token, and which of those tokens are still good."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.client_id = native_uuid("databricks service principal", world.id)
        self.client_secret = "dose" + self._hex("secret")
        self.tenant = native_uuid("entra tenant", world.id)
        self.account = native_uuid("databricks account", world.id)
        self.workspace = native_number("databricks workspace", world.id, digits=16)
        self.id_token_request_token = self._hex("id token request")
        self._ends = dict[str, float]()
        self._sold = 0
        self._revocations = 0

    @property
    def personal(self) -> str:
        """The personal access token that is good now."""
        return "dapi" + self._hex("personal", str(self._revocations))[:32]

    def good(self, token: str) -> bool:
        """Whether the workspace accepts it now."""
        return token == self.personal or self._ends.get(token, 0.0) > self._world.now.timestamp()

    def revoke(self) -> None:
        """All that exist are worthless; the next personal token is another."""
        self._ends.clear()
        self._revocations += 1

    def routes(self) -> Sequence[Route]:
        """Discovery (RFC 8414) and the token endpoint, Entra's v2.0 endpoint, the runner's ID tokens."""
        return [
            Route("/.well-known/databricks-config", self._describe),
            Route("/oidc/.well-known/oauth-authorization-server", self._discover),
            Route("/oidc/v1/token", self._sell, methods=["POST"]),
            Route("/entra/{tenant}/oauth2/v2.0/token", self._sell_as_entra, methods=["POST"]),
            Route("/actions/id-token", self._issue_id_token),
        ]

    async def _describe(self, request: Request) -> Response:
        """What clients ask of a host before anything else."""
        return JSONResponse(
            {
                "oidc_endpoint": f"{request.base_url}oidc",
                "account_id": self.account,
                "workspace_id": str(self.workspace),
                "cloud": "Azure",
                "token_federation_default_oidc_audiences": [self.account],
            }
        )

    async def _discover(self, request: Request) -> Response:
        base = f"{request.base_url}oidc"
        return JSONResponse(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/v1/authorize",
                "token_endpoint": f"{base}/v1/token",
                "grant_types_supported": ["client_credentials", "refresh_token", _EXCHANGE],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_basic",
                    "client_secret_post",
                    "none",
                ],
                "scopes_supported": ["all-apis", "offline_access", "sql"],
            }
        )

    async def _sell(self, request: Request) -> Response:
        form = await _form(request)
        grant = form.get("grant_type")
        if grant == "client_credentials":
            given = f"{self.client_id}:{self.client_secret}".encode()
            good = request.headers.get("authorization") == "Basic " + base64.b64encode(given).decode()
        elif grant == _EXCHANGE:
            told = (form.get("subject_token_type"), form.get("client_id"), form.get("subject_token"))
            good = told == (_JWT, self.client_id, self._id_token(self.account))
        else:
            return _refusal("unsupported_grant_type", f"grant type {grant} is not supported", 400)
        if not good:
            return _refusal("invalid_client", "Client authentication failed", 401)
        if form.get("scope") != "all-apis":
            return _refusal("invalid_scope", "the requested scope is not allowed", 400)
        return self._sale(int(LIFETIME.total_seconds()), scope="all-apis")

    async def _sell_as_entra(self, request: Request) -> Response:
        form = await _form(request)
        if (tenant := request.path_params["tenant"]) != self.tenant:
            return _refusal("invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.", 400)
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return _refusal("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
        if (form.get("grant_type"), form.get("scope")) != ("client_credentials", ENTRA_SCOPE):
            said = "AADSTS1002012: The provided value for scope is not valid."
            return _refusal("invalid_scope", said, 400)
        seconds = int(LIFETIME.total_seconds()) - 1
        return self._sale(seconds, ext_expires_in=seconds)

    async def _issue_id_token(self, request: Request) -> Response:
        """What a GitHub Actions runner offers to a job with ``id-token: write``."""
        if request.headers.get("authorization") != f"Bearer {self.id_token_request_token}":
            return JSONResponse({"message": "Unauthorized"}, 401)
        value = self._id_token(request.query_params.get("audience", ""))
        return JSONResponse({"count": len(value), "value": value})

    def _sale(self, seconds: int, **more: object) -> Response:
        self._sold += 1
        token = self._jwt({"sub": self.client_id, "jti": self._sold})
        self._ends[token] = self._world.now.timestamp() + seconds
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": seconds, **more})

    def _id_token(self, audience: str) -> str:
        return self._jwt({"iss": "https://token.actions.githubusercontent.com", "aud": audience})

    def _jwt(self, claims: dict[str, object]) -> str:
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return f"eyJhbGciOiJSUzI1NiJ9.{body}.{self._hex('signature', body)}"

    def _hex(self, *parts: str) -> str:
        return hashlib.sha256("\x1f".join(("databricks", self._world.id, *parts)).encode()).hexdigest()


async def _form(request: Request) -> dict[str, str]:
    return {
        key: values[0] for key, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()
    }


def _refusal(error: str, description: str, status: int) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status)
