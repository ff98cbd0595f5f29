"""One round in a process of its own, to be killed: ``python crash_round.py <dogwatch.yaml> <begin> <stop>``.

Says ``begins`` before it touches anything, then every step of the round, then ``ends``. At a step that
begins with ``stop`` it waits for a line on its standard input before it goes on; empty, it never waits.
"""

import asyncio
import random
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from dogwatch.app import Dogwatch
from dogwatch.connectors import load as load_connector
from dogwatch.model.report import CheckReport
from dogwatch.round import Step
from dogwatch.settings import Settings, load
from dogwatch.wire.http import Pace
from support.clock import JumpingClock

UNHURRIED = Pace(per_second=0.0)
"""No pause between requests, so that nothing moves the clock of a round."""


def say(line: str) -> None:
    """A line for the parent, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def one_round(
    settings: Settings, begin: datetime, progress: Callable[[Step], None] = lambda step: None
) -> CheckReport:
    """A round whose clock stands at ``begin``."""
    clock = JumpingClock(begin)
    async with Dogwatch(settings, clock=clock, pace=UNHURRIED, rng=random.Random(1)) as dogwatch:
        return await dogwatch.check(progress)


def main() -> None:
    """Make the round that the arguments ask for."""
    config, begin, stop = sys.argv[1:]
    settings = load(Path(config), {}, Path(config).parent)
    for connector in settings.connectors.values():
        load_connector(connector.kind)

    def progress(step: Step) -> None:
        line = f"{step.instance} {step.stage} {step.runs}"
        say(line)
        if stop and line.startswith(stop):
            sys.stdin.readline()

    say("begins")
    asyncio.run(one_round(settings, datetime.fromisoformat(begin), progress))
    say("ends")


if __name__ == "__main__":
    main()
