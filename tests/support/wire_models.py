"""aimock: a server that speaks as providers of models do, with answers from a list."""

import json
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.node import program

_PATIENCE = 60.0


@contextmanager
def aimock(folder: Path, fixtures: Sequence[Any], required: bool) -> Iterator[str]:
    """The server on a free port; yields its URL. What no fixture fits is refused."""
    found, node = program("llmock", required), program("node", required)
    file = folder / "fixtures.json"
    file.write_text(json.dumps({"fixtures": list(fixtures)}), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(node), str(found.resolve()), "-p", str(port), "-f", str(file), "--strict"]
    settled = threading.Event()
    log: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:

        def follow() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                log.append(line.rstrip())
                if "listening" in line:
                    settled.set()
            settled.set()

        reader = threading.Thread(target=follow, name="aimock log", daemon=True)
        reader.start()
        try:
            if not settled.wait(_PATIENCE) or process.poll() is not None:
                pytest.fail("aimock did not start: " + "\n".join(log[-20:]))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(_PATIENCE)
            reader.join(_PATIENCE)


def journal(url: str) -> list[dict[str, Any]]:
    """Every request that it got."""
    with urllib.request.urlopen(f"{url}/__aimock/journal", timeout=_PATIENCE) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found
