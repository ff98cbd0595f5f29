"""What we send is taken by a server that behaves like Slack's, and read back with Slack's own client."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from dogwatch.errors import ChannelError
from dogwatch.model import IncidentState, Message, Occasion
from dogwatch.notify.base import Earlier
from dogwatch.notify.slack import Slack, SlackSettings, blocks
from dogwatch.report.message import Line, digest
from dogwatch.wire.http import Doors, Pace
from support.clock import NOON
from support.letters import BERLIN, every_block, incident, resolved, told
from support.node import emulate

pytestmark = pytest.mark.real

TOKEN = "test_token_admin"
MANY = [Line(n, incident().severity, f"job {n} failed", f"airbyte/{n}", n % 2 == 0) for n in range(1, 1_000)]
MESSAGES: dict[str, Message] = {
    "opened": told(incident()),
    "hostile": every_block(),
    "huge": every_block("x<@U1> " * 20_000),
    "digest": digest(MANY, "These came on top.", "digest/1@slack", BERLIN, NOON),
}


class Wall:
    """The machine's own clock, for a server that has one too."""

    def now(self) -> Any:
        """The present."""
        from dogwatch.wire.clock import SystemClock

        return SystemClock().now()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@dataclass
class Workspace:
    """A Slack workspace, our channel to it, and Slack's own client."""

    url: str
    client: Any
    channel: str

    def slack(self, **changes: Any) -> Slack:
        """Our side."""
        given: dict[str, Any] = {
            "bot_token": SecretStr(TOKEN),
            "channel": self.channel,
            "url": f"{self.url}/api",
            **changes,
        }
        return Slack(
            "slack",
            SlackSettings(**given),
            Doors(clock=Wall(), rng=random.Random(1), pace=Pace(per_second=0)),
        )


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    from conftest import REQUIRE_REAL

    sdk = pytest.importorskip("slack_sdk", reason="the group real is not installed (make real)")
    with emulate("slack", REQUIRE_REAL) as url:
        client = sdk.WebClient(token=TOKEN, base_url=f"{url}/api/")
        made = client.conversations_create(name="dataops-alerts")
        yield Workspace(url, client, made["channel"]["id"])


def play(channel: Slack, *steps: tuple[Message, Earlier]) -> list[str]:
    async def life() -> list[str]:
        try:
            return [await channel.send(message, earlier) for message, earlier in steps]
        finally:
            await channel.aclose()

    return asyncio.run(life())


def test_an_incident_is_one_message_changed_in_place_and_a_thread(workspace: Workspace) -> None:
    one = incident(41)
    (root,) = play(workspace.slack(), (told(one), Earlier()))
    earlier = Earlier(first=root, last=root)
    taken = one.model_copy(update={"state": IncidentState.acknowledged, "acknowledged_by": "user:sam"})
    play(
        workspace.slack(),
        (told(taken, Occasion.changed), earlier),
        (told(resolved(one, NOON), Occasion.resolved), earlier),
    )
    channel, _, ts = root.partition("/")
    history = workspace.client.conversations_history(channel=channel)["messages"]
    mine = [message for message in history if message["ts"] == ts]
    assert len(mine) == 1
    assert "resolved" in mine[0]["text"]
    replies = workspace.client.conversations_replies(channel=channel, ts=ts)["messages"]
    assert [reply["ts"] == ts for reply in replies].count(False) == 2


def test_a_message_is_found_by_its_key_after_a_crash(workspace: Workspace) -> None:
    message = told(incident(42), now=Wall().now())
    (root,) = play(workspace.slack(), (message, Earlier()))

    async def look(wanted: Message) -> str | None:
        channel = workspace.slack()
        try:
            return await channel.find(wanted, Earlier())
        finally:
            await channel.aclose()

    assert asyncio.run(look(message)) == root
    assert asyncio.run(look(told(incident(43), now=Wall().now()))) is None


@pytest.mark.parametrize("which", MESSAGES)
def test_slacks_own_client_builds_and_posts_our_blocks(workspace: Workspace, which: str) -> None:
    from slack_sdk.models.blocks import Block

    said = blocks(MESSAGES[which], buttons=True)
    for parsed in Block.parse_all(said):
        parsed.validate_json()
    answer = workspace.client.chat_postMessage(channel=workspace.channel, text="t", blocks=said)
    assert answer["ok"]
    assert [block["type"] for block in answer["message"]["blocks"]] == [block["type"] for block in said]


def test_a_webhook_takes_every_message(workspace: Workspace) -> None:
    hook = SecretStr(f"{workspace.url}/services/T000000001/B000000001/X000000001")
    channel = workspace.slack(bot_token=None, channel=None, webhook_url=hook)
    landed = play(channel, *((message, Earlier()) for message in MESSAGES.values()))
    assert landed == ["webhook"] * len(MESSAGES)


def test_a_channel_that_is_not_there_is_told_apart(workspace: Workspace) -> None:
    with pytest.raises(ChannelError) as error:
        play(workspace.slack(channel="C0NOTHERE0"), (told(incident()), Earlier()))
    assert error.value.permanent
