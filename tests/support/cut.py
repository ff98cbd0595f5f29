"""A way through to a server that can be cut: what is sent then is taken, confirmed, and goes nowhere."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOOK = 0.05


class Cut:
    """Passes bytes on in both directions, or keeps them."""

    def __init__(self, target: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._target = target
        self._over, self._open = threading.Event(), threading.Event()
        self._open.set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """From now on nothing passes, and nobody is told."""
        self._open.clear()

    def heal(self) -> None:
        """New connections pass; those from before stay dead, as after a change of routes."""
        self._open.set()

    def _accept(self) -> None:
        while not self._over.is_set():
            if not select.select([self._listener], [], [], _LOOK)[0]:
                continue
            near, _ = self._listener.accept()
            thread = threading.Thread(target=self._carry, args=(near,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, near: socket.socket) -> None:
        with near, suppress(OSError):
            if not self._open.is_set():
                self._over.wait()
                return
            with socket.create_connection(("127.0.0.1", self._target)) as far:
                other = {near: far, far: near}
                while not self._over.is_set():
                    for ready in select.select([near, far], [], [], _LOOK)[0]:
                        told = ready.recv(1 << 16)
                        if not self._open.is_set():
                            self._over.wait()
                            return
                        if not told:
                            return
                        other[ready].sendall(told)

    def close(self) -> None:
        """Let go of everything."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()


@contextmanager
def through(target: int) -> Iterator[Cut]:
    """The way to this port of 127.0.0.1."""
    made = Cut(target)
    try:
        yield made
    finally:
        made.close()
