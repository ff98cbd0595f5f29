"""Buttons of Slack by Socket Mode: a socket that we open, so nobody needs to reach us. Needs slack_sdk."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dogwatch.errors import DogwatchError, SettingsError
from dogwatch.model import Action
from dogwatch.model.text import one_line

Press = Callable[[object], Awaitable[Action]]
"""Takes a payload, raises DogwatchError."""
Told = Callable[[str], None]


async def listen(app_token: str, press: Press, told: Told, *, base_url: str) -> None:
    """Answer presses until cancelled. ``told`` hears one line for each.

    Raises SettingsError without slack_sdk, or if Slack does not let us in.
    """
    try:
        from slack_sdk.errors import SlackApiError
        from slack_sdk.socket_mode import SocketModeClient
        from slack_sdk.web import WebClient
    except ImportError:
        raise SettingsError("buttons need slack_sdk", "pip install 'dogwatch[slack]'") from None
    loop, answered = asyncio.get_running_loop(), asyncio.Queue[object]()

    def heard(client: Any, request: Any) -> None:
        """In a thread of slack_sdk's: acknowledge within Slack's three seconds, then leave it to the loop."""
        from slack_sdk.socket_mode.response import SocketModeResponse

        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        if request.type == "interactive":
            loop.call_soon_threadsafe(answered.put_nowait, request.payload)

    client: Any = SocketModeClient(app_token=app_token, web_client=WebClient(base_url=base_url))
    client.socket_mode_request_listeners.append(heard)
    try:
        await asyncio.to_thread(client.connect)
        while True:
            told(await answer(press, await answered.get()))
    except SlackApiError as error:
        told_us: Any = error.response
        said = one_line(str(told_us.get("error", "")), 80)
        raise SettingsError(
            f"Slack refuses the app token: {said}", "it begins with xapp- and needs connections:write"
        ) from None
    finally:
        await asyncio.to_thread(client.close)


async def answer(press: Press, payload: object) -> str:
    """What became of one press, in a line; whatever is wrong with it is said and nothing else happens."""
    try:
        action = await press(payload)
    except DogwatchError as error:
        return f"refused: {one_line(error.message, 300)}"
    return f"{action.id} {action.state.value.replace('_', ' ')}: {one_line(action.why, 300)}"
