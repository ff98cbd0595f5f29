"""The process that listens. It is one of its own, so that a flood of calls takes no time from rounds, nor a
round any from those who call; both meet in the store alone."""

import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta

_AGAIN = (1.0, 5.0, 30.0)
"""Seconds before it is started again, the longer the oftener it ended."""


class Face:
    """Starts the listener, and starts it again if it ends."""

    def __init__(self, command: Sequence[str]) -> None:
        """``command`` has to end when its standard input does: so it never outlives us, however we die."""
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = 0
        self._start_at: datetime | None = None

    def look(self, now: datetime) -> str:
        """Start it if it does not run; returns what is worth telling, or nothing."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return ""
            self._process = None
            wait = _AGAIN[min(self._ended, len(_AGAIN) - 1)]
            self._ended += 1
            self._start_at = now + timedelta(seconds=wait)
            return f"the listener ended with exit code {code}; it is started again in {wait:.0f} s"
        if self._start_at is not None and now < self._start_at:
            return ""
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)  # noqa: S603  # our own program
        return ""

    def stop(self, patience: float = 5.0) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()
