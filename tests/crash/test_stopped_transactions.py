"""Workers that are stopped in the midst of a transaction, while they hold what others wait for: the server
throws them out, somebody else does their work within a minute, and nothing is doubled when they go on."""

import random
import signal
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from support.crash_memory import differences
from support.postgres import Postgres
from support.team import Member, Team, moments, place, some_ports, undisturbed

pytestmark = [pytest.mark.slow, pytest.mark.real]

STOPS = 2
SHARE = 1 << 30
STORE, QUEUE = "the store's", "the queue's"
SLEEPY = """
DROP TRIGGER IF EXISTS sleepy ON {2};
DROP SEQUENCE IF EXISTS {0}.once;
CREATE SEQUENCE {0}.once;
CREATE OR REPLACE FUNCTION {0}.sleepy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF nextval('{0}.once') = 1 THEN PERFORM pg_sleep(2); END IF; RETURN NEW; END $$;
CREATE TRIGGER sleepy AFTER {1} ON {2} {3} EXECUTE FUNCTION {0}.sleepy();
"""
"""The first who comes by sleeps in the midst of his statement, so that there is time to stop him."""
BUSY = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND "


def lie_in_wait(team: Team, where: str) -> None:
    """For whoever writes a conclusion down, or puts the beginning of a round into the queue."""
    schema, parts = "dogwatch", ("UPDATE", "dogwatch.rounds", "FOR EACH ROW")
    if where == QUEUE:
        (schema,) = team.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'dogwatch_jobs_%%'")[0]
        begins = "FOR EACH ROW WHEN (NEW.queueing_lock = '0 begin ')"
        parts = ("INSERT", f"{schema}.procrastinate_jobs", begins)
    with psycopg.connect(team.url) as connection:
        connection.execute(SLEEPY.format(schema, *parts).encode())


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
    tmp_path: Path, postgres: Postgres, pytestconfig: pytest.Config
) -> None:
    stops = max(STOPS, (pytestconfig.getoption("kills", None) or 0) // 10)
    rounds = -(-(stops + 1) * 2 // 3)  # with those that calls begin, three to two
    made, port = moments(rounds), some_ports()
    wanted, done, said = undisturbed(tmp_path / "one", rounds, port)
    url, rng, took = postgres.fresh(), random.Random(3), dict[str, float]()
    with place(tmp_path / "team", url, rounds, port) as here, Team(here, url, 2, 0, rng, SHARE) as team:
        stopped: list[tuple[Member, float]] = []

        def trouble(team: Team) -> None:
            stopped.append((stop(team), time.monotonic()))

        for number, (at, whole) in enumerate(made):
            if number == 0:  # everything is new
                team.play(at, whole, lambda team: None)
                continue
            where = STORE if number % 2 else QUEUE
            lie_in_wait(team, where)
            team.play(at, whole, trouble)
            member, since = stopped.pop()
            took[where] = max(took.get(where, 0.0), time.monotonic() - since)
            member.process.send_signal(signal.SIGCONT)
        sys.stdout.write(f"{len(made) - 1} stopped; a round ends at the latest after {took} s\n")
        assert max(took.values()) < 60
        team.until("it to say so", lambda: bool(team.said("step failed")))
        found, asked, arrived = team.remembered(), here.asked(), here.arrived
        assert team.rows("SELECT count(*), count(ended_at) FROM rounds") == [(len(made), len(made))]
        assert set(arrived) == set(said)
        assert asked == done
        assert differences(found, wanted) == []
