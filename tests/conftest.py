"""What holds for every test: no configuration from outside, no network beyond loopback, the same run each time."""

import os
import socket
from typing import Any

import hypothesis
import pytest

REQUIRE_REAL = os.environ.get("DOGWATCH_REQUIRE_REAL") == "1"
"""Read before the environment is cleared: run what is slow or needs a real part, and let nothing be skipped."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

for _name in list(os.environ):
    if _name.startswith("DOGWATCH_") or _name.lower() in _PROXIES:
        del os.environ[_name]

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


_REQUIRED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """No name beyond loopback resolves; pytest-socket refuses the addresses."""
    socket.getaddrinfo = _getaddrinfo
    config.stash[_REQUIRED] = REQUIRE_REAL


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the resolver back."""
    socket.getaddrinfo = _true_getaddrinfo


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow and real tests wait for DOGWATCH_REQUIRE_REAL=1, so that the everyday run stays short."""
    if config.stash[_REQUIRED]:
        return
    for item in items:
        for marker in ("slow", "real"):
            if item.get_closest_marker(marker) is not None:
                item.add_marker(pytest.mark.skip(reason=f"{marker}: runs with DOGWATCH_REQUIRE_REAL=1"))
                break


@pytest.fixture
def require_real() -> bool:
    """True if a missing real part must fail the test instead of skipping it."""
    return REQUIRE_REAL
