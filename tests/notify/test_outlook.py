"""Drafts through Microsoft Graph: made and left, or sent if so configured; found again after a crash."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
from pydantic import SecretStr

from dogwatch.errors import ChannelError
from dogwatch.notify.base import Earlier
from dogwatch.notify.outlook import Outlook, OutlookSettings, internet_id
from support.door import doors, status
from support.letters import incident, told

LINK = "https://outlook.office365.com/owa/?ItemID=AAMk"
OPENED = told(incident())


class Graph:
    """Graph and Entra, as far as a mailbox needs them."""

    def __init__(self, *refusals: httpx2.Response) -> None:
        self.refusals = list(refusals)
        self.requests: list[httpx2.Request] = []
        self.drafts: dict[str, dict[str, Any]] = {}
        self.sent: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path.endswith("/oauth2/v2.0/token"):
            assert parse_qs(request.content.decode())["scope"] == ["https://graph.microsoft.com/.default"]
            token = {"token_type": "Bearer", "expires_in": 3599, "access_token": "graph-token"}
            return httpx2.Response(200, json=token)
        self.requests.append(request)
        if self.refusals:
            return self.refusals.pop(0)
        assert request.headers["Authorization"] == "Bearer graph-token"
        assert path.startswith("/v1.0/users/dogwatch@shop.example/messages")
        if path.endswith("/send"):
            self.sent.append(path.split("/")[-2])
            return httpx2.Response(202)
        if request.method == "GET":
            wanted = request.url.params["$filter"]
            found = [self._seen(one) for one in self.drafts.values() if one["internetMessageId"] in wanted]
            return httpx2.Response(200, json={"value": found})
        made = {**json.loads(request.content), "id": f"AAMk{len(self.drafts)}="}
        self.drafts[made["id"]] = made
        return httpx2.Response(201, json=self._seen(made))

    def _seen(self, made: dict[str, Any]) -> dict[str, Any]:
        return {"id": made["id"], "isDraft": made["id"] not in self.sent, "webLink": LINK}


def outlook(graph: Graph, **changes: Any) -> Outlook:
    settings = OutlookSettings(
        tenant_id="a-tenant",
        client_id="a-client",
        client_secret=SecretStr("a-client-secret"),
        mailbox="dogwatch@shop.example",
        to=("oncall@shop.example",),
        **changes,
    )
    return Outlook("outlook", settings, doors(graph))


def test_a_draft_is_made_and_nothing_is_sent() -> None:
    graph = Graph()
    assert asyncio.run(outlook(graph).send(OPENED, Earlier())) == LINK
    assert len(graph.drafts) == 1
    assert graph.sent == []
    assert graph.requests[0].headers["Prefer"] == 'IdType="ImmutableId"'


def test_it_is_sent_only_if_that_is_switched_on() -> None:
    graph = Graph()
    asyncio.run(outlook(graph, send=True).send(OPENED, Earlier()))
    assert graph.sent == ["AAMk0="]


def test_a_draft_is_found_by_its_message_id_and_sending_is_finished() -> None:
    graph = Graph()
    asyncio.run(outlook(graph).send(OPENED, Earlier()))
    assert asyncio.run(outlook(graph).find(OPENED, Earlier())) == LINK
    assert graph.sent == []
    assert asyncio.run(outlook(graph, send=True).find(OPENED, Earlier())) == LINK
    assert graph.sent == ["AAMk0="]
    asyncio.run(outlook(graph, send=True).find(OPENED, Earlier()))
    assert graph.sent == ["AAMk0="]
    assert asyncio.run(outlook(Graph()).find(OPENED, Earlier())) is None


def test_a_draft_that_could_not_be_sent_is_in_doubt_and_so_looked_for_first() -> None:
    graph = Graph()
    channel = outlook(graph, send=True)
    real = graph.__call__

    def no_send(request: httpx2.Request) -> httpx2.Response:
        return status(429, None, Retry_After="9") if request.url.path.endswith("/send") else real(request)

    channel = Outlook("outlook", channel.settings, doors(no_send))
    with pytest.raises(ChannelError) as error:
        asyncio.run(channel.send(OPENED, Earlier()))
    assert (error.value.ambiguous, error.value.retry_after) == (True, 9.0)


@pytest.mark.parametrize(
    ("answer", "permanent", "refused"),
    [
        (
            status(403, {"error": {"code": "ErrorAccessDenied", "message": "Access to OData is disabled."}}),
            True,
            False,
        ),
        (
            status(404, {"error": {"code": "MailboxNotEnabledForRESTAPI", "message": "no mailbox"}}),
            True,
            False,
        ),
        (status(400, {"error": {"code": "ErrorInvalidRecipients", "message": "bad"}}), False, True),
        (status(429, None, Retry_After="10"), False, False),
    ],
)
def test_what_graph_refuses_is_understood(answer: httpx2.Response, permanent: bool, refused: bool) -> None:
    with pytest.raises(ChannelError) as error:
        asyncio.run(outlook(Graph(answer)).send(OPENED, Earlier()))
    assert (error.value.permanent, error.value.refused) == (permanent, refused)


def test_a_message_id_is_the_same_for_the_same_key_and_no_quote_leaves_the_filter() -> None:
    assert internet_id("a", "x@shop.example") == internet_id("a", "x@shop.example")
    assert internet_id("a", "x@shop.example") != internet_id("b", "x@shop.example")
    assert internet_id("a", "0b5e-4d").endswith("@dogwatch.invalid>")
