"""Ports for programs that are started by the tests."""

import os
import socket
from itertools import cycle
from random import SystemRandom

_LOWEST, _EACH = 20_000, 400  # below the ports that Linux hands out for connections and for port 0
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 30
_PORTS = [_LOWEST + _WORKER * _EACH + number for number in SystemRandom().sample(range(_EACH), _EACH)]
_NEXT = cycle(_PORTS)


def free_port() -> int:
    """A port of 127.0.0.1 that stays free until the program that is to listen there has started: no other
    test process draws from the same ports, none is drawn twice in a row, and the system gives none of them to
    a connection."""
    for _ in _PORTS:
        port = next(_NEXT)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise AssertionError(f"no port is free from {min(_PORTS)} to {max(_PORTS)}")
