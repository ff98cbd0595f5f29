"""A process that delivers: opened by tests that kill it.

``crash_post.py STORE URL NOW`` empties the outbox of the store into the webhook at ``URL``; it says a line
when it begins and one when it ends. Its clock begins at ``NOW`` (ISO).
"""

import asyncio
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from dogwatch.deliver import Post
from dogwatch.notify.routing import Plan
from dogwatch.notify.webhook import Webhook, WebhookSettings
from dogwatch.store import StoreThread, open_store
from dogwatch.wire.http import Doors, Pace


class Running:
    """A clock that begins at a given time and runs as fast as the machine's."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._loop_start = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """The given time and what has passed since."""
        return self._start + timedelta(seconds=asyncio.get_running_loop().time() - self._loop_start)

    async def sleep(self, seconds: float) -> None:
        """Wait for real."""
        await asyncio.sleep(seconds)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(store: str, url: str, now: str) -> None:
    """Deliver what waits."""
    clock = Running(datetime.fromisoformat(now))
    doors = Doors(clock=clock, pace=Pace(per_second=0, tries=1))
    channel = Webhook("hook", WebhookSettings(url=url, secret=SecretStr("a-shared-secret")), doors)
    opened, thread = open_store(Path(store)), StoreThread()
    post = Post(
        {"hook": channel},
        opened,
        thread,
        clock,
        plan=Plan(ZoneInfo("UTC"), ("hook",)),
        holder=f"process at {now}",
        secrets=doors.secrets,
        rng=random.Random(1),
    )
    _say("begins")
    await post.run()
    await channel.aclose()
    thread.close()
    opened.close()
    _say("ends")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
