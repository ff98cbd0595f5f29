"""Our drafts, judged by prism with Microsoft's own types of a mail in between."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dogwatch.model import Occasion
from dogwatch.notify.base import Earlier
from dogwatch.notify.outlook import Outlook, OutlookSettings
from dogwatch.wire.http import Doors
from support.clock import NOON, JumpingClock
from support.letters import every_block, incident, resolved, told
from support.node import missing, prism
from support.serve import served

SPEC = (
    Path(__file__).parents[2]
    / ".."
    / "shared"
    / "specs"
    / "msgraph"
    / "graph-mail-drafts.derived.openapi.json"
)

pytestmark = pytest.mark.real


def _mailbox(made: list[dict[str, Any]]) -> Starlette:
    """Graph's side: a draft as Graph would answer it."""

    async def create(request: Request) -> Response:
        body = json.loads(await request.body())
        made.append(body)
        answer = {
            **{
                key: body[key]
                for key in ("subject", "importance", "body", "toRecipients", "internetMessageId")
            },
            "id": f"AAMk{len(made)}",
            "isDraft": True,
            "webLink": "https://outlook.office365.com/owa/?ItemID=AAMk",
        }
        return JSONResponse(answer, status_code=201)

    async def token(request: Request) -> Response:
        return JSONResponse({"token_type": "Bearer", "expires_in": 3599, "access_token": "graph-token"})

    return Starlette(
        routes=[
            Route("/v1.0/users/{user}/messages", create, methods=["POST"]),
            Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
        ]
    )


def test_our_drafts_are_what_graph_takes(tmp_path: Path, require_real: bool) -> None:
    if not SPEC.exists():
        missing(f"the vendor's specification is not here: {SPEC}", require_real)
    document: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
    document["paths"] = {f"/v1.0{path}": one for path, one in document["paths"].items()}
    document["servers"] = [{"url": "/"}]
    spec = tmp_path / "graph.json"
    spec.write_text(json.dumps(document), encoding="utf-8")
    made: list[dict[str, Any]] = []
    with served(_mailbox(made)) as upstream, prism(spec, upstream, require_real) as judge:
        settings = OutlookSettings(
            tenant_id="tenant",
            client_id="client",
            client_secret=SecretStr("a-client-secret"),
            mailbox="dogwatch@shop.example",
            to=("oncall@shop.example",),
            cc=("second@shop.example",),
            url=judge.url,
            entra_url=upstream,
        )

        async def life() -> None:
            doors = Doors(clock=JumpingClock(), rng=random.Random(1))
            channel = Outlook("outlook", settings, doors)
            for message in (
                told(incident()),
                told(resolved(incident(), NOON), Occasion.resolved),
                every_block(),
            ):
                assert (await channel.send(message, Earlier())).startswith("https://outlook")
            await channel.aclose()

        asyncio.run(life())
        assert judge.complaints == []
    assert len(made) == 3
