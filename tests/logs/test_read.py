"""Reading: whole lines whatever the cuts, archives that are good, cut off, damaged or bombs."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from dogwatch.logs.read import BLOCK, LONGEST_LINE, Tally, blocks

PACKERS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gzip": gzip.compress, "zstd": zstd.compress}


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def lines_of(chunks: list[bytes]) -> tuple[list[bytes], Tally]:
    tally = Tally()
    return [line for block in blocks(chunks, tally) for line in block.split(b"\n")], tally


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda b: b.translate(None, b"\n\r\x1b"))),
    size=st.integers(1, 50),
)
@pytest.mark.parametrize("packer", PACKERS)
def test_every_line_is_read_once_wherever_the_bytes_are_cut(
    packer: str, lines: list[bytes], size: int
) -> None:
    plain = b"".join(line + b"\n" for line in [b"first", *lines])
    got, tally = lines_of(cut(PACKERS[packer](plain), size))
    assert got == [b"first", *lines]
    assert tally.size == len(plain)
    assert not tally.bad


def test_a_last_line_without_a_newline_counts() -> None:
    assert lines_of([b"a\nb"])[0] == [b"a", b"b"]


def test_an_empty_file_has_no_lines() -> None:
    assert lines_of([]) == ([], Tally())


def test_members_of_a_gzip_file_follow_each_other() -> None:
    packed = gzip.compress(b"one\n") + gzip.compress(b"two\n") + b"\0" * 512
    assert lines_of(cut(packed, 7))[0] == [b"one", b"two"]


def test_an_archive_that_ends_early_is_read_as_far_as_it_goes() -> None:
    packed = gzip.compress(b"".join(b"line %d\n" % i for i in range(100_000)))
    got, tally = lines_of([packed[: len(packed) // 2]])
    assert got[0] == b"line 0"
    assert 10_000 < len(got) < 90_000
    assert tally.bad == {"archive ends early": 1}


def test_a_damaged_archive_is_noted_and_left() -> None:
    packed = bytearray(gzip.compress(bytes(range(256)) * 5000, 1))
    packed[200:220] = b"\xff" * 20
    _, tally = lines_of([bytes(packed)])
    assert sum(tally.bad.values()) >= 1


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_a_bomb_is_left_before_it_fills_memory(packer: str) -> None:
    zeros = b"\0" * (1 << 20)
    if packer == "gzip":
        pack = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = b"".join(pack.compress(zeros) for _ in range(100)) + pack.flush()
    else:
        bomb = zstd.compress(zeros * 100)
    tracemalloc.start()
    got, tally = lines_of(cut(bomb, BLOCK))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "archive unpacks to far more than a log would" in tally.bad
    assert sum(map(len, got)) <= LONGEST_LINE
    assert peak < 20 << 20


def test_a_line_of_ten_megabytes_is_cut_and_the_next_is_whole() -> None:
    got, tally = lines_of(cut(b"x" * 10_000_000 + b"\nnext\n" + b"y" * 300_000 + b"\nlast\n", BLOCK))
    assert [len(line) for line in got] == [LONGEST_LINE, 4, LONGEST_LINE, 4]
    assert tally.bad == {"line too long": 2}


def test_colours_of_a_terminal_are_taken_out() -> None:
    assert lines_of([b"\x1b[32mOK\x1b[0m done\n"])[0] == [b"OK done"]


def test_lines_may_end_in_the_manner_of_windows() -> None:
    assert lines_of([b"a\r\nb\rc\r\n"])[0] == [b"a", b"b\rc"]
