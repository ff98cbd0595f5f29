"""A clock for tests: it stands still, and waiting moves it at once."""

import asyncio
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


class JumpingClock:
    """Sleeping takes no time at all, but the clock says that it did."""

    def __init__(self, start: datetime = NOON) -> None:
        self.time = start
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Where the clock stands."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Jump; others get their turn, as they would."""
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self.time += by
