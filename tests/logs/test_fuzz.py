"""Whatever comes in, an answer comes out, in bounded time and memory, and every line is accounted for."""

import gzip
import json
import random
import time
import tracemalloc

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from dogwatch.logs.book import Book
from dogwatch.logs.events import FORMATS, Events
from dogwatch.logs.merge import templates, tokens
from dogwatch.logs.page import table
from dogwatch.logs.read import BLOCK, LONGEST_LINE, Tally, blocks
from dogwatch.logs.triage import triage


def read(data: bytes, name: str | None = None, piece: int = BLOCK) -> tuple[Book, Tally]:
    """Everything that ``dogwatch logs triage`` does with a file, but for the file, which comes in pieces."""
    tally, book = Tally(), Book(hourly=True)
    events = Events(1_790_000_000.0, tally, name)
    for block in blocks((data[at : at + piece] for at in range(0, len(data), piece)), tally):
        book.add(events.feed(block))
    book.add(events.finish())
    entries = book.entries()
    json.dumps(triage(entries))
    table(entries, 80)
    return book, tally


PIECES = st.sampled_from(
    [
        *(
            b"2026-11-20 02:04:05,000 ERROR a.B - ",
            b"Nov 20 02:04:05 host app[1]: ",
            b"<13>1 ",
            b'{"message": "',
        ),
        *(
            b'"}',
            b"\n",
            b"\r\n",
            b"\0",
            b"\xff\xfe",
            b"\xe2\x80",
            b"<*>",
            b"10.0.0.1:80",
            b"/a/b",
            b"id=",
            b"0" * 50,
        ),
        *(
            b"\tat x.Y(Z.java:1)\n",
            b"Traceback (most recent call last):\n",
            b"eth0",
            b"\x1b[31m",
            b"'\"'",
            b"(((",
        ),
        *(b"password=x ", b"\x01", b"a" * 5000, b"level=info msg=", b"Caused by: ", b" " * 300, b"-" * 300),
    ]
)


@settings(max_examples=150)
@given(pieces=st.lists(PIECES | st.binary(max_size=30), max_size=60), name=st.sampled_from([None, *FORMATS]))
def test_any_bytes_are_read_and_every_line_is_in_an_event(pieces: list[bytes], name: str | None) -> None:
    data = b"".join(pieces)
    book, tally = read(data, name)
    assert book.events == sum(entry.lines for entry in book.entries())
    assert book.events <= tally.lines


@settings(max_examples=60)
@given(data=st.binary(max_size=2000), magic=st.sampled_from([b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd"]))
def test_any_bytes_that_claim_to_be_packed_are_survived(data: bytes, magic: bytes) -> None:
    read(magic + data)


@settings(max_examples=60)
@given(cut=st.integers(0, 400), packer=st.sampled_from([gzip.compress, zstd.compress]))
def test_an_archive_may_end_anywhere(cut: int, packer: object) -> None:
    assert callable(packer)
    packed: bytes = packer(b"".join(b"line %d of many\n" % i for i in range(200)))
    _, tally = read(packed[:cut])
    assert set(tally.bad) <= {"archive ends early", "archive damaged"}


HOSTILE = {
    "one line of 10 MB": b"a b=c /d/e 1 " * 800_000,
    "10 MB without a blank": b"x" * 10_000_000,
    "10 MB of digits": b"0123456789" * 1_000_000,
    "NULs": b"\0" * 2_000_000,
    "newlines": b"\n" * 300_000,
    "dots": b"\n".join(b"." * 4000 for _ in range(200)),
    "slashes": b"\n".join(b"/a" * 2000 for _ in range(200)),
    "brackets": b"\n".join(b"([{<" * 1000 for _ in range(200)),
    "quotes": b"\n".join(b"'a \"b" * 800 for _ in range(200)),
    "hyphens and digits": b"\n".join(b"a-1_b-" * 700 for _ in range(200)),
    "colons": b"\n".join(b"0:a:" * 1000 for _ in range(200)),
    "at signs": b"\n".join(b"a@b." * 1000 for _ in range(200)),
    "words with dots": b"\n".join(b"a.b-" * 1000 for _ in range(200)),
    "broken UTF-8": b"\n".join(b"\xff\xc3(" * 500 for _ in range(500)),
    "deep JSON": b"\n".join(b'{"a":' * 900 + b"1" + b"}" * 900 for _ in range(50)),
    "headers that never end": b"\n".join(b"2026-11-20 02:04:05 " * 100 for _ in range(300)),
    "columns that never end": b"\n".join(b"x 1234567890 " + b"a " * 2000 for _ in range(200)),
    "a trace that never ends": b"boom\n" + b"\tat a.B.c(D.java:1)\n" * 150_000,
    "logfmt that never ends": b"\n".join(b'level=info msg="' + b"a=b " * 800 for _ in range(200)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_input_takes_bounded_time_and_memory(kind: str) -> None:
    data = HOSTILE[kind]
    started = time.process_time()
    read(data)
    assert time.process_time() - started < 20
    tracemalloc.start()
    read(data[: 3 * BLOCK])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20


@pytest.mark.parametrize("begin", [b"boom\n", b"2026-11-20 02:04:05,000 ERROR a.B - boom\n"])
def test_an_event_that_is_written_bit_by_bit_takes_bounded_time(begin: bytes) -> None:
    data = begin + b"\tat a.B.c(D.java:1)\n" * 50_000
    started = time.process_time()
    book, _ = read(data, piece=70)
    assert time.process_time() - started < 10
    assert book.events == sum(entry.lines for entry in book.entries()) < 50


@given(st.lists(st.integers(0, 9999), min_size=2, max_size=6, unique=True))
def test_lines_of_any_year_are_counted_where_they_belong(years: list[int]) -> None:
    book, _ = read(b"".join(b"%04d-11-20 02:04:05,000 ERROR a.B - no %x\n" % (y, y) for y in years), "log4j")
    assert book.events == sum(entry.lines for entry in book.entries()) == len(years)


@pytest.mark.slow
def test_words_drawn_at_random_take_bounded_memory() -> None:
    r = random.Random(1)
    words = ["".join(r.choices("abcdefghij", k=4)) for _ in range(300)]
    data = "\n".join(" ".join(r.choices(words, k=r.randrange(3, 12))) for _ in range(6_000)).encode()
    tracemalloc.start()
    book, _ = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert book.events == 6_000
    assert peak < 250 << 20


def test_a_line_that_is_too_long_is_cut_and_told() -> None:
    _, tally = read(b"x" * (LONGEST_LINE + 1) + b"\nfine\n")
    assert tally.bad == {"line too long": 1}
    assert tally.lines == 2


@given(st.text(max_size=200))
def test_tokens_are_the_text_again(text: str) -> None:
    assert "".join(tokens(text)) == text


@settings(max_examples=200)
@given(st.lists(st.text(st.sampled_from("ab1\0 ,=:()\"<.'"), min_size=1, max_size=25), max_size=25))
def test_every_shape_gets_a_template_and_the_order_does_not_matter(shapes: list[str]) -> None:
    found = templates(shapes)
    assert set(found) == set(shapes)
    assert templates(reversed(shapes)) == found
