"""Tail: each kind of message is told once, when it is first said."""

from dogwatch.logs.tail import Tail


def said(live: Tail, *chunks: bytes) -> list[str]:
    """What is told while these arrive and then nothing more."""
    return [line for chunk in (*chunks, b"") for line in live.more([chunk] if chunk else [], 90)]


def test_what_is_known_is_counted_and_only_what_is_new_is_told() -> None:
    live = Tail(0.0, None)
    assert list(live.known([b"loaded 1 rows\nloaded 2 rows\n"])) == [
        "2 events of 1 kind so far; waiting for new ones"
    ]
    assert said(live, b"loaded 3 rows\n") == []
    assert said(live, b"load of 7 failed\nload of 8 failed\nloaded 9 rows\n") == [
        "● ERROR     load of 8 failed"
    ]
    assert said(live, b"load of 9 failed\n") == []


def test_half_a_line_waits_for_the_rest() -> None:
    live = Tail(0.0, None)
    assert list(live.known([])) == ["0 events of 0 kinds so far; waiting for new ones"]
    assert said(live, b"disk at 8") == []
    assert said(live, b"1 %\n") == ["○ INFO      disk at 81 %"]


def test_a_trace_is_told_with_its_cause() -> None:
    live = Tail(0.0, "log4j")
    lines = [
        b"2026-11-20 02:04:05,000 ERROR app.Loader - load failed\n",
        b"java.lang.RuntimeException: x\n\tat a.B(C.java:1)\nCaused by: java.io.IOException: disk full\n",
        b"2026-11-20 02:04:06,000 INFO app.Loader - next\n",
    ]
    assert said(live, *lines) == [
        "● ERROR     load failed | java.io.IOException: disk full",
        "○ INFO      next",
    ]
