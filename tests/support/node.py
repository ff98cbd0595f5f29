"""Node programs for tests of real parts: installed by ``make real`` into ``.node/`` of this checkout."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

_BIN = Path(__file__).parents[2] / ".node" / "node_modules" / ".bin"
_PATIENCE = 60.0


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
    found = program("prism", required)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(found), "proxy", "--errors", "-h", "127.0.0.1", "-p", str(port), str(document), upstream]
    running = Prism(f"http://127.0.0.1:{port}")
    settled = threading.Event()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:

        def follow() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                running.log.append(line.rstrip())
                if "is listening" in line:
                    settled.set()
            settled.set()

        reader = threading.Thread(target=follow, name="prism log", daemon=True)
        reader.start()
        try:
            if not settled.wait(_PATIENCE) or process.poll() is not None:
                pytest.fail("prism did not start: " + "\n".join(running.log[-20:]))
            yield running
        finally:
            process.terminate()
            process.wait(_PATIENCE)
            reader.join(_PATIENCE)


@contextmanager
def emulate(service: str, required: bool) -> Iterator[str]:
    """One service of the program ``emulate`` on a free port; yields its URL. It needs a newer Node than most
    systems have, so its own is installed beside it."""
    found, node = program("emulate", required), program("node", required)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(node), str(found.resolve()), "start", "--service", service, "-p", str(port)]
    settled = threading.Event()
    log: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:

        def follow() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                log.append(line.rstrip())
                if "Ready" in line:
                    settled.set()
            settled.set()

        reader = threading.Thread(target=follow, name="emulate log", daemon=True)
        reader.start()
        try:
            if not settled.wait(_PATIENCE) or process.poll() is not None:
                pytest.fail("emulate did not start: " + "\n".join(log[-20:]))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(_PATIENCE)
            reader.join(_PATIENCE)
