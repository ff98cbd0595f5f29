"""``dogwatch watch`` on a PostgreSQL that is restarted, and to which the network is cut without a word."""

import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from dogwatch.store import line
from support.cut import through
from support.watchpost import post

if TYPE_CHECKING:
    from support.postgres import Postgres

pytestmark = pytest.mark.real

HASTY = """
from datetime import timedelta
from dogwatch.engine import watch
from dogwatch.store import line, server
line.SILENCE, line._ASKING, server._CONNECT_SECONDS = 2.0, 2, 2
watch._TROUBLE = (timedelta(seconds=2),)
from dogwatch.__main__ import main
main()
"""
"""dogwatch, but it loses patience with a silent server sooner, and comes back sooner."""
BACK_WITHIN = 30.0
"""Seconds from the moment at which the server can be reached again to a round that ends."""


def test_nothing_is_lost_or_doubled_when_the_server_restarts_and_the_network_is_cut(
    postgres: "Postgres", tmp_path: Path
) -> None:
    arrived, address = Counter[str](), postgres.fresh()
    with through(postgres.port) as way:
        by_way = address.replace(f":{postgres.port}/", f":{way.port}/")
        with post(tmp_path, arrived, by_way, store=address, program=("-c", HASTY)) as one:
            one.start()
            one.keep_calling("before")
            one.until("SELECT count(*) FROM calls WHERE state = 'done'", 1)
            for number in range(2):
                one.keep_calling(f"before-restart-{number}")
                threading.Event().wait(0.3 + number / 4)
                postgres.restart()
            one.keep_calling("between")
            one.until("SELECT count(*) FROM calls WHERE state != 'done'", 0)
            assert one.ready()[0] == 200
            one.keep_calling("before-cut")
            threading.Event().wait(0.4)
            way.cut()
            began = time.monotonic()
            status, told = one.ready()
            assert (status, told["ready"], told["why"]) == (503, False, "the store does not answer")
            assert not one.call("during-cut")
            assert time.monotonic() - began < 15
            way.heal()
            one.keep_calling("during-cut")
            assert one.until("SELECT count(*) FROM calls WHERE state != 'done'", 0) < BACK_WITHIN
            assert one.ready()[0] == 200
            one.rests()
            assert one.end(signal.SIGTERM) == 0
            one.nothing_lost_or_doubled(arrived)


def test_who_works_long_is_waited_for_and_who_is_gone_is_not(
    postgres: "Postgres", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "SILENCE", 0.3)
    monkeypatch.setattr(line, "_ASKING", 2)
    with through(postgres.port) as way:
        means = {"host": "127.0.0.1", "user": "postgres", "dbname": "postgres", "autocommit": True}
        with line.line(**means, port=way.port) as connection:
            connection.backend = connection.info.backend_pid
            assert connection.execute("SELECT pg_sleep(1.2), 1").fetchone() == ("", 1)
            way.cut()
            with pytest.raises(psycopg.OperationalError, match="was silent and is not there any more"):
                connection.execute("SELECT 1")
            assert connection.closed
