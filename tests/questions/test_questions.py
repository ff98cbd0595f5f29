"""What a question asks, about what and about which time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dogwatch.questions.intents import EXAMPLES, Intent, intent_of, window_of
from dogwatch.questions.names import Named, find

KNOWN = [
    Named("pipeline", "sales", "sales"),
    Named("job", "databricks/17", "daily_sales"),
    Named("job", "airbyte/7c1a", "Orders PG → RAW", concern=2),
    Named("job", "snowflake/load", "load_orders"),
    Named("platform", "databricks", "Databricks"),
    Named("component", "component/extractor", "extractor"),
]
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 4, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("question", "intent", "about"),
    [
        ("why was yesterday's sales late?", Intent.why, ["sales"]),
        ("Why is Orders PG → RAW red?", Intent.why, ["Orders PG → RAW"]),
        ("what is broken?", Intent.broken, []),
        ("is everything ok", Intent.broken, []),
        ("how are things", Intent.broken, []),
        ("anything failing right now?", Intent.broken, []),
        ("what is late?", Intent.late, []),
        ("is daily_sales slow", Intent.why, ["daily_sales"]),
        ("who is hit by orders pg raw", Intent.hit, ["Orders PG → RAW"]),
        ("what breaks if load_orders fails?", Intent.hit, ["load_orders"]),
        ("when will daily_sales run?", Intent.when, ["daily_sales"]),
        ("when does databricks/17 run", Intent.when, ["daily_sales"]),
        ("what runs next?", Intent.coming, []),
        ("when is what due", Intent.coming, []),
        ("did load_orders run today?", Intent.ran, ["load_orders"]),
        ("how is the extractor doing", Intent.ran, ["extractor"]),
        ("INC-7", Intent.ran, ["INC-7"]),
        ("what changed since yesterday?", Intent.changed, []),
        ("any deployments this week", Intent.changed, []),
        ("what did you do last night?", Intent.night, []),
        ("what happened overnight?", Intent.night, []),
        ("what happened to inc 12?", Intent.why, ["INC-12"]),
        ("what waits for me?", Intent.actions, []),
        ("what can I do about INC-7?", Intent.actions, ["INC-7"]),
        ("who approved what this week?", Intent.decided, []),
        ("has this happened before to load_orders?", Intent.again, ["load_orders"]),
        ("what does daily_sales depend on?", Intent.depends, ["daily_sales"]),
        ("what can you not see?", Intent.blind, []),
        ("why is databricks unreachable", Intent.blind, ["Databricks"]),
        ("help", Intent.help, []),
    ],
)
def test_a_question_is_understood(question: str, intent: Intent, about: list[str]) -> None:
    found = find(question, KNOWN)
    assert [one.name for one in found.things] == about
    assert intent_of(question, about=bool(found.things)) is intent


@pytest.mark.parametrize(
    "question", ["", "???!", "colourless green ideas", "x" * 5000, "\u202e\x00<b>", "42"]
)
def test_what_makes_no_sense_is_not_understood(question: str) -> None:
    assert not find(question, KNOWN).things
    assert intent_of(question, about=False) in {None, Intent.help}


@pytest.mark.parametrize("intent", EXAMPLES)
def test_each_example_is_understood_as_what_it_stands_for(intent: Intent) -> None:
    question = EXAMPLES[intent].format(name="daily_sales")
    about = bool(find(question, KNOWN).things)
    assert intent_of(question, about=about) is intent


def test_a_part_of_a_name_prefers_what_is_in_trouble_and_says_that_it_was_a_part() -> None:
    found = find("why is orders red", KNOWN)
    assert ([one.name for one in found.things], found.exact) == (["Orders PG → RAW"], False)
    twins = [Named("job", f"a/{number}", f"copy {name}") for number, name in enumerate(("north", "south"))]
    assert len(find("did copy run", twins).things) == 2


@pytest.mark.parametrize(
    ("question", "since", "until", "words"),
    [
        ("yesterday's sales", "2026-03-03T00:00", "2026-03-04T00:00", "yesterday"),
        ("since yesterday", "2026-03-03T00:00", "2026-03-04T12:30", "since yesterday"),
        ("today", "2026-03-04T00:00", "2026-03-04T12:30", "today"),
        ("last night", "2026-03-03T18:00", "2026-03-04T12:30", "last night"),
        ("in the last 6 hours", "2026-03-04T06:30", "2026-03-04T12:30", "last 6 hours"),
        ("past week", "2026-02-25T12:30", "2026-03-04T12:30", "past week"),
        ("this week", "2026-03-02T00:00", "2026-03-04T12:30", "this week"),
        ("on Monday", "2026-03-02T00:00", "2026-03-03T00:00", "on Monday"),
        ("on 2026-02-28", "2026-02-28T00:00", "2026-03-01T00:00", "on 2026-02-28"),
    ],
)
def test_a_time_is_read_in_the_readers_zone(question: str, since: str, until: str, words: str) -> None:
    window = window_of(question, BERLIN, NOW)
    assert window is not None
    assert window.since.astimezone(BERLIN).isoformat()[:16] == since
    assert window.until.astimezone(BERLIN).isoformat()[:16] == until
    assert window.words == words


@pytest.mark.parametrize("question", ["why is it red", "on 2026-02-31", "last but not least"])
def test_no_time_is_no_time(question: str) -> None:
    assert window_of(question, BERLIN, NOW) is None
