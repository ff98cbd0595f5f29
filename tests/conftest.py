"""What holds for every test: a clean environment, nothing beyond loopback, the same run each time."""

import functools
import os
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx2
import hypothesis
import pytest

if TYPE_CHECKING:
    from support.postgres import Postgres

_HANDED_ON = "PYTEST_REQUIRE_REAL"  # the workers of pytest-xdist inherit an environment already cleared
REQUIRE_REAL = "1" in (os.environ.get("DOGWATCH_REQUIRE_REAL"), os.environ.get(_HANDED_ON))
"""Read before the environment is cleared: run what is slow or needs a real part, skipping nothing."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

for _name in list(os.environ):
    if _name.startswith("DOGWATCH_") or _name.lower() in _PROXIES:
        del os.environ[_name]
if REQUIRE_REAL:
    os.environ[_HANDED_ON] = "1"

hypothesis.settings.register_profile(
    "dogwatch", derandomize=True, deadline=None, database=None, max_examples=100, print_blob=True
)
hypothesis.settings.load_profile("dogwatch")

_LOOPBACK = {None, "", "127.0.0.1", "::1", "localhost", "0.0.0.0", "::"}  # binding to all is not going out
_true_getaddrinfo = socket.getaddrinfo


def _getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in _LOOPBACK:
        return _true_getaddrinfo(host, *args, **kwargs)
    if isinstance(host, str):
        host.encode("idna")  # the real one refuses impossible names in the same way
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


_true_ssl_context = httpx2.create_ssl_context


@functools.cache
def _certificates(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    return _true_ssl_context()


def _ssl_context(*args: Any, **kwargs: Any) -> ssl.SSLContext:
    """What a process makes once, tests would make a thousand times, for 30 ms each."""
    if args or kwargs:
        return _true_ssl_context(*args, **kwargs)
    return _certificates(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


def pytest_configure() -> None:
    """No name beyond loopback resolves; pytest-socket refuses the addresses."""
    socket.getaddrinfo = _getaddrinfo
    httpx2.create_ssl_context = _ssl_context


def pytest_unconfigure() -> None:
    """Give the resolver back."""
    socket.getaddrinfo = _true_getaddrinfo
    httpx2.create_ssl_context = _true_ssl_context


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow, soak and real tests wait for DOGWATCH_REQUIRE_REAL=1, so that the everyday run stays short."""
    if REQUIRE_REAL:
        return
    for item in items:
        for marker in ("slow", "real", "soak"):
            if item.get_closest_marker(marker) is not None:
                item.add_marker(pytest.mark.skip(reason=f"{marker}: runs with DOGWATCH_REQUIRE_REAL=1"))
                break


@pytest.fixture(scope="session")
def require_real() -> bool:
    """True if a missing real part must fail the test instead of skipping it."""
    return REQUIRE_REAL


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Postgres]":
    """A real PostgreSQL server; tests that use it are marked ``real``."""
    from support.postgres import running

    with running(REQUIRE_REAL) as server:
        yield server
