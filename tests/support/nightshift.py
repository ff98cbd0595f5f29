"""``dogwatch watch`` on simulated time, over a small estate of the lab."""

import asyncio
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dogwatch.app import Dogwatch
from dogwatch.engine.house import House
from dogwatch.engine.watch import Watch
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.serve import Lab
from dogwatch.lab.simulate import simulate
from dogwatch.model.call import Call
from dogwatch.settings import Settings, load
from support.estates import NOW, shop

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
Doing = Callable[["Night"], None]


@dataclass
class Night:
    """A watch under way: what it said, and what happens to it at which moment."""

    folder: Path
    clock: SimulatedClock
    lab: Lab
    settings: Settings
    until: datetime
    plan: list[tuple[datetime, Doing]] = field(default_factory=list[tuple[datetime, Doing]])
    said: list[tuple[datetime, str, dict[str, Any]]] = field(
        default_factory=list[tuple[datetime, str, dict[str, Any]]]
    )
    watch: Watch | None = None
    poll: float = 30.0
    name: str = "one"
    holder: str = "lab"
    files: int = 0
    """Another number: a file of the configuration is another one."""
    fresh: Callable[[], Settings] | None = None

    def say(self, event: str, /, **fields: object) -> None:
        """Keep it."""
        self.said.append((self.clock.now(), event, dict(fields)))

    def looked(self) -> object:
        """Called at every look: do what is planned for this moment."""
        while self.plan and self.plan[0][0] <= self.clock.now():
            self.plan.pop(0)[1](self)
        if self.clock.now() >= self.until and self.watch is not None:
            self.watch.stopping.set()
        return self.files

    def events(self, event: str) -> list[tuple[datetime, dict[str, Any]]]:
        """When it was said, and what with it."""
        return [(at, fields) for at, said, fields in self.said if said == event]

    def opened(self, settings: Settings) -> Dogwatch:
        """dogwatch on the lab's clock and transport."""
        return Dogwatch(
            settings,
            clock=self.clock,
            transport=self.lab.transport(),
            rng=random.Random(1),
            holder=self.holder,
        )

    async def run(self) -> None:
        """Until it is over."""
        house = House(
            self.fresh or (lambda: self.settings),
            self.opened,
            self.clock,
            self.say,
            changed=self.looked,
            rng=random.Random(1),
            poll=self.poll,
        )
        self.watch = Watch(house, self.name)
        await self.watch.run(self.settings)


def night(folder: Path, hours: float, more: str = "", **values: Any) -> Night:
    """A watch of so many hours over the shop; ``more`` is added to its dogwatch.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = SimulatedClock(NOW)
    until = NOW + hours * HOUR
    start = NOW - timedelta(days=3)
    lab = Lab(simulate(shop(folder), seed=1, start=start, end=until, clock=clock, faults=()))
    path = lab.write_config(folder, history_days=2)
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    return Night(folder, clock, lab, load(path, {}, folder), until, **values)


def played(*nights: Night) -> Sequence[Night]:
    """All of them on one loop; a store that several share is that of the first."""

    async def life() -> None:
        await asyncio.gather(*(one.run() for one in nights))

    with asyncio.Runner(loop_factory=LabLoop) as runner:
        runner.run(life())
    return nights


def called(night: Night, key: str, *touches: str, everything: bool = False, reply_to: str = "") -> None:
    """Somebody calls now, by way of a listener in another process."""

    async def keep() -> None:
        async with Dogwatch(night.settings, clock=night.clock) as app:
            await app.watchkeeping().keep(
                [
                    Call(
                        key=key,
                        hook="generic",
                        received_at=night.clock.now(),
                        touches=touches,
                        everything=everything,
                        reply_to=reply_to,
                    )
                ]
            )

    thread = threading.Thread(target=lambda: asyncio.run(keep()))
    thread.start()
    thread.join()
