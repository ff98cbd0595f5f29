"""The whole way: platforms break in the lab, a round decides, a webhook is told, once."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from dogwatch.app import Dogwatch
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.serve import Lab
from dogwatch.notify.webhook import signature
from dogwatch.settings import load
from support.crash_story import ROUNDS, story

SECRET = "a-shared-secret-of-the-hook"


class Split(httpx2.AsyncBaseTransport):
    """Leads to the lab, but for the webhook, which is here."""

    def __init__(self, lab: httpx2.AsyncBaseTransport) -> None:
        self._lab = lab
        self.posted: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "hook.example":
            self.posted.append(request)
            return httpx2.Response(204)
        return await self._lab.handle_async_request(request)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[list[str]], list[httpx2.Request]]:
    """What each of the story's rounds said, and what was posted; every round by a process of its own."""
    folder: Path = tmp_path_factory.mktemp("told")
    clock = SimulatedClock(ROUNDS[0])
    lab = Lab(story(clock, ordinary=False))
    way = Split(lab.transport())
    config = lab.write_config(folder)
    config.write_text(
        config.read_text()
        + "channels:\n  hook: {kind: webhook, url: 'https://hook.example/dogwatch?to=us'}\n"
    )
    settings = load(config, {"DOGWATCH_HOOK_SECRET": SECRET}, folder)

    async def one_round() -> list[str]:
        async with Dogwatch(settings, clock=clock, transport=way) as app:
            return [message.key for message in (await app.check()).messages]

    said = []
    with asyncio.Runner(loop_factory=LabLoop) as runner:
        for moment in ROUNDS[:3]:
            clock.set(moment)
            said.append(runner.run(one_round()))
            clock.set(moment + timedelta(minutes=1))
            said.append(runner.run(one_round()))
    return said, way.posted


def test_what_a_round_decides_is_posted_once_and_signed(
    night: tuple[list[list[str]], list[httpx2.Request]],
) -> None:
    said, posted = night
    bodies = [json.loads(request.content) for request in posted]
    assert sorted(body["key"] for body in bodies) == sorted(key for keys in said for key in keys)
    assert len({body["key"] for body in bodies}) == len(bodies) > 2
    for request in posted:
        stamp = request.headers["X-Dogwatch-Timestamp"]
        assert request.headers["X-Dogwatch-Signature"] == signature(SECRET, stamp, request.content)
        assert str(request.url) == "https://hook.example/dogwatch?to=us"


def test_a_restart_repeats_nothing(night: tuple[list[list[str]], list[httpx2.Request]]) -> None:
    said, _ = night
    opened = [[key for key in keys if "/opened/" in key] for keys in said]
    assert any(opened[::2])
    assert not any(opened[1::2])  # a minute later, in another process, nothing is new


def test_a_message_cites_evidence_and_ends_in_something_to_do(
    night: tuple[list[list[str]], list[httpx2.Request]],
) -> None:
    for request in night[1]:
        body = json.loads(request.content)
        kinds = [block["block"] for block in body["blocks"]]
        assert kinds[-1] == "steps"
        if body["occasion"] == "opened":
            causes = [
                value
                for block in body["blocks"]
                if block["block"] == "fields"
                for _, value in block["fields"]
            ]
            assert any("evidence" in value or "can't tell" in value for value in causes)
