"""Programs that run beside a test and say in their output when they are ready."""

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

PATIENCE = 60.0


@contextmanager
def running(name: str, command: Sequence[str], ready: str) -> Iterator[list[str]]:
    """The program from the line of its output that holds ``ready`` on; yields its output as it grows."""
    settled = threading.Event()
    log: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:

        def follow() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                log.append(line.rstrip())
                if ready in line:
                    settled.set()
            settled.set()

        reader = threading.Thread(target=follow, name=f"{name} log", daemon=True)
        reader.start()
        try:
            if not settled.wait(PATIENCE) or process.poll() is not None:
                pytest.fail(f"{name} did not start: " + "\n".join(log[-20:]))
            yield log
        finally:
            process.terminate()
            process.wait(PATIENCE)
            reader.join(PATIENCE)
