"""Ports for programs that are started by the tests."""

import os
import socket
from itertools import cycle
from random import SystemRandom

_LOWEST, _EACH, _SINGLE = 20_000, 400, 300  # below what Linux hands out for connections and for port 0
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 30
_MINE = range(_LOWEST + _WORKER * _EACH, _LOWEST + (_WORKER + 1) * _EACH)
_NEXT = cycle(SystemRandom().sample(_MINE[:_SINGLE], _SINGLE))
_ROWS = iter(_MINE[_SINGLE:])


def free_port() -> int:
    """A port of 127.0.0.1 that stays free until the program that is to listen there has started: no other
    test process draws from the same ports, none is drawn twice in a row, and the system gives none of them to
    a connection."""
    for _ in range(_SINGLE):
        port = next(_NEXT)
        if _is_free(port):
            return port
    raise AssertionError(f"no port is free from {_MINE[0]} to {_MINE[_SINGLE - 1]}")


def free_ports(count: int) -> int:
    """The first of ``count`` free ports of 127.0.0.1 in a row, which nobody else is ever given."""
    row: list[int] = []
    for port in _ROWS:
        row = [*row, port] if _is_free(port) else []
        if len(row) == count:
            return row[0]
    raise AssertionError(f"no {count} ports in a row are left from {_MINE[_SINGLE]} to {_MINE[-1]}")


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
