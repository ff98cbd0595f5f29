"""How often the tests of crashes kill: 20 times, or as often as ``--kills`` says."""

import pytest

from support.crash_story import ROUNDS

KILLS = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest tests/crash --kills 200``."""
    parser.addoption("--kills", type=int, help=f"rounds that are killed (default: {KILLS})")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many tales as it takes, each with one kill a round; a single long one unless kills are asked for."""
    if "tale" in metafunc.fixturenames:
        kills = metafunc.config.getoption("kills", None) or KILLS
        metafunc.parametrize("tale", range(-(-kills // len(ROUNDS))))
    if "long_tale" in metafunc.fixturenames:
        kills = metafunc.config.getoption("kills", None) or len(ROUNDS)
        metafunc.parametrize("long_tale", range(-(-kills // len(ROUNDS))))
