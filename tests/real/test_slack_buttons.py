"""Slack's own client hears a press by Socket Mode; the other end of the socket is spoken here (RFC 6455)."""

import asyncio
import base64
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from dogwatch.errors import ConsentError, SettingsError
from dogwatch.listening import listen
from dogwatch.model import Action
from support.actions import an_action

pytestmark = pytest.mark.real

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PAYLOAD = {"type": "block_actions", "actions": []}


class Slack:
    """``apps.connections.open`` and one socket, on which one press is told."""

    def __init__(self, listener: socket.socket, *, lets_in: bool = True) -> None:
        self._listener = listener
        self._lets_in = lets_in
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        self.acknowledged: list[Any] = []
        self.tokens: list[str] = []
        self.heard = threading.Event()

    def run(self) -> None:
        """Answer until the listener is closed."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line)
            lines = {key.lower(): item for key, item in lines.items()}
            if "sec-websocket-key" in lines:
                self._socket(connection, lines["sec-websocket-key"])
            else:
                self._open(connection, lines)

    def _open(self, connection: socket.socket, lines: dict[str, str]) -> None:
        self.tokens.append(lines.get("authorization", ""))
        told: dict[str, Any] = {"ok": False, "error": "invalid_auth"}
        if self._lets_in:
            told = {"ok": True, "url": self.url.replace("http", "ws") + "link"}
        body = json.dumps(told).encode()
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    def _socket(self, connection: socket.socket, key: str) -> None:
        accepted = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest()).decode()
        connection.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accepted}\r\n\r\n".encode()
        )
        for told in ({"type": "hello"}, {"type": "interactive", "envelope_id": "e1", "payload": PAYLOAD}):
            text = json.dumps(told).encode()
            connection.sendall(struct.pack("!BB", 0x81, len(text)) + text)
        while True:
            code, text = self._frame(connection)
            if code == 1:
                self.acknowledged.append(json.loads(text))
                self.heard.set()
            elif code == 9:
                connection.sendall(struct.pack("!BB", 0x8A, len(text)) + text)
            elif code == 8:
                return

    def _frame(self, connection: socket.socket) -> tuple[int, bytes]:
        first, second = self._exactly(connection, 2)
        length = second & 127
        if length == 126:
            (length,) = struct.unpack("!H", self._exactly(connection, 2))
        mask = self._exactly(connection, 4) if second & 128 else bytes(4)
        data = self._exactly(connection, length)
        return first & 15, bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))

    @staticmethod
    def _exactly(connection: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data


@contextmanager
def slack(*, lets_in: bool = True) -> Iterator[Slack]:
    """Slack on a loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Slack(listener, lets_in=lets_in)
        threading.Thread(target=found.run, daemon=True).start()
        yield found


@pytest.mark.parametrize(
    ("error", "says"),
    [(None, "abc-1 proposed: "), (ConsentError("nobody knows you"), "refused: nobody knows")],
)
def test_a_press_is_acknowledged_and_answered(error: ConsentError | None, says: str) -> None:
    pressed: list[object] = []

    async def press(payload: object) -> Action:
        pressed.append(payload)
        if error is not None:
            raise error
        return an_action(id="abc-1")

    async def hear(url: str) -> str:
        said: asyncio.Queue[str] = asyncio.Queue()
        task = asyncio.create_task(listen("xapp-1-test", press, said.put_nowait, base_url=url))
        async with asyncio.timeout(30):
            line = await said.get()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return line

    with slack() as server:
        assert asyncio.run(hear(server.url)).startswith(says)
        assert server.heard.wait(10)
    assert pressed == [PAYLOAD]
    assert server.acknowledged[0]["envelope_id"] == "e1"
    assert server.tokens[0] == "Bearer xapp-1-test"


def test_a_token_that_slack_refuses_is_told_without_it() -> None:
    async def press(payload: object) -> Action:
        raise AssertionError(payload)

    with slack(lets_in=False) as server, pytest.raises(SettingsError) as told:
        asyncio.run(listen("xapp-1-secret", press, print, base_url=server.url))
    assert told.value.message == "Slack refuses the app token: invalid_auth"
