"""dogwatch at a terminal, as a process of its own, and a person before it."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.cli import clean


class Terminal:
    """What a person sees."""

    def __init__(self, process: "subprocess.Popen[bytes]", end: int) -> None:
        self.process = process
        self._end = end
        self.all = ""
        self._new = ""

    def until(self, words: str) -> None:
        """Wait for words."""
        while words not in self._new:
            assert select.select([self._end], [], [], 60)[0], self.all
            self._take()
        self._new = self._new.partition(words)[2]

    def interrupt(self, words: str) -> None:
        """Press Ctrl-C until there are these words: readline does not see one that comes right before it
        waits for the next key, and shows it with that key."""
        for _ in range(30):
            self.process.send_signal(signal.SIGINT)
            while words not in self._new and select.select([self._end], [], [], 2)[0]:
                self._take()
            if words in self._new:
                break
        assert words in self._new, self.all
        self._new = self._new.partition(words)[2]

    def type(self, text: str) -> None:
        """Type on the keyboard."""
        os.write(self._end, text.encode())

    def ended(self) -> int:
        """Wait for the end."""
        try:
            while select.select([self._end], [], [], 60)[0]:
                self._take()
        except OSError:  # what Linux says of a terminal that nobody writes to any more
            pass
        return self.process.wait(60)

    def _take(self) -> None:
        said = os.read(self._end, 4096).decode("utf-8", "replace")
        if not said:
            raise OSError("the end")
        said = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)
        self.all += said
        self._new += said


@contextmanager
def terminal(folder: Path, *words: str, home: Path | None = None) -> Iterator[Terminal]:
    """``dogwatch words`` in a folder, at a terminal of its own; ``home``: another one than the folder."""
    here, there = pty.openpty()
    command = [sys.executable, "-m", "dogwatch", *words]
    process = subprocess.Popen(
        command,
        stdin=there,
        stdout=there,
        stderr=there,
        cwd=folder,
        env=clean(home or folder),
        start_new_session=True,
    )
    os.close(there)
    try:
        yield Terminal(process, here)
    finally:
        process.kill()
        process.wait()
        os.close(here)
