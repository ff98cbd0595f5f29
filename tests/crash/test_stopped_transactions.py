"""Workers that are stopped in the midst of a transaction, while they hold what others wait for: the server
throws them out, somebody else does their work within a minute, and nothing is doubled when they go on."""

import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from support.crash_memory import differences
from support.postgres import Postgres
from support.team import Member, Team, moments, place, some_ports, undisturbed

pytestmark = [pytest.mark.slow, pytest.mark.real]

ROUNDS = 2
SHARE = 1 << 30
STORE, QUEUE = "the store's", "the queue's"
SLEEPY = """
CREATE SEQUENCE {0}.once;
CREATE FUNCTION {0}.sleepy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF nextval('{0}.once') = 1 THEN PERFORM pg_sleep(2); END IF; RETURN NEW; END $$;
CREATE TRIGGER sleepy AFTER {1} EXECUTE FUNCTION {0}.sleepy();
"""
"""The first who comes by sleeps in the midst of his statement, so that there is time to stop him."""
BUSY = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND "


def lie_in_wait(team: Team, where: str) -> None:
    """For whoever writes a conclusion down, or puts the beginning of a round into the queue."""
    schema, what = "dogwatch", "UPDATE ON dogwatch.rounds FOR EACH ROW"
    if where == QUEUE:
        (schema,) = team.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'dogwatch_jobs_%%'")[0]
        begins = "FOR EACH ROW WHEN (NEW.queueing_lock = '0 begin ')"
        what = f"INSERT ON {schema}.procrastinate_jobs {begins}"
    with psycopg.connect(team.url) as connection:
        connection.execute(SLEEPY.format(schema, what).encode())


def stop(team: Team) -> Member:
    """Stop who came by, as soon as its statement is done and its transaction is not."""
    pause, deadline = threading.Event(), time.monotonic() + 30
    while not (found := team.rows(f"{BUSY} wait_event = 'PgSleep'")):
        assert time.monotonic() < deadline, "nobody came by"
        pause.wait(0.02)
    pid = int(found[0][0].rpartition(" ")[2])
    (member,) = (one for one in team.members if one.process.pid == pid)
    member.process.send_signal(signal.SIGSTOP)
    idle = f"{BUSY} state = 'idle in transaction' AND application_name LIKE '%% pid {pid}'"
    team.until("a transaction that does not go on", lambda: bool(team.rows(idle)))
    return member


def test_who_is_stopped_in_a_transaction_keeps_others_waiting_for_less_than_a_minute(
    tmp_path: Path, postgres: Postgres
) -> None:
    port, took, made = some_ports(), dict[str, float](), moments(ROUNDS)
    wanted, done, said = undisturbed(tmp_path / "one", ROUNDS, port)
    url, rng = postgres.fresh(), random.Random(3)
    with place(tmp_path / "team", url, ROUNDS, port) as here, Team(here, url, 2, 0, rng, SHARE) as team:
        stopped: list[tuple[Member, float]] = []

        def trouble(team: Team) -> None:
            stopped.append((stop(team), time.monotonic()))

        plan: list[str] = ["", STORE, QUEUE]
        for (at, whole), where in zip(made, plan, strict=True):
            does: Callable[[Team], None] = lambda team: None  # noqa: E731
            if where:
                lie_in_wait(team, where)
                does = trouble
            team.play(at, whole, does)
            if where:
                member, since = stopped.pop()
                took[where] = time.monotonic() - since
                member.process.send_signal(signal.SIGCONT)
        sys.stdout.write(f"a round ends after {took} s\n")
        assert max(took.values()) < 60
        team.until("it to say so", lambda: bool(team.said("step failed")))
        found, asked, arrived = team.remembered(), here.asked(), here.arrived
        assert team.rows("SELECT count(*), count(ended_at) FROM rounds") == [(len(made), len(made))]
        assert set(arrived) == set(said)
        assert asked == done
        assert differences(found, wanted) == []
