"""aimock: a server that speaks as providers of models do, with answers from a list."""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.node import program
from support.ports import free_port
from support.programs import PATIENCE, running


@contextmanager
def aimock(folder: Path, fixtures: Sequence[Any], required: bool) -> Iterator[str]:
    """The server on a free port; yields its URL. What no fixture fits is refused."""
    found, node = program("llmock", required), program("node", required)
    file = folder / "fixtures.json"
    file.write_text(json.dumps({"fixtures": list(fixtures)}), encoding="utf-8")
    port = free_port()
    command = [str(node), str(found.resolve()), "-p", str(port), "-f", str(file), "--strict"]
    with running("aimock", command, "listening"):
        yield f"http://127.0.0.1:{port}"


def journal(url: str) -> list[dict[str, Any]]:
    """Every request that it got."""
    with urllib.request.urlopen(f"{url}/__aimock/journal", timeout=PATIENCE) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found
