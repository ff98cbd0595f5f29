"""SIGKILL at random points of registering, with a hub that refuses half of what it is told: in the end both
sides are the same."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from dogwatch.model import Status
from dogwatch.store.outbox import ATTEMPT
from support.crash_story import ROUNDS
from support.hubs import InPostgres, Watch, an_incident, attempts, counts
from support.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.real]

CHILD = Path(__file__).parents[1] / "support" / "crash_hub.py"
RUNS = 200
_LONG = "could not connect to server; " * 4_000
"""An error of 116 kB: a statement carries some dozens of such attempts."""
_PATIENCE = 60.0
REFUSAL = """
create function {hub}.refuse() returns trigger language plpgsql as $$
begin
  if random() < 0.5 then
    raise exception 'could not extend file: No space left on device' using errcode = 'disk_full';
  end if;
  return null;
end $$
"""


@contextmanager
def worker(folder: Path, place: InPostgres, now: str) -> Iterator[subprocess.Popen[str]]:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-W", "error", str(CHILD), str(folder), place.url, place.schema, now]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            yield process
        finally:
            process.kill()
            process.wait(_PATIENCE)


def refusing(watch: Watch) -> None:
    """Half of the statements fail after their rows were written, and so are undone."""
    watch.place.sql(REFUSAL)
    for table in ("job_status", "incidents", "rounds", "health_assessments"):
        watch.place.sql(
            f"create trigger refuse after insert or update on {{hub}}.{table}"
            " for each statement execute function {hub}.refuse()"
        )


def test_a_worker_killed_anywhere_leaves_nothing_out_and_nothing_twice(
    tmp_path: Path, postgres: Postgres, long_tale: int
) -> None:
    """Between kills a round learns more: attempts that are new, and others that have ended."""
    rng, place = random.Random(long_tale), InPostgres(postgres.fresh(), "audit_job_hub")
    watch = Watch(tmp_path, place)
    watch.set_up()
    refusing(watch)
    watch.round(attempts(range(RUNS), Status.failed, error_message=_LONG), [an_incident(1)])
    killed, said = 0, 0
    for number in range(1, len(ROUNDS) + 1):
        with worker(tmp_path, place, watch.clock.now().isoformat()) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begins\n"
            for _ in range(rng.randrange(0, 3)):
                said += process.stdout.readline().startswith("runs")
            threading.Event().wait(rng.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            killed += process.wait(_PATIENCE) == -signal.SIGKILL
        watch.clock.move(ATTEMPT + timedelta(seconds=1))
        running = range(RUNS * number, RUNS * number + 20)
        watch.round([*attempts(running, Status.running), *attempts([one - RUNS for one in running])])
    with worker(tmp_path, place, watch.clock.now().isoformat()) as process:
        assert process.communicate(timeout=_PATIENCE)[0].endswith("ends\n")
    found = watch.verify()
    assert (found.differing, found.waiting) == (0, 0), found.differences
    assert all(here == there == same for here, there, same in counts(found).values())
    assert counts(found)["JOB_STATUS"][0] >= RUNS
    sys.stdout.write(f"killed {killed} after {said} batches\n")
