"""Workers and watchers on one store that are killed and stopped at random in the midst of their work: every
round is made, every run is recorded once, everything is said and done once, as if nothing had happened."""

import random
import sys
from functools import partial
from pathlib import Path

import pytest

from support.crash_memory import differences
from support.postgres import Postgres
from support.team import Team, moments, place, some_ports, undisturbed

pytestmark = [pytest.mark.slow, pytest.mark.real]

WORKERS, WATCHERS = 3, 2
KILLS = 20
STOPS = 2
SHARE, SMALL = 100_000, 12_000
"""Bytes of a log that one worker mines at a time: there are shares in the first round, or in every third."""


def test_a_team_in_which_many_die_remembers_says_and_does_what_one_process_would(
    tmp_path: Path, postgres: Postgres, pytestconfig: pytest.Config
) -> None:
    kills = pytestconfig.getoption("kills", None) or KILLS
    stops = max(STOPS, kills // 10)
    rounds = max(4, kills * 5 // 3)  # with those that calls begin, five rounds to two kills
    port = some_ports()
    wanted, done, said = undisturbed(tmp_path / "one", rounds, port)
    made = moments(rounds)
    rng = random.Random(11)
    troubles = ["kill"] * kills + ["stop"] * stops
    rng.shuffle(troubles)
    plan = dict(zip(_drawn(rng, len(made), len(troubles)), troubles, strict=False))
    url, share = postgres.fresh(), SHARE if kills == KILLS else SMALL
    with (
        place(tmp_path / "team", url, rounds, port) as here,
        Team(here, url, WORKERS, WATCHERS, rng, share) as team,
    ):
        for number, (at, whole) in enumerate(made):
            team.play(at, whole, partial(_trouble, what=plan.get(number, "")) if number else _mining)
        found, asked, arrived = team.remembered(), here.asked(), here.arrived
        sys.stdout.write(f"{len(made)} rounds; killed in: {dict(team.killed)}\n")
        assert team.killed["mine"]
        assert team.rows("SELECT count(*), count(ended_at) FROM rounds") == [(len(made), len(made))]
        assert team.rows("SELECT count(*) FROM leases WHERE name = 'round'") == [(0,)]
        assert team.rows("SELECT count(*) FROM calls WHERE state != 'done'") == [(0,)]
        sent = dict(team.rows("SELECT key, attempts FROM outbox WHERE state = 'sent'"))
        assert set(arrived) == set(said)
        assert [key for key, times in arrived.items() if times > 1 and sent[key] < 2] == []
        assert asked == done
        assert differences(found, wanted) == []


def _drawn(rng: random.Random, rounds: int, troubles: int) -> list[int]:
    """In which rounds something happens; none in the first one, in which everything is new."""
    return rng.sample(range(1, rounds), min(troubles, rounds - 1))


def _mining(team: Team) -> None:
    """In the first round a worker is killed while it mines a share of the log."""
    team.kill(*team.wait_for("mine"))


def _trouble(team: Team, what: str) -> None:
    found = team.wait_for_work() if what else None
    if found is not None:
        (team.kill if what == "kill" else team.stop)(*found)
