"""An endpoint that speaks Chat Completions as a stream, and writes on when it is told to.

Chunks as https://platform.openai.com/docs/api-reference/chat-streaming has them.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dogwatch.agents.runtime import ANSWER
from support.programs import PATIENCE

LEFT = 17
"""Requests that it still allows."""


@dataclass
class SlowModel:
    """Writes its answer in two halves."""

    url: str = ""
    halves: Sequence[str] = ("", "")
    go_on: threading.Event = field(default_factory=threading.Event)
    """Set by the test when it has seen what the first half brings about."""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


def _chunk(delta: dict[str, Any], ended: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": ended}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _writing(text: str, name: str | None = None) -> bytes:
    function = {"arguments": text} if name is None else {"name": name, "arguments": text}
    call: dict[str, Any] = {"index": 0, "function": function}
    if name is not None:
        call |= {"id": "call_1", "type": "function"}
    return _chunk({"tool_calls": [call]})


@contextmanager
def slow_model() -> Iterator[SlowModel]:
    """The endpoint, until the end of the block."""
    model = SlowModel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            model.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("x-ratelimit-remaining-requests", str(LEFT))
            self.end_headers()
            first, second = model.halves
            self._write(_writing("", ANSWER), _writing(first))
            if model.go_on.wait(PATIENCE):
                self._write(_writing(second), _chunk({}, "tool_calls"), b"data: [DONE]\n\n")

        def _write(self, *chunks: bytes) -> None:
            try:
                for chunk in chunks:
                    self.wfile.write(chunk)
                self.wfile.flush()
            except OSError:
                pass  # nobody listens any more

        def log_message(self, *said: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        model.url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield model
        finally:
            model.go_on.set()
            server.shutdown()
