"""SIGKILL at random points of delivering: nothing is lost, and what came twice came under one key."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dogwatch.model import DeliveryState
from dogwatch.notify.routing import Plan
from dogwatch.store.outbox import ATTEMPT
from support.clock import NOON, JumpingClock
from support.letters import BERLIN, Desk, incident
from support.serve import served

pytestmark = pytest.mark.slow

CHILD = Path(__file__).parents[1] / "support" / "crash_post.py"
KILLS_A_TALE = 5
MESSAGES = 40
_PATIENCE = 60.0


class Hook:
    """The other side: counts what arrives by key, and makes each answer take a moment."""

    def __init__(self) -> None:
        self.keys: Counter[str] = Counter()
        self.arrived = threading.Semaphore(0)

    async def take(self, request: Request) -> Response:
        """Take a message."""
        self.keys[request.headers["idempotency-key"]] += 1
        self.arrived.release()
        return Response(status_code=204)

    def app(self) -> Starlette:
        """As an application."""
        return Starlette(routes=[Route("/in", self.take, methods=["POST"])])


@contextmanager
def worker(store: Path, url: str, now: datetime) -> Iterator[subprocess.Popen[str]]:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-W", "error", str(CHILD), str(store), f"{url}/in", now.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            yield process
        finally:
            process.kill()
            process.wait(_PATIENCE)


def test_a_worker_killed_anywhere_loses_nothing_and_doubles_nothing_unseen(tmp_path: Path, tale: int) -> None:
    """Killed after so many messages have arrived and a random moment more; then another worker goes on, at a
    time when the dead one's claim is over."""
    rng, hook = random.Random(tale), Hook()
    room = Desk(tmp_path, Plan(BERLIN, ("hook",), alerts_an_hour=MESSAGES), JumpingClock())
    room.round(*(incident(number) for number in range(1, MESSAGES + 1)))
    now, killed = NOON, 0
    with served(hook.app()) as url:
        for _ in range(KILLS_A_TALE):
            with worker(tmp_path / "desk.db", url, now) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "begins\n"
                for _ in range(rng.randrange(0, MESSAGES // KILLS_A_TALE - 1)):
                    assert hook.arrived.acquire(timeout=_PATIENCE)
                threading.Event().wait(rng.uniform(0, 0.02))
                process.send_signal(signal.SIGKILL)
                killed += process.wait(_PATIENCE) == -signal.SIGKILL
            now += ATTEMPT + timedelta(seconds=1)
        with worker(tmp_path / "desk.db", url, now) as process:
            assert process.communicate(timeout=_PATIENCE)[0] == "begins\nends\n"
    rows = room.rows("hook")
    assert {row.state for row in rows} == {DeliveryState.sent}
    assert set(hook.keys) == {row.key for row in rows}
    tried_again = {row.key for row in rows if row.attempts > 1}
    twice = {key for key, times in hook.keys.items() if times > 1}
    assert twice <= tried_again  # what came twice is known to have been tried twice
    assert max(hook.keys.values()) <= 1 + KILLS_A_TALE
    assert len(tried_again) <= KILLS_A_TALE
    assert room.store.broken_event() is None
    sys.stdout.write(f"killed {killed}, in the middle of {len(tried_again)}, came twice {len(twice)}\n")
