"""A disk that is full for a while under ``dogwatch watch``, for its store and for its own log: callers are
asked to come again, and nothing is lost."""

import resource
import signal
import threading
from collections import Counter
from pathlib import Path

import pytest

from support.cli import NO_BYTECODE
from support.watchpost import Post, post

pytestmark = pytest.mark.slow


def room(one: Post, size: int) -> None:
    """From now on no file of the watch and of its listener can grow beyond so many bytes."""
    assert one.process is not None
    pid = one.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    for each in (pid, *map(int, children)):
        _, most = resource.prlimit(each, resource.RLIMIT_FSIZE)
        resource.prlimit(each, resource.RLIMIT_FSIZE, (size, most))


def test_a_full_disk_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    arrived = Counter[str]()
    with post(tmp_path, arrived, env=NO_BYTECODE) as one:
        one.start()
        one.keep_calling("before")
        room(one, 1)
        assert not one.call("during")
        threading.Event().wait(2.5)  # for a round that cannot be written down
        assert one.lives()
        room(one, resource.RLIM_INFINITY)
        one.keep_calling("during")
        one.until("SELECT count(*) FROM calls WHERE state != 'done'", 0)
        one.rests()
        assert one.end(signal.SIGTERM) == 0
        one.nothing_lost_or_doubled(arrived)
        assert "the disk is quite full" in one.log()
