"""Coverage-guided fuzzing of reading logs: ``python tests/support/fuzz_logs.py -max_total_time=60 [CORPUS]``.

What comes first in the input says how the rest is packed and read. Any exception, ten seconds on one input,
or a gigabyte of memory ends it with the input that caused it. Begins with lines of every format. Needs the
group ``real`` (atheris).
"""

import bz2
import gzip
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["dogwatch.logs"]):
    from dogwatch.logs.book import Book
    from dogwatch.logs.events import FORMATS, Events
    from dogwatch.logs.page import table
    from dogwatch.logs.read import Tally, blocks
    from dogwatch.logs.triage import triage

PACKED: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: data,
    lambda data: data,
    gzip.compress,
    lambda data: gzip.compress(data)[:-3],
    lambda data: gzip.compress(data * 200),
    lambda data: b"\x1f\x8b" + data,
    lambda data: b"\x28\xb5\x2f\xfd" + data,
    lambda data: b'{"a":' * 600 + data,
    lambda data: data * 300,
    lambda data: zlib.compress(bz2.compress(data)),
)

LINES = (
    b"2026-11-20 02:04:05,000 - loader - ERROR - no\nTraceback (most recent call last):\n  x\nEError: no\n",
    b'{"severity":"ERROR","logName":"projects/a/logs/b%2Fc","jsonPayload":{"message":"no","component":"x"}}\n',
    b'{"timestamp":"2026-11-20T02:03:11.5Z","resource":{"labels":{"job_id":"s"}},"httpRequest":{"status":500}}\n',
    b'{"time":"2026-11-20T02:03:11Z","level":30,"msg":"done","err":{"message":"m","stack":"a\\n at b"}}\n',
    b'{"log":"x\\n","stream":"stdout","time":"2026-11-20T02:03:11Z"}\n',
    b'time=2026-11-20T02:03:11Z level=warn msg="slow \\"x\\"" took=1.5s\n',
    b"Nov 20 02:04:05 host app[12]: session opened for user root by (uid=0)\n",
    b'<165>1 2026-11-20T02:04:05Z h app 1 ID47 [a b="c"] text\n',
    b"2026-11-20T02:04:05.1Z stdout F I1120 02:04:05.000000       1 a.go:1] x\n",
    b"[2026-11-20T02:04:05.000+0000] {taskinstance.py:1} INFO - x\n",
    b'10.0.0.1 - - [20/Nov/2026:02:04:05 +0000] "GET /a?b=c HTTP/1.1" 500 12\n',
    b"2026-11-20 02:04:05.000 ERROR 1 --- [main] a.B : x\n\tat a.B.c(D.java:1)\nCaused by: a.E: y\n",
    b"card 4111 1111 1111 1111 of a@b.com at https://u:p@h.example.com/x?y=z password=hush blk_-1234\n",
)


def seeds(folder: Path) -> None:
    """Something of every format to begin with."""
    for number, line in enumerate(LINES):
        for packing in range(len(PACKED)):
            (folder / f"{number}-{packing}").write_bytes(bytes((packing, 0, 255)) + line * 3)


def read(data: bytes) -> None:
    """Everything that ``dogwatch logs triage`` does with a file, but for the file."""
    if len(data) < 3:
        return
    packed = PACKED[data[0] % len(PACKED)](data[3:])
    names = (None, *FORMATS)
    tally, book = Tally(), Book(hourly=True)
    events = Events(1_790_000_000.0, tally, names[data[1] % len(names)])
    size = 1 + data[2] * 16
    for block in blocks((packed[at : at + size] for at in range(0, len(packed), size)), tally):
        book.add(events.feed(block))
    book.add(events.finish())
    entries = book.entries()
    report = triage(entries)
    table(entries, 80)
    assert book.events == sum(entry.lines for entry in entries) == report["total_events"]
    assert book.events <= tally.lines
    assert all(number > 0 for number in tally.bad.values())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as begin:
        seeds(Path(begin))
        limits = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=4096", "-len_control=0")
        corpus = [word for word in sys.argv[1:] if not word.startswith("-")]
        atheris.Setup([*sys.argv, *(() if corpus else (begin,)), *limits], read)
        atheris.Fuzz()
