"""Formats: each is recognised without being told, its header is read and taken off, its traces are folded."""

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dogwatch.errors import SettingsError
from dogwatch.logs.events import FORMATS, Batch, Events
from dogwatch.logs.read import Tally

NOW = datetime(2026, 11, 20, 6, 30, tzinfo=UTC).timestamp()
AT = datetime(2026, 11, 20, 2, 4, 5, tzinfo=UTC).timestamp()


def read(text: str | bytes, cut: int = 10**6, name: str | None = None) -> tuple[Batch, Events, Tally]:
    """All events, fed in blocks of so many lines."""
    lines = (text.encode() if isinstance(text, str) else text).split(b"\n")
    tally = Tally()
    events = Events(NOW, tally, name)
    whole = Batch()
    messages: list[bytes] = []
    for at in range(0, len(lines), cut):
        add(whole, messages, events.feed(b"\n".join(lines[at : at + cut])))
    add(whole, messages, events.finish())
    whole.messages = b"\n".join(messages)
    return whole, events, tally


def add(whole: Batch, messages: list[bytes], batch: Batch) -> None:
    if batch.events:
        messages.append(batch.messages)
        whole.lines += batch.lines or [1] * batch.events
    whole.events += batch.events
    whole.times += batch.times
    whole.levels += batch.levels
    whole.components += batch.components


EXAMPLES = {
    "klog": (
        "W1120 02:04:05.000000       1 reflector.go:324] watch of Pod ended",
        "warning",
        "reflector.go:324",
    ),
    "syslog5424": (
        '<131>1 2026-11-20T02:04:05Z web1 sshd 991 ID47 [meta k="v"] watch of Pod ended',
        "err",
        "sshd",
    ),
    "syslog": ("<28>Nov 20 02:04:05 web1 kubelet[812]: watch of Pod ended", "warning", "kubelet"),
    "airflow": (
        "[2026-11-20T02:04:05.000+0000] {taskinstance.py:1345} WARNING - watch of Pod ended",
        "warning",
        "taskinstance.py:1345",
    ),
    "dbt": ("02:04:05.000000 [warn ] [MainThread]: watch of Pod ended", "warn", "MainThread"),
    "apache": (
        "[Fri Nov 20 02:04:05.0 2026] [core:warn] [pid 1] watch of Pod ended",
        "warn",
        "core",
    ),
    "nginx": ("2026/11/20 02:04:05 [warn] 31#31: *7 watch of Pod ended", "warn", ""),
    "postgres": ("2026-11-20 02:04:05.000 UTC [812] WARNING:  watch of Pod ended", "warning", ""),
    "spring": (
        "2026-11-20T02:04:05.000Z  WARN 1 --- [main] c.acme.OrderService  : watch of Pod ended",
        "warn",
        "c.acme.OrderService",
    ),
    "java": (
        "2026-11-20 02:04:05,000 - WARN  [main:Watcher@493] - watch of Pod ended",
        "warn",
        "main:Watcher@493",
    ),
    "python": ("2026-11-20 02:04:05,000 - acme.pods - WARNING - watch of Pod ended", "warning", "acme.pods"),
    "log4j": ("26/11/20 02:04:05 WARN cluster.Watcher: watch of Pod ended", "warn", "cluster.Watcher"),
    "stamped": ("2026-11-20 02:04:05 watch of Pod ended", "", ""),
    "columns": ("261120 020405 17 WARN dfs.Watcher: watch of Pod ended", "warn", "dfs.Watcher"),
    "logfmt": ('time=2026-11-20T02:04:05Z level=warn msg="watch of Pod ended" logger=pods', "warn", "pods"),
    "json": (
        '{"ts": "2026-11-20T02:04:05Z", "level": "WARN", "logger": "pods", "msg": "watch of Pod ended"}',
        "warn",
        "pods",
    ),
    "logentry": (
        json.dumps(
            {
                "insertId": "a",
                "logName": "projects/p/logs/run.googleapis.com%2Fstderr",
                "timestamp": "2026-11-20T02:04:05Z",
                "severity": "WARNING",
                "jsonPayload": {"message": "watch of Pod ended", "component": "extractor"},
            }
        ),
        "warning",
        "extractor",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_format_is_recognised_and_its_header_read(name: str) -> None:
    line, level, component = EXAMPLES[name]
    batch, events, tally = read("\n".join([line] * 5))
    assert events.format == name
    assert batch.messages == b"\n".join([b"watch of Pod ended"] * 5)
    assert batch.times == [AT] * 5
    assert batch.levels == [level] * 5
    assert batch.components == [component] * 5
    assert not tally.bad


def test_an_access_log_tells_its_level_by_the_status() -> None:
    line = '10.0.0.7 - bob [20/Nov/2026:02:04:05 +0000] "GET /a HTTP/1.1" {} 17 "-" "curl/8"'
    batch, events, _ = read("\n".join(line.format(status) for status in (200, 404, 503)))
    assert events.format == "access"
    assert batch.levels == ["info", "warning", "error"]
    assert batch.messages.startswith(b'"GET /a HTTP/1.1" 200')


def test_python_without_a_time_is_recognised() -> None:
    batch, events, _ = read("WARNING:acme.pods:watch of Pod ended\nINFO:acme:fine")
    assert events.format == "levelled"
    assert batch.components == ["acme.pods", "acme"]


def test_what_a_container_wrote_is_opened_too() -> None:
    inner = "2026-11-20 02:04:05,000 - acme.pods - WARNING - watch of Pod ended"
    for outer in (
        f"2026-11-20T02:04:05.000000000Z stderr F {inner}",
        json.dumps({"log": inner + "\n", "stream": "stderr", "time": "2026-11-20T02:04:05Z"}),
        json.dumps({"textPayload": inner, "insertId": "x", "timestamp": "2026-11-20T02:04:05Z"}),
    ):
        batch, _, _ = read("\n".join([outer] * 3))
        assert batch.messages.split(b"\n")[0] == b"watch of Pod ended"
        assert (batch.levels[0], batch.components[0], batch.times[0]) == ("warning", "acme.pods", AT)


def test_what_a_container_wrote_in_no_encoding_is_opened_too() -> None:
    line = b"2026-11-20T02:04:05.000000000Z stderr F 2026-11-20 02:04:05,000 - ERROR [caf\xe9] - no\n"
    batch, _, _ = read(line * 3)
    assert batch.components[0] == "caf\N{REPLACEMENT CHARACTER}"
    assert batch.messages.split(b"\n")[0] == b"no"


@pytest.mark.parametrize(
    ("entry", "text", "level", "component"),
    [
        (
            {"protoPayload": {"methodName": "SetIam", "status": {"message": "denied"}}},
            b"SetIam denied",
            "",
            "audit",
        ),
        (
            {
                "httpRequest": {"requestMethod": "POST", "requestUrl": "/x", "status": 500},
                "severity": "DEFAULT",
            },
            b"POST /x 500",
            "error",
            "audit",
        ),
        ({"jsonPayload": {"message": {"deep": 1}}}, b'{"deep": 1}', "", "audit"),
        (
            {"textPayload": "x", "resource": {"labels": {"service_name": "tiff-converter"}}},
            b"x",
            "",
            "tiff-converter",
        ),
    ],
)
def test_every_payload_of_cloud_logging_is_read(
    entry: dict[str, object], text: bytes, level: str, component: str
) -> None:
    batch, _, _ = read(json.dumps({"logName": "projects/p/logs/audit", "insertId": "1", **entry}))
    assert (batch.messages, batch.levels, batch.components) == (text, [level], [component])


@pytest.mark.parametrize(
    "line",
    [
        "{} ERROR [main] app.Loader - no clock",
        '{{"message": "no clock", "level": "error", "time": "{}"}}',
        '{{"textPayload": "no", "timestamp": "{}", "severity": "ERROR", "resource": {{"labels": {{}}}}}}',
    ],
)
@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00Z", "1013-11-20T02:04:05Z", "9999-12-31T23:59:59Z"])
def test_a_time_before_1970_or_far_ahead_is_none(line: str, stamp: str) -> None:
    said = [line.format(when) for when in ("2026-11-20T02:04:05Z", stamp, "2026-11-20T02:04:05Z")]
    batch, _, tally = read("\n".join(said))
    assert batch.times == [AT, None, AT]
    assert not tally.bad


def test_a_time_of_cloud_logging_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    entry = {"textPayload": "x", "severity": "INFO", "logName": "projects/a/logs/b"}
    batch, _, _ = read(json.dumps({**entry, "timestamp": "2026-11-20T02:04:05", "resource": {"labels": {}}}))
    monkeypatch.undo()
    time.tzset()
    assert batch.times == [AT]


def test_bare_messages_keep_what_they_are() -> None:
    text = "[client 10.0.0.1] denied by rule\nacquire lock=1, flags=0x1\nServer started: fine\n12:x error"
    batch, events, _ = read(text)
    assert events.format == "plain"
    assert batch.messages == text.encode()


JAVA = """\
2026-11-20 02:04:05,000 ERROR [main] app.Loader - load failed
java.lang.RuntimeException: wrapped
\tat app.Loader.load(Loader.java:5)
Caused by: java.sql.SQLException: permission denied for table orders
\tat app.Db.run(Db.java:9)
\t... 12 more
2026-11-20 02:04:06,000 INFO [main] app.Loader - next"""

PYTHON = """\
[2026-11-20T02:04:05.000+0000] {task.py:9} ERROR - Task failed with exception
Traceback (most recent call last):
  File "/a/b.py", line 4, in f
    raise KeyError(1)
KeyError: 1

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/a/b.py", line 7, in g
    do()
acme.errors.LoadError: no such bucket
[2026-11-20T02:04:06.000+0000] {task.py:9} INFO - next"""


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    ("text", "first", "lines"),
    [
        (JAVA, b"load failed | java.sql.SQLException: permission denied for table orders", 6),
        (PYTHON, b"Task failed with exception | acme.errors.LoadError: no such bucket", 12),
    ],
)
def test_a_trace_is_one_event_with_its_innermost_cause(text: str, first: bytes, lines: int, cut: int) -> None:
    batch, _, _ = read(text, cut, "log4j" if text is JAVA else "airflow")
    assert batch.messages.split(b"\n") == [first, b"next"]
    assert batch.lines == [lines, 1]


def test_a_trace_without_any_header_is_one_event() -> None:
    batch, _, _ = read(
        'ready\nTraceback (most recent call last):\n  File "a.py", line 1\n    x()\nValueError: bad\nready'
    )
    assert batch.messages == b"ready\nValueError: bad\nready"
    assert batch.lines == [1, 4, 1]


def test_lines_that_are_no_objects_are_counted_and_kept() -> None:
    good = '{"message": "fine", "level": "info"}'
    batch, _, tally = read(f"{good}\n{good}\n{good}\n{{broken\n[1]\n{good}")
    assert batch.events == 6
    assert tally.bad == {"not a JSON object": 2}
    assert tally.samples == {"not a JSON object": ["{broken", "[1]"]}


def test_json_nested_beyond_reason_is_a_bad_line() -> None:
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    _, _, tally = read('{"message": "fine"}\n' * 3 + deep, name="json")
    assert tally.bad["not a JSON object"] == 1


def test_an_unknown_format_is_refused_with_the_list() -> None:
    with pytest.raises(SettingsError) as refused:
        Events(NOW, Tally(), "sylog")
    assert "syslog" in refused.value.hint


@given(text=st.binary(max_size=400), name=st.sampled_from([None, *FORMATS]), cut=st.integers(1, 5))
def test_whatever_the_bytes_every_line_belongs_to_one_event(text: bytes, name: str | None, cut: int) -> None:
    batch, _, _ = read(text, cut, name)
    assert sum(batch.lines) == text.count(b"\n") + 1
    assert batch.messages.count(b"\n") + 1 == batch.events == len(batch.lines)


@given(
    lines=st.lists(st.sampled_from([*JAVA.split("\n"), *PYTHON.split("\n"), ""]), min_size=1, max_size=12),
    cut=st.integers(1, 6),
    name=st.sampled_from(["log4j", "airflow", "plain"]),
)
def test_where_a_file_is_cut_makes_no_difference(lines: list[str], cut: int, name: str) -> None:
    cut_up, whole = read("\n".join(lines), cut, name)[0], read("\n".join(lines), 10**6, name)[0]
    assert cut_up == whole
