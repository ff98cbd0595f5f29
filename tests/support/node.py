"""Node programs for tests of real parts: installed by ``make real`` into ``.node/`` of this checkout."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from support.ports import free_port
from support.programs import running

_BIN = Path(__file__).parents[2] / ".node" / "node_modules" / ".bin"


def missing(what: str, required: bool) -> NoReturn:
    """Skip the test for want of a real part, or fail it where real parts are required."""
    if required:
        pytest.fail(what)
    pytest.skip(what)


def program(name: str, required: bool) -> Path:
    """The program's path; skips the test, or fails it, if it is not installed."""
    path = _BIN / name
    if not path.exists():
        missing(f"{name} is not installed under .node/ (make real)", required)
    return path


@dataclass(slots=True)
class Prism:
    """A proxy that compares every request and answer with an OpenAPI document."""

    url: str
    log: list[str] = field(default_factory=list[str])

    @property
    def complaints(self) -> list[str]:
        """What it found to be against the document."""
        return [line for line in self.log if "error" in line.lower() or "violation" in line.lower()]


@contextmanager
def prism(document: Path, upstream: str, required: bool) -> Iterator[Prism]:
    """``prism proxy --errors`` between its own address and ``upstream``.

    It answers a request against the document with 4xx and an answer against it with 500. The paths in the
    document have to be whole ones: prism does not regard the base path of ``servers``.
    """
    found, port = program("prism", required), free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(found), "proxy", "--errors", "-h", "127.0.0.1", "-p", str(port), str(document), upstream]
    with running("prism", command, "is listening") as log:
        yield Prism(address, log)


@contextmanager
def emulate(service: str, required: bool) -> Iterator[str]:
    """One service of the program ``emulate`` on a free port; yields its URL. It needs a newer Node than most
    systems have, so its own is installed beside it."""
    found, node = program("emulate", required), program("node", required)
    port = free_port()
    command = [str(node), str(found.resolve()), "start", "--service", service, "-p", str(port)]
    with running("emulate", command, "Ready"):
        yield f"http://127.0.0.1:{port}"
