"""The server: what the protocol asks, answered by verbs, shelf and prompts; over stdio or HTTP."""

from collections.abc import Sequence
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from starlette.types import ASGIApp, Receive, Scope, Send

from dogwatch import __version__
from dogwatch.agents.data import RULE, block
from dogwatch.app import Dogwatch
from dogwatch.errors import DogwatchError
from dogwatch.mcp import shelf
from dogwatch.mcp.verbs import VERBS, answer

_Ctx = ServerRequestContext[Any, Any]
_HOLDER = "dogwatch.holder"
_INVALID = -32602
_LARGEST = 120_000
"""Characters of one answer."""
_BODY = 64 * 1024
"""Bytes of one request."""
INSTRUCTIONS = (
    "dogwatch watches data pipelines. Begin with ask or incidents. Nothing here acts: propose_action writes "
    "down a proposal that a person decides about. " + RULE
)


class Handlers:
    """What is answered to each request of a client."""

    def __init__(self, app: Dogwatch) -> None:
        self._app = app

    async def list_tools(
        self, ctx: _Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """All tools; their number is small."""
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=verb.name,
                    description=verb.description,
                    input_schema=verb.schema(),
                    annotations=types.ToolAnnotations(
                        read_only_hint=verb.reads, destructive_hint=False, open_world_hint=False
                    ),
                )
                for verb in VERBS.values()
            ]
        )

    async def call_tool(self, ctx: _Ctx, params: types.CallToolRequestParams) -> types.CallToolResult:
        """One answer: as JSON, and as a block of data for clients that show text."""
        verb = VERBS.get(params.name)
        if verb is None:
            raise MCPError(_INVALID, f"there is no tool {params.name[:60]!r}")
        told = await answer(verb, self._app, params.arguments or {}, _caller(ctx))
        failed = isinstance(told, dict) and "error" in told
        text = block(f"dogwatch {verb.name}", told)
        if len(str(told)) > _LARGEST:
            told, failed = {"error": "this is too much at once", "hint": "ask for fewer: limit"}, True
            text = block(f"dogwatch {verb.name}", told)
        return types.CallToolResult(
            content=[types.TextContent(text=text)], structured_content=told, is_error=failed
        )

    async def list_resources(
        self, ctx: _Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """Runbooks and incidents, page by page."""
        try:
            found, more = await shelf.items(self._app, params.cursor if params else None)
        except DogwatchError as error:
            raise MCPError(_INVALID, error.message) from None
        told = [
            types.Resource(uri=one.uri, name=one.name, title=one.title, mime_type="text/markdown")
            for one in found
        ]
        return types.ListResourcesResult(resources=told, next_cursor=more)

    async def list_templates(
        self, ctx: _Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """How resources are addressed."""
        kinds = (("incident", f"{shelf.INCIDENT}{{number}}"), ("runbook", f"{shelf.RUNBOOK}{{name}}"))
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(name=name, uri_template=uri, mime_type="text/markdown")
                for name, uri in kinds
            ]
        )

    async def read_resource(
        self, ctx: _Ctx, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """One runbook or incident."""
        try:
            text = await shelf.read(self._app, params.uri)
        except DogwatchError as error:
            raise MCPError(_INVALID, error.message) from None
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=params.uri, mime_type="text/markdown", text=text)]
        )

    async def list_prompts(
        self, ctx: _Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        """All prompts."""
        return types.ListPromptsResult(
            prompts=[
                types.Prompt(
                    name=one.name,
                    description=one.description,
                    arguments=[
                        types.PromptArgument(name=name, description=said, required=required)
                        for name, said, required in one.arguments
                    ],
                )
                for one in shelf.PROMPTS.values()
            ]
        )

    async def get_prompt(self, ctx: _Ctx, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        """A prompt with what is known now."""
        try:
            text = await shelf.prompt(self._app, params.name, params.arguments or {})
        except DogwatchError as error:
            raise MCPError(_INVALID, error.message) from None
        told = types.PromptMessage(role="user", content=types.TextContent(text=text))
        return types.GetPromptResult(description=shelf.PROMPTS[params.name].description, messages=[told])


def make_server(app: Dogwatch) -> "Server[Any]":
    """A server for one opened configuration."""
    handlers = Handlers(app)
    return Server(
        "dogwatch",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
        on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt,
    )


def _caller(ctx: _Ctx) -> str:
    """Who asks: the holder of the token, or whoever started this process."""
    scope: Any = getattr(ctx.request, "scope", None) or {}
    return f"agent:{scope.get(_HOLDER, 'mcp')}"


async def serve_stdio(app: Dogwatch) -> None:
    """Speak on standard input and output until the client goes."""
    server = make_server(app)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def http_app(app: Dogwatch, hosts: Sequence[str]) -> ASGIApp:
    """The server over streamable HTTP at /mcp, for holders of a token with the scope read.

    ``hosts`` are the names by which it may be called, as ``name`` or ``name:*``.
    """
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    security = TransportSecuritySettings(allowed_hosts=list(hosts), allowed_origins=origins)
    inner = make_server(app).streamable_http_app(
        json_response=True,
        stateless_http=True,
        transport_security=security,
        max_request_body_size=_BODY,
    )
    return Guarded(inner, app)


class Guarded:
    """Lets in who brings a bearer token that may read."""

    def __init__(self, inner: ASGIApp, app: Dogwatch) -> None:
        self._inner = inner
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            holder = await self._holder(scope)
            if not holder:
                await _refuse(send)
                return
            scope[_HOLDER] = holder
        await self._inner(scope, receive, send)

    async def _holder(self, scope: Scope) -> str:
        given = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        kind, _, text = given.partition(" ")
        if kind.lower() != "bearer":
            return ""
        token = await self._app.doorkeeper().holder(text.strip())
        return token.name if token is not None and "read" in token.scopes else ""


async def _refuse(send: Send) -> None:
    body = b'{"error":"a bearer token with the scope read is needed"}'
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"www-authenticate", b'Bearer realm="dogwatch"'),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
