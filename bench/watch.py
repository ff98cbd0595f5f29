"""Days and nights of `dogwatch watch` on simulated time: what it costs in memory, descriptors and disk.

    python bench/watch.py                72 hours; exit code 1 on a miss
    python bench/watch.py --hours 12     a sample

The watch itself runs, not a copy of its loop: rounds every 15 minutes over the shipped estate `audit` and
its four platforms, a call from outside every 10 minutes, an alert that comes and goes every hour. After a
third of the time memory and open files should stay as they are, and the store should grow by what comes in.
"""

import argparse
import asyncio
import gc
import os
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dogwatch.app import Dogwatch
from dogwatch.engine.house import House
from dogwatch.engine.watch import Watch
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.estate import load_estate
from dogwatch.lab.serve import Lab
from dogwatch.lab.simulate import simulate
from dogwatch.model import Alert, Severity
from dogwatch.model.call import Call, PushedAlert
from dogwatch.settings import Settings, load

_START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
_MEMORY, _POLL = 5.0, 30.0
"""Percent by which memory may grow after the warm-up; seconds between two looks."""
_HOUR = timedelta(hours=1)


class Meter:
    """Looks at this process every simulated hour, and calls from outside."""

    def __init__(self, clock: SimulatedClock, store: Path, end: datetime) -> None:
        self.clock, self.store, self.end = clock, store, end
        self.watch: Watch | None = None
        self.app: Dogwatch | None = None
        self.hours: list[tuple[float, int, float]] = []
        """(MiB resident, open files, MiB of store) at each whole hour."""
        self.rounds = 0
        self.complaints: list[str] = []
        self._next = clock.now() + _HOUR
        self._call = clock.now()

    def looked(self) -> object:
        """Called at every look of the watch."""
        now = self.clock.now()
        if now >= self._next:
            self._next += _HOUR
            gc.collect()
            self.hours.append((resident(), sum(1 for _ in Path("/proc/self/fd").iterdir()), size(self.store)))
        if now >= self.end and self.watch is not None:
            self.watch.stopping.set()
        return None

    def say(self, event: str, /, **fields: object) -> None:
        """Hear the log."""
        self.rounds += event == "round ended"
        if event in {"store failed", "round failed", "configuration refused"}:
            self.complaints.append(f"{event}: {fields}")

    async def calling(self) -> None:
        """A call every ten minutes, an alert that fires half of every hour."""
        number = 0
        while self.clock.now() < self.end:
            await self.clock.sleep(600)
            number += 1
            now = self.clock.now()
            if self.app is None or now >= self.end:
                continue
            fires = number // 3 % 2 == 0
            alert = Alert(
                instance="alertmanager",
                name="HighErrorRate",
                subject="component/backend",
                severity=Severity.CRITICAL,
                summary="High error rate detected",
                active_since=now,
            )
            pushed = PushedAlert(key="alertmanager/1", alert=alert, ends_at=None if fires else now)
            call = Call(key=f"{number:016x}", hook="alertmanager", received_at=now, alerts=(pushed,))
            await self.app.watchkeeping().keep([call])

    def opened(self, app: Dogwatch) -> Dogwatch:
        """Keep it for the calls."""
        self.app = app
        return app


def resident() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def size(store: Path) -> float:
    """MiB of the store's files."""
    return sum(file.stat().st_size for file in store.parent.glob(f"{store.name}*")) / (1 << 20)


def play(folder: Path, hours: float) -> Meter:
    """The watch over so many hours."""
    end = _START + hours * _HOUR
    clock = SimulatedClock(_START)
    estate = load_estate("audit")
    lab = Lab(simulate(estate, seed=1, start=_START - timedelta(days=8), end=end, clock=clock, faults=()))
    path = lab.write_config(folder, history_days=7)
    settings: Settings = load(path, {}, folder)
    meter = Meter(clock, Path(settings.store), end)

    def opened(found: Settings) -> Dogwatch:
        rng = random.Random(1)
        return meter.opened(Dogwatch(found, clock=clock, transport=lab.transport(), rng=rng, holder="lab"))

    house = House(
        lambda: settings,
        opened,
        clock,
        meter.say,
        changed=meter.looked,
        rng=random.Random(1),
        poll=_POLL,
    )
    meter.watch = Watch(house, "bench")

    async def life() -> None:
        assert meter.watch is not None
        await asyncio.gather(meter.watch.run(settings), meter.calling())

    with asyncio.Runner(loop_factory=LabLoop) as runner:
        runner.run(life())
    return meter


def main() -> int:
    """Watch, print the figures and say whether they are as they should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=72)
    given = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        meter = play(Path(folder), given.hours)
    warm = len(meter.hours) // 3
    (memory, files, store), (memory_last, files_last, store_last) = meter.hours[warm], meter.hours[-1]
    middle = meter.hours[len(meter.hours) * 2 // 3][2]
    growth = 100 * (memory_last / memory - 1)
    seconds = time.perf_counter() - began
    told = f"{meter.rounds} rounds, {len(meter.complaints)} complaints"
    print(f"{given.hours:g} simulated hours in {seconds:.0f} s, {told}")
    print(
        f"memory after hour {warm + 1}: {memory:.1f} MiB, at the end {memory_last:.1f} MiB: {growth:+.1f} %"
    )
    print(f"open files after hour {warm + 1}: {files}, at the end {files_last}")
    grew = f"second third {middle - store:+.2f} MiB, last third {store_last - middle:+.2f} MiB"
    print(f"store with its write-ahead log: {store_last:.1f} MiB; {grew}")
    good = growth <= _MEMORY and files_last <= files and not meter.complaints
    print("as it should be" if good else "\n".join(["a miss", *meter.complaints[:5]]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
