"""The book: counts by template, time, level and component, in memory that does not grow."""

import json
import random

from dogwatch.logs.book import FINEST, OTHER, Book
from dogwatch.logs.events import Batch, Events
from dogwatch.logs.read import Tally

START = 1_790_000_040.0
"""The beginning of a minute."""


def said(*events: tuple[float, str, str, str]) -> Batch:
    """A batch of (seconds after START, level, component, message)."""
    return Batch(
        "\n".join(message for *_, message in events).encode(),
        len(events),
        [START + at for at, *_ in events],
        [level for _, level, _, _ in events],
        [component for _, _, component, _ in events],
    )


def test_a_template_knows_when_how_bad_and_who() -> None:
    book = Book()
    book.add(
        said(
            (60, "info", "a", "loaded 7 rows"), (0, "error", "b", "loaded 9 rows"), (30, "info", "a", "stop")
        )
    )
    loaded, stop = book.entries()
    assert (loaded.template.text, loaded.lines) == ("loaded <*> rows", 2)
    assert (loaded.first, loaded.last) == (START, START + 60)
    assert loaded.severities == {"INFO": 1, "ERROR": 1}
    assert loaded.severity == "ERROR"
    assert loaded.components == {"a": 1, "b": 1}
    assert list(loaded.buckets.values()) == [1, 1]
    assert {
        int(START + offset - bucket) < FINEST
        for offset, bucket in zip((0, 60), sorted(loaded.buckets), strict=True)
    }
    assert [sample.text for sample in loaded.samples] == ["loaded 9 rows", "loaded 7 rows"]
    assert stop.lines == 1


def test_first_and_last_follow_the_times_and_not_the_file() -> None:
    book = Book()
    for offset in (500, 100, 900, 300):
        book.add(said((offset, "info", "", "x"), (offset + 5, "info", "", "x")))
    [entry] = book.entries()
    assert (entry.first, entry.last) == (START + 100, START + 905)


def test_buckets_widen_when_there_are_many_and_lose_nothing() -> None:
    book = Book()
    r = random.Random(3)
    for day in range(60):
        book.add(said(*((day * 86_400 + r.randrange(86_400), "info", "", f"tick {i}") for i in range(50))))
    [entry] = book.entries()
    assert book.width > FINEST
    assert len(entry.buckets) <= 256
    assert sum(entry.buckets.values()) == entry.lines == 3000


def test_components_beyond_number_are_counted_as_others() -> None:
    book = Book()
    book.add(said(*((0.0, "info", f"worker-{i}", "x") for i in range(3000))))
    [entry] = book.entries()
    assert len(entry.components) <= 501
    assert entry.components[OTHER] >= 2499
    assert entry.components.total() == 3000


def test_a_log_without_times_is_counted_by_place() -> None:
    book = Book()
    for block in (b"start 1\nrun 1", b"run 2\nrun 3", b"stop 1"):
        book.add(Batch(block, block.count(b"\n") + 1))
    run = book.entries()[0]
    assert (run.template.text, dict(run.buckets), run.first) == ("run <*>", {0: 1, 1: 2}, None)


def entry(i: int, **more: object) -> str:
    return json.dumps(
        {
            "logName": "projects/p/logs/stderr",
            "insertId": str(i),
            "timestamp": f"2026-11-20T02:{i % 60:02d}:11.5Z",
            "severity": "ERROR" if i % 5 == 0 else "INFO",
            "resource": {"labels": {"container_name": "extractor"}},
            **(more or {"jsonPayload": {"message": f"row {i} of batch"}}),
        }
    )


def test_the_quick_way_for_cloud_logging_says_what_the_careful_way_says() -> None:
    usual = [entry(i) for i in range(40)]
    odd = [
        entry(41, jsonPayload={"message": "load failed", "exception": "Traceback\nValueError: bad"}),
        entry(42, protoPayload={"methodName": "SetIam", "status": {"message": "denied"}}),
        entry(43, textPayload="two\nlines"),
        entry(44, httpRequest={"requestMethod": "GET", "requestUrl": "/x", "status": 503}),
    ]
    quick, careful = (
        Events(START, Tally(), "logentry"),
        Events(START, Tally(), "logentry"),
    )
    together = quick.feed("\n".join(usual + odd).encode())
    broken = careful.feed("\n".join([*usual, *odd, "{broken"]).encode())
    assert broken.messages.endswith(b"\n{broken")
    assert together.messages == broken.messages.removesuffix(b"\n{broken")
    assert together.times == broken.times[:-1]
    assert together.levels == broken.levels[:-1]
    assert together.components == broken.components[:-1]
