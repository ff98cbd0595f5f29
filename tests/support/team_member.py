"""One worker or one watcher in a process of its own, on a clock that the test holds:
``python team_member.py <worker|watch> <name> <dogwatch.yaml> <clock file> <bytes of a share>``."""

import asyncio
import os
import random
import signal
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from dogwatch.app import Dogwatch
from dogwatch.cli.lasting import say
from dogwatch.engine import jobs
from dogwatch.engine.house import House
from dogwatch.engine.team import Worker
from dogwatch.engine.watch import Watch
from dogwatch.settings import load
from dogwatch.store import server
from dogwatch.wire.http import Pace

BEAT, STALE = 0.4, 2.0
"""Seconds: as in life, only quicker."""
server._IDLE_MS, jobs._IDLE_MS = 6_000, 3_000
POLL = 0.2
WIDTH = 32


def hold(file: Path, at: datetime) -> None:
    """Let everybody's clock show that; written at one go."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(descriptor, at.isoformat(timespec="microseconds").ljust(WIDTH).encode(), 0)
    finally:
        os.close(descriptor)


class HeldClock:
    """Shows what the file says. With ``moves``, who sleeps goes ahead of it until it is set again."""

    def __init__(self, file: Path, *, moves: bool) -> None:
        self._file = os.open(file, os.O_RDONLY)
        self._moves = moves
        self._shown = b""
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """What it shows."""
        shown = os.pread(self._file, WIDTH, 0)
        if shown != self._shown:
            self._shown, self._ahead = shown, timedelta(0)
        return datetime.fromisoformat(shown.decode().strip()) + self._ahead

    async def sleep(self, seconds: float) -> None:
        """Let a moment pass."""
        if self._moves:
            self.now()
            self._ahead += timedelta(seconds=seconds)
        await asyncio.sleep(0.01 if self._moves else min(seconds, POLL))


def main() -> None:
    """Be a member until stopped."""
    kind, name, config, clock = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    share = int(sys.argv[5])

    settings = load(config, os.environ, config.parent)
    own = HeldClock(clock, moves=True)
    house = House(
        lambda: settings,
        lambda found: Dogwatch(found, clock=own, pace=Pace(per_second=0.0), rng=random.Random(1)),
        HeldClock(clock, moves=False),
        say,
        poll=POLL,
    )

    async def life() -> None:
        worker = partial(Worker, house, name, 2, beat=BEAT, stale=STALE, share=share)
        member = worker() if kind == "worker" else Watch(house, name)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, member.stopping.set)
        await member.run(settings)

    asyncio.run(life())


if __name__ == "__main__":
    main()
