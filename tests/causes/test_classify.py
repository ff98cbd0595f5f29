"""Error texts to classes: what decides, what a phrase may do, and that hostile text stays cheap."""

import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dogwatch.causes.classify import UNKNOWN, classify
from dogwatch.causes.phrases import GAP, catalogue, find_all, read_table, tables
from dogwatch.causes.text import MAX_CHARS, normal, pieces
from dogwatch.model.cause_class import CauseClass

MESSAGES = Path(__file__).parent / "data" / "messages.txt"


def messages() -> list[tuple[str, str, str]]:
    """Platform, class and text of each message of the list."""
    rows = [
        line.split(" | ", 2) for line in MESSAGES.read_text("utf-8").splitlines() if line[:1] not in ("", "#")
    ]
    return [(platform, cause, text.replace("\\n", "\n")) for platform, cause, text in rows]


@pytest.mark.parametrize("platform", sorted({platform for platform, _, _ in messages()}))
def test_messages_of_each_platform_are_told_apart(platform: str) -> None:
    wrong = [
        (cause, classify(text, where).cause_class, text)
        for where, cause, text in messages()
        if where == platform and classify(text, where).cause_class != cause
    ]
    assert wrong == []


def test_every_class_has_messages_and_phrases() -> None:
    assert {cause for _, cause, _ in messages()} == set(CauseClass)
    phrases = Counter(entry.cause_class for group in catalogue().values() for entry in group)
    assert min(phrases[cause] for cause in CauseClass) >= 100


@pytest.mark.parametrize(
    ("text", "cause", "phrase"),
    [
        ("403 Forbidden: Quota exceeded for project acme", "quota_rate_limit", "Quota exceeded"),
        ("lock wait timeout exceeded; x", "concurrency_lock", "lock wait timeout exceeded"),
        ("Failed to connect: JWT token is invalid", "auth_permission", "JWT token is invalid"),
        ("java.lang.RuntimeException: x\nCaused by: java.net.ConnectException: Connection refused",
         "dependency_outage", "Connection refused"),
        ("HikariPool-2 - Connection is not available. Cause: FATAL: password authentication failed",
         "auth_permission", "password authentication failed"),
        ("Could not connect with provided configuration. SQLException: JWT token is invalid. [c0]",
         "auth_permission", "JWT token is invalid"),
        ("the workspace names a token endpoint on another host; no credentials were sent there",
         "platform_fault", "names a token endpoint on another host"),
        ("HTTP/1.1 504 while calling", "network_timeout", "HTTP/1.1 504"),
        ("ERROR: 42501: nope", "auth_permission", "ERROR: 42501"),
        ("ORA-00942 somewhere", "upstream_missing", "ORA-00942"),
        ("AADSTS7000222: x", "auth_permission", "AADSTS7000222"),
        ("KafkaException: NOT_ENOUGH_REPLICAS", "dependency_outage", "NOT_ENOUGH_REPLICAS"),
    ],
)  # fmt: skip
def test_the_stronger_the_inner_and_the_longer_phrase_decides(text: str, cause: str, phrase: str) -> None:
    answer = classify(text)
    assert (answer.cause_class, answer.phrase) == (cause, phrase)
    assert 1 <= answer.strength <= 4
    assert answer.rule


def test_the_innermost_cause_of_a_python_chain_is_printed_first() -> None:
    text = (
        "Traceback (most recent call last):\n"
        '  File "a.py", line 1, in read\n'
        "PermissionError: [Errno 13] Permission denied\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        "Traceback (most recent call last):\n"
        '  File "b.py", line 2, in load\n'
        "LoadError: table not found\n"
    )
    assert classify(text).cause_class == "auth_permission"


def test_stack_frames_say_nothing() -> None:
    assert classify("\tat com.acme.timeout.Deadlock.permissionDenied(Deadlock.java:12)").cause_class is None


def test_nothing_known_is_an_honest_unknown() -> None:
    for text in ("", "   \n\t", "qwertz uiop", "🦆" * 50):
        answer = classify(text)
        assert (answer.cause_class, answer.phrase, answer.strength, answer.rule) == (None, "", 0, "")


def test_a_phrase_is_whole_words_only() -> None:
    assert classify("thereof").cause_class is None
    assert classify("the eof").cause_class == "network_timeout"


def test_a_platform_rule_speaks_only_on_its_platform() -> None:
    table = "== config_error 3 @dbt\nsome words\n"
    (phrase,) = read_table("t", table)
    assert phrase.platforms == ("dbt",)
    with pytest.raises(ValueError, match="before the first group"):
        list(read_table("t", "some words"))


def test_a_gap_is_bounded() -> None:
    near, far = (
        "column " + "x" * (GAP - 10) + " does not exist",
        "column " + "x" * (GAP + 30) + " does not exist",
    )
    assert any(entry.rule.endswith("column * does not exist") for entry, _ in find_all(normal(near)))
    assert not any(entry.rule.endswith("column * does not exist") for entry, _ in find_all(normal(far)))


def test_the_catalogue_says_nothing_twice() -> None:
    said = Counter(
        (entry.parts, entry.platforms) for name, text in tables().items() for entry in read_table(name, text)
    )
    assert [phrase for phrase, times in said.items() if times > 1] == []


@given(st.text(max_size=2_000), st.sampled_from(["", "postgres", "kubernetes", "dbt"]))
def test_any_text_gets_an_answer_and_the_phrase_stands_in_it(text: str, platform: str) -> None:
    answer = classify(text, platform)
    assert answer.phrase in text
    assert (answer.cause_class is None) == (answer.strength == 0)


@given(
    st.lists(
        st.sampled_from([*"aA_ '\"\n", "Caused by: ", "timeout", "column", " does not exist", "404", "İ"])
    )
)
def test_texts_of_known_words_get_an_answer_too(words: list[str]) -> None:
    text = "".join(words)
    assert classify(text).phrase in text


@pytest.mark.parametrize(
    "unit",
    ["a", "\n", "Aa", "timeout ", "column does ", "caused by: ", "(((", "status 4", "code: 4", "İ", "'"],
)
def test_a_megabyte_of_hostile_text_costs_about_a_second_at_most(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    started = time.perf_counter()
    classify(text)
    assert time.perf_counter() - started < 3.0  # measured: 0.04 to 0.3 s; the rest is room for a busy machine


def test_of_a_long_text_head_and_tail_are_read() -> None:
    filler = "nothing to see here\n" * 10_000
    assert classify("permission denied\n" + filler).cause_class == "auth_permission"
    assert classify(filler + "\nOutOfMemoryError").cause_class == "resource_exhaustion"
    assert sum(len(piece.raw) for piece in pieces(filler)) <= MAX_CHARS


def test_a_label_that_stands_in_every_error_of_a_driver_names_no_cause() -> None:
    said = "com.microsoft.sqlserver.jdbc.SQLServerException: Etwas ist geschehen. ClientConnectionId:1b0a4c1f"
    assert classify(said, "airbyte") == UNKNOWN
