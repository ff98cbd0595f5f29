"""One person's consent in a process of its own: ``python approve_once.py <dogwatch.yaml> <moment> <id>``.

Says ``ready``, waits for a line, approves, and says what became of it: an action's state, or ``late``.
"""

import asyncio
import random
import sys
from datetime import datetime
from pathlib import Path

from dogwatch.app import Dogwatch
from dogwatch.errors import ConsentError
from dogwatch.settings import load
from dogwatch.wire.http import Pace
from support.clock import JumpingClock


async def approve(config: Path, moment: datetime, id_: str) -> str:
    """Consent, and perform."""
    settings = load(config, {}, config.parent)
    clock = JumpingClock(moment)
    async with Dogwatch(settings, clock=clock, pace=Pace(per_second=0), rng=random.Random(1)) as app:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        try:
            done = await app.consent(id_, "anna", yes=True)
        except ConsentError:
            return "late"
        return done.state.value


if __name__ == "__main__":
    told = asyncio.run(approve(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), sys.argv[3]))
    sys.stdout.write(f"{told}\n")
