"""SIGKILL at random moments of ``dogwatch watch`` while others call: no call that was answered is lost, every
alert is one finding, every message arrives once or is known to have been tried twice."""

import random
import signal
import threading
from collections import Counter
from pathlib import Path

import pytest

from support.watchpost import post

pytestmark = pytest.mark.slow

KILLS = 2
BETWEEN = 3
"""Alerts between two kills, each of something else."""
BACK_WITHIN = 20.0
"""Seconds from a start to the first round it makes, on a machine that is busy; idle it is two."""


def test_nothing_that_was_answered_is_lost_however_the_watch_is_killed(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    kills = pytestconfig.getoption("kills", None) or KILLS
    rng, arrived = random.Random(7), Counter[str]()
    with post(tmp_path, arrived) as one:
        one.start()
        for kill in range(kills):
            for number in range(BETWEEN):
                one.keep_calling(f"alert-{kill}-{number}")
            threading.Event().wait(rng.uniform(0.0, 1.5))
            assert one.end(signal.SIGKILL) == -signal.SIGKILL
            one.start()
            rounds = one.rows("SELECT coalesce(max(id), 0) FROM rounds")[0][0]
            one.keep_calling(f"after-{kill}")
            more = f"SELECT max(id) > {rounds} FROM rounds WHERE ended_at IS NOT NULL"
            assert one.until(more, 1) < BACK_WITHIN
        one.rests()
        assert one.end(signal.SIGTERM) == 0
        one.nothing_lost_or_doubled(arrived)
