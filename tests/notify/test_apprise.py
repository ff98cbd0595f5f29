"""Apprise: a real service on loopback gets plain text; what it does not know or cannot reach is said."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dogwatch.errors import ChannelError, SettingsError
from dogwatch.notify.apprise import Apprise, AppriseSettings
from dogwatch.notify.base import Earlier
from dogwatch.wire.http import Doors
from support.clock import JumpingClock
from support.letters import every_block
from support.serve import served

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # apprise itself, before Python 3.13


def apprise(url: str) -> Apprise:
    return Apprise("pager", AppriseSettings(service_url=SecretStr(url)), Doors(clock=JumpingClock()))


@pytest.mark.parametrize("status", [200, 500])
def test_a_service_gets_the_message_or_it_is_said_that_it_did_not(status: int) -> None:
    got: list[dict[str, Any]] = []

    async def take(request: Request) -> Response:
        got.append(json.loads(await request.body()))
        return Response(status_code=status)

    with served(Starlette(routes=[Route("/in", take, methods=["POST"])])) as url:
        channel = apprise(url.replace("http://", "json://") + "/in")
        if status == 200:
            assert asyncio.run(channel.send(every_block(), Earlier())) == "apprise"
        else:
            with pytest.raises(ChannelError) as error:
                asyncio.run(channel.send(every_block(), Earlier()))
            assert error.value.ambiguous
    assert "@channel" not in got[0]["message"]
    assert "<!here>" not in got[0]["message"]


def test_a_service_that_apprise_does_not_know_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(SettingsError) as error:
        apprise("nonsense://a-secret-token")
    assert "a-secret-token" not in f"{error.value} {error.value.hint}"
